"""Running a model over examples, each exactly once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from bert_keras.data.epochs import steps_per_epoch
from bert_keras.errors import Interrupted
from bert_keras.models.bert_model import BertModel
from bert_keras.progress import Progress
from bert_keras.training.devices import current_replica, is_chief, run, sum_over_replicas
from bert_keras.training.interruption import Interruption
from bert_keras.training.sharding import take_shard
from bert_keras.training.task import Batch, EvaluationSet


class Inference:
    """Predicts examples with a model, in packed rows, on all replicas together.

    Args:
        model: takes the inputs of a task's batches.
        reduce: a task's `predictions`, which reduces the model's outputs to what is kept.
        batch_size: examples in a batch. Larger ones pack better and take more memory.
        strategy: the `tf.distribute.Strategy` in whose scope the model was made, that of one device
            unless given.
        interruption: an entered `Interruption`, to stop at.

    Attributes:
        model: the model.
    """

    def __init__(
        self,
        model: BertModel,
        reduce: Callable[[Any, Batch], tf.Tensor],
        batch_size: int,
        strategy: tf.distribute.Strategy | None = None,
        interruption: Interruption | None = None,
    ):
        self.model = model
        self._reduce = reduce
        self._batch_size = batch_size
        self._strategy = strategy or tf.distribute.get_strategy()
        self._interruption = interruption
        self._traced: dict[str, Callable[..., Any]] = {}

    def __call__(self, examples: EvaluationSet, title: str) -> np.ndarray:
        """Returns the predictions for examples: [examples, ...], in their order.

        Args:
            examples: what to predict.
            title: what the progress line calls this.

        Raises:
            Interrupted: a worker received a signal to stop.
        """
        by_example: list[np.ndarray | None] = [None] * len(examples)
        steps = steps_per_epoch(len(examples), self._batch_size)
        progress = Progress(title, steps, shown=is_chief(self._strategy))
        batches = examples.evaluation_batches(self._batch_size)
        predict = self._function(batches.element_spec)
        for batch in batches:
            signal = self._interruption.signal if self._interruption else 0
            predictions, stop = predict(batch, tf.constant(float(signal)))
            if stop:
                raise Interrupted
            for index, value in zip(batch["example"].numpy(), predictions.numpy(), strict=True):
                by_example[index] = value
            tokens = int(tf.math.count_nonzero(batch["inputs"]["example_ids"]))
            progress.advance(examples=len(predictions), tokens=tokens)
        progress.close()
        return np.stack(by_example)  # type: ignore[arg-type]  # each has been predicted

    def _function(self, spec: Any) -> Callable[..., Any]:
        """Returns `_predict`, traced once for all numbers of rows and of examples of a spec."""
        key = repr(spec)
        if key not in self._traced:
            self._traced[key] = tf.function(
                self._predict, [spec, tf.TensorSpec([], tf.float32)], autograph=False
            )
        return self._traced[key]

    def _predict(self, batch: Batch, stop: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        strategy = self._strategy

        def on_replica(batch: Batch) -> tf.Tensor:
            replica, replicas = current_replica(strategy)
            if replicas > 1:
                batch = take_shard(batch, replica, replicas)
            return self._reduce(self.model(batch["inputs"], training=False), batch)

        stop = run(strategy, lambda stop: sum_over_replicas(strategy, stop), stop)
        if strategy.num_replicas_in_sync == 1:
            return on_replica(batch), stop
        return strategy.gather(strategy.run(on_replica, args=(batch,)), axis=0), stop
