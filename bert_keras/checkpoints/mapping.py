"""The variables of a model with their names in other libraries' files."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from bert_keras.checkpoints import names
from bert_keras.checkpoints.heads import HEADS, Heads

if TYPE_CHECKING:
    import keras

    from bert_keras.config import BertConfig

OPTIONAL = ("pooler", *HEADS)  # newly made if a file does not have them


@dataclasses.dataclass(frozen=True)
class Weight:
    """A variable of ours with its names elsewhere.

    Attributes:
        ours: its path, "layer_0/attention/query/kernel".
        huggingface: the tensor's name in Hugging Face's layout, without the prefix `bert.`.
        google: the variable's name in Google's.
        keras_hub: the file and the path in it in KerasHub's; None if it has no such variable.
        shape: our shape.
        transposed_in: the layouts that store it transposed.
    """

    ours: str
    huggingface: str
    google: str
    keras_hub: str | None
    shape: tuple[int, ...]
    transposed_in: tuple[str, ...]

    @property
    def part(self) -> str:
        """The layer of the model: "embeddings", "layer_0", "pooler", "classifier"."""
        return self.ours.split("/")[0]

    @property
    def is_of_head(self) -> bool:
        """Whether it belongs to a head, not to the encoder."""
        return self.part in HEADS

    def shape_in(self, layout: str) -> tuple[int, ...]:
        """Returns its shape in a layout, "huggingface", "google" or "keras_hub"."""
        return self.shape[::-1] if layout in self.transposed_in else self.shape

    def names_in(self, layout: str) -> tuple[str, ...]:
        """Returns its possible names in a layout, the usual one first."""
        if layout == "google":
            return (self.google,)
        if layout == "keras_hub":
            return (self.keras_hub,) if self.keras_hub else ()
        # Files of a bare BertModel have no prefix; those from 2019 use gamma and beta.
        possible = [self.huggingface]
        if "LayerNorm" in self.huggingface:
            weight, bias = ".weight", ".bias"
            possible.append(self.huggingface.replace(weight, ".gamma").replace(bias, ".beta"))
        if not self.is_of_head:
            possible += [f"bert.{name}" for name in possible]
        return tuple(possible)


def weights(config: BertConfig, heads: Heads | None = None) -> Iterator[Weight]:
    """Lists the variables of a model, lazily: a malicious config may claim a billion layers.

    Args:
        config: the model's config.
        heads: its heads; see `heads.Heads`.

    Yields:
        A `Weight` for each variable, in the order of the model.
    """
    sizes = config.to_dict()
    learned = config.position_embedding_type == "absolute"
    yield from _weights(
        (row for row in names.EMBEDDINGS if learned or "position" not in row.ours), sizes
    )
    for layer in range(config.num_hidden_layers):
        yield from _weights(names.LAYER, sizes, layer)
    yield from _weights(names.POOLER, sizes)
    yield from head_weights(config, heads or {})


def head_weights(config: BertConfig, heads: Heads) -> Iterator[Weight]:
    """Yields the `Weight`s of heads only; the arguments are those of `weights`."""
    for name, sizes in heads.items():
        yield from _weights(HEADS[name].rows, config.to_dict() | dict(sizes))


def _weights(
    rows: Iterable[names.Row], sizes: dict[str, int], layer: int | str = ""
) -> Iterator[Weight]:
    for row in rows:
        yield Weight(
            row.ours.format(layer),
            row.huggingface.format(layer),
            row.google.format(layer),
            row.keras_hub and row.keras_hub.format(layer),
            tuple(size if isinstance(size, int) else sizes[size] for size in row.shape),
            row.transposed_in,
        )


def variable(model: keras.Model, weight: Weight) -> keras.Variable:
    """Returns the variable of a weight in a model.

    Args:
        model: a `BertEncoder`, or a model with one as `encoder` and heads on it.
        weight: one of its `weights`.
    """
    layer, *attributes = weight.ours.split("/")
    owner = model if weight.is_of_head else getattr(model, "encoder", model)
    result = owner.get_layer(layer)
    for attribute in attributes:
        result = getattr(result, attribute)
    return result
