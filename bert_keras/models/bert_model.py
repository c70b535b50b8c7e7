"""What every model here is: an encoder, or one with heads beside it."""

import keras

from bert_keras.config import BertConfig
from bert_keras.layers.transformer_block import TransformerBlock


class BertModel(keras.Model):
    """A functional-API graph on a `BertConfig`.

    Subclasses make their graph in `__init__`, whose arguments are `config`, those of their heads,
    `dtype`, `name` and `trainable`, and set `dtype_policy` and `config`.
    """

    @property
    def heads(self):
        """What the model has beside an encoder, as `checkpoints.mapping.weights` wants it."""
        return {}

    @property
    def recompute(self):
        """Whether training computes the blocks' insides twice, to keep them in memory once.

        See `TransformerBlock.recompute`. To be set before the first training step is traced; it
        is in no config, so no file of the model tells how it was trained.
        """
        return any(block.recompute for block in self._blocks)

    @recompute.setter
    def recompute(self, value):
        for block in self._blocks:
            block.recompute = value

    @property
    def _blocks(self):
        encoder = getattr(self, "encoder", self)
        return [layer for layer in encoder.layers if isinstance(layer, TransformerBlock)]

    def get_config(self):
        return {
            "config": self.config.to_dict(),
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "name": self.name,
            "trainable": self.trainable,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**(config | {"config": BertConfig.from_dict(config["config"])}))
