"""The training loop: every task's, on whatever it runs."""

import dataclasses
import time

import numpy as np
import tensorflow as tf

from bert_keras.data.pipeline import steps_per_epoch
from bert_keras.training.learning_rate import WarmupDecay
from bert_keras.training.optimizer import OPTIMIZERS
from bert_keras.training.parts import part_of
from bert_keras.training.progress import Progress

_CLIP_NORM = 1.0  # Devlin et al.'s code; no published recipe varies it
_POINTS = 200  # on the curve of a whole training in TensorBoard


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Attributes:
        learning_rate: the highest, reached at the end of the warm-up.
        epochs: passes over the training set.
        batch_size: examples a step.
        warmup_proportion: the share of the steps in which the learning rate rises.
        evaluations_per_epoch: how often to evaluate; below 1, not after every epoch. After the
            last step there is always an evaluation.
        seed: of the order of the examples.
        optimizer: "adamw" or "lamb".
        decay: how the learning rate falls, see `WarmupDecay`.
        max_steps: steps in all, whatever `epochs` says; 0 leaves it to `epochs`.
        parts: in how many parts a step's batch is computed, one after the other. More take less
            memory and give the same gradients, dropout's chances aside.
    """

    learning_rate: float
    epochs: float
    batch_size: int
    warmup_proportion: float
    evaluations_per_epoch: float
    seed: int
    optimizer: str = "adamw"
    decay: str = "linear"
    max_steps: int = 0
    parts: int = 1

    def steps(self, examples):
        """Optimizer steps in all."""
        if self.max_steps:
            return self.max_steps
        return max(1, round(self.epochs * steps_per_epoch(examples, self.batch_size)))

    def evaluation_steps(self, examples):
        """The steps after which to evaluate, the last one among them."""
        total, epoch = self.steps(examples), steps_per_epoch(examples, self.batch_size)
        count = int(total / epoch * self.evaluations_per_epoch + 1e-9)
        marks = {round(k * epoch / self.evaluations_per_epoch) for k in range(1, count + 1)}
        return {mark for mark in marks if 0 < mark < total} | {total}


class Trainer:
    """Trains a model on a task; its state is whole in `variables`, to be saved and restored.

    Each step takes the task's loss over the batch, clips the gradients' global norm at 1.0 and
    applies the optimizer.

    Args:
        model: the task's Keras model.
        task: a `bert_keras.tasks.task.Task`, for its `weights` and `losses`.
        training_set: what the task's `training_set` returned.
        schedule: a `Schedule`.
    """

    def __init__(self, model, task, training_set, schedule):
        self.model = model
        self._task = task
        self._training_set = training_set
        self._schedule = schedule
        self.total_steps = schedule.steps(len(training_set))
        self.optimizer = OPTIMIZERS[schedule.optimizer](
            WarmupDecay(
                schedule.learning_rate,
                self.total_steps,
                schedule.warmup_proportion,
                schedule.decay,
            )
        )
        self.optimizer.build(model.trainable_variables)

    @property
    def step(self):
        """Optimizer steps done so far."""
        return int(self.optimizer.iterations)

    @property
    def variables(self):
        """Weights, moments, step and the seeds of dropout: `tf.Variable`s in a fixed order."""
        return [v.value for v in [*self.model.variables, *self.optimizer.variables]]

    def run(self, on_scalars, on_evaluate, on_save=lambda: None, save_every=1000):
        """Trains to the end, from wherever `variables` stand.

        Args:
            on_scalars: called with (step, dict of floats) now and then.
            on_evaluate: called with (step) where the schedule has an evaluation; training stops
                when it returns True.
            on_save: called without arguments after every `save_every` steps that have no
                evaluation.
            save_every: see `on_save`.
        """
        batches = self._training_set.batches(self._schedule, self.step)
        spec = batches.element_spec
        if self._schedule.parts == 1:
            train_step = tf.function(self._train_step, input_signature=[spec])
        else:
            train_step = _InParts(self, self._schedule.parts, spec)
        evaluation_steps = self._schedule.evaluation_steps(len(self._training_set))
        log_every = max(1, self.total_steps // _POINTS)
        progress = Progress("training", self.total_steps, self.step)
        recent, since = [], time.monotonic()
        for step, batch in zip(range(self.step + 1, self.total_steps + 1), batches, strict=False):
            recent.append({name: float(x) for name, x in train_step(batch).items()})
            progress.advance(
                recent[-1]["examples"],
                recent[-1]["tokens"],
                f"loss {np.mean([r['loss'] for r in recent[-log_every:]]):.3f}  ",
            )
            if len(recent) == log_every or step in evaluation_steps:
                on_scalars(step, _summary(recent, time.monotonic() - since))
                recent, since = [], time.monotonic()
            if step in evaluation_steps:
                stop = on_evaluate(step)
                progress.pause(time.monotonic() - since)
                since = time.monotonic()
                if stop:
                    break
            elif step % save_every == 0:
                on_save()
        progress.close()

    def _train_step(self, batch):
        totals = self.totals(batch)
        terms, gradients = self.gradients(batch, totals)
        return {**terms, **self.apply(gradients), **_counts(batch)}

    def totals(self, batch):
        """Sums each term's weights over a batch."""
        return {name: tf.reduce_sum(w) for name, w in self._task.weights(batch).items()}

    def gradients(self, batch, totals):
        """Differentiates a batch's part of the loss.

        Args:
            batch: a batch, or some of its rows.
            totals: the `totals` of the whole batch.

        Returns:
            The loss and, where it has several, its terms, by name; and a dense gradient for each
            trainable variable.
        """
        with tf.GradientTape() as tape:
            outputs = self.model(batch["inputs"], training=True)
            losses, weights = self._task.losses(outputs, batch), self._task.weights(batch)
            terms = {
                name: tf.math.divide_no_nan(tf.reduce_sum(losses[name] * weights[name]), total)
                for name, total in totals.items()
            }
            loss = tf.add_n(list(terms.values()))
        gradients = tape.gradient(loss, self.model.trainable_variables)
        # Dense first: the norm of slices counts a word that stands twice in the batch wrongly.
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        named = {f"loss_of_{name}": term for name, term in terms.items()} if len(terms) > 1 else {}
        return {"loss": loss, **named}, gradients

    def apply(self, gradients):
        """Clips and applies gradients; returns their norm and the learning rate, by name."""
        learning_rate = self.optimizer.learning_rate
        gradients, norm = tf.clip_by_global_norm(gradients, _CLIP_NORM)
        self.optimizer.apply(gradients, self.model.trainable_variables)
        return {"learning_rate": learning_rate, "gradient_norm": norm}


class _InParts:
    """A training step whose batch is computed in parts, so that it takes less memory.

    Args:
        trainer: the `Trainer`.
        parts: how many.
        spec: the batches' `element_spec`.
    """

    def __init__(self, trainer, parts, spec):
        self._trainer, self._parts = trainer, parts
        variables = trainer.model.trainable_variables
        self._sums = [tf.Variable(tf.zeros(v.shape), trainable=False) for v in variables]
        scalar = tf.TensorSpec([], tf.int32)
        # A call each, so that no two parts' activations are in memory together.
        self._add = tf.function(self._add_part, input_signature=[spec, scalar, scalar])
        self._apply = tf.function(self._apply_sums, input_signature=[])

    def __call__(self, batch):
        rows = batch["inputs"]["example_ids"].shape[0]
        parts = min(self._parts, rows)
        found = [self._add(batch, part, parts) for part in range(parts)]
        terms = {name: sum(part[name] for part in found) for name in found[0]}
        return {**terms, **self._apply(), **_counts(batch)}

    def _add_part(self, batch, part, parts):
        totals = self._trainer.totals(batch)
        terms, gradients = self._trainer.gradients(part_of(batch, part, parts), totals)
        for total, gradient in zip(self._sums, gradients, strict=True):
            total.assign_add(gradient)
        return terms

    def _apply_sums(self):
        found = self._trainer.apply([tf.identity(total) for total in self._sums])
        for total in self._sums:
            total.assign(tf.zeros_like(total))
        return found


def _counts(batch):
    """What a step's batch held."""
    example_ids = batch["inputs"]["example_ids"]
    return {
        "examples": tf.size(batch["example"]),
        "tokens": tf.math.count_nonzero(example_ids),
        "slots": tf.size(example_ids),
    }


def _summary(steps, seconds):
    """What TensorBoard shows of some steps that took so many seconds together."""
    total = {name: sum(step[name] for step in steps) for name in steps[0]}
    return {
        **{name: total[name] / len(steps) for name in total if name.startswith("loss")},
        "learning_rate": steps[-1]["learning_rate"],
        "gradient_norm": total["gradient_norm"] / len(steps),
        "examples_per_second": total["examples"] / seconds,
        "tokens_per_second": total["tokens"] / seconds,
        "padding_share": 1 - total["tokens"] / total["slots"],
    }
