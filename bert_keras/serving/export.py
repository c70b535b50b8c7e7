"""A trained model as a SavedModel that needs TensorFlow and nothing else."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from bert_keras.serving.versions import write_version
from bert_keras.serving.warmup import write_warmup


def export(
    functions: Mapping[str, Any],
    tokenizer: tf.Module,
    folder: str | os.PathLike[str],
    others: Mapping[str, Any] | None = None,
) -> pathlib.Path:
    """Writes a SavedModel into the next free numbered folder.

    With the extra `serving` installed, it holds warm-up requests for TensorFlow Serving.

    The functions hold their weights as constants, see `freeze`, so it has few variables.

    Args:
        functions: `tf.function`s by signature name, each with one input signature.
        tokenizer: a module with the lookup tables that they read.
        folder: of the versions; the first is `folder/1`.
        others: further `tf.function`s by name, each with one input signature. They are attributes
            of the object that `tf.saved_model.load` returns, and may return what no signature can,
            such as ragged tensors.

    Returns:
        The new version's path. It appears complete or not at all, and replaces no other.
    """
    module = tf.Module()
    module.tokenizer = tokenizer
    module.functions = functions
    exported = [*functions.values(), *(others or {}).values()]
    module.tables = [v for function in exported for v in function.get_concrete_function().variables]
    for name, function in (others or {}).items():
        setattr(module, name, function)

    def write(temporary: pathlib.Path) -> None:
        tf.saved_model.save(module, str(temporary), signatures=functions)
        write_warmup(functions, temporary)

    return write_version(folder, write)
