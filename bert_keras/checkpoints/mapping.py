"""Which of our variables is called what in other people's files: one table."""

import dataclasses

# Which layouts keep a matrix the other way round than ours, which is [in, out].
_AS_OURS = ()
_TURNED_IN_HF = ("huggingface",)
_TURNED_IN_BOTH = ("huggingface", "google")

# Ours (layer, its parts, variable); Hugging Face's; Google's; our shape in the config's terms; who
# keeps it transposed. {} stands for the number of the layer.
_EMBEDDINGS = (
    (
        "embeddings/word/embeddings",
        "embeddings.word_embeddings.weight",
        "bert/embeddings/word_embeddings",
        ("vocab_size", "hidden_size"),
        _AS_OURS,
    ),
    (
        "embeddings/position/embeddings",
        "embeddings.position_embeddings.weight",
        "bert/embeddings/position_embeddings",
        ("max_position_embeddings", "hidden_size"),
        _AS_OURS,
    ),
    (
        "embeddings/segment/embeddings",
        "embeddings.token_type_embeddings.weight",
        "bert/embeddings/token_type_embeddings",
        ("type_vocab_size", "hidden_size"),
        _AS_OURS,
    ),
    (
        "embeddings/layer_norm/gamma",
        "embeddings.LayerNorm.weight",
        "bert/embeddings/LayerNorm/gamma",
        ("hidden_size",),
        _AS_OURS,
    ),
    (
        "embeddings/layer_norm/beta",
        "embeddings.LayerNorm.bias",
        "bert/embeddings/LayerNorm/beta",
        ("hidden_size",),
        _AS_OURS,
    ),
)


def _dense(ours, huggingface, google, width_in, width_out):
    return (
        (
            f"{ours}/kernel",
            f"{huggingface}.weight",
            f"{google}/kernel",
            (width_in, width_out),
            _TURNED_IN_HF,
        ),
        (f"{ours}/bias", f"{huggingface}.bias", f"{google}/bias", (width_out,), _AS_OURS),
    )


def _layer_norm(ours, huggingface, google):
    return (
        (f"{ours}/gamma", f"{huggingface}.weight", f"{google}/gamma", ("hidden_size",), _AS_OURS),
        (f"{ours}/beta", f"{huggingface}.bias", f"{google}/beta", ("hidden_size",), _AS_OURS),
    )


_HF, _GOOGLE = "encoder.layer.{}", "bert/encoder/layer_{}"
_LAYER = (
    *_dense(
        "layer_{}/attention/query",
        f"{_HF}.attention.self.query",
        f"{_GOOGLE}/attention/self/query",
        "hidden_size",
        "hidden_size",
    ),
    *_dense(
        "layer_{}/attention/key",
        f"{_HF}.attention.self.key",
        f"{_GOOGLE}/attention/self/key",
        "hidden_size",
        "hidden_size",
    ),
    *_dense(
        "layer_{}/attention/value",
        f"{_HF}.attention.self.value",
        f"{_GOOGLE}/attention/self/value",
        "hidden_size",
        "hidden_size",
    ),
    *_dense(
        "layer_{}/attention/output_projection",
        f"{_HF}.attention.output.dense",
        f"{_GOOGLE}/attention/output/dense",
        "hidden_size",
        "hidden_size",
    ),
    *_layer_norm(
        "layer_{}/attention_norm",
        f"{_HF}.attention.output.LayerNorm",
        f"{_GOOGLE}/attention/output/LayerNorm",
    ),
    *_dense(
        "layer_{}/feed_forward/intermediate",
        f"{_HF}.intermediate.dense",
        f"{_GOOGLE}/intermediate/dense",
        "hidden_size",
        "intermediate_size",
    ),
    *_dense(
        "layer_{}/feed_forward/output_projection",
        f"{_HF}.output.dense",
        f"{_GOOGLE}/output/dense",
        "intermediate_size",
        "hidden_size",
    ),
    *_layer_norm(
        "layer_{}/feed_forward_norm",
        f"{_HF}.output.LayerNorm",
        f"{_GOOGLE}/output/LayerNorm",
    ),
)
_POOLER = _dense("pooler/dense", "pooler.dense", "bert/pooler/dense", "hidden_size", "hidden_size")
# Google's run_classifier.py names its head's variables at the top.
_CLASSIFIER = (
    (
        "classifier/kernel",
        "classifier.weight",
        "output_weights",
        ("hidden_size", "num_classes"),
        _TURNED_IN_BOTH,
    ),
    ("classifier/bias", "classifier.bias", "output_bias", ("num_classes",), _AS_OURS),
)
_MEAN_CLASSIFIER = _dense(
    "mean_classifier", "mean_classifier", "mean_classifier", "hidden_size", "num_classes"
)

# What a model may have beside the encoder: the name of the layer, and its variables. A classifier
# on the mean of the tokens has a name that no other library knows, so that none takes it for one
# on the pooler's output.
_HEADS = {
    "classifier": _CLASSIFIER,
    "mean_classifier": _MEAN_CLASSIFIER,
}
OPTIONAL = ("pooler", *_HEADS)  # made anew where a file does not hold them


@dataclasses.dataclass(frozen=True)
class Weight:
    """One variable of ours and what it is called elsewhere.

    Attributes:
        ours: its path, "layer_0/attention/query/kernel".
        huggingface: the tensor's name there, without the prefix `bert.`.
        google: the variable's name there.
        shape: our shape.
        transposed_in: the layouts that keep it the other way round.
    """

    ours: str
    huggingface: str
    google: str
    shape: tuple
    transposed_in: tuple

    @property
    def part(self):
        """The layer that it belongs to: "embeddings", "layer_0", "pooler", "classifier"."""
        return self.ours.split("/")[0]

    @property
    def is_of_head(self):
        """Whether it belongs to a head rather than to the encoder."""
        return self.part in _HEADS

    def shape_in(self, layout):
        """Returns the shape that it has in a layout, "huggingface" or "google"."""
        return self.shape[::-1] if layout in self.transposed_in else self.shape

    def names_in(self, layout):
        """Returns the names that it goes by in a layout, the usual one first."""
        if layout == "google":
            return (self.google,)
        # Files of a bare BertModel have no prefix; those from 2019 say gamma and beta.
        names = [self.huggingface]
        if "LayerNorm" in self.huggingface:
            weight, bias = ".weight", ".bias"
            names.append(self.huggingface.replace(weight, ".gamma").replace(bias, ".beta"))
        if not self.is_of_head:
            names += [f"bert.{name}" for name in names]
        return tuple(names)


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
    yield from _rows((row for row in _EMBEDDINGS if learned or "position" not in row[0]), sizes)
    for layer in range(config.num_hidden_layers):
        yield from _rows(_LAYER, sizes, layer)
    yield from _rows(_POOLER, sizes)
    yield from head_weights(config, heads or {})


def head_weights(config, heads):
    """Yields the `Weight`s of heads alone; the arguments are those of `weights`."""
    for name, more in heads.items():
        yield from _rows(_HEADS[name], config.to_dict() | more)


def _rows(table, sizes, layer=""):
    for ours, huggingface, google, shape, transposed_in in table:
        yield Weight(
            ours.format(layer),
            huggingface.format(layer),
            google.format(layer),
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
