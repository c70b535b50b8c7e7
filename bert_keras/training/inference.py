"""Running a model over examples, each exactly once."""

import numpy as np
import tensorflow as tf

from bert_keras.data.batches import steps_per_epoch
from bert_keras.errors import Interrupted
from bert_keras.progress import Progress
from bert_keras.training.devices import current_replica, is_chief, run, sum_over_replicas
from bert_keras.training.sharding import take_shard


class Inference:
    """Answers examples with a model, in packed rows, on all replicas together.

    Attributes:
        model: the model.

    Args:
        model: takes the inputs of a task's batches.
        answers: a task's `answers`, what to keep of the model's outputs.
        batch_size: examples in a batch. Larger ones pack better and take more memory.
        strategy: the `tf.distribute.Strategy` in whose scope the model was made, that of one device
            unless given.
        interruption: an entered `Interruption`, to stop at.
    """

    def __init__(self, model, answers, batch_size, strategy=None, interruption=None):
        self.model = model
        self._answers = answers
        self._batch_size = batch_size
        self._strategy = strategy or tf.distribute.get_strategy()
        self._interruption = interruption
        self._traced = {}

    def __call__(self, examples, title):
        """Returns the answers to a task's examples: an array [examples, ...], in their order.

        Raises:
            Interrupted: a worker was told to stop.
        """
        kept = [None] * len(examples)
        steps = steps_per_epoch(len(examples), self._batch_size)
        progress = Progress(title, steps, shown=is_chief(self._strategy))
        batches = examples.evaluation_batches(self._batch_size)
        answer = self._function(batches.element_spec)
        for batch in batches:
            stop = self._interruption.signal if self._interruption else 0
            answers, stop = answer(batch, tf.constant(float(stop)))
            if stop:
                raise Interrupted
            for example, one in zip(batch["example"].numpy(), answers.numpy(), strict=True):
                kept[example] = one
            tokens = int(tf.math.count_nonzero(batch["inputs"]["example_ids"]))
            progress.advance(examples=len(answers), tokens=tokens)
        progress.close()
        return np.stack(kept)

    def _function(self, spec):
        """Answers batches of a spec: one trace serves every number of rows and of examples."""
        key = repr(spec)
        if key not in self._traced:
            self._traced[key] = tf.function(
                self._answer, [spec, tf.TensorSpec([], tf.float32)], autograph=False
            )
        return self._traced[key]

    def _answer(self, batch, stop):
        strategy = self._strategy

        def on_replica(batch):
            replica, replicas = current_replica(strategy)
            if replicas > 1:
                batch = take_shard(batch, replica, replicas)
            return self._answers(self.model(batch["inputs"], training=False), batch)

        stop = run(strategy, lambda stop: sum_over_replicas(strategy, stop), stop)
        if strategy.num_replicas_in_sync == 1:
            return on_replica(batch), stop
        return strategy.gather(strategy.run(on_replica, args=(batch,)), axis=0), stop
