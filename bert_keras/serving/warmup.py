"""Requests that TensorFlow Serving runs on loading, so that no user waits for the first call."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

_FILE = "tf_serving_warmup_requests"  # the name that the server looks for
_TEXT = "A sentence of some ten words, such as people send."
_BATCHES = (1, 8)
_LENGTH = 16  # token ids a row


def write_warmup(functions: Mapping[str, Any], version: pathlib.Path) -> bool:
    """Writes warm-up requests into a SavedModel, if the extra `serving` is installed.

    Args:
        functions: the exported `tf.function`s by signature name; their inputs are strings [batch]
            or int32 [batch] or [batch, length].
        version: the SavedModel's folder; the requests go into its `assets.extra`.

    Returns:
        Whether they were written.
    """
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError:
        return False
    folder = version / "assets.extra"
    folder.mkdir()
    with tf.io.TFRecordWriter(str(folder / _FILE)) as file:
        for name, function in functions.items():
            for batch in _BATCHES:
                request = predict_pb2.PredictRequest()
                request.model_spec.signature_name = name
                for spec in function.input_signature:
                    values = tf.make_tensor_proto(_sample(spec, batch))
                    request.inputs[spec.name].CopyFrom(values)
                log = prediction_log_pb2.PredictionLog()
                log.predict_log.request.CopyFrom(request)
                file.write(log.SerializeToString())
    return True


def _sample(spec: tf.TensorSpec, batch: int) -> tf.Tensor:
    if spec.dtype == tf.string:
        return tf.fill([batch], _TEXT)
    return tf.ones([batch, _LENGTH][: spec.shape.rank], spec.dtype)
