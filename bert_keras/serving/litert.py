"""A trained model as a file for LiteRT (TensorFlow Lite): ids in, numbers out, in the least time.

Its kernels for processors, XNNPACK's, are used for whatever operation is in their list and has
shapes that are known once those of the inputs are. So the graph has none but such, save for lookups
in tables and counting, and rows are read as they are instead of packed.
"""

import json
import tempfile

import tensorflow as tf

from bert_keras.files import atomic_write
from bert_keras.serving.versions import write_version

MODEL, LABELS = "model.tflite", "labels.json"
INPUTS = ("token_ids", "segment_ids")


def export_litert(model, task, folder, int8=False):
    """Writes a model for LiteRT, and what is needed beside it, into the next free numbered folder.

    A version holds `model.tflite`; the tokenizer's files, as `BertTokenizer.from_pretrained` reads
    them; and, of a task that has them, `labels.json`, a list of names. The model's signature takes
    int32 [batch, length] `token_ids`, which end in the id of [PAD] where they are shorter than the
    longest, and `segment_ids`. It gives what `NumericOutputs.numeric_outputs` does, for any batch,
    also the empty one, and any length from 1 on.

    Args:
        model: a `BertModel`. It reads rows of one example each from here on.
        task: the `BoundTask` that it is of, which has `NumericOutputs`.
        folder: where versions are kept; the first is `folder/1`.
        int8: whether matrices are kept as 8-bit integers, with a scale for each output (word
            vectors with one for all). Activations are then rounded to 8 bits as well, with scales
            of their own in each call, wherever they are multiplied with one.

    Returns:
        The new version's path. It appears whole or not at all, and replaces none.
    """
    content = _convert(model, task.numeric_outputs, task.tokenizer.pad_id, int8)

    def write(temporary):
        with atomic_write(temporary / MODEL, "wb") as file:
            file.write(content)
        task.tokenizer.save(temporary)
        if len(task.labels):
            with atomic_write(temporary / LABELS) as file:
                json.dump(list(task.labels), file, ensure_ascii=False)

    return write_version(folder, write)


def _convert(model, answer, pad_id, int8):
    """The bytes of the file."""
    model.expect_one_example_a_row()

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32, name) for name in INPUTS])
    def serve(token_ids, segment_ids):
        columns = tf.range(1, tf.shape(token_ids)[1] + 1)  # [length]
        used = tf.cast(token_ids != pad_id, tf.int32) * columns  # [batch, length]
        # An empty example is one of padding alone: it too is owed an answer.
        lengths = tf.maximum(tf.reduce_max(used, axis=1, keepdims=True), 1)  # [batch, 1]
        inputs = {
            "token_ids": token_ids,
            "segment_ids": segment_ids,
            "position_ids": tf.zeros_like(token_ids) + columns - 1,
            "example_ids": tf.cast(columns <= lengths, tf.int32),
        }
        return answer(model(inputs, training=False))

    module = tf.Module()
    module.model_variables = [variable.value for variable in model.weights]
    with tempfile.TemporaryDirectory() as folder:
        # By way of a SavedModel, because converted functions lose the names of what they give.
        tf.saved_model.save(module, folder, signatures=serve)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if int8:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        return converter.convert()
