"""A trained model as a SavedModel that needs TensorFlow and nothing else."""

import tensorflow as tf

from bert_keras.serving.versions import write_version
from bert_keras.serving.warmup import write_warmup


def export(functions, tokenizer, folder, others=None):
    """Writes a SavedModel into the next free numbered folder.

    With the extra `serving` installed, requests to warm up TensorFlow Serving come with it.

    It has few variables: the functions are to hold their weights as constants, see `freeze`.

    Args:
        functions: `tf.function`s by signature name, each with one input signature.
        tokenizer: the tables that they read; a `tf.Module`.
        folder: where versions are kept; the first is `folder/1`.
        others: further `tf.function`s by name, each with one input signature. They are attributes
            of the object that `tf.saved_model.load` returns, and may give what no signature can,
            such as ragged tensors.

    Returns:
        The new version's path. It appears whole or not at all, and replaces none.
    """
    module = tf.Module()
    module.tokenizer = tokenizer
    module.functions = functions
    every = [*functions.values(), *(others or {}).values()]
    module.tables = [v for function in every for v in function.get_concrete_function().variables]
    for name, function in (others or {}).items():
        setattr(module, name, function)

    def write(temporary):
        tf.saved_model.save(module, str(temporary), signatures=functions)
        write_warmup(functions, temporary)

    return write_version(folder, write)
