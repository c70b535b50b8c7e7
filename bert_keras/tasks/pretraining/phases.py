"""The phases of a pretraining, one after the other, as one training set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from bert_keras.tasks.pretraining.batches import PassageSet
from bert_keras.training.task import Batch

if TYPE_CHECKING:
    from bert_keras.training.settings import Schedule


class Phases:
    """A training set of short rows first and long rows later.

    Devlin et al. 2018 (arXiv 1810.04805), appendix A.2: 90% of the steps with 128 tokens, the rest
    with 512. The cost of attention grows with the square of the length, and most of the training
    needs no long context.

    Args:
        long: the passages of the later phase, or of the only one.
        short: the passages of the first phase; None for one phase.
        short_share: the share of the steps that are in the first phase.
        fingerprint: tells the passages from others.
    """

    row_length = 0  # all batches of a phase have rows of one length

    def __init__(
        self,
        long: PassageSet,
        short: PassageSet | None = None,
        short_share: float = 0.9,
        fingerprint: str = "",
    ):
        self._long = long
        self._short = short
        self._short_share = short_share if short else 0.0
        self.fingerprint = fingerprint

    def __len__(self) -> int:
        """Returns the number of examples of an epoch, counted in long rows."""
        return len(self._long)

    def long_from(self, schedule: Schedule) -> int:
        """Returns the step from which rows are long."""
        return round(schedule.steps(len(self)) * self._short_share)

    def batches(self, schedule: Schedule, first_step: int = 0) -> tf.data.Dataset:
        """Returns a dataset of batches without end; see `PassageSet.batches`.

        Args:
            schedule: determines the order.
            first_step: the first batch to make, counted from the start of training.
        """
        size, seed = schedule.batch_size, schedule.seed
        short_steps = self.long_from(schedule)
        if self._short is None or first_step >= short_steps:
            return self._long.batches(size, seed, first_step - short_steps)
        short = self._short.batches(size, seed, first_step).take(short_steps - first_step)
        return short.concatenate(self._long.batches(size, seed))

    def describe(self, batch: Batch) -> list[dict[str, Any]]:
        """Describes a batch to a person: the text of each example."""
        return self._long.describe(batch)
