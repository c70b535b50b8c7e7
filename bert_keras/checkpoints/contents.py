"""The weights of a model without the model, in no library's layout: to be written or changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from bert_keras.checkpoints import mapping
from bert_keras.checkpoints.heads import Heads
from bert_keras.config import BertConfig

if TYPE_CHECKING:
    import keras


@dataclasses.dataclass(frozen=True)
class Contents:
    """A config, the heads and the values of all weights.

    Attributes:
        config: the config of the encoder.
        heads: the heads on it; see `heads.Heads`.
        values: float32 arrays by our paths ("layer_0/attention/query/kernel"), in our shapes. The
            mapping may make each array on access. The pooler may be missing: the checkpoint of a
            masked language model often has none.
    """

    config: BertConfig
    heads: Heads
    values: Mapping[str, np.ndarray]

    def known(self) -> list[mapping.Weight]:
        """Returns the `Weight` of every value, in the order of the model."""
        weights = mapping.weights(self.config, self.heads)
        return [weight for weight in weights if weight.ours in self.values]

    def weights(self) -> Iterator[tuple[mapping.Weight, np.ndarray]]:
        """Yields (`Weight`, array) for every value, in the order of the model."""
        for weight in self.known():
            yield weight, self.values[weight.ours]


def from_model(model: keras.Model | Contents) -> Contents:
    """Returns the contents of a model.

    Args:
        model: a `BertEncoder` or a model with heads on one; a `Contents` is returned as it is.

    Returns:
        A `Contents` that reads each value from the model on access.
    """
    if isinstance(model, Contents):
        return model
    return Contents(model.config, model.heads, _ValuesOf(model))


class _ValuesOf(Mapping[str, np.ndarray]):
    """The values of a model, each copied on access, so that they are not all in memory twice."""

    def __init__(self, model: keras.Model):
        weights = mapping.weights(model.config, model.heads)
        self._variables = {weight.ours: mapping.variable(model, weight) for weight in weights}

    def __getitem__(self, path: str) -> np.ndarray:
        # Not `keras.ops.convert_to_numpy`, which copies twice.
        return np.asarray(self._variables[path]).astype(np.float32, copy=False)

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)

    def __contains__(self, path: object) -> bool:
        return path in self._variables
