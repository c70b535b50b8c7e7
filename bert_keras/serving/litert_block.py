"""The Transformer block in the operations that LiteRT (TensorFlow Lite) executes fast."""

import keras
from keras import ops

from bert_keras.layers.dense import Dense
from bert_keras.layers.execution import Execution
from bert_keras.layers.feed_forward import ACTIVATIONS, fusible_gelu
from bert_keras.layers.multi_head_attention import MultiHeadAttention
from bert_keras.layers.transformer_block import TransformerBlock
from bert_keras.layers.types import Tensor
from bert_keras.models.bert_model import BertModel


def litert_execution(model: BertModel) -> Execution:
    """Returns how to execute a model for conversion to LiteRT.

    Every row holds one example, so all shapes follow from those of the inputs. If the head uses
    the first tokens only, the last block computes no others.

    Args:
        model: the model; set the result as its `execution`.
    """
    last = model.blocks[-1] if model.blocks else None
    first_only = model.uses_first_token_only

    def inference_block(
        block: TransformerBlock, hidden_states: Tensor, attention_mask: Tensor
    ) -> Tensor:
        first_token_only = first_only and block is last
        return litert_block(block, hidden_states, attention_mask, first_token_only)

    return Execution(inference_block=inference_block, one_example_a_row=True)


def litert_block(
    block: TransformerBlock,
    hidden_states: Tensor,
    attention_mask: Tensor,
    first_token_only: bool = False,
) -> Tensor:
    """Computes a `TransformerBlock` for inference, to be converted.

    Each computation has the form that the converter maps to one operation, or that takes the
    kernels for processors, XNNPACK's, fewer passes.

    Args:
        block: the block.
        hidden_states: float32 [batch, length, hidden].
        attention_mask: [batch, 1, length, length], added to the attention scores.
        first_token_only: whether only the first token's vector is needed. It attends to all tokens.

    Returns:
        [batch, length, hidden]; [batch, 1, hidden] with `first_token_only`.
    """
    batch, length, hidden = ops.shape(hidden_states)
    tokens = ops.reshape(hidden_states, (-1, hidden))  # [batch * length, hidden]
    queries = tokens
    if first_token_only:
        length, queries = 1, hidden_states[:, 0]  # [batch, hidden]
        attention_mask = attention_mask[:, :, :1]
    attended = _attend(block.attention, queries, tokens, attention_mask)
    attended = _normalize(block.attention_norm, queries + attended)
    inside = _linear(block.feed_forward.intermediate, attended)  # [batch * length, intermediate]
    activation = block.feed_forward.hidden_act
    inside = fusible_gelu(inside) if activation == "gelu" else ACTIVATIONS[activation](inside)
    transformed = _linear(block.feed_forward.output_projection, inside)
    output = _normalize(block.feed_forward_norm, attended + transformed)
    return ops.reshape(output, (batch, length, hidden))


def _attend(
    attention: MultiHeadAttention, queries: Tensor, tokens: Tensor, attention_mask: Tensor
) -> Tensor:
    """Computes `MultiHeadAttention`, where there may be fewer queries than tokens.

    Args:
        attention: the layer.
        queries: [batch * queries, hidden], the tokens that attend.
        tokens: [batch * length, hidden].
        attention_mask: [batch, 1, queries, length].

    Returns:
        [batch * queries, hidden].
    """
    heads, hidden = attention.num_attention_heads, tokens.shape[-1]
    size = hidden // heads
    batch, _, count, length = ops.shape(attention_mask)

    def split(projected: Tensor, length: int) -> Tensor:
        by_head = ops.reshape(projected, (batch, length, heads, size))
        return ops.transpose(by_head, (0, 2, 1, 3))  # [batch, heads, length, size]

    query = split(_linear(attention.query, queries, size**-0.5), count)
    key = split(_linear(attention.key, tokens), length)
    value = split(_linear(attention.value, tokens), length)
    scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))  # [batch, heads, queries, length]
    heads_output = ops.matmul(ops.softmax(scores + attention_mask), value)
    concatenated = ops.transpose(heads_output, (0, 2, 1, 3))  # [batch, queries, heads, size]
    return _linear(attention.output_projection, ops.reshape(concatenated, (-1, hidden)))


def _linear(dense: Dense, inputs: Tensor, scale: float = 1.0) -> Tensor:
    return ops.matmul(inputs, dense.kernel * scale) + dense.bias * scale


def _normalize(norm: keras.layers.LayerNormalization, inputs: Tensor) -> Tensor:
    """Computes LayerNorm in seven operations, where Keras needs ten."""
    centred = inputs - ops.mean(inputs, axis=-1, keepdims=True)
    variance = ops.mean(centred * centred, axis=-1, keepdims=True)
    return centred * ops.rsqrt(variance + norm.epsilon) * norm.gamma + norm.beta
