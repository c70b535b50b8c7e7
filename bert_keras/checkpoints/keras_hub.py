"""KerasHub's layout, the folder of a preset: read as data, and written by KerasHub itself."""

from __future__ import annotations

import errno
import logging
import math
import os
import pathlib
import re
import shutil
from typing import TYPE_CHECKING, Self

import numpy as np

from bert_keras.checkpoints.contents import Contents, from_model
from bert_keras.checkpoints.heads import CLASSIFIER, HEADS, MASKED_LM
from bert_keras.config import BertConfig, read_json
from bert_keras.errors import InputError

if TYPE_CHECKING:
    import h5py  # type: ignore[import-untyped]  # it ships no types
    import keras

    from bert_keras.text.tokenizer import BertTokenizer

CONFIG = "config.json"
WEIGHTS = "model.weights.h5"
TASK_WEIGHTS = "task.weights.h5"
VOCABULARY = "assets/tokenizer/vocabulary.txt"

# KerasHub's BERT always has this epsilon and the tanh approximation of GELU.
_EPSILON = 1e-12
_TANH_GELUS = ("gelu_new", "gelu_pytorch_tanh")
_HEAD = f"{TASK_WEIGHTS}/layers/masked_lm_head/"
_OTHER_HEAD = (
    "The head of KerasHub's BertMaskedLM has the exact GELU and a LayerNorm epsilon of 1e-5, "
    "and ours both as the rest of the model: logits will differ by a few thousandths."
)
# The heads that KerasHub has, the one that is preferred first.
_HEADS = (CLASSIFIER.name, MASKED_LM.name)
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

    Its files are read as JSON and HDF5. KerasHub need not be installed, and nothing that the
    configs name is imported. KerasHub's BERT has the tanh approximation of GELU. The head of its
    BertMaskedLM, however, has the exact GELU and a LayerNorm epsilon of 1e-5; our head has those of
    the rest of the model. A warning says so when that head is read.

    Args:
        folder: the folder.

    Attributes:
        layout: "keras_hub".
        location: the backbone's file, for error messages.
        config: the config.
        shapes: the shape of each variable by name. A name is a file and the path in it. Attention
            kernels are [in, heads, width of a head] in the file and [in, out] here.
        not_held: see `HuggingFaceCheckpoint`; always empty.

    Raises:
        InputError: a file is missing or damaged, or the preset is not a BERT's.
    """

    layout = "keras_hub"
    not_held: tuple[str, ...] = ()

    def __init__(self, folder: pathlib.Path) -> None:
        import h5py

        self.config = _read_config(folder / CONFIG)
        self.location = folder / WEIGHTS
        self._files: dict[str, h5py.File] = {}
        self._datasets: dict[str, h5py.Dataset] = {}
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
        self.shapes: dict[str, tuple[int, ...]] = {
            name: self._matrix_shape(name, dataset.shape)
            for name, dataset in self._datasets.items()
        }

    def _list(self, name: str, size: int) -> None:
        """Collects the datasets of a file, given its name and its size in bytes."""
        import h5py

        def add(path: str, item: h5py.Dataset | h5py.Group) -> None:
            if isinstance(item, h5py.Dataset) and re.match(r"layers/.*vars/\d+$", path):
                if item.external or item.is_virtual:
                    raise OSError(f"{path} is in another file")
                # The first block has no number.
                path = path.replace("/transformer_encoder/", "/transformer_encoder_0/")
                self._datasets[f"{name}/{path}"] = item

        self._files[name].visititems(add)
        # A dataset may claim to be larger than its file: rejected before memory is allocated.
        claimed = sum(
            math.prod(dataset.shape) * dataset.dtype.itemsize
            for path, dataset in self._datasets.items()
            if path.startswith(name)
        )
        if claimed > size:
            raise OSError(f"its datasets claim {claimed} bytes and it has {size}")

    def _matrix_shape(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        width = self.config.hidden_size
        if "/_self_attention_layer/" in name and math.prod(shape) == width * width:
            return (width, width)
        return (math.prod(shape),) if "/_self_attention_layer/" in name else shape

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()

    def read(self, name: str) -> np.ndarray:
        """Reads a variable.

        Args:
            name: a name in `shapes`.

        Returns:
            A float32 array.

        Raises:
            InputError: the data are damaged, or the dtype is not a float.
        """
        dataset = self._datasets[name]
        if name.startswith(_HEAD) and not self._has_warned:
            logger.warning(_OTHER_HEAD)
            self._has_warned = True
        if dataset.dtype.kind != "f":
            raise InputError(f"{self.location}: {name} is {dataset.dtype}, expected a float.")
        try:
            return dataset[...].astype(np.float32, copy=False).reshape(self.shapes[name])
        except (OSError, RuntimeError) as error:
            raise InputError(f"{self.location}: {name} cannot be read: {error}.") from error


def _read_config(path: pathlib.Path) -> BertConfig:
    values = read_json(path)
    if values.get("registered_name") not in _BACKBONES:
        raise InputError(
            f"{path}: expected the preset of a BertBackbone, found "
            f"{values.get('registered_name')!r}."
        )
    theirs = values.get("config") or {}
    missing = [name for name in _NAMES.values() if name not in theirs]
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


def write_keras_hub(
    model: keras.Model | Contents, tokenizer: BertTokenizer, folder: str | os.PathLike[str]
) -> None:
    """Writes a preset for KerasHub, with the model's weights and the tokenizer.

    `BertBackbone.from_preset` of `keras_hub.models` loads it, and so does
    `BertTextClassifier.from_preset` or `BertMaskedLM.from_preset`, depending on the model's head.
    A warning says what KerasHub cannot represent: it has no GELU but the tanh approximation, and no
    head for sentence pairs.

    Args:
        model: a model or a `Contents`; see `write_huggingface`.
        tokenizer: the model's tokenizer.
        folder: the folder; created if it does not exist.

    Raises:
        InputError: KerasHub is not installed, or its BERT does not support the model's positions or
            its activation.
        OSError: the disk is full, or a file cannot be written.
    """
    contents = from_model(model)
    config = contents.config
    if config.position_embedding_type == "sinusoidal" or config.hidden_act in ("relu", "silu"):
        raise InputError(
            "KerasHub's BERT has learned positions and GELU, found "
            f"{config.position_embedding_type} and {config.hidden_act}."
        )
    try:
        import keras_hub  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"Writing KerasHub's layout needs the package keras-hub ({error})."
        ) from error
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _expect_disk_space(contents, folder)
    _warn(contents)
    task = next((head for head in _HEADS if head in contents.heads), None)
    _save_preset(contents, tokenizer, folder, task)
    _replace_weights(contents, folder, task)


def _save_preset(
    contents: Contents, tokenizer: BertTokenizer, folder: pathlib.Path, task: str | None
) -> None:
    """Makes a model and a tokenizer of KerasHub and saves them, with random weights.

    Args:
        contents: the model.
        tokenizer: its tokenizer.
        folder: an existing folder.
        task: the head to write: "classifier", "masked_lm" or None.
    """
    import keras_hub

    config = contents.config
    theirs = {name: getattr(config, ours) for ours, name in _NAMES.items()}
    backbone = keras_hub.models.BertBackbone(**theirs, dtype="float32")
    words = keras_hub.models.BertTokenizer(
        tokenizer.vocabulary, lowercase=tokenizer.lowercase, strip_accents=tokenizer.lowercase
    )
    length = {"sequence_length": min(tokenizer.max_length, config.max_position_embeddings)}
    if task == CLASSIFIER.name:
        preprocessor = keras_hub.models.BertTextClassifierPreprocessor(words, **length)
        keras_hub.models.BertTextClassifier(
            backbone, **contents.heads[CLASSIFIER.name], preprocessor=preprocessor
        ).save_to_preset(str(folder))
    elif task == MASKED_LM.name:
        preprocessor = keras_hub.models.BertMaskedLMPreprocessor(words, **length)
        keras_hub.models.BertMaskedLM(backbone, preprocessor=preprocessor).save_to_preset(
            str(folder)
        )
    else:
        backbone.save_to_preset(str(folder))
        words.save_to_preset(str(folder))


def _replace_weights(contents: Contents, folder: pathlib.Path, task: str | None) -> None:
    """Overwrites the weights in a preset's files; the arguments are those of `_save_preset`."""
    import h5py

    for name in (WEIGHTS, TASK_WEIGHTS):
        if not (folder / name).is_file():
            continue
        with h5py.File(folder / name, "r+") as file:
            for weight, value in contents.weights():
                if weight.is_of_head and weight.part != task:
                    continue
                if weight.keras_hub and weight.keras_hub.startswith(f"{name}/"):
                    path = weight.keras_hub.removeprefix(f"{name}/")
                    path = path.replace("/transformer_encoder_0/", "/transformer_encoder/")
                    file[path][...] = value.reshape(file[path].shape)


def _expect_disk_space(contents: Contents, folder: pathlib.Path) -> None:
    """Raises an OSError before anything is written: on a full disk, HDF5 crashes the process."""
    needed = sum(4 * math.prod(weight.shape) for weight in contents.known())
    if shutil.disk_usage(folder).free < needed:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _warn(contents: Contents) -> None:
    """Logs what KerasHub computes differently, leaves out or makes up."""
    config = contents.config
    if config.hidden_act not in _TANH_GELUS:
        logger.warning(
            "The model has the exact GELU and KerasHub computes its tanh approximation: "
            "outputs will differ by about 1e-3."
        )
    if config.layer_norm_eps != _EPSILON:
        logger.warning(
            "The model's layer_norm_eps is %g and KerasHub's %g.",
            config.layer_norm_eps,
            _EPSILON,
        )
    if MASKED_LM.name in contents.heads:
        logger.warning(_OTHER_HEAD)
    left_out = [head for head in contents.heads if not HEADS[head].in_keras_hub]
    if set(contents.heads) >= set(_HEADS):
        left_out.append(MASKED_LM.name)
    if left_out:
        logger.warning("KerasHub has no such head, so it is left out: %s.", ", ".join(left_out))
    if "pooler/dense/kernel" not in contents.values:
        logger.warning(
            "The checkpoint has no pooler: the preset's is random, and will be read as if it were "
            "trained."
        )
