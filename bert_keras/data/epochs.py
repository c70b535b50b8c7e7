"""Passes over the training examples. Their order is a function of the seed and the epoch alone."""

import numpy as np


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """Returns the number of batches in a pass over the examples, a smaller last one included."""
    return -(-examples // batch_size)


def epoch_order(examples: int, seed: int, epoch: int) -> np.ndarray:
    """Returns the order of the examples in an epoch: their indices, int64 [examples].

    It does not depend on earlier epochs, so training resumes at any step without recorded state.
    """
    return np.random.default_rng([seed, epoch]).permutation(examples)
