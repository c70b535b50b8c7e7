"""One step of training: from a batch to updated weights, the same on every replica."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from bert_keras.models.bert_model import BertModel
from bert_keras.training.devices import current_replica, run, sum_over_replicas
from bert_keras.training.loss_scale import LossScale
from bert_keras.training.optimizer import AdamW, Lamb
from bert_keras.training.sharding import place_shard, take_shard
from bert_keras.training.task import Batch, BoundTask, ComparesExamples

_CLIP_NORM = 1.0  # Devlin et al.'s code; no published recipe varies it
_Tensors = dict[str, tf.Tensor]


class TrainingStep:
    """Computes a task's loss over a batch, clips the gradients' global norm at 1, updates weights.

    Every replica gets the whole batch and computes its shard of it. Each term's mean is over the
    whole batch, so the sum of the replicas' gradients is the batch's gradient. It is clipped after
    summing, and every replica updates its own copy of the weights with it.

    The loss of a `ComparesExamples` task needs the outputs of all replicas: each replica computes
    the whole loss on all outputs, and differentiates it with respect to its own.

    A step whose loss or gradients are not finite leaves weights and moments as they were.

    Args:
        model: the task's model, made in the strategy's scope.
        task: gives the losses and their weights.
        optimizer: built in the strategy's scope.
        strategy: runs the step on its replicas.
        micro_batches: in how many micro-batches a replica computes its shard, one after the other.
    """

    def __init__(
        self,
        model: BertModel,
        task: BoundTask,
        optimizer: AdamW | Lamb,
        strategy: tf.distribute.Strategy,
        micro_batches: int = 1,
    ):
        self._model, self._task, self._optimizer = model, task, optimizer
        self._strategy, self._micro_batches = strategy, micro_batches
        with strategy.scope():
            self._skipped = tf.Variable(0, dtype=tf.int64, trainable=False)
            self._skipped_in_a_row = tf.Variable(0, dtype=tf.int64, trainable=False)
            self._scale = LossScale() if model.compute_dtype == "float16" else None
            shapes = [v.shape for v in model.trainable_variables] if micro_batches > 1 else []
            self._sums = [tf.Variable(tf.zeros(shape), trainable=False) for shape in [(), *shapes]]

    @property
    def variables(self) -> list[tf.Variable]:
        """The state to save in checkpoints."""
        scale = self._scale.variables if self._scale else []
        return [self._skipped, self._skipped_in_a_row, *scale]

    def compiled(self, spec: Any) -> Callable[[Batch, tf.Tensor], _Tensors]:
        """Returns the step as a function.

        Args:
            spec: the batches' `element_spec`.

        Returns:
            A function of a batch and a float32 scalar. It returns scalars by name: `loss` and,
            where there are several, its terms; `learning_rate`; `gradient_norm`, before clipping;
            `skipped` and `skipped_in_a_row`, how many steps were not finite; `examples`, `tokens`
            and `slots`, the counts of the batch; and `stop`, the second argument summed over all
            replicas.
        """
        flag, number = tf.TensorSpec([], tf.float32), tf.TensorSpec([], tf.int32)
        if self._micro_batches == 1:
            return tf.function(self._at_once, [spec, flag], autograph=False)
        # A call for each, so that no two micro-batches' activations are in memory together.
        add = tf.function(self._add_micro_batch, [spec, number, number], autograph=False)
        finish = tf.function(self._apply_sums, [spec, flag], autograph=False)

        def in_micro_batches(batch: Batch, stop: tf.Tensor) -> _Tensors:
            rows = batch["inputs"]["example_ids"].shape[0]
            count = max(1, min(self._micro_batches, rows // self._strategy.num_replicas_in_sync))
            results = [add(batch, index, count) for index in range(count)]
            terms = {name: sum(terms[name] for terms in results) for name in results[0]}
            return finish(batch, stop) | terms

        return in_micro_batches

    def _at_once(self, batch: Batch, stop: tf.Tensor) -> _Tensors:
        def on_replica(batch: Batch, stop: tf.Tensor) -> _Tensors:
            totals = self._totals(batch)
            replica, replicas = current_replica(self._strategy)
            shard = take_shard(batch, replica, replicas) if replicas > 1 else batch
            whole = batch if replicas > 1 and isinstance(self._task, ComparesExamples) else None
            local = *self._gradients(shard, totals, whole), stop
            terms, gradients, stop = sum_over_replicas(self._strategy, local)
            return terms | self._apply(terms["loss"], gradients) | {"stop": stop}

        return run(self._strategy, on_replica, batch, stop) | _counts(batch)

    def _add_micro_batch(self, batch: Batch, index: tf.Tensor, count: tf.Tensor) -> _Tensors:
        def on_replica(batch: Batch, index: tf.Tensor, count: tf.Tensor) -> _Tensors:
            totals = self._totals(batch)
            replica, replicas = current_replica(self._strategy)
            micro_batch = take_shard(batch, replica * count + index, replicas * count)
            terms, gradients = self._gradients(micro_batch, totals)
            for total, value in zip(self._sums, [terms["loss"], *gradients], strict=True):
                total.assign_add(value)
            return sum_over_replicas(self._strategy, terms)

        return run(self._strategy, on_replica, batch, index, count)

    def _apply_sums(self, batch: Batch, stop: tf.Tensor) -> _Tensors:
        def on_replica(stop: tf.Tensor) -> _Tensors:
            local = [tf.identity(total) for total in self._sums], stop
            (loss, *gradients), stop = sum_over_replicas(self._strategy, local)
            for total in self._sums:
                total.assign(tf.zeros_like(total))
            return self._apply(loss, gradients) | {"stop": stop}

        return run(self._strategy, on_replica, stop) | _counts(batch)

    def _totals(self, batch: Batch) -> _Tensors:
        """Sums each term's weights over a batch."""
        return {name: tf.reduce_sum(w) for name, w in self._task.loss_weights(batch).items()}

    def _gradients(
        self, batch: Batch, totals: _Tensors, whole: Batch | None = None
    ) -> tuple[_Tensors, list[tf.Tensor]]:
        """Differentiates a shard's part of the loss.

        Args:
            batch: the batch, or a shard of it.
            totals: the `_totals` of the whole batch.
            whole: the whole batch, where the loss compares all of its examples.

        Returns:
            The loss and, where it has several, its terms, by name; and a dense gradient for each
            trainable variable, of the scaled loss where the loss is scaled.
        """
        with tf.GradientTape() as tape:
            outputs = self._model(batch["inputs"], training=True)
            if whole is not None:
                outputs, batch = self._gather(outputs, whole), whole
            losses, weights = self._task.losses(outputs, batch), self._task.loss_weights(batch)
            terms = {
                name: tf.math.divide_no_nan(tf.reduce_sum(losses[name] * weights[name]), total)
                for name, total in totals.items()
            }
            loss = tf.add_n(list(terms.values()))
            scaled = self._scale.scale(loss) if self._scale else loss
        gradients = tape.gradient(scaled, self._model.trainable_variables)
        # Dense first: the norm of slices is wrong for a word that occurs twice in the batch.
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        named = {f"loss_of_{name}": term for name, term in terms.items()} if len(terms) > 1 else {}
        # Where each replica has the whole loss, their sum must still be the loss.
        share = 1 if whole is None else 1 / self._strategy.num_replicas_in_sync
        return {name: term * share for name, term in {"loss": loss, **named}.items()}, gradients

    def _gather(self, outputs: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Gathers all replicas' outputs; gradients flow into this replica's own."""
        own = place_shard(outputs, batch, *current_replica(self._strategy))  # [examples, ...]
        gathered = sum_over_replicas(self._strategy, tf.stop_gradient(own))
        return gathered + (own - tf.stop_gradient(own))

    def _apply(self, loss: tf.Tensor, gradients: Sequence[tf.Tensor]) -> _Tensors:
        """Clips gradients and updates this replica's weights, if all numbers are finite."""
        optimizer = self._optimizer
        if self._scale:
            gradients = self._scale.unscale(gradients)
        norm = tf.linalg.global_norm(gradients)
        is_finite = tf.math.is_finite(loss) & tf.math.is_finite(norm)
        factor = tf.where(is_finite, tf.minimum(_CLIP_NORM / norm, 1.0), 0.0)
        # Times 0 is 0 even where a gradient is not finite.
        gradients = [tf.math.multiply_no_nan(gradient, factor) for gradient in gradients]
        learning_rate = optimizer.learning_rate
        optimizer.update(gradients, self._model.trainable_variables, learning_rate, is_finite)
        skipped = tf.cast(~is_finite, tf.int64)
        optimizer.iterations.assign_add(1)
        if self._scale:
            self._scale.update(is_finite)
        self._skipped.assign_add(skipped)
        self._skipped_in_a_row.assign((self._skipped_in_a_row + 1) * skipped)
        return {
            "learning_rate": learning_rate,
            "gradient_norm": norm,
            "skipped": tf.identity(self._skipped),
            "skipped_in_a_row": tf.identity(self._skipped_in_a_row),
        }


def _counts(batch: Batch) -> _Tensors:
    """The examples, tokens and slots for tokens of a batch."""
    example_ids = batch["inputs"]["example_ids"]
    return {
        "examples": tf.size(batch["example"]),
        "tokens": tf.math.count_nonzero(example_ids),
        "slots": tf.size(example_ids),
    }
