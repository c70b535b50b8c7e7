"""Functions to serve, for tasks with one prediction for each example."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from bert_keras.data.packing import pack

if TYPE_CHECKING:
    from bert_keras.text.tokenizer import BertTokenizer

# Takes the encoder's inputs by name and `training`; returns [examples, ...].
Model = Callable[..., tf.Tensor]
# From a model's outputs [examples, ...] to tensors [examples, ...] by name.
Predict = Callable[[tf.Tensor], dict[str, tf.Tensor]]


def of_text(
    model: Model, tokenizer: BertTokenizer, predict: Predict, max_length: int, has_pairs: bool
) -> Any:
    """Returns a function from strings to predictions, which tokenizes as training does.

    Args:
        model: the model, or its frozen form.
        tokenizer: the model's.
        predict: from the model's outputs to predictions.
        max_length: tokens that an example may have; longer ones are cut, as in training.
        has_pairs: whether an example is two texts, `text` and `text_pair`.

    Returns:
        A `tf.function` of strings [batch] that returns what `predict` does, for any batch, also an
        empty one.
    """
    names = ["text", "text_pair"] if has_pairs else ["text"]

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string, name) for name in names], autograph=False
    )
    def serve(*texts: tf.Tensor) -> dict[str, tf.Tensor]:
        encoded = tokenizer.encode(texts[0], texts[1] if has_pairs else None, max_length=max_length)
        return _predict(model, predict, encoded["token_ids"], encoded["segment_ids"])

    return serve


def of_token_ids(model: Model, tokenizer: BertTokenizer, predict: Predict) -> Any:
    """Returns a function from token ids to predictions.

    Args:
        model: see `of_text`.
        tokenizer: see `of_text`.
        predict: see `of_text`.

    Returns:
        A `tf.function` of int32 [batch, length] `token_ids`, padded at the end with the id of
        [PAD], and `segment_ids`.
    """
    spec = [tf.TensorSpec([None, None], tf.int32, name) for name in ("token_ids", "segment_ids")]

    @tf.function(input_signature=spec, autograph=False)
    def serve(token_ids: tf.Tensor, segment_ids: tf.Tensor) -> dict[str, tf.Tensor]:
        columns = tf.range(1, tf.shape(token_ids)[1] + 1)
        used = tf.cast(token_ids != tokenizer.pad_id, tf.int32) * columns  # [batch, length]
        # An empty example keeps one token of padding, so that it has a prediction too.
        lengths = tf.maximum(tf.reduce_max(used, axis=1), 1)  # [batch]
        return _predict(
            model,
            predict,
            tf.RaggedTensor.from_tensor(token_ids, lengths),
            tf.RaggedTensor.from_tensor(segment_ids, lengths),
        )

    return serve


def _predict(
    model: Model, predict: Predict, token_ids: tf.RaggedTensor, segment_ids: tf.RaggedTensor
) -> dict[str, tf.Tensor]:
    inputs, order = pack(token_ids, segment_ids)
    outputs = model(inputs, training=False)  # [batch, ...], in the rows' order
    return predict(tf.gather(outputs, tf.argsort(order)))
