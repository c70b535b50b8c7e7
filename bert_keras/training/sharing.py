"""Traces and compiles one function for all blocks of a model, in place of one for each."""

import functools

import tensorflow as tf

from bert_keras.models.bert_model import BertModel

# Width of an activation. Compiling narrower ones saves no time.
_WORTH_COMPILING = 512


def share_blocks(model: BertModel, xla: bool = False) -> None:
    """Makes a model train with one traced function for all blocks, and compiled activations.

    XLA compiles an activation in 0.1 s, and again for every number of rows. Compiling the rest of
    a block makes it slower on a processor: XLA's matrix products are no faster than TensorFlow's,
    and its random numbers are slower by far.

    Args:
        model: the model.
        xla: whether to compile all that is in a block.
    """
    trace = functools.partial(tf.function, autograph=False, reduce_retracing=True)
    jit = functools.cache(functools.partial(trace, jit_compile=True))
    is_wide = model.config.intermediate_size >= _WORTH_COMPILING
    model.share_blocks(trace, jit if is_wide or xla else None, xla)
