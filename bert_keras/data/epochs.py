"""Epochs: how many batches one has, and in which order its examples come."""

import numpy as np


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """Returns the batches in one pass over the examples, the last, smaller one included."""
    return -(-examples // batch_size)


def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """Returns the order of an epoch's examples, a function of the seed and the epoch alone.

    Args:
        count: how many examples there are.
        seed: of the run.
        epoch: from 0.

    Returns:
        int64 [count], each number from 0 to `count` - 1 once.
    """
    return np.random.default_rng([seed, epoch]).permutation(count)
