"""The export for LiteRT (TensorFlow Lite): token ids in, numeric outputs out.

LiteRT uses its fast kernels for processors, XNNPACK's, for the operations that they support if all
shapes follow from the shapes of the inputs. So the graph uses only such operations, except for
table lookups and counting, and rows hold one example each instead of packed ones.
"""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from bert_keras.files import atomic_write
from bert_keras.models.bert_model import BertModel
from bert_keras.serving.litert_block import litert_execution
from bert_keras.serving.versions import write_version
from bert_keras.training.task import BoundTask, NumericOutputs

MODEL, LABELS = "model.tflite", "labels.json"
INPUTS = ("token_ids", "segment_ids")


def export_litert(
    model: BertModel, task: BoundTask, folder: str | os.PathLike[str], int8: bool = False
) -> Path:
    """Writes a model for LiteRT, with its tokenizer, into the next free numbered folder.

    A version holds `model.tflite`; the tokenizer's files, as `BertTokenizer.from_pretrained` reads
    them; and, if the task has labels, `labels.json`, a list of their names. The signature of the
    model takes int32 [batch, length] `token_ids`, padded with the id of [PAD], and `segment_ids`.
    It returns what `NumericOutputs.numeric_outputs` does, for any batch, also an empty one, and any
    length from 1.

    Args:
        model: the model; its `execution` is changed to LiteRT's.
        task: the task of the model; it has `NumericOutputs`.
        folder: where versions are kept; the first is `folder/1`.
        int8: whether matrices are stored as 8-bit integers, with one scale for each output (one
            scale in all for the word embedding). In a product with such a matrix the activations
            are also rounded to 8 bits, with scales of each call.

    Returns:
        The path of the new version. It appears complete or not at all, and replaces none.
    """
    assert isinstance(task, NumericOutputs)
    content = _convert(model, task.numeric_outputs, task.tokenizer.pad_id, int8)

    def write(temporary: Path) -> None:
        with atomic_write(temporary / MODEL, "wb") as file:
            file.write(content)
        task.tokenizer.save(temporary)
        if len(task.labels):
            with atomic_write(temporary / LABELS) as file:
                json.dump(list(task.labels), file, ensure_ascii=False)

    return write_version(folder, write)


def _convert(
    model: BertModel,
    outputs_of: Callable[[tf.Tensor], dict[str, tf.Tensor]],
    pad_id: int,
    int8: bool,
) -> bytes:
    """Returns the content of the file.

    Args:
        model, int8: see `export_litert`.
        outputs_of: from the model's outputs to the numeric outputs, by name.
        pad_id: the id of [PAD].
    """
    model.execution = litert_execution(model)

    @tf.function(
        input_signature=[tf.TensorSpec([None, None], tf.int32, name) for name in INPUTS],
        autograph=False,
    )
    def serve(token_ids: tf.Tensor, segment_ids: tf.Tensor) -> dict[str, tf.Tensor]:
        columns = tf.range(1, tf.shape(token_ids)[1] + 1)  # [length]
        used = tf.cast(token_ids != pad_id, tf.int32) * columns  # [batch, length]
        # An example of padding only counts as one token, so that it has an output.
        lengths = tf.maximum(tf.reduce_max(used, axis=1, keepdims=True), 1)  # [batch, 1]
        inputs = {
            "token_ids": token_ids,
            "segment_ids": segment_ids,
            "position_ids": tf.zeros_like(token_ids) + columns - 1,
            "example_ids": tf.cast(columns <= lengths, tf.int32),
        }
        return outputs_of(model(inputs, training=False))

    module = tf.Module()
    module.model_variables = [variable.value for variable in model.weights]
    with tempfile.TemporaryDirectory() as folder:
        # Through a SavedModel, because converted functions lose the names of their outputs.
        tf.saved_model.save(module, folder, signatures=serve)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if int8:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        return converter.convert()
