"""The function to serve that takes two entities of a text by their positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from bert_keras.tasks.classification.entity_markers import mark


def of_entities(serve_text: Callable[[tf.Tensor], dict[str, tf.Tensor]], has_types: bool) -> Any:
    """Returns a function from strings and the positions of two entities in them to predictions.

    Args:
        serve_text: what `of_text` returned, for texts in which the entities are marked.
        has_types: whether types of the entities are given too.

    Returns:
        A `tf.function` of strings [batch] `text`, int32 [batch] `head_start`, `head_end`,
        `tail_start` and `tail_end`, in code points, ends exclusive, and, with types, strings
        [batch] `head_type` and `tail_type`. Where the positions are impossible, such as those of
        entities that overlap, the predictions are an empty string and zeros.
    """
    spec = [tf.TensorSpec([None], tf.string, "text")]
    for name in ("head_start", "head_end", "tail_start", "tail_end"):
        spec.append(tf.TensorSpec([None], tf.int32, name))
    if has_types:
        spec += [tf.TensorSpec([None], tf.string, name) for name in ("head_type", "tail_type")]

    @tf.function(input_signature=spec, autograph=False)
    def serve(text: tf.Tensor, *entities: tf.Tensor) -> dict[str, tf.Tensor]:
        spans, types = tf.stack(entities[:4], 1), entities[4:]
        marked, valid = mark(text, spans, tf.stack(types, 1) if types else None)
        no = tf.where(~valid)  # [invalid, 1]
        return {
            name: tf.tensor_scatter_nd_update(values, no, tf.zeros_like(tf.gather_nd(values, no)))
            for name, values in serve_text(marked).items()
        }

    return serve
