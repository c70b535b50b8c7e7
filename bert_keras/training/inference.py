"""Running a model over examples, each exactly once."""

import numpy as np
import tensorflow as tf

from bert_keras.data.pipeline import steps_per_epoch
from bert_keras.training.progress import Progress


class Inference:
    """Answers examples with a model, in packed rows.

    Attributes:
        model: the model.
        function: its call on a batch's inputs, a `tf.function` of one trace.

    Args:
        model: takes the inputs of a task's batches.
        answers: a task's `answers`, what to keep of the model's outputs.
        batch_size: examples in a batch. Larger ones pack better and take more memory.
    """

    def __init__(self, model, answers, batch_size):
        self.model = model
        self._answers = answers
        self._batch_size = batch_size
        # One trace serves every shape of batch and every length of row.
        self.function = tf.function(
            lambda inputs: model(inputs, training=False),
            input_signature=[{name: tf.TensorSpec([None, None], tf.int32) for name in model.input}],
        )

    def __call__(self, examples, title):
        """Returns the answers to a task's examples: an array [examples, ...], in their order."""
        kept = [None] * len(examples)
        progress = Progress(title, steps_per_epoch(len(examples), self._batch_size))
        for batch in examples.evaluation_batches(self._batch_size):
            answers = self._answers(self.function(batch["inputs"]), batch).numpy()
            for example, answer in zip(batch["example"].numpy(), answers, strict=True):
                kept[example] = answer
            tokens = int(tf.math.count_nonzero(batch["inputs"]["example_ids"]))
            progress.advance(examples=len(answers), tokens=tokens)
        progress.close()
        return np.stack(kept)
