"""The names of the encoder's variables in other libraries' files: one table. Heads: `heads.py`."""

from typing import NamedTuple

# The layouts that store a matrix transposed; ours is [in, out].
_AS_OURS: tuple[str, ...] = ()
_TRANSPOSED_IN_HF = ("huggingface",)
TRANSPOSED_IN_BOTH = ("huggingface", "google")

# A name of KerasHub's is the file and the path in it.
HUB = "model.weights.h5/layers"
HUB_TASK = "task.weights.h5/layers"


class Row(NamedTuple):
    """The names of a variable. `{}` stands for the index of the layer.

    Attributes:
        ours: the path in our model: layer, sublayers, variable.
        huggingface: the name in Hugging Face's layout.
        google: the name in Google's.
        keras_hub: the name in KerasHub's; None if it has no such variable.
        shape: our shape: fields of the config or of the head, or numbers.
        transposed_in: the layouts that store it transposed.
    """

    ours: str
    huggingface: str
    google: str
    keras_hub: str | None
    shape: tuple[str | int, ...]
    transposed_in: tuple[str, ...] = _AS_OURS


def dense(
    ours: str,
    huggingface: str,
    google: str,
    keras_hub: str | None,
    width_in: str,
    width_out: str | int,
    transposed_in: tuple[str, ...] = _TRANSPOSED_IN_HF,
) -> tuple[Row, ...]:
    """Returns the rows of a linear layer: its kernel and its bias."""
    kernel, bias = "kernel", "bias"
    if "google" in transposed_in:
        kernel, bias = "output_weights", "output_bias"
    return (
        Row(
            f"{ours}/kernel",
            f"{huggingface}.weight",
            f"{google}{kernel}",
            keras_hub and f"{keras_hub}/vars/0",
            (width_in, width_out),
            transposed_in,
        ),
        Row(
            f"{ours}/bias",
            f"{huggingface}.bias",
            f"{google}{bias}",
            keras_hub and f"{keras_hub}/vars/1",
            (width_out,),
        ),
    )


def layer_norm(ours: str, huggingface: str, google: str, keras_hub: str) -> tuple[Row, ...]:
    """Returns the rows of a LayerNorm: its scale and its offset."""
    return tuple(
        Row(
            f"{ours}/{name}",
            f"{huggingface}.LayerNorm.{theirs}",
            f"{google}/LayerNorm/{name}",
            f"{keras_hub}/vars/{index}",
            ("hidden_size",),
        )
        for index, (name, theirs) in enumerate((("gamma", "weight"), ("beta", "bias")))
    )


EMBEDDINGS = (
    Row(
        "embeddings/word/embeddings",
        "embeddings.word_embeddings.weight",
        "bert/embeddings/word_embeddings",
        f"{HUB}/reversible_embedding/vars/0",
        ("vocab_size", "hidden_size"),
    ),
    Row(
        "embeddings/position/embeddings",
        "embeddings.position_embeddings.weight",
        "bert/embeddings/position_embeddings",
        f"{HUB}/position_embedding/vars/0",
        ("max_position_embeddings", "hidden_size"),
    ),
    Row(
        "embeddings/segment/embeddings",
        "embeddings.token_type_embeddings.weight",
        "bert/embeddings/token_type_embeddings",
        f"{HUB}/embedding/vars/0",
        ("type_vocab_size", "hidden_size"),
    ),
    *layer_norm(
        "embeddings/layer_norm", "embeddings", "bert/embeddings", f"{HUB}/layer_normalization"
    ),
)

_HF_LAYER, _GOOGLE_LAYER = "encoder.layer.{}", "bert/encoder/layer_{}"
_HUB_LAYER = f"{HUB}/transformer_encoder_{{}}"
LAYER = (
    *(
        row
        for projection in ("query", "key", "value")
        for row in dense(
            f"layer_{{}}/attention/{projection}",
            f"{_HF_LAYER}.attention.self.{projection}",
            f"{_GOOGLE_LAYER}/attention/self/{projection}/",
            f"{_HUB_LAYER}/_self_attention_layer/{projection}_dense",
            "hidden_size",
            "hidden_size",
        )
    ),
    *dense(
        "layer_{}/attention/output_projection",
        f"{_HF_LAYER}.attention.output.dense",
        f"{_GOOGLE_LAYER}/attention/output/dense/",
        f"{_HUB_LAYER}/_self_attention_layer/output_dense",
        "hidden_size",
        "hidden_size",
    ),
    *layer_norm(
        "layer_{}/attention_norm",
        f"{_HF_LAYER}.attention.output",
        f"{_GOOGLE_LAYER}/attention/output",
        f"{_HUB_LAYER}/_self_attention_layer_norm",
    ),
    *dense(
        "layer_{}/feed_forward/intermediate",
        f"{_HF_LAYER}.intermediate.dense",
        f"{_GOOGLE_LAYER}/intermediate/dense/",
        f"{_HUB_LAYER}/_feedforward_intermediate_dense",
        "hidden_size",
        "intermediate_size",
    ),
    *dense(
        "layer_{}/feed_forward/output_projection",
        f"{_HF_LAYER}.output.dense",
        f"{_GOOGLE_LAYER}/output/dense/",
        f"{_HUB_LAYER}/_feedforward_output_dense",
        "intermediate_size",
        "hidden_size",
    ),
    *layer_norm(
        "layer_{}/feed_forward_norm",
        f"{_HF_LAYER}.output",
        f"{_GOOGLE_LAYER}/output",
        f"{_HUB_LAYER}/_feedforward_layer_norm",
    ),
)

POOLER = dense(
    "pooler/dense",
    "pooler.dense",
    "bert/pooler/dense/",
    f"{HUB}/dense",
    "hidden_size",
    "hidden_size",
)

# Names in Hugging Face's layout of second copies of a variable, and ours for the variable.
TIED = {
    "cls.predictions.decoder.weight": "embeddings/word/embeddings",
    "cls.predictions.decoder.bias": "masked_lm/bias",
}
