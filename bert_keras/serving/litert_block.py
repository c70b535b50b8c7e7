"""A Transformer block once more, in the operations that runtimes on small devices are fast at."""

from keras import ops

from bert_keras.layers.feed_forward import ACTIVATIONS, fusible_gelu


def block_on_rows(block, hidden_states, attention_mask, first_alone=False):
    """Computes what a `TransformerBlock` does when not training, for conversion to other runtimes.

    Nothing is different but the forms: each is one that TensorFlow Lite's converter knows as one
    operation, or that its kernels, XNNPACK's, have fewer passes for.

    Args:
        block: the `TransformerBlock`.
        hidden_states: float32 [batch, length, hidden].
        attention_mask: [batch, 1, length, length], added to the attention scores.
        first_alone: whether only the first token's vector will be read. All tokens are attended
            to, but no other one attends or goes on from here.

    Returns:
        [batch, length, hidden]; [batch, 1, hidden] with `first_alone`.
    """
    batch, length, hidden = ops.shape(hidden_states)
    tokens = ops.reshape(hidden_states, (-1, hidden))  # [batch * length, hidden]
    asking = tokens
    if first_alone:
        length, asking = 1, hidden_states[:, 0]  # [batch, hidden]
        attention_mask = attention_mask[:, :, :1]
    attended = _attend(block.attention, asking, tokens, attention_mask)
    attended = _normalize(block.attention_norm, asking + attended)
    inside = _linear(block.feed_forward.intermediate, attended)  # [batch * length, intermediate]
    activation = block.feed_forward.hidden_act
    inside = fusible_gelu(inside) if activation == "gelu" else ACTIVATIONS[activation](inside)
    transformed = _linear(block.feed_forward.output_projection, inside)
    found = _normalize(block.feed_forward_norm, attended + transformed)
    return ops.reshape(found, (batch, length, hidden))


def _attend(attention, asking, tokens, attention_mask):
    """What `MultiHeadAttention` does, where fewer tokens may ask than are asked.

    Args:
        attention: the layer.
        asking: [batch * asking, hidden].
        tokens: [batch * length, hidden].
        attention_mask: [batch, 1, asking, length].

    Returns:
        [batch * asking, hidden].
    """
    heads, hidden = attention.num_attention_heads, tokens.shape[-1]
    size = hidden // heads
    batch, _, count, length = ops.shape(attention_mask)

    def split(projected, length):
        apart = ops.reshape(projected, (batch, length, heads, size))
        return ops.transpose(apart, (0, 2, 1, 3))  # [batch, heads, length, size]

    query = split(_linear(attention.query, asking, size**-0.5), count)
    key = split(_linear(attention.key, tokens), length)
    value = split(_linear(attention.value, tokens), length)
    scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))  # [batch, heads, asking, length]
    gathered = ops.matmul(ops.softmax(scores + attention_mask), value)
    together = ops.transpose(gathered, (0, 2, 1, 3))  # [batch, asking, heads, size]
    return _linear(attention.output_projection, ops.reshape(together, (-1, hidden)))


def _linear(dense, inputs, scale=1.0):
    return ops.matmul(inputs, dense.kernel * scale) + dense.bias * scale


def _normalize(norm, inputs):
    """LayerNorm in two passes: seven operations on all of it, where Keras's is ten."""
    centred = inputs - ops.mean(inputs, axis=-1, keepdims=True)
    variance = ops.mean(centred * centred, axis=-1, keepdims=True)
    return centred * ops.rsqrt(variance + norm.epsilon) * norm.gamma + norm.beta
