"""Multi-head self-attention."""

import keras
from keras import ops

from bert_keras.layers.dense import Dense, add_bias
from bert_keras.layers.dropout import Dropout
from bert_keras.layers.types import LayerConfig, Shape, Tensor


@keras.saving.register_keras_serializable(package="bert_keras")
class MultiHeadAttention(keras.layers.Layer):
    """Scaled dot-product self-attention with several heads.

    Vaswani et al. 2017 (arXiv 1706.03762), section 3.2:

        MultiHead(x) = Concat(head_1, ..., head_h) W_O + b_O
        head_i       = softmax(Q_i K_iᵀ / √d) V_i
        Q, K, V      = x W_Q + b_Q,  x W_K + b_K,  x W_V + b_V

    with d = hidden / h. As in BERT, the four projections have biases, and dropout is applied to
    the attention probabilities.

    Scores and softmax are in the compute dtype: they are the largest arrays of the model, and
    casting them to float32 and back would cost more than the softmax. TensorFlow's oneDNN kernels
    and XLA sum a bfloat16 softmax in float32, so only the result is rounded (2^-8). With oneDNN
    turned off, the sum loses more.

    Args:
        num_attention_heads: h; must divide the width of the input.
        attention_probs_dropout_prob: share of the probabilities that is dropped in training.
        initializer_range: standard deviation of the truncated normal that fills the kernels.
        **kwargs: `name`, `dtype`.
    """

    def __init__(
        self,
        num_attention_heads: int,
        attention_probs_dropout_prob: float = 0.1,
        initializer_range: float = 0.02,
        **kwargs: object,
    ):
        super().__init__(**kwargs)
        self.num_attention_heads = num_attention_heads
        self.attention_probs_dropout_prob = attention_probs_dropout_prob
        self.initializer_range = initializer_range
        self.dropout = Dropout(
            attention_probs_dropout_prob, dtype=self.dtype_policy, name="dropout"
        )

    def build(self, input_shape: Shape) -> None:
        hidden = input_shape[-1]
        for name in ("query", "key", "value", "output_projection"):
            dense = Dense(
                hidden,
                kernel_initializer=keras.initializers.TruncatedNormal(
                    stddev=self.initializer_range
                ),
                dtype=self.dtype_policy,
                name=name,
            )
            dense.build((None, hidden))
            setattr(self, name, dense)

    def call(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor,
        positions: Tensor | None = None,
        training: bool = False,
        seed: Tensor | None = None,
    ) -> Tensor:
        """Computes the attention of all tokens to all tokens.

        Args:
            hidden_states: [batch, length, hidden].
            attention_mask: [batch, 1, length, length], added to the scores.
            positions: int32 [read], the tokens whose results are needed, as indices into
                [batch * length]; None for all.
            training: whether to apply dropout.
            seed: of the dropout, see `Dropout.call`.

        Returns:
            [batch, length, hidden], or [1, read, hidden] of the tokens at `positions`.
        """
        batch, length, hidden = ops.shape(hidden_states)
        heads = self.num_attention_heads
        size = hidden // heads
        # A product of matrices is one MatMul; with three dimensions it is a batch of small ones.
        tokens = ops.reshape(hidden_states, (-1, hidden))  # [batch * length, hidden]
        # The three projections as one product. The scale is applied to the queries' weights, which
        # are fewer than the scores.
        projections = self.query, self.key, self.value
        scales = size**-0.5, 1.0, 1.0
        kernel = ops.concatenate(
            [dense.kernel * scale for dense, scale in zip(projections, scales, strict=True)], axis=1
        )  # [hidden, 3 * hidden]
        bias = ops.concatenate(
            [dense.bias * scale for dense, scale in zip(projections, scales, strict=True)]
        )  # [3 * hidden]
        projected = ops.matmul(tokens, kernel)  # [batch * length, 3 * hidden]
        projected = add_bias(projected, bias, training)
        projected = ops.reshape(projected, (batch, length, 3, heads, size))
        projected = ops.transpose(projected, (2, 0, 3, 1, 4))  # [3, batch, heads, length, size]
        query, key, value = ops.unstack(projected, 3)  # [batch, heads, length, size] each

        scores = ops.matmul(
            query, ops.transpose(key, (0, 1, 3, 2))
        )  # [batch, heads, length, length]
        probabilities = ops.softmax(scores + attention_mask)
        probabilities = self.dropout(probabilities, training=training, seed=seed)
        heads_output = ops.matmul(probabilities, value)  # [batch, heads, length, size]

        concatenated = ops.transpose(heads_output, (0, 2, 1, 3))  # [batch, length, heads, size]
        concatenated = ops.reshape(concatenated, (-1, hidden))  # [batch * length, hidden]
        if positions is not None:
            concatenated = ops.take(concatenated, positions, axis=0)  # [read, hidden]
            batch, length = 1, -1
        return ops.reshape(self.output_projection(concatenated), (batch, length, hidden))

    def get_config(self) -> LayerConfig:
        return super().get_config() | {
            "num_attention_heads": self.num_attention_heads,
            "attention_probs_dropout_prob": self.attention_probs_dropout_prob,
            "initializer_range": self.initializer_range,
        }
