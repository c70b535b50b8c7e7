"""What of a model is traced and compiled once, for all its blocks."""

import functools

import tensorflow as tf

# Width of an activation; narrower ones take no time that compiling could spare.
_WORTH_COMPILING = 512


def share_blocks(model, xla=False):
    """Has a model train with one traced function for all blocks, and compiled activations.

    XLA compiles for every number of rows anew, an activation in 0.1 s. Of the rest it would make
    less on a processor: its matrix products are no faster than TensorFlow's, and its random
    numbers are slower by far.

    Args:
        model: a `BertModel`.
        xla: whether to compile all that is in a block.
    """
    trace = functools.partial(tf.function, autograph=False, reduce_retracing=True)
    jit = functools.cache(functools.partial(trace, jit_compile=True))
    is_wide = model.config.intermediate_size >= _WORTH_COMPILING
    model.share_blocks(trace, jit if is_wide or xla else None, xla)
