"""One block of the encoder."""

from collections.abc import Sequence

import keras
from keras import ops

from bert_keras.layers.dropout import Dropout
from bert_keras.layers.execution import Execution
from bert_keras.layers.feed_forward import FeedForward
from bert_keras.layers.multi_head_attention import MultiHeadAttention
from bert_keras.layers.types import LayerConfig, Shape, Tensor


@keras.saving.register_keras_serializable(package="bert_keras")
class TransformerBlock(keras.layers.Layer):
    """Attention, then a feed-forward network, each followed by a residual and LayerNorm.

    Vaswani et al. 2017 (arXiv 1706.03762), section 3.1 and figure 1, left, as BERT uses it:

        y     = LayerNorm(x + Dropout(MultiHead(x)))
        block = LayerNorm(y + Dropout(FFN(y)))

    Under mixed precision the sublayers compute in the policy's compute dtype. The residual stream
    (sums and LayerNorms) keeps the variables' dtype; otherwise each block would round the results
    of all blocks before it.

    Attributes:
        execution: how the block is executed, see `Execution`.

    Args:
        num_attention_heads: heads; must divide the width of the input.
        intermediate_size: width inside the feed-forward network.
        hidden_act: its activation, see `FeedForward`.
        hidden_dropout_prob: share of each sublayer's output that is dropped in training.
        attention_probs_dropout_prob: share of the attention probabilities that is dropped.
        layer_norm_eps: added to the variance in LayerNorm.
        initializer_range: standard deviation of the truncated normal that fills the kernels.
        **kwargs: `name`, `dtype`.
    """

    execution = Execution()

    def __init__(
        self,
        num_attention_heads: int,
        intermediate_size: int,
        hidden_act: str = "gelu",
        hidden_dropout_prob: float = 0.1,
        attention_probs_dropout_prob: float = 0.1,
        layer_norm_eps: float = 1e-12,
        initializer_range: float = 0.02,
        **kwargs: object,
    ):
        super().__init__(**kwargs)
        self.autocast = False  # the sublayers cast their inputs themselves
        self.num_attention_heads = num_attention_heads
        self.intermediate_size = intermediate_size
        self.hidden_act = hidden_act
        self.hidden_dropout_prob = hidden_dropout_prob
        self.attention_probs_dropout_prob = attention_probs_dropout_prob
        self.layer_norm_eps = layer_norm_eps
        self.initializer_range = initializer_range

        policy = self.dtype_policy
        self.attention = MultiHeadAttention(
            num_attention_heads,
            attention_probs_dropout_prob,
            initializer_range,
            dtype=policy,
            name="attention",
        )
        self.attention_dropout = Dropout(
            hidden_dropout_prob, dtype=policy, name="attention_dropout"
        )
        self.attention_norm = keras.layers.LayerNormalization(
            epsilon=layer_norm_eps, dtype=self.variable_dtype, name="attention_norm"
        )
        self.feed_forward = FeedForward(
            intermediate_size, hidden_act, initializer_range, dtype=policy, name="feed_forward"
        )
        self.feed_forward_dropout = Dropout(
            hidden_dropout_prob, dtype=policy, name="feed_forward_dropout"
        )
        self.feed_forward_norm = keras.layers.LayerNormalization(
            epsilon=layer_norm_eps, dtype=self.variable_dtype, name="feed_forward_norm"
        )

    @property
    def dropouts(self) -> tuple[Dropout, Dropout, Dropout]:
        """The `Dropout` layers, in the order in which they are computed."""
        return self.attention.dropout, self.attention_dropout, self.feed_forward_dropout

    def build(self, input_shape: Shape) -> None:
        for part in (
            self.attention,
            self.attention_norm,
            self.feed_forward,
            self.feed_forward_norm,
        ):
            part.build(input_shape)

    def call(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor,
        positions: Tensor | None = None,
        training: bool = False,
    ) -> Tensor:
        """Runs the block as `execution` says.

        Args:
            hidden_states: [batch, length, hidden], float32 under mixed precision.
            attention_mask: [batch, 1, length, length], added to the attention scores.
            positions: int32 [read], the tokens whose results are needed, as indices into
                [batch * length]; None for all. The other tokens are attended to, and nothing else
                is computed for them. This saves most of the last block where a head reads few
                tokens.
            training: whether to apply dropout.

        Returns:
            [batch, length, hidden], or [1, read, hidden] with `positions`; in the input's dtype.
        """
        return self.execution.run(self, hidden_states, attention_mask, positions, training)

    def compute(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor,
        positions: Tensor | None,
        training: bool,
        seeds: Sequence[Tensor | None],
    ) -> Tensor:
        """Computes the block: the formulas of the class. `call` is what others call.

        Args:
            hidden_states, attention_mask, positions, training: see `call`.
            seeds: the seed of each of `dropouts`; None outside of training.

        Returns:
            See `call`.
        """
        attention_seed, attended_seed, transformed_seed = seeds
        # With `positions` the shape depends on values, and XLA would compile for each anew.
        jit = self.execution.compile_activation if positions is None else None

        attended = self.attention(
            hidden_states, attention_mask, positions, training=training, seed=attention_seed
        )
        attended = self.attention_dropout(attended, training=training, seed=attended_seed)
        residual = _select(hidden_states, positions)
        y = self.attention_norm(residual + ops.cast(attended, residual.dtype))

        transformed = self.feed_forward(y, training=training, jit=jit)
        transformed = self.feed_forward_dropout(
            transformed, training=training, seed=transformed_seed
        )
        return self.feed_forward_norm(y + ops.cast(transformed, y.dtype))

    def compute_output_spec(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor,
        positions: Tensor | None = None,
        training: bool = False,
    ) -> keras.KerasTensor:
        shape = hidden_states.shape if positions is None else (1, None, hidden_states.shape[-1])
        return keras.KerasTensor(shape, hidden_states.dtype)

    def get_config(self) -> LayerConfig:
        return super().get_config() | {
            "num_attention_heads": self.num_attention_heads,
            "intermediate_size": self.intermediate_size,
            "hidden_act": self.hidden_act,
            "hidden_dropout_prob": self.hidden_dropout_prob,
            "attention_probs_dropout_prob": self.attention_probs_dropout_prob,
            "layer_norm_eps": self.layer_norm_eps,
            "initializer_range": self.initializer_range,
        }


def _select(hidden_states: Tensor, positions: Tensor | None) -> Tensor:
    """The tokens at `positions` as one row, [1, read, hidden]; all tokens as they are for None."""
    if positions is None:
        return hidden_states
    tokens = ops.reshape(hidden_states, (-1, hidden_states.shape[-1]))
    return ops.take(tokens, positions, axis=0)[None]
