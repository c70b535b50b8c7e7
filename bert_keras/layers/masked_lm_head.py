"""Which word stands behind each mask."""

import keras
from keras import ops

from bert_keras.layers.dense import Dense
from bert_keras.layers.feed_forward import ACTIVATIONS


@keras.saving.register_keras_serializable(package="bert_keras")
class MaskedLMHead(keras.layers.Layer):
    """Logits over the vocabulary, at the masked tokens alone.

    Devlin et al. 2018 (arXiv 1810.04805), section 3.1, task 1, with the transform and the tied
    output embedding of the published weights (get_masked_lm_output in google-research/bert):

        logits = E LayerNorm(act(x W + b)) + c

    E is the encoder's own word embedding. The vocabulary is far wider than all else, so the masked
    tokens are gathered first and only they are projected.

    Args:
        word_embedding: the encoder's `keras.layers.Embedding`; its table is shared, not copied.
        hidden_act: the activation, by the names of `FeedForward`.
        layer_norm_eps: added to the variance in LayerNorm.
        initializer_range: standard deviation of the truncated normal that fills the kernel.
        **kwargs: `name`, `dtype`.
    """

    def __init__(
        self,
        word_embedding,
        hidden_act="gelu",
        layer_norm_eps=1e-12,
        initializer_range=0.02,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.word_embedding = word_embedding
        self.hidden_act = hidden_act
        self.layer_norm_eps = layer_norm_eps
        self.initializer_range = initializer_range
        # How many logits come out depends on the values that go in; XLA wants to know before.
        self.supports_jit = False

    def build(self, input_shape):
        hidden = input_shape[-1]
        self.dense = Dense(
            hidden,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=self.initializer_range),
            dtype=self.dtype_policy,
            name="dense",
        )
        self.dense.build((None, hidden))
        self.layer_norm = keras.layers.LayerNormalization(
            epsilon=self.layer_norm_eps, dtype=self.dtype_policy, name="layer_norm"
        )
        self.layer_norm.build((None, hidden))
        # Not rounded under mixed precision: it is added to float32.
        self.bias = self.add_weight(
            shape=(self.word_embedding.input_dim,), initializer="zeros", autocast=False, name="bias"
        )

    def call(self, sequence_output, masked):
        """Scores every word of the vocabulary for every masked token.

        Args:
            sequence_output: [batch, length, hidden].
            masked: int32 [batch, length], 1 where a word is to be told, 0 elsewhere.

        Returns:
            float32 [masked, vocab], row by row and from left to right within a row; float32 under
            every dtype policy, because a softmax and its loss follow. The product before it is of
            the policy's dtype.
        """
        (positions,) = ops.nonzero(ops.reshape(masked > 0, (-1,)))  # [masked]
        tokens = ops.reshape(sequence_output, (-1, sequence_output.shape[-1]))
        hidden = self.dense(ops.take(tokens, positions, axis=0))  # [masked, hidden]
        hidden = self.layer_norm(ACTIVATIONS[self.hidden_act](hidden))
        words = ops.cast(self.word_embedding.embeddings, self.compute_dtype)  # [vocab, hidden]
        logits = ops.matmul(hidden, ops.transpose(words))  # [masked, vocab]
        return ops.cast(logits, "float32") + self.bias

    def compute_output_spec(self, sequence_output, masked):
        # Told rather than traced: tracing `nonzero` needs values under JAX.
        return keras.KerasTensor((None, self.word_embedding.input_dim), dtype="float32")

    def get_config(self):
        return super().get_config() | {
            "word_embedding": keras.saving.serialize_keras_object(self.word_embedding),
            "hidden_act": self.hidden_act,
            "layer_norm_eps": self.layer_norm_eps,
            "initializer_range": self.initializer_range,
        }

    @classmethod
    def from_config(cls, config):
        table = keras.saving.deserialize_keras_object(config["word_embedding"])
        return cls(**(config | {"word_embedding": table}))
