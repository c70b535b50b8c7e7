"""One vector for each example, to be compared with others by their angle."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Self

import keras

from bert_keras.checkpoints import load
from bert_keras.checkpoints.sentence_transformers import read_pooling
from bert_keras.config import BertConfig
from bert_keras.errors import InputError
from bert_keras.layers.pooling import FirstToken, MaxPooling, MeanPooling
from bert_keras.models.bert_model import BertModel
from bert_keras.models.encoder import BertEncoder, encoder_inputs

POOLINGS = {"mean": MeanPooling, "cls": FirstToken, "max": MaxPooling}


@keras.saving.register_keras_serializable(package="bert_keras")
class BertEmbedder(BertModel):
    """Sentence embeddings: the tokens of each example pooled into one vector.

    Reimers & Gurevych 2019 (arXiv 1908.10084), section 3. Inputs are the encoder's (see
    `BertEncoder`). The output is float32 [examples, hidden] under every dtype policy, row by row
    and from left to right within a row.

    The model has no block above `layer`. Its `config` has the number of blocks that are left, and
    a folder written from it is an ordinary, shallower BERT.

    Args:
        config: the sizes of the whole encoder.
        pooling: "mean", over all tokens, [CLS] and [SEP] included; "cls", the vector of [CLS]; or
            "max".
        normalize: whether vectors are scaled to length 1, so that the dot product of two is the
            cosine of their angle.
        layer: the layer whose output is pooled, as Hugging Face counts `hidden_states`: 0 is the
            embeddings, 1 the first block, -1 the last, -2 the one before it.
        dtype: a Keras dtype policy or its name, such as "mixed_bfloat16"; Keras's global one
            unless given.
        name: the model's name.
        **kwargs: `trainable`.

    Raises:
        InputError: there is no such pooling or layer.

    Example:
        import keras
        from bert_keras import BertEmbedder, BertTokenizer

        tokenizer = BertTokenizer.from_pretrained(ref)
        model = BertEmbedder.from_pretrained(ref)
        vectors = model(tokenizer(["A man eats.", "Somebody is eating."]))  # [2, hidden]
        vectors @ keras.ops.transpose(vectors)  # their similarities
    """

    def __init__(
        self,
        config: BertConfig,
        pooling: str = "mean",
        normalize: bool = True,
        layer: int = -1,
        dtype: Any = None,
        name: str = "bert_embedder",
        **kwargs: Any,
    ):
        # Layers.
        if pooling not in POOLINGS:
            raise InputError(
                f"expected one of {', '.join(POOLINGS)}, found {pooling!r}.", field="pooling"
            )
        config = _up_to(config, layer)
        encoder = BertEncoder(config, dtype=dtype, name="encoder")
        encoder.get_layer("pooler").trainable = False  # it is not used
        pool = POOLINGS[pooling](dtype="float32", name=f"{pooling}_pooling")
        scale = keras.layers.UnitNormalization(dtype="float32", name="normalization")

        # The graph.
        inputs = encoder_inputs()
        tokens = encoder(inputs)["sequence_output"]
        vectors = pool(tokens, inputs["example_ids"])  # [examples, hidden]
        if normalize:
            vectors = scale(vectors)
        super().__init__(inputs=inputs, outputs=vectors, name=name, **kwargs)
        self.dtype_policy = encoder.dtype_policy
        self.config = config
        self.pooling = pooling
        self.normalize = normalize
        self.encoder = encoder

    @property
    def options(self) -> dict[str, Any]:
        # Not `layer`: the config has no block above it.
        return {"pooling": self.pooling, "normalize": self.normalize}

    @property
    def uses_first_token_only(self) -> bool:
        return self.pooling == "cls"

    @classmethod
    def from_pretrained(
        cls,
        ref: str | os.PathLike[str],
        pooling: str | None = None,
        normalize: bool | None = None,
        layer: int = -1,
        dtype: Any = None,
    ) -> Self:
        """Makes an embedder with a checkpoint's weights.

        A report of what was loaded and left over is logged.

        Args:
            ref: a folder, or `pkg://package/path`, in the layout of Hugging Face, Google or
                KerasHub.
            pooling: see the class; what the folder says in sentence-transformers' files unless
                given, or else "mean".
            normalize: see the class; what the folder says unless given, or else True.
            layer: see the class.
            dtype: see the class.

        Raises:
            InputError: the folder's files cannot be used, or require what this model does not do.
        """
        settings = {"pooling": "mean", "normalize": True} | read_pooling(ref)
        pooling = settings["pooling"] if pooling is None else pooling
        normalize = settings["normalize"] if normalize is None else normalize
        return cls._load(ref, dtype, pooling=pooling, normalize=normalize, layer=layer)

    @classmethod
    def _choose(
        cls, checkpoint: load.Checkpoint, **options: Any
    ) -> tuple[BertConfig, dict[str, Any]]:
        return _up_to(checkpoint.config, options.pop("layer")), options


def _up_to(config: BertConfig, layer: int) -> BertConfig:
    """The config of an encoder whose last block is `layer`."""
    deepest = config.num_hidden_layers
    if not -deepest - 1 <= layer <= deepest:
        raise InputError(
            f"expected {-deepest - 1} to {deepest} in an encoder of {deepest} blocks, found "
            f"{layer!r}.",
            field="layer",
        )
    return dataclasses.replace(config, num_hidden_layers=layer % (deepest + 1))
