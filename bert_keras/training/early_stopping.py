"""Stopping a training when its model has stopped improving."""

import math
from collections.abc import Mapping

import tensorflow as tf

# The ends of the names of scores that are better when lower.
_LOWER_IS_BETTER = ("loss", "mse", "perplexity")


class EarlyStopping:
    """Compares one score from evaluation to evaluation.

    Args:
        metric: the score's name; "" compares none, and every model counts as better than the last.
        patience: evaluations without a better score after which to stop; 0 never stops.
    """

    def __init__(self, metric: str, patience: int):
        self._metric = metric
        self._patience = patience
        # Variables, so that a checkpoint has them.
        self._best = tf.Variable(-math.inf, dtype=tf.float64)
        self._waited = tf.Variable(0, dtype=tf.int64)

    @property
    def variables(self) -> list[tf.Variable]:
        """The state to save in checkpoints."""
        return [self._best, self._waited]

    def is_better(self, scores: Mapping[str, float]) -> bool:
        """Records an evaluation's scores, and returns whether they are the best so far.

        A score of nan is better than none at all, so that a training that diverged leaves a model
        too.
        """
        if not self._metric:
            return True
        score = scores[self._metric] * (-1 if self._metric.endswith(_LOWER_IS_BETTER) else 1)
        best = float(self._best)
        better = score > best or best == -math.inf
        self._best.assign(best if math.isnan(score) else max(best, score))
        self._waited.assign(0 if better else self._waited + 1)
        return better

    @property
    def is_over(self) -> bool:
        """Whether to stop now."""
        return bool(self._metric and self._patience) and int(self._waited) >= self._patience
