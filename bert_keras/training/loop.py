"""The training loop: one for all tasks and devices."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bert_keras.errors import Interrupted
from bert_keras.models.bert_model import BertModel
from bert_keras.progress import Progress
from bert_keras.training import memory
from bert_keras.training.devices import is_chief, replicas_in_process
from bert_keras.training.interruption import Interruption
from bert_keras.training.learning_rate import WarmupDecay
from bert_keras.training.optimizer import OPTIMIZERS
from bert_keras.training.settings import Schedule
from bert_keras.training.step import TrainingStep
from bert_keras.training.task import Batch, BoundTask, TrainingSet

_POINTS = 200  # on the curve of a whole training in TensorBoard


class Trainer:
    """Trains a model on a task; its state is in `variables`, to be saved and restored.

    Args:
        model: the task's model, made in the strategy's scope.
        task: gives the losses and their weights.
        training_set: the examples to train on.
        schedule: how long and how fast to train.
        strategy: the `tf.distribute.Strategy` to train under, that of one device unless given.

    Attributes:
        recent: the scalars of each step since the last point of the curve. They are saved and
            restored with the variables, or the next point will lack them.
    """

    def __init__(
        self,
        model: BertModel,
        task: BoundTask,
        training_set: TrainingSet,
        schedule: Schedule,
        strategy: tf.distribute.Strategy | None = None,
    ):
        self._model = model
        self._training_set = training_set
        self._schedule = schedule
        self._strategy = strategy or tf.distribute.get_strategy()
        self.total_steps = schedule.steps(len(training_set))
        with self._strategy.scope():
            self._optimizer = OPTIMIZERS[schedule.optimizer](
                WarmupDecay(
                    schedule.learning_rate,
                    self.total_steps,
                    schedule.warmup_proportion,
                    schedule.decay,
                )
            )
            self._optimizer.build(model.trainable_variables)
            self._evaluated = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.recent: list[dict[str, float]] = []
        self._opened: tuple[int, Any, Iterator[Batch]] | None = None  # step, spec, batches
        self._step = TrainingStep(
            model, task, self._optimizer, self._strategy, schedule.micro_batches
        )

    @property
    def step(self) -> int:
        """Steps done so far, those that were skipped included."""
        return int(self._optimizer.iterations.value.numpy())

    @property
    def variables(self) -> list[tf.Variable]:
        """Weights, moments, step and the seeds of dropout: `tf.Variable`s in a fixed order."""
        of_keras = [v.value for v in [*self._model.variables, *self._optimizer.variables]]
        return [*of_keras, *self._step.variables, self._evaluated]

    def check_memory(self) -> None:
        """Draws the next batch and checks that there is memory for a step on it.

        It also checks a step with the longest rows that may come, and one with the first batch of
        a later phase.

        Raises:
            InputError: there is not; the message says what would fit.
        """
        spec, batches = self._open()
        first = next(batches)
        self._opened = self.step, spec, itertools.chain([first], batches)
        size = self._size(first)
        longest = max(size.length, self._training_set.row_length)
        memory.check_memory(self._model, size.in_rows_of(longest))
        long_from = self._training_set.long_from(self._schedule)
        if self.step < long_from < self.total_steps:
            longer = next(iter(self._training_set.batches(self._schedule, long_from)))
            memory.check_memory(self._model, self._size(longer))

    def _open(self) -> tuple[Any, Iterator[Batch]]:
        """The spec of the batches, and the batches from this step on."""
        if self._opened is None or self._opened[0] != self.step:
            batches = self._training_set.batches(self._schedule, self.step)
            self._opened = self.step, batches.element_spec, iter(batches)
        return self._opened[1:]

    def _size(self, batch: Batch) -> memory.StepSize:
        return memory.StepSize.from_batch(
            batch,
            examples=self._schedule.batch_size,
            recompute=self._model.execution.recompute,
            micro_batches=self._schedule.micro_batches,
            replicas=self._strategy.num_replicas_in_sync,
            local_replicas=replicas_in_process(self._strategy),
        )

    def run(
        self,
        on_scalars: Callable[[int, dict[str, float]], None],
        on_evaluate: Callable[[int], bool | None],
        on_save: Callable[[int, bool], None] = lambda step, if_cheap: None,
        on_skip: Callable[[int, Batch, int], None] = lambda step, batch, in_a_row: None,
        save_every: int = 1000,
        interruption: Interruption | None = None,
    ) -> None:
        """Trains to the end, from the step that `variables` are of.

        Args:
            on_scalars: called with (step, scalars) for each point of the curve.
            on_evaluate: called with (step) where the schedule has an evaluation; training stops
                when it returns True.
            on_save: called with (step, if_cheap) every `save_every` steps and at the end; and, with
                `if_cheap` where it may be left out, before and after every evaluation.
            on_skip: called with (step, batch, in_a_row) when loss or gradients were not finite, for
                so many steps in a row.
            save_every: see `on_save`.
            interruption: an entered `Interruption`, to stop at.

        Raises:
            Interrupted: a worker received a signal to stop. The current step is done, and
                `variables` are to be saved.
        """

        def evaluate(step: int) -> bool:
            on_save(step, True)  # evaluating may take longer than training did
            over = bool(on_evaluate(step))
            self._evaluated.assign(step)
            on_save(step, not (over or step == self.total_steps or step % save_every == 0))
            return over

        evaluation_steps = self._schedule.evaluation_steps(len(self._training_set))
        was_cut_off = self.step in evaluation_steps and self._evaluated.numpy() != self.step
        if was_cut_off and evaluate(self.step):
            return
        spec, batches = self._open()
        train_step = self._step.compiled(spec)
        log_every = max(1, self.total_steps // _POINTS)
        progress = Progress("training", self.total_steps, self.step, shown=is_chief(self._strategy))
        recent, since = self.recent, time.monotonic()
        before = len(recent)  # steps of an earlier process, whose time is not known here
        for step, batch in zip(range(self.step + 1, self.total_steps + 1), batches, strict=False):
            stop = tf.constant(float(interruption.signal if interruption else 0))
            try:
                recent.append({name: float(x) for name, x in train_step(batch, stop).items()})
            except tf.errors.ResourceExhaustedError:
                raise memory.out_of_memory(self._model, self._size(batch)) from None
            done = recent[-1]
            progress.advance(
                int(done["examples"]),
                int(done["tokens"]),
                f"loss {np.mean([r['loss'] for r in recent]):.3f}  "
                + (f"{done['skipped']:.0f} skipped  " if done["skipped"] else ""),
            )
            if done["skipped_in_a_row"]:
                on_skip(step, batch, int(done["skipped_in_a_row"]))
            if step % log_every == 0 or step in evaluation_steps:
                speed = _speed(recent[before:], time.monotonic() - since)
                on_scalars(step, _summary(recent) | speed)
                recent.clear()
                before, since = 0, time.monotonic()
            if done["stop"]:
                progress.close()
                raise Interrupted(step)
            if step in evaluation_steps:
                over = evaluate(step)
                progress.pause(time.monotonic() - since)
                since = time.monotonic()
                if over:
                    break
            elif step % save_every == 0:
                on_save(step, False)
        progress.close()


def _summary(steps: Sequence[dict[str, float]]) -> dict[str, float]:
    """The scalars of a point of the curve: means and sums over its steps."""
    finite = [step for step in steps if not step["skipped_in_a_row"]] or steps
    means = [name for name in steps[0] if name.startswith("loss")]
    return {
        **{n: sum(step[n] for step in finite) / len(finite) for n in [*means, "gradient_norm"]},
        "learning_rate": steps[-1]["learning_rate"],
        "skipped_steps": steps[-1]["skipped"],
        "padding_share": 1 - _total(steps, "tokens") / _total(steps, "slots"),
    }


def _speed(steps: Sequence[dict[str, float]], seconds: float) -> dict[str, float]:
    """Examples and tokens a second, of steps that took so many seconds together."""
    return {f"{name}_per_second": _total(steps, name) / seconds for name in ("examples", "tokens")}


def _total(steps: Sequence[dict[str, float]], name: str) -> float:
    return sum(step[name] for step in steps)
