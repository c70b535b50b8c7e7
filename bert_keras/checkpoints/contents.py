"""What a checkpoint holds, in no library's layout: to be written in one, or to be changed."""

import dataclasses

import keras
import numpy as np

from bert_keras.checkpoints import mapping
from bert_keras.config import BertConfig


@dataclasses.dataclass(frozen=True)
class Contents:
    """A model's numbers, without the model.

    Attributes:
        config: the `BertConfig`.
        heads: what there is beside an encoder; see `mapping.weights`.
        values: float32 arrays by our paths ("layer_0/attention/query/kernel"), in our shapes. The
            pooler may be missing: a checkpoint of a masked language model often has none.
    """

    config: BertConfig
    heads: dict
    values: dict

    def weights(self):
        """Yields (`Weight`, array) for everything that there is, in the order of the model."""
        for weight in mapping.weights(self.config, self.heads):
            if weight.ours in self.values:
                yield weight, self.values[weight.ours]


def of(model):
    """Takes the numbers out of a model.

    Args:
        model: a `BertEncoder`, a model that has one as `encoder`, or a `Contents`, which is
            returned as it is.

    Returns:
        A `Contents`.
    """
    if isinstance(model, Contents):
        return model
    weights = mapping.weights(model.config, model.heads)
    return Contents(
        model.config,
        model.heads,
        {
            weight.ours: keras.ops.convert_to_numpy(mapping.variable(model, weight)).astype(
                np.float32, copy=False
            )
            for weight in weights
        },
    )
