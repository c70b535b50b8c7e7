"""Our variables and what they are called in other people's files, by way of `names.py`."""

import dataclasses

from bert_keras.checkpoints import names

OPTIONAL = ("pooler", *names.HEADS)  # made anew where a file does not hold them


@dataclasses.dataclass(frozen=True)
class Weight:
    """One variable of ours and what it is called elsewhere.

    Attributes:
        ours: its path, "layer_0/attention/query/kernel".
        huggingface: the tensor's name there, without the prefix `bert.`.
        google: the variable's name there.
        keras_hub: the file and the place in it there, None if it has no such thing.
        shape: our shape.
        transposed_in: the layouts that keep it the other way round.
    """

    ours: str
    huggingface: str
    google: str
    keras_hub: str | None
    shape: tuple
    transposed_in: tuple

    @property
    def part(self):
        """The layer that it belongs to: "embeddings", "layer_0", "pooler", "classifier"."""
        return self.ours.split("/")[0]

    @property
    def is_of_head(self):
        """Whether it belongs to a head rather than to the encoder."""
        return self.part in names.HEADS

    def shape_in(self, layout):
        """Returns the shape that it has in a layout, "huggingface", "google" or "keras_hub"."""
        return self.shape[::-1] if layout in self.transposed_in else self.shape

    def names_in(self, layout):
        """Returns the names that it goes by in a layout, the usual one first."""
        if layout == "google":
            return (self.google,)
        if layout == "keras_hub":
            return (self.keras_hub,) if self.keras_hub else ()
        # Files of a bare BertModel have no prefix; those from 2019 say gamma and beta.
        found = [self.huggingface]
        if "LayerNorm" in self.huggingface:
            weight, bias = ".weight", ".bias"
            found.append(self.huggingface.replace(weight, ".gamma").replace(bias, ".beta"))
        if not self.is_of_head:
            found += [f"bert.{name}" for name in found]
        return tuple(found)


def weights(config, heads=None):
    """Lists the variables of a model, lazily: a lying config may claim a billion layers.

    Args:
        config: a `BertConfig`.
        heads: what the model has beside an encoder: by the head's name, a dict of the sizes that
            are not the config's, such as `{"classifier": {"num_classes": 3}}`.

    Yields:
        A `Weight` for each variable, in the order of the model.
    """
    sizes = config.to_dict()
    learned = config.position_embedding_type == "absolute"
    yield from _rows(
        (row for row in names.EMBEDDINGS if learned or "position" not in row[0]), sizes
    )
    for layer in range(config.num_hidden_layers):
        yield from _rows(names.LAYER, sizes, layer)
    yield from _rows(names.POOLER, sizes)
    yield from head_weights(config, heads or {})


def head_weights(config, heads):
    """Yields the `Weight`s of heads alone; the arguments are those of `weights`."""
    for name, more in heads.items():
        yield from _rows(names.HEADS[name], config.to_dict() | {"two": 2} | more)


def _rows(table, sizes, layer=""):
    for ours, huggingface, google, keras_hub, shape, transposed_in in table:
        yield Weight(
            ours.format(layer),
            huggingface.format(layer),
            google.format(layer),
            keras_hub and keras_hub.format(layer),
            tuple(sizes[size] for size in shape),
            transposed_in,
        )


def variable(model, weight):
    """Finds a weight's variable in a model.

    Args:
        model: a `BertEncoder`, or a model that has one as `encoder` and heads beside it.
        weight: a `Weight`.

    Returns:
        The Keras variable.
    """
    layer, *parts = weight.ours.split("/")
    owner = model if weight.is_of_head else getattr(model, "encoder", model)
    found = owner.get_layer(layer)
    for part in parts:
        found = getattr(found, part)
    return found
