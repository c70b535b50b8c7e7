"""One step of training: from a batch to updated weights, alike on every replica."""

import tensorflow as tf

from bert_keras.training.devices import current_replica, run, sum_over_replicas
from bert_keras.training.loss_scale import LossScale
from bert_keras.training.sharding import place_shard, take_shard
from bert_keras.training.task import ComparesExamples

_CLIP_NORM = 1.0  # Devlin et al.'s code; no published recipe varies it


class TrainingStep:
    """Takes a task's loss over a batch, clips the gradients' global norm at 1.0, updates weights.

    Every replica is given the whole batch and computes its rows of it. Each term's mean is over
    the whole batch, so the sum of the replicas' gradients is the batch's gradient; it is clipped
    after summing, and every replica updates its own copy of the weights with it.

    A loss that `compares` examples needs those of all replicas: each takes the whole loss, on what
    all of them answer, and its gradient by what it has answered itself.

    A step whose loss or gradients are not finite leaves weights and moments as they were.

    Args:
        model: the task's Keras model, made in the strategy's scope.
        task: a `BoundTask`, for its `loss_weights` and `losses`.
        optimizer: one of `bert_keras.training.optimizer`, built in the strategy's scope.
        strategy: a `tf.distribute.Strategy`.
        micro_batches: in how many micro-batches a replica computes its rows, one after the other.
    """

    def __init__(self, model, task, optimizer, strategy, micro_batches=1):
        self._model, self._task, self._optimizer = model, task, optimizer
        self._strategy, self._micro_batches = strategy, micro_batches
        with strategy.scope():
            self._skipped = tf.Variable(0, dtype=tf.int64, trainable=False)
            self._skipped_in_a_row = tf.Variable(0, dtype=tf.int64, trainable=False)
            self._scale = LossScale() if model.compute_dtype == "float16" else None
            shapes = [v.shape for v in model.trainable_variables] if micro_batches > 1 else []
            self._sums = [tf.Variable(tf.zeros(shape), trainable=False) for shape in [(), *shapes]]

    @property
    def variables(self):
        """What a checkpoint has to keep of it."""
        scale = self._scale.variables if self._scale else []
        return [self._skipped, self._skipped_in_a_row, *scale]

    def compiled(self, spec):
        """Returns the step as a function.

        Args:
            spec: the batches' `element_spec`.

        Returns:
            A function of a batch and a float32 scalar. It returns scalars by name: `loss` and,
            where there are several, its terms; `learning_rate`; `gradient_norm`, before clipping;
            `skipped` and `skipped_in_a_row`, how many steps were not finite; `examples`, `tokens`
            and `slots`, what the batch held; and `stop`, the second argument summed over all
            workers.
        """
        flag, number = tf.TensorSpec([], tf.float32), tf.TensorSpec([], tf.int32)
        if self._micro_batches == 1:
            return tf.function(self._at_once, [spec, flag], autograph=False)
        # A call each, so that no two micro-batches' activations are in memory together.
        add = tf.function(self._add_micro_batch, [spec, number, number], autograph=False)
        finish = tf.function(self._apply_sums, [spec, flag], autograph=False)

        def in_micro_batches(batch, stop):
            rows = batch["inputs"]["example_ids"].shape[0]
            count = max(1, min(self._micro_batches, rows // self._strategy.num_replicas_in_sync))
            every = [add(batch, index, count) for index in range(count)]
            terms = {name: sum(terms[name] for terms in every) for name in every[0]}
            return finish(batch, stop) | terms

        return in_micro_batches

    def _at_once(self, batch, stop):
        def on_replica(batch, stop):
            totals = self._totals(batch)
            replica, replicas = current_replica(self._strategy)
            mine = take_shard(batch, replica, replicas) if replicas > 1 else batch
            whole = batch if replicas > 1 and isinstance(self._task, ComparesExamples) else None
            found = *self._gradients(mine, totals, whole), stop
            terms, gradients, stop = sum_over_replicas(self._strategy, found)
            return terms | self._apply(terms["loss"], gradients) | {"stop": stop}

        return run(self._strategy, on_replica, batch, stop) | _counts(batch)

    def _add_micro_batch(self, batch, index, count):
        def on_replica(batch, index, count):
            totals = self._totals(batch)
            replica, replicas = current_replica(self._strategy)
            mine = take_shard(batch, replica * count + index, replicas * count)
            terms, gradients = self._gradients(mine, totals)
            for total, value in zip(self._sums, [terms["loss"], *gradients], strict=True):
                total.assign_add(value)
            return sum_over_replicas(self._strategy, terms)

        return run(self._strategy, on_replica, batch, index, count)

    def _apply_sums(self, batch, stop):
        def on_replica(stop):
            found = [tf.identity(total) for total in self._sums], stop
            (loss, *gradients), stop = sum_over_replicas(self._strategy, found)
            for total in self._sums:
                total.assign(tf.zeros_like(total))
            return self._apply(loss, gradients) | {"stop": stop}

        return run(self._strategy, on_replica, stop) | _counts(batch)

    def _totals(self, batch):
        """Sums each term's weights over a batch."""
        return {name: tf.reduce_sum(w) for name, w in self._task.loss_weights(batch).items()}

    def _gradients(self, batch, totals, whole=None):
        """Differentiates a batch's part of the loss.

        Args:
            batch: a batch, or some of its rows.
            totals: the `_totals` of the whole batch.
            whole: the batch of all replicas, where the loss needs that.

        Returns:
            The loss and, where it has several, its terms, by name; and a dense gradient for each
            trainable variable, of the scaled loss where the loss is scaled.
        """
        with tf.GradientTape() as tape:
            outputs = self._model(batch["inputs"], training=True)
            if whole is not None:
                outputs, batch = self._of_all_replicas(outputs, whole), whole
            losses, weights = self._task.losses(outputs, batch), self._task.loss_weights(batch)
            terms = {
                name: tf.math.divide_no_nan(tf.reduce_sum(losses[name] * weights[name]), total)
                for name, total in totals.items()
            }
            loss = tf.add_n(list(terms.values()))
            scaled = self._scale.scale(loss) if self._scale else loss
        gradients = tape.gradient(scaled, self._model.trainable_variables)
        # Dense first: the norm of slices counts a word that stands twice in the batch wrongly.
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        named = {f"loss_of_{name}": term for name, term in terms.items()} if len(terms) > 1 else {}
        # Where each replica has the whole loss, their sum is to be the loss once.
        share = 1 if whole is None else 1 / self._strategy.num_replicas_in_sync
        return {name: term * share for name, term in {"loss": loss, **named}.items()}, gradients

    def _of_all_replicas(self, outputs, batch):
        """Gathers a batch's outputs; what is differentiated is this replica's part of them."""
        mine = place_shard(outputs, batch, *current_replica(self._strategy))  # [examples, ...]
        of_all = sum_over_replicas(self._strategy, tf.stop_gradient(mine))
        return of_all + (mine - tf.stop_gradient(mine))

    def _apply(self, loss, gradients):
        """Clips gradients and updates this replica's weights, if all is finite."""
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


def _counts(batch):
    """What a step's batch held."""
    example_ids = batch["inputs"]["example_ids"]
    return {
        "examples": tf.size(batch["example"]),
        "tokens": tf.math.count_nonzero(example_ids),
        "slots": tf.size(example_ids),
    }
