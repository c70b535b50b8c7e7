"""How a model is executed in training: traced once for all its blocks, activations compiled."""

import dataclasses
import functools
from collections.abc import Callable

import tensorflow as tf

from bert_keras.layers.execution import Execution, on_weights
from bert_keras.layers.types import Tensor
from bert_keras.models.bert_model import BertModel

# Width of an activation from which compiling it saves time.
_WORTH_COMPILING = 512


def training_execution(
    model: BertModel,
    recompute: bool = False,
    xla: bool = False,
    replica: Callable[[], Tensor] | None = None,
) -> Execution:
    """Returns how to train a model: one traced function for all blocks, compiled activations.

    XLA compiles anew for each number of rows, an activation in 0.1 s. On a processor it makes the
    rest slower: its matrix products are no faster than TensorFlow's, and its random numbers are
    much slower.

    Args:
        model: the model; set the result as its `execution`.
        recompute: see `Execution`.
        xla: whether to compile the whole inside of a block.
        replica: see `Execution`.
    """
    execution = Execution(recompute=recompute, replica=replica)
    if not model.blocks:
        return execution
    trace = functools.partial(tf.function, autograph=False, reduce_retracing=True)
    jit = functools.cache(functools.partial(trace, jit_compile=True))
    is_wide = model.config.intermediate_size >= _WORTH_COMPILING
    compute = on_weights(model.blocks[0])
    traced, compiled = trace(compute), jit(compute) if xla else None

    def shared_block(
        weights: list[Tensor],
        hidden_states: Tensor,
        attention_mask: Tensor,
        positions: Tensor | None,
        seeds: list[Tensor | None],
    ) -> Tensor:
        # With `positions` the shapes depend on values, and XLA would compile for each anew.
        function = traced if compiled is None or positions is not None else compiled
        return function(weights, hidden_states, attention_mask, positions, seeds)

    compile_activation = jit if is_wide or xla else None
    return dataclasses.replace(
        execution, shared_block=shared_block, compile_activation=compile_activation
    )
