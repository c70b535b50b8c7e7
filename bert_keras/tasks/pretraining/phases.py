"""The phases of a pretraining, one after the other, as one training set."""


class Phases:
    """Short rows first, long rows later: most of BERT's training needs no long context.

    Devlin et al. 2018 (arXiv 1810.04805), appendix A.2: 90% of the steps with 128 tokens, the rest
    with 512, because attention grows with the square of the length.

    Args:
        long: the `PassageSet` of the later phase, or of the only one.
        short: the `PassageSet` of the first phase, or None.
        short_share: the share of the steps that the first phase has.
        fingerprint: a str that tells the passages from others.
    """

    def __init__(self, long, short=None, short_share=0.9, fingerprint=None):
        self._long = long
        self._short = short
        self._short_share = short_share if short else 0.0
        self.fingerprint = fingerprint

    def __len__(self):
        """Examples an epoch, counted in long rows."""
        return len(self._long)

    def long_from(self, schedule):
        """The step from which rows are long; see `batches`."""
        return round(schedule.steps(len(self)) * self._short_share)

    def batches(self, schedule, first_step=0):
        """Batches without end; see `PassageSet.batches`.

        Args:
            schedule: has `batch_size`, `seed` and `steps`.
            first_step: the batch to begin with, counted from the start of training.
        """
        size, seed = schedule.batch_size, schedule.seed
        short_steps = self.long_from(schedule)
        if first_step >= short_steps:
            return self._long.batches(size, seed, first_step - short_steps)
        short = self._short.batches(size, seed, first_step).take(short_steps - first_step)
        return short.concatenate(self._long.batches(size, seed))
