"""Google's layout, in and out: bert_config.json and a TensorFlow 1 checkpoint."""

import dataclasses
import json
import logging
import math
import os
import pathlib
import tempfile

import numpy as np

from bert_keras.checkpoints.contents import from_model
from bert_keras.config import BertConfig
from bert_keras.errors import InputError
from bert_keras.files import atomic_write

CONFIG = "bert_config.json"
WEIGHTS = "bert_model.ckpt"

# A data file cut short is an IndexError to TensorFlow's reader.
_UNREADABLE = (ValueError, RuntimeError, IndexError)

# What training left in the file and no model holds.
_OPTIMIZER = ("/adam_m", "/adam_v")
_COUNTERS = ("global_step",)

# What modeling.py's get_activation computes by the names that it knows.
_ACTS = {"gelu": "gelu", "gelu_new": "gelu", "gelu_pytorch_tanh": "gelu", "relu": "relu"}

logger = logging.getLogger(__name__)


class GoogleCheckpoint:
    """A folder in Google's layout, open for reading.

    Its "gelu" is read as the tanh approximation: that is what google-research/bert computes under
    the name, and what these weights were trained with. Computing the exact one instead moves the
    outputs of a whole model by some 1.6e-3.

    Attributes:
        layout: "google".
        location: the checkpoint's prefix, for messages.
        config: the `BertConfig`.
        shapes: a shape by variable name; the optimizer's slots are not among them.
    """

    layout = "google"
    not_held = ()

    def __init__(self, folder):
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
        self.shapes = {
            name: tuple(shape)
            for name, shape in sorted(shapes.items())
            if not name.endswith(_OPTIMIZER) and name not in _COUNTERS
        }

    def _check_size(self, folder, shapes):
        """A lying index may promise more than there is: found out before memory is taken."""
        dtypes = self._reader.get_variable_to_dtype_map()
        promised = sum(math.prod(shape) * dtypes[name].size for name, shape in shapes.items())
        present = sum(path.stat().st_size for path in folder.glob(f"{WEIGHTS}.data-*"))
        if promised > present:
            raise InputError(
                f"{self.location}: expected {promised} bytes of data from its index, found {present}."
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        del self._reader

    def read(self, name):
        """Reads a variable.

        Args:
            name: one of `shapes`.

        Returns:
            A float32 array.

        Raises:
            InputError: the data file is cut short or damaged, or the variable is of no float type.
        """
        import tensorflow as tf

        dtype = self._reader.get_variable_to_dtype_map()[name]
        if not dtype.is_floating:
            raise InputError(f"{self.location}: variable {name} is {dtype.name}, expected a float.")
        try:
            return self._reader.get_tensor(name).astype(np.float32)
        except (tf.errors.OpError, *_UNREADABLE) as error:
            raise InputError(_unreadable(self.location, error, name)) from error


def _unreadable(location, error, name=None):
    what = f"variable {name}" if name else "a TensorFlow checkpoint"
    return f"{location}: {what} cannot be read: {str(error).splitlines()[0]}."


def write_google(model, folder):
    """Writes a model so that google-research/bert and `from_pretrained` load it.

    The checkpoint is TensorFlow 1's, by names, heads included and without an optimizer's slots.
    Where the model has the exact GELU, a warning says that Google's code will compute the tanh
    form, which is all that it knows.

    Args:
        model: a model or a `Contents`; see `write_huggingface`.
        folder: where bert_config.json and bert_model.ckpt.* go, made if it is not there. Each file
            appears whole or not at all.

    Raises:
        InputError: Google's code has no such positions or no such activation.
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
            "outputs will differ by some 1e-3."
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
        # The data before the index that points into them.
        for path in sorted(pathlib.Path(temporary).iterdir()):
            os.replace(path, folder / path.name)
    with atomic_write(folder / CONFIG) as file:
        json.dump(config.to_dict() | {"hidden_act": _ACTS[config.hidden_act]}, file, indent=2)
        file.write("\n")
