"""One block of the encoder."""

import keras
from keras import ops

from bert_keras.layers.dropout import Dropout
from bert_keras.layers.feed_forward import FeedForward
from bert_keras.layers.multi_head_attention import MultiHeadAttention


@keras.saving.register_keras_serializable(package="bert_keras")
class TransformerBlock(keras.layers.Layer):
    """Attention, then a feed-forward network, each with a residual and LayerNorm after it.

    Vaswani et al. 2017 (arXiv 1706.03762), section 3.1 and figure 1, left, as BERT uses it:

        y     = LayerNorm(x + Dropout(MultiHead(x)))
        block = LayerNorm(y + Dropout(FFN(y)))

    Under mixed precision the sublayers compute in the policy's compute dtype, and what runs past
    them, sums and LayerNorms, stays in the variables' dtype: else each block would round all that
    the ones before it have found.

    Attributes:
        recompute: whether training keeps the block's input alone, and computes what is inside
            once more for the gradients (Chen et al. 2016, arXiv 1604.06174): less memory for more
            time, and the same numbers. It is a way of training and in no config; a `tf.function`
            keeps to what it was when it was traced.
        shared: likewise, a function of what `with_weights` takes, or None: the inside of a block,
            which all blocks of a model may share.
        jit: likewise, a function that makes a compiled function of one, or None. The feed-forward
            network's activation is compiled by it where shapes are known beforehand.
        stand_in: likewise, a function that is called with the block and its inputs and computes
            the block's output in other forms, such as `block_on_rows`, or None.

    Args:
        num_attention_heads: heads, which divide the width of the input.
        intermediate_size: width inside the feed-forward network.
        hidden_act: its activation.
        hidden_dropout_prob: share of each sublayer's output that is dropped in training.
        attention_probs_dropout_prob: share of the attention probabilities that is dropped.
        layer_norm_eps: added to the variance in LayerNorm.
        initializer_range: standard deviation of the truncated normal that fills the kernels.
        **kwargs: `name`, `dtype`.
    """

    def __init__(
        self,
        num_attention_heads,
        intermediate_size,
        hidden_act="gelu",
        hidden_dropout_prob=0.1,
        attention_probs_dropout_prob=0.1,
        layer_norm_eps=1e-12,
        initializer_range=0.02,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.autocast = False  # the parts cast for themselves
        self.num_attention_heads = num_attention_heads
        self.intermediate_size = intermediate_size
        self.hidden_act = hidden_act
        self.hidden_dropout_prob = hidden_dropout_prob
        self.attention_probs_dropout_prob = attention_probs_dropout_prob
        self.layer_norm_eps = layer_norm_eps
        self.initializer_range = initializer_range
        self.recompute = False
        self.shared = None
        self.jit = None
        self.stand_in = None

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

    def build(self, input_shape):
        for part in (
            self.attention,
            self.attention_norm,
            self.feed_forward,
            self.feed_forward_norm,
        ):
            part.build(input_shape)

    def call(self, hidden_states, attention_mask, positions=None, training=False):
        """Runs the block.

        Args:
            hidden_states: [batch, length, hidden], float32 under mixed precision.
            attention_mask: [batch, 1, length, length], added to the attention scores.
            positions: int32 [read], which tokens' results are wanted, counted through the rows end to
                end; None for all. The others are attended to, and no more is computed of them,
                which spares most of the last block where a head reads few tokens.
            training: whether to drop.

        Returns:
            [batch, length, hidden], or [1, read, hidden] of the tokens at `positions`; of the input's
            dtype.
        """
        if self.stand_in:
            return self.stand_in(self, hidden_states, attention_mask)

        # Drawn here: computing the block again must drop the same elements, not the next ones.
        seeds = [dropout.draw_seed() if training else None for dropout in self.dropouts]

        # The mask and the seeds are no arguments, so that no gradient of theirs is computed.
        def run(hidden_states):
            if training and self.shared:
                weights = [ops.cast(weight, weight.dtype) for weight in self.weights]
                return self.shared(weights, hidden_states, attention_mask, positions, seeds)
            return self._run(hidden_states, attention_mask, positions, training, seeds)

        return (keras.remat(run) if training and self.recompute else run)(hidden_states)

    def with_weights(self, weights, hidden_states, attention_mask, positions, seeds):
        """Runs the block's inside for training, on weights that are given.

        Args:
            weights: a tensor for each of `weights`.
            hidden_states, attention_mask, positions: see `call`.
            seeds: what `draw_seed` returned, of each of `dropouts`.

        Returns:
            What `call` returns.
        """
        mapping = list(zip(self.weights, weights, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return self._run(
                hidden_states, ops.stop_gradient(attention_mask), positions, True, seeds
            )

    @property
    def dropouts(self):
        """Its `Dropout`s, in the order in which they come."""
        return self.attention.dropout, self.attention_dropout, self.feed_forward_dropout

    def _run(self, hidden_states, attention_mask, positions, training, seeds):
        attended = self.attention(
            hidden_states, attention_mask, positions, training=training, seed=seeds[0]
        )
        if positions is not None:
            tokens = ops.reshape(hidden_states, (-1, hidden_states.shape[-1]))
            hidden_states = ops.take(tokens, positions, axis=0)[None]  # [1, read, hidden]
        attended = self.attention_dropout(attended, training=training, seed=seeds[1])
        hidden_states = self.attention_norm(hidden_states + ops.cast(attended, hidden_states.dtype))
        # How many tokens are read depends on values; XLA would compile for each number anew.
        jit = self.jit if positions is None else None
        transformed = self.feed_forward(hidden_states, training=training, jit=jit)
        transformed = self.feed_forward_dropout(transformed, training=training, seed=seeds[2])
        return self.feed_forward_norm(hidden_states + ops.cast(transformed, hidden_states.dtype))

    def compute_output_spec(self, hidden_states, attention_mask, positions=None, training=False):
        shape = hidden_states.shape if positions is None else (1, None, hidden_states.shape[-1])
        return keras.KerasTensor(shape, hidden_states.dtype)

    def get_config(self):
        return super().get_config() | {
            "num_attention_heads": self.num_attention_heads,
            "intermediate_size": self.intermediate_size,
            "hidden_act": self.hidden_act,
            "hidden_dropout_prob": self.hidden_dropout_prob,
            "attention_probs_dropout_prob": self.attention_probs_dropout_prob,
            "layer_norm_eps": self.layer_norm_eps,
            "initializer_range": self.initializer_range,
        }
