"""The training loop: every task's, on whatever it runs."""

import dataclasses
import time

import numpy as np
import tensorflow as tf

from bert_keras.data.pipeline import steps_per_epoch, training_batches
from bert_keras.training.optimizer import AdamW, LinearWarmupDecay
from bert_keras.training.progress import Progress

_CLIP_NORM = 1.0  # Devlin et al.'s code; no published fine-tuning varies it
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
    """

    learning_rate: float
    epochs: float
    batch_size: int
    warmup_proportion: float
    evaluations_per_epoch: float
    seed: int

    def steps(self, examples):
        """Optimizer steps in all."""
        return max(1, round(self.epochs * steps_per_epoch(examples, self.batch_size)))

    def evaluation_steps(self, examples):
        """The steps after which to evaluate, the last one among them."""
        total, epoch = self.steps(examples), steps_per_epoch(examples, self.batch_size)
        count = int(self.epochs * self.evaluations_per_epoch)
        marks = {round(k * epoch / self.evaluations_per_epoch) for k in range(1, count + 1)}
        return {mark for mark in marks if 0 < mark < total} | {total}


class Trainer:
    """Trains a model on a task; its state is whole in `variables`, to be saved and restored.

    Each step takes the mean loss over the batch's weights, clips the gradients' global norm at 1.0
    and applies AdamW.

    Args:
        model: a Keras model of the encoder's inputs.
        loss: function of (outputs, batch) that gives losses and weights, [examples] each.
        training_set: (`EncodedExamples`, targets).
        schedule: a `Schedule`.
    """

    def __init__(self, model, loss, training_set, schedule):
        self.model = model
        self._loss = loss
        self._examples, self._targets = training_set
        self._schedule = schedule
        self.total_steps = schedule.steps(len(self._examples))
        self.optimizer = AdamW(
            LinearWarmupDecay(schedule.learning_rate, self.total_steps, schedule.warmup_proportion)
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

    def run(self, on_scalars, on_evaluate):
        """Trains to the end, from wherever `variables` stand.

        Args:
            on_scalars: called with (step, dict of floats) now and then.
            on_evaluate: called with (step) where the schedule has an evaluation; training stops
                when it returns True.
        """
        batches = training_batches(
            self._examples,
            self._targets,
            self._schedule.batch_size,
            self._schedule.seed,
            self.step,
        )
        train_step = tf.function(self._train_step, input_signature=[batches.element_spec])
        evaluation_steps = self._schedule.evaluation_steps(len(self._examples))
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
        progress.close()

    def _train_step(self, batch):
        learning_rate = self.optimizer.learning_rate
        with tf.GradientTape() as tape:
            outputs = self.model(batch["inputs"], training=True)
            losses, weights = self._loss(outputs, batch)
            loss = tf.math.divide_no_nan(tf.reduce_sum(losses * weights), tf.reduce_sum(weights))
        gradients = tape.gradient(loss, self.model.trainable_variables)
        # Dense first: the norm of slices counts a word that stands twice in the batch wrongly.
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        gradients, norm = tf.clip_by_global_norm(gradients, _CLIP_NORM)
        self.optimizer.apply(gradients, self.model.trainable_variables)
        example_ids = batch["inputs"]["example_ids"]
        return {
            "loss": loss,
            "learning_rate": learning_rate,
            "gradient_norm": norm,
            "examples": tf.size(batch["example"]),
            "tokens": tf.math.count_nonzero(example_ids),
            "slots": tf.size(example_ids),
        }


def _summary(steps, seconds):
    """What TensorBoard shows of some steps that took so many seconds together."""
    total = {name: sum(step[name] for step in steps) for name in steps[0]}
    return {
        "loss": total["loss"] / len(steps),
        "learning_rate": steps[-1]["learning_rate"],
        "gradient_norm": total["gradient_norm"] / len(steps),
        "examples_per_second": total["examples"] / seconds,
        "tokens_per_second": total["tokens"] / seconds,
        "padding_share": 1 - total["tokens"] / total["slots"],
    }
