"""Reads and writes Google's layout: bert_config.json and a TensorFlow 1 checkpoint."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import os
import pathlib
import tempfile
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self

import numpy as np

from bert_keras.checkpoints.contents import Contents, from_model
from bert_keras.config import BertConfig
from bert_keras.errors import InputError
from bert_keras.files import atomic_write

if TYPE_CHECKING:
    import keras

CONFIG = "bert_config.json"
WEIGHTS = "bert_model.ckpt"

# TensorFlow's reader raises an IndexError for a truncated data file.
_UNREADABLE = (ValueError, RuntimeError, IndexError)

# Variables that training leaves in the file and that belong to no model.
_OPTIMIZER = ("/adam_m", "/adam_v")
_COUNTERS = ("global_step",)

# Names that modeling.py's get_activation knows for the activations that it computes.
_ACTS = {"gelu": "gelu", "gelu_new": "gelu", "gelu_pytorch_tanh": "gelu", "relu": "relu"}

logger = logging.getLogger(__name__)


class GoogleCheckpoint:
    """A folder in Google's layout, open for reading.

    Its "gelu" is read as the tanh approximation, which is what google-research/bert computes under
    this name and what such weights were trained with. The exact GELU would change the outputs of a
    whole model by about 1.6e-3.

    Args:
        folder: the folder.

    Attributes:
        layout: "google".
        location: the checkpoint's prefix, for error messages.
        config: the config.
        shapes: the shape of each variable by name, without the optimizer's slots.
        not_held: see `HuggingFaceCheckpoint`; always empty.

    Raises:
        InputError: a file is missing or damaged, or the config is not supported.
    """

    layout = "google"
    not_held: tuple[str, ...] = ()

    def __init__(self, folder: pathlib.Path) -> None:
        import tensorflow as tf

        config = BertConfig.from_file(folder / CONFIG)
        if config.hidden_act == "gelu":
            config = dataclasses.replace(config, hidden_act="gelu_new")
        self.config = config
        self.location = folder / WEIGHTS
        if not (folder / f"{WEIGHTS}.index").is_file():
            raise InputError(f"{self.location}.index: expected a checkpoint, found no such file.")
        try:
            self._reader = tf.train.load_checkpoint(str(self.location))
            shapes = self._reader.get_variable_to_shape_map()
        except (tf.errors.OpError, *_UNREADABLE) as error:
            raise InputError(_unreadable(self.location, error)) from error
        self._check_size(folder, shapes)
        self.shapes: dict[str, tuple[int, ...]] = {
            name: tuple(shape)
            for name, shape in sorted(shapes.items())
            if not name.endswith(_OPTIMIZER) and name not in _COUNTERS
        }

    def _check_size(self, folder: pathlib.Path, shapes: Mapping[str, Sequence[int]]) -> None:
        """Rejects an index that claims more data than the files hold, before allocating memory."""
        dtypes = self._reader.get_variable_to_dtype_map()
        expected = sum(math.prod(shape) * dtypes[name].size for name, shape in shapes.items())
        size = sum(path.stat().st_size for path in folder.glob(f"{WEIGHTS}.data-*"))
        if expected > size:
            raise InputError(
                f"{self.location}: expected {expected} bytes of data by its index, found {size}."
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        del self._reader

    def read(self, name: str) -> np.ndarray:
        """Reads a variable.

        Args:
            name: a name in `shapes`.

        Returns:
            A float32 array.

        Raises:
            InputError: the data file is truncated or damaged, or the variable's dtype is not a
                float.
        """
        import tensorflow as tf

        dtype = self._reader.get_variable_to_dtype_map()[name]
        if not dtype.is_floating:
            raise InputError(f"{self.location}: variable {name} is {dtype.name}, expected a float.")
        try:
            return self._reader.get_tensor(name).astype(np.float32)
        except (tf.errors.OpError, *_UNREADABLE) as error:
            raise InputError(_unreadable(self.location, error, name)) from error


def _unreadable(location: pathlib.Path, error: Exception, name: str | None = None) -> str:
    what = f"variable {name}" if name else "a TensorFlow checkpoint"
    return f"{location}: {what} cannot be read: {str(error).splitlines()[0]}."


def write_google(model: keras.Model | Contents, folder: str | os.PathLike[str]) -> None:
    """Writes a model that google-research/bert and `from_pretrained` load.

    The result is a name-based TensorFlow 1 checkpoint, heads included and without an optimizer's
    slots. If the model has the exact GELU, a warning says that Google's code will compute the tanh
    approximation, the only GELU that it has.

    Args:
        model: a model or a `Contents`; see `write_huggingface`.
        folder: the folder for bert_config.json and bert_model.ckpt.*; created if it does not exist.
            Each file is written atomically.

    Raises:
        InputError: Google's code does not support the model's positions or its activation.
        OSError: a file cannot be written.
    """
    import tensorflow as tf

    contents = from_model(model)
    config = contents.config
    if config.position_embedding_type == "sinusoidal":
        raise InputError("Google's BERT has no sinusoidal positions.")
    if config.hidden_act not in _ACTS:
        raise InputError(f"Google's BERT has no activation {config.hidden_act!r}.")
    if config.hidden_act == "gelu":
        logger.warning(
            "The model has the exact GELU and Google's code computes its tanh approximation: "
            "outputs will differ by about 1e-3."
        )
    names, tensors = [], []
    for weight, value in contents.weights():
        names.append(weight.google)
        tensors.append(value.T if "google" in weight.transposed_in else value)

    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{WEIGHTS}.") as temporary:
        try:
            tf.raw_ops.SaveV2(
                prefix=f"{temporary}/{WEIGHTS}",
                tensor_names=names,
                shape_and_slices=[""] * len(names),
                tensors=[tf.convert_to_tensor(value) for value in tensors],
            )
        except tf.errors.OpError as error:  # such as a full disk
            raise OSError(f"{folder}: {error.message}") from error
        # The data go first, since the index points into them.
        for path in sorted(pathlib.Path(temporary).iterdir()):
            os.replace(path, folder / path.name)
    with atomic_write(folder / CONFIG) as file:
        json.dump(config.to_dict() | {"hidden_act": _ACTS[config.hidden_act]}, file, indent=2)
        file.write("\n")
