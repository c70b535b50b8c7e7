"""What a checkpoint holds, in no library's layout: to be written in one, or to be changed."""

import collections.abc
import dataclasses

import numpy as np

from bert_keras.checkpoints import mapping
from bert_keras.config import BertConfig


@dataclasses.dataclass(frozen=True)
class Contents:
    """A model's numbers, without the model.

    Attributes:
        config: the `BertConfig`.
        heads: what there is beside an encoder; see `mapping.weights`.
        values: float32 arrays by our paths ("layer_0/attention/query/kernel"), in our shapes; a
            mapping that may make each when it is asked for. The pooler may be missing: a checkpoint
            of a masked language model often has none.
    """

    config: BertConfig
    heads: dict
    values: collections.abc.Mapping

    def known(self):
        """Returns the `Weight` of everything that there is, in the order of the model."""
        weights = mapping.weights(self.config, self.heads)
        return [weight for weight in weights if weight.ours in self.values]

    def weights(self):
        """Yields (`Weight`, array) for everything that there is, in the order of the model."""
        for weight in self.known():
            yield weight, self.values[weight.ours]


def of(model):
    """Takes the numbers out of a model.

    Args:
        model: a `BertEncoder`, a model that has one as `encoder`, or a `Contents`, which is
            returned as it is.

    Returns:
        A `Contents` of the model as it is when they are read.
    """
    if isinstance(model, Contents):
        return model
    return Contents(model.config, model.heads, _ValuesOf(model))


class _ValuesOf(collections.abc.Mapping):
    """A model's values, each copied when it is asked for: not all need be in memory twice."""

    def __init__(self, model):
        weights = mapping.weights(model.config, model.heads)
        self._variables = {weight.ours: mapping.variable(model, weight) for weight in weights}

    def __getitem__(self, path):
        # Not `keras.ops.convert_to_numpy`, which copies twice.
        return np.asarray(self._variables[path]).astype(np.float32, copy=False)

    def __iter__(self):
        return iter(self._variables)

    def __len__(self):
        return len(self._variables)

    def __contains__(self, path):
        return path in self._variables
