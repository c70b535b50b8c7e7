"""Google's layout, in: bert_config.json and a TensorFlow 1 checkpoint, bert_model.ckpt.*."""

import dataclasses
import math

import numpy as np

from bert_keras.config import BertConfig
from bert_keras.errors import InputError

CONFIG = "bert_config.json"
WEIGHTS = "bert_model.ckpt"

# A data file cut short is an IndexError to TensorFlow's reader.
_UNREADABLE = (ValueError, RuntimeError, IndexError)

# What training left in the file and no model holds.
_OPTIMIZER = ("/adam_m", "/adam_v")
_COUNTERS = ("global_step",)


class GoogleCheckpoint:
    """A folder in Google's layout, open for reading.

    Its "gelu" is read as the tanh approximation: that is what google-research/bert computes under
    the name, and what these weights were trained with. Computing the exact one instead moves the
    outputs of a whole model by some 1.6e-3.

    Attributes:
        layout: "google".
        place: the checkpoint's prefix, for messages.
        config: the `BertConfig`.
        shapes: a shape by variable name; the optimizer's slots are not among them.
    """

    layout = "google"

    def __init__(self, folder):
        import tensorflow as tf

        config = BertConfig.from_file(folder / CONFIG)
        if config.hidden_act == "gelu":
            config = dataclasses.replace(config, hidden_act="gelu_new")
        self.config = config
        self.place = folder / WEIGHTS
        if not (folder / f"{WEIGHTS}.index").is_file():
            raise InputError(f"{self.place}.index: expected a checkpoint, found no such file.")
        try:
            self._reader = tf.train.load_checkpoint(str(self.place))
            shapes = self._reader.get_variable_to_shape_map()
        except (tf.errors.OpError, *_UNREADABLE) as error:
            raise InputError(_unreadable(self.place, error)) from error
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
                f"{self.place}: expected {promised} bytes of data from its index, found {present}."
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
            raise InputError(f"{self.place}: variable {name} is {dtype.name}, expected a float.")
        try:
            return self._reader.get_tensor(name).astype(np.float32)
        except (tf.errors.OpError, *_UNREADABLE) as error:
            raise InputError(_unreadable(self.place, error, name)) from error


def _unreadable(place, error, name=None):
    what = f"variable {name}" if name else "a TensorFlow checkpoint"
    return f"{place}: {what} cannot be read: {str(error).splitlines()[0]}."
