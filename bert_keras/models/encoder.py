"""BERT itself: token ids in, a vector for each token and each example out."""

import keras

from bert_keras.layers.attention_mask import AttentionMask
from bert_keras.layers.embeddings import Embeddings
from bert_keras.layers.output_tokens import ReadTokens
from bert_keras.layers.pooler import Pooler
from bert_keras.layers.transformer_block import TransformerBlock
from bert_keras.models.bert_model import BertModel

INPUT_NAMES = ("token_ids", "segment_ids", "position_ids", "example_ids")


@keras.saving.register_keras_serializable(package="bert_keras")
class BertEncoder(BertModel):
    """Devlin et al. 2018 (arXiv 1810.04805): embeddings, Transformer blocks, a pooler.

    Inputs, a dict of int32 [batch, length]:

    - `token_ids`: ids in the vocabulary.
    - `segment_ids`: 0 for sentence A, 1 for sentence B.
    - `position_ids`: 0, 1, ... from the start of each example.
    - `example_ids`: to which example of its row a token belongs (1, 2, ...), 0 for padding. A
      token attends to its own example alone. A row of one example is ordinary BERT.

    Outputs, a dict:

    - `sequence_output` [batch, length, hidden]; [1, read, hidden] where `reads` is not "all", row
      by row.
    - `pooled_output` [examples, hidden], row by row; [batch, hidden] for one example a row.
    - `masked` int32 [1, read], with `reads="masked"` alone: which of the tokens that are read are
      masked ones.

    A `.keras` file of it loads with `keras.saving.load_model`, without custom objects, wherever
    `BertEncoder` has been imported.

    Args:
        config: a `BertConfig`.
        dtype: a Keras dtype policy, such as "mixed_bfloat16"; Keras's global one unless given.
        name: the model's name.
        reads: which tokens the heads on it read. The last block spares most of its work on others:
            "all"; "first", those that examples begin with; "masked", the same and those that a
            fifth input marks with 1, `masked` int32 [batch, length].
        **kwargs: `trainable`.

    Example:
        encoder = BertEncoder(BertConfig.from_size("tiny"))
        one = keras.ops.ones((1, 3), "int32")
        outputs = encoder(
            {
                "token_ids": keras.ops.convert_to_tensor([[2, 7, 3]]),
                "segment_ids": one * 0,
                "position_ids": keras.ops.convert_to_tensor([[0, 1, 2]]),
                "example_ids": one,
            }
        )
        outputs["pooled_output"].shape  # (1, 128)
    """

    def __init__(self, config, dtype=None, name="bert_encoder", reads="all", **kwargs):
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
        read_tokens = ReadTokens(name="read_tokens")
        pooler = Pooler(config.initializer_range, dtype=policy, name="pooler")

        # The graph.
        inputs = encoder_inputs()
        if reads == "masked":
            inputs["masked"] = keras.Input((None,), dtype="int32", name="masked")
        hidden_states = embeddings(
            inputs["token_ids"], inputs["segment_ids"], inputs["position_ids"]
        )
        attention_mask = mask(inputs["example_ids"])
        positions, example_ids, masked = None, inputs["example_ids"], inputs.get("masked")
        if reads != "all" and blocks:
            positions, example_ids, masked = read_tokens(example_ids, masked)
        for block in blocks:
            last = block is blocks[-1]
            hidden_states = block(hidden_states, attention_mask, positions if last else None)
        outputs = {
            "sequence_output": hidden_states,
            "pooled_output": pooler(hidden_states, example_ids),
        }
        if reads == "masked":
            outputs["masked"] = masked
        super().__init__(inputs=inputs, outputs=outputs, name=name, **kwargs)
        self.dtype_policy = policy
        self.config = config
        self.reads = reads

    @classmethod
    def from_pretrained(cls, ref, dtype=None):
        """Makes the encoder of a checkpoint, with its weights.

        What was loaded, what was left over and what was newly made is printed on stderr.

        Args:
            ref: a folder, or `pkg://package/path`, in the layout of Hugging Face, Google or
                KerasHub.
            dtype: a Keras dtype policy.

        Returns:
            A `BertEncoder`.

        Raises:
            InputError: the folder's files cannot be used; the message says which and why.
        """
        from bert_keras.checkpoints import load

        with load.open_checkpoint(ref) as checkpoint:
            load.check_shapes(checkpoint, checkpoint.config)
            encoder = cls(checkpoint.config, dtype=dtype)
            load.announce(load.copy_weights(checkpoint, encoder))
        return encoder

    def get_config(self):
        return super().get_config() | {"reads": self.reads}


def encoder_inputs():
    """Returns the symbolic inputs of an encoder: by name, int32 [batch, length]."""
    return {name: keras.Input((None,), dtype="int32", name=name) for name in INPUT_NAMES}
