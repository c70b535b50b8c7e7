"""The encoder: token ids in, a vector for each token and each example out."""

from __future__ import annotations

import os
import warnings
from typing import Any, Self

import keras

from bert_keras.config import BertConfig
from bert_keras.errors import InputError
from bert_keras.layers.attention_mask import AttentionMask
from bert_keras.layers.embeddings import Embeddings
from bert_keras.layers.output_tokens import OutputTokens
from bert_keras.layers.pooling import Pooler
from bert_keras.layers.transformer_block import TransformerBlock
from bert_keras.models.bert_model import BertModel

INPUT_NAMES = ("token_ids", "segment_ids", "position_ids", "example_ids")
OUTPUT_TOKENS = ("all", "first", "masked")


@keras.saving.register_keras_serializable(package="bert_keras")
class BertEncoder(BertModel):
    """BERT's encoder: embeddings, Transformer blocks and a pooler.

    Devlin et al. 2018 (arXiv 1810.04805), section 3.

    Inputs, a dict of int32 [batch, length]:

    - `token_ids`: ids in the vocabulary.
    - `segment_ids`: 0 for sentence A, 1 for sentence B.
    - `position_ids`: 0, 1, ... from the start of each example.
    - `example_ids`: the example in its row that a token belongs to (1, 2, ...), 0 for padding. A
      token attends to its own example only. A row of one example is ordinary BERT.

    Outputs, a dict:

    - `sequence_output` [batch, length, hidden]; [1, output tokens, hidden] unless `output_tokens`
      is "all", row by row.
    - `pooled_output` [examples, hidden], row by row; [batch, hidden] for one example a row.
    - with `output_tokens="masked"` only: `masked` int32 [1, output tokens], 1 at the masked ones,
      and `word_embeddings` [vocab, hidden], the table of the input, for the head tied to it.

    Args:
        config: the sizes of the model.
        dtype: a Keras dtype policy or its name, such as "mixed_bfloat16"; Keras's global one
            unless given.
        name: the model's name.
        output_tokens: the tokens whose vectors are computed. The last block skips most of the work
            for the others: "all"; "first", the first token of each example; "masked", these and
            the tokens marked 1 in a fifth input, `masked` int32 [batch, length].
        **kwargs: `trainable`.

    Example:
        import keras
        from bert_keras import BertConfig, BertEncoder

        encoder = BertEncoder(BertConfig.from_size("tiny"))
        ones = keras.ops.ones((1, 3), "int32")
        outputs = encoder(
            {
                "token_ids": keras.ops.convert_to_tensor([[2, 7, 3]]),
                "segment_ids": ones * 0,
                "position_ids": keras.ops.convert_to_tensor([[0, 1, 2]]),
                "example_ids": ones,
            }
        )
        outputs["pooled_output"].shape  # (1, 128)
    """

    def __init__(
        self,
        config: BertConfig,
        dtype: Any = None,
        name: str = "bert_encoder",
        output_tokens: str = "all",
        **kwargs: Any,
    ):
        if "reads" in kwargs:
            warnings.warn("reads is now output_tokens.", DeprecationWarning, stacklevel=2)
            output_tokens = kwargs.pop("reads")
        if output_tokens not in OUTPUT_TOKENS:
            raise InputError(
                f"expected one of {', '.join(OUTPUT_TOKENS)}, found {output_tokens!r}.",
                field="output_tokens",
            )

        # Layers.
        policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())
        embeddings = Embeddings(
            config.vocab_size,
            config.hidden_size,
            config.max_position_embeddings,
            config.type_vocab_size,
            config.position_embedding_type,
            config.hidden_dropout_prob,
            config.layer_norm_eps,
            config.initializer_range,
            dtype=policy,
            name="embeddings",
        )
        mask = AttentionMask(dtype=policy, name="attention_mask")
        blocks = [
            TransformerBlock(
                config.num_attention_heads,
                config.intermediate_size,
                config.hidden_act,
                config.hidden_dropout_prob,
                config.attention_probs_dropout_prob,
                config.layer_norm_eps,
                config.initializer_range,
                dtype=policy,
                name=f"layer_{index}",
            )
            for index in range(config.num_hidden_layers)
        ]
        select = OutputTokens(name="output_tokens")
        pooler = Pooler(config.initializer_range, dtype=policy, name="pooler")

        # The graph.
        inputs = encoder_inputs()
        if output_tokens == "masked":
            inputs["masked"] = keras.Input((None,), dtype="int32", name="masked")
        hidden_states, word_embeddings = embeddings(
            inputs["token_ids"], inputs["segment_ids"], inputs["position_ids"]
        )
        attention_mask = mask(inputs["example_ids"])
        positions, example_ids, masked = None, inputs["example_ids"], inputs.get("masked")
        if output_tokens != "all" and blocks:
            positions, example_ids, masked = select(example_ids, masked)
        for block in blocks:
            last = block is blocks[-1]
            hidden_states = block(hidden_states, attention_mask, positions if last else None)
        outputs = {
            "sequence_output": hidden_states,
            "pooled_output": pooler(hidden_states, example_ids),
        }
        if output_tokens == "masked":
            outputs |= {"masked": masked, "word_embeddings": word_embeddings}
        super().__init__(inputs=inputs, outputs=outputs, name=name, **kwargs)
        self.dtype_policy = policy
        self.config = config
        self.output_tokens = output_tokens

    @property
    def options(self) -> dict[str, Any]:
        return {"output_tokens": self.output_tokens}

    @classmethod
    def from_pretrained(cls, ref: str | os.PathLike[str], dtype: Any = None) -> Self:
        """Makes the encoder of a checkpoint, with its weights.

        A report of what was loaded, left over and newly made is logged.

        Args:
            ref: a folder, or `pkg://package/path`, in the layout of Hugging Face, Google or
                KerasHub.
            dtype: see the class.

        Raises:
            InputError: the folder's files cannot be used; the message says which and why.
        """
        return cls._load(ref, dtype)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: object = None) -> Self:
        if "reads" in config:  # a file from before it was called `output_tokens`
            config = dict(config)
            config["output_tokens"] = config.pop("reads")
        return super().from_config(config, custom_objects)


def encoder_inputs() -> dict[str, keras.KerasTensor]:
    """Returns the symbolic inputs of an encoder: by name, int32 [batch, length]."""
    return {name: keras.Input((None,), dtype="int32", name=name) for name in INPUT_NAMES}
