"""The head of the masked language model."""

import keras
from keras import ops

from bert_keras.layers.dense import Dense
from bert_keras.layers.feed_forward import ACTIVATIONS
from bert_keras.layers.types import LayerConfig, Shape, Tensor


@keras.saving.register_keras_serializable(package="bert_keras")
class MaskedLMHead(keras.layers.Layer):
    """Logits over the vocabulary at the masked tokens.

    Devlin et al. 2018 (arXiv 1810.04805), section 3.1, task 1, with the transform and the tied
    output embedding of the published weights (get_masked_lm_output in google-research/bert):

        logits = E LayerNorm(act(x W + b)) + c

    E is the encoder's word embedding, an input of the layer. The product with it is by far the
    largest, so the masked tokens are gathered first and only they are projected.

    Args:
        vocab_size: number of words.
        hidden_act: the activation, by the names of `FeedForward`.
        layer_norm_eps: added to the variance in LayerNorm.
        initializer_range: standard deviation of the truncated normal that fills the kernel.
        **kwargs: `name`, `dtype`.
    """

    def __init__(
        self,
        vocab_size: int,
        hidden_act: str = "gelu",
        layer_norm_eps: float = 1e-12,
        initializer_range: float = 0.02,
        **kwargs: object,
    ):
        super().__init__(**kwargs)
        self.vocab_size = vocab_size
        self.hidden_act = hidden_act
        self.layer_norm_eps = layer_norm_eps
        self.initializer_range = initializer_range
        # The number of logits depends on the values of the inputs; XLA needs it beforehand.
        self.supports_jit = False

    def build(self, input_shape: Shape) -> None:
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
            shape=(self.vocab_size,), initializer="zeros", autocast=False, name="bias"
        )

    def call(self, sequence_output: Tensor, masked: Tensor, word_embeddings: Tensor) -> Tensor:
        """Scores every word of the vocabulary for every masked token.

        Args:
            sequence_output: [batch, length, hidden].
            masked: int32 [batch, length], 1 at masked tokens, 0 elsewhere.
            word_embeddings: [vocab, hidden], the encoder's table.

        Returns:
            float32 [masked, vocab], row by row and from left to right within a row. It is float32
            under every dtype policy, because a softmax and its loss follow. The product with the
            table is computed in the policy's dtype.
        """
        (positions,) = ops.nonzero(ops.reshape(masked > 0, (-1,)))  # [masked]
        tokens = ops.reshape(sequence_output, (-1, sequence_output.shape[-1]))
        hidden = self.dense(ops.take(tokens, positions, axis=0))  # [masked, hidden]
        hidden = self.layer_norm(ACTIVATIONS[self.hidden_act](hidden))
        words = ops.cast(word_embeddings, self.compute_dtype)  # [vocab, hidden]
        logits = ops.matmul(hidden, ops.transpose(words))  # [masked, vocab]
        return ops.cast(logits, "float32") + self.bias

    def compute_output_spec(
        self, sequence_output: Tensor, masked: Tensor, word_embeddings: Tensor
    ) -> keras.KerasTensor:
        # Stated, not traced: tracing `nonzero` needs values under JAX.
        return keras.KerasTensor((None, self.vocab_size), dtype="float32")

    def get_config(self) -> LayerConfig:
        return super().get_config() | {
            "vocab_size": self.vocab_size,
            "hidden_act": self.hidden_act,
            "layer_norm_eps": self.layer_norm_eps,
            "initializer_range": self.initializer_range,
        }
