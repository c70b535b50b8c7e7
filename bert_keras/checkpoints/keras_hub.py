"""KerasHub's layout: a preset's folder, read as data and written by KerasHub itself."""

import errno
import logging
import math
import os
import pathlib
import re
import shutil

import numpy as np

from bert_keras.checkpoints.contents import from_model
from bert_keras.config import BertConfig, read_json
from bert_keras.errors import InputError

CONFIG = "config.json"
WEIGHTS = "model.weights.h5"
TASK_WEIGHTS = "task.weights.h5"
VOCABULARY = "assets/tokenizer/vocabulary.txt"

# KerasHub's BERT computes these and no others, whatever it is given.
_EPSILON = 1e-12
_TANH_GELUS = ("gelu_new", "gelu_pytorch_tanh")
_HEAD = f"{TASK_WEIGHTS}/layers/masked_lm_head/"
_OTHER_HEAD = (
    "The head of KerasHub's BertMaskedLM has the exact GELU and a LayerNorm epsilon of 1e-5, "
    "and ours both as the rest of the model: logits will differ by some thousandths."
)
_NOT_THERE = ("mean_classifier", "token_classifier", "next_sentence")
_BACKBONES = ("keras_hub>BertBackbone", "keras_nlp>BertBackbone")

_NAMES = {
    "vocab_size": "vocabulary_size",
    "hidden_size": "hidden_dim",
    "num_hidden_layers": "num_layers",
    "num_attention_heads": "num_heads",
    "intermediate_size": "intermediate_dim",
    "hidden_dropout_prob": "dropout",
    "max_position_embeddings": "max_sequence_length",
    "type_vocab_size": "num_segments",
}

logger = logging.getLogger(__name__)


class KerasHubCheckpoint:
    """A folder in KerasHub's layout, open for reading.

    Its files are read as JSON and HDF5: KerasHub need not be installed, and nothing that the
    configs name is imported. KerasHub's BERT has the tanh approximation of GELU; the head of its
    BertMaskedLM alone has the exact one, and a LayerNorm with an epsilon of 1e-5, where ours
    computes both as the rest of the model: a warning says so when that head is read.

    Attributes:
        layout: "keras_hub".
        location: the backbone's file, for messages.
        config: the `BertConfig`.
        shapes: a shape by name; a name is a file's and the place in it. Attention kernels are
            [in, heads, width of a head] in the file and [in, out] here.
    """

    layout = "keras_hub"
    not_held = ()

    def __init__(self, folder):
        import h5py

        self.config = _read_config(folder / CONFIG)
        self.location = folder / WEIGHTS
        self._files = {}
        self._datasets = {}
        self._has_warned = False
        for name in (WEIGHTS, TASK_WEIGHTS):
            path = folder / name
            if not path.is_file():
                continue
            try:
                self._files[name] = h5py.File(path, "r")
                self._list(name, path.stat().st_size)
            except (OSError, RuntimeError, KeyError) as error:
                self.__exit__()
                raise InputError(f"{path}: cannot be read as HDF5: {error}.") from error
        self.shapes = {
            name: self._matrix_shape(name, dataset.shape)
            for name, dataset in self._datasets.items()
        }

    def _list(self, name, size):
        import h5py

        def add(location, found):
            if isinstance(found, h5py.Dataset) and re.match(r"layers/.*vars/\d+$", location):
                if found.external or found.is_virtual:
                    raise OSError(f"{location} is in another file")
                # The first block has no number.
                location = location.replace("/transformer_encoder/", "/transformer_encoder_0/")
                self._datasets[f"{name}/{location}"] = found

        self._files[name].visititems(add)
        # A dataset may claim to be larger than its file: found out before memory is taken.
        promised = sum(
            math.prod(found.shape) * found.dtype.itemsize
            for location, found in self._datasets.items()
            if location.startswith(name)
        )
        if promised > size:
            raise OSError(f"its datasets promise {promised} bytes and it has {size}")

    def _matrix_shape(self, name, shape):
        width = self.config.hidden_size
        if "/_self_attention_layer/" in name and math.prod(shape) == width * width:
            return (width, width)
        return (math.prod(shape),) if "/_self_attention_layer/" in name else shape

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for file in self._files.values():
            file.close()

    def read(self, name):
        """Reads a variable.

        Args:
            name: one of `shapes`.

        Returns:
            A float32 array.

        Raises:
            InputError: it is damaged, or of no float type.
        """
        found = self._datasets[name]
        if name.startswith(_HEAD) and not self._has_warned:
            logger.warning(_OTHER_HEAD)
            self._has_warned = True
        if found.dtype.kind != "f":
            raise InputError(f"{self.location}: {name} is {found.dtype}, expected a float.")
        try:
            return found[...].astype(np.float32, copy=False).reshape(self.shapes[name])
        except (OSError, RuntimeError) as error:
            raise InputError(f"{self.location}: {name} cannot be read: {error}.") from error


def _read_config(path):
    values = read_json(path)
    if values.get("registered_name") not in _BACKBONES:
        raise InputError(
            f"{path}: expected the preset of a BertBackbone, found "
            f"{values.get('registered_name')!r}."
        )
    theirs = values.get("config")
    missing = [name for name in _NAMES.values() if name not in (theirs or {})]
    if missing:
        raise InputError(f"{path}: expected {missing[0]} in its config, found none.")
    try:
        return BertConfig(
            **{ours: theirs[name] for ours, name in _NAMES.items()},
            attention_probs_dropout_prob=theirs["dropout"],
            hidden_act="gelu_new",
            layer_norm_eps=_EPSILON,
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def write_keras_hub(model, tokenizer, folder):
    """Writes a preset that `keras_hub.models` loads: `BertBackbone.from_preset` and, for the head
    that there is, `BertMaskedLM.from_preset` or `BertTextClassifier.from_preset`.

    Where KerasHub cannot compute what the model does, a warning says so: it has the tanh
    approximation of GELU alone, and no head for sentence pairs.

    Args:
        model: a model or a `Contents`; see `write_huggingface`.
        tokenizer: its `BertTokenizer`.
        folder: where; made if it is not there.

    Raises:
        InputError: KerasHub is not installed, or its BERT is too different for the weights.
        OSError: there is no room, or it cannot be written.
    """
    contents = from_model(model)
    config = contents.config
    if config.position_embedding_type == "sinusoidal" or config.hidden_act in ("relu", "silu"):
        raise InputError(
            "KerasHub's BERT has learned positions and GELU, found "
            f"{config.position_embedding_type} and {config.hidden_act}."
        )
    try:
        import keras_hub
    except ImportError as error:
        raise InputError(
            f"Writing KerasHub's layout needs the package keras-hub ({error})."
        ) from error
    import h5py

    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _expect_room(contents, folder)
    _warn(contents)
    task = next((head for head in ("classifier", "masked_lm") if head in contents.heads), None)
    theirs = {name: getattr(config, ours) for ours, name in _NAMES.items()}
    backbone = keras_hub.models.BertBackbone(**theirs, dtype="float32")
    words = keras_hub.models.BertTokenizer(
        tokenizer.vocabulary, lowercase=tokenizer.lowercase, strip_accents=tokenizer.lowercase
    )
    length = {"sequence_length": min(tokenizer.max_length, config.max_position_embeddings)}
    if task == "classifier":
        preprocessor = keras_hub.models.BertTextClassifierPreprocessor(words, **length)
        keras_hub.models.BertTextClassifier(
            backbone, **contents.heads["classifier"], preprocessor=preprocessor
        ).save_to_preset(str(folder))
    elif task == "masked_lm":
        preprocessor = keras_hub.models.BertMaskedLMPreprocessor(words, **length)
        keras_hub.models.BertMaskedLM(backbone, preprocessor=preprocessor).save_to_preset(
            str(folder)
        )
    else:
        backbone.save_to_preset(str(folder))
        words.save_to_preset(str(folder))

    # KerasHub made the files, with weights newly made; ours take their places.
    for name in (WEIGHTS, TASK_WEIGHTS):
        if not (folder / name).is_file():
            continue
        with h5py.File(folder / name, "r+") as file:
            for weight, value in contents.weights():
                if weight.is_of_head and weight.part != task:
                    continue
                if weight.keras_hub.startswith(f"{name}/"):
                    location = weight.keras_hub.removeprefix(f"{name}/")
                    found = file[
                        location.replace("/transformer_encoder_0/", "/transformer_encoder/")
                    ]
                    found[...] = value.reshape(found.shape)


def _expect_room(contents, folder):
    """On a disk that gets full, HDF5 says pages and breaks the process: better not to begin."""
    needed = sum(4 * math.prod(weight.shape) for weight in contents.known())
    if shutil.disk_usage(folder).free < needed:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _warn(contents):
    config = contents.config
    if config.hidden_act not in _TANH_GELUS:
        logger.warning(
            "The model has the exact GELU and KerasHub computes its tanh approximation: "
            "outputs will differ by some 1e-3."
        )
    if config.layer_norm_eps != _EPSILON:
        logger.warning(
            "The model's layer_norm_eps is %g and KerasHub's %g.",
            config.layer_norm_eps,
            _EPSILON,
        )
    if "masked_lm" in contents.heads:
        logger.warning(_OTHER_HEAD)
    left_out = [head for head in contents.heads if head in _NOT_THERE]
    if {"classifier", "masked_lm"} <= set(contents.heads):
        left_out.append("masked_lm")
    if left_out:
        logger.warning("KerasHub has no place for the %s.", " and ".join(left_out))
    if "pooler/dense/kernel" not in contents.values:
        logger.warning(
            "The checkpoint has no pooler: the preset's is random, and will be read as if it were "
            "learned."
        )
