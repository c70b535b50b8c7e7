"""What every model here is: an encoder, or one with heads beside it."""

import keras

from bert_keras.config import BertConfig


class BertModel(keras.Model):
    """A functional-API graph on a `BertConfig`.

    Subclasses make their graph in `__init__`, whose arguments are `config`, those of their heads,
    `dtype`, `name` and `trainable`, and set `dtype_policy` and `config`.
    """

    @property
    def heads(self):
        """What the model has beside an encoder, as `checkpoints.mapping.weights` wants it."""
        return {}

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
