"""Loss scaling, without which small gradients are 0 in float16."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

_FIRST = 2.0**15
_GROWS_AFTER = 2000


class LossScale:
    """A factor on the loss that is as large as float16 allows, adjusted while training.

    Micikevicius et al. 2017 (arXiv 1710.03740), section 3.2: gradients below 2^-24 are 0 in
    float16, so the loss is multiplied before it is differentiated and the float32 gradients of the
    weights are divided again. The factor halves when a gradient overflows, in a step that is to be
    skipped, and doubles after 2,000 steps without one, as that of Keras's `LossScaleOptimizer`.
    That class divides inside of `apply`, where a loop can neither clip the true gradients nor
    report their norm, and does not count the steps that it skips.

    It is made in the scope of a `tf.distribute.Strategy` and called on every replica, where each
    keeps its own copy of the same numbers.
    """

    def __init__(self) -> None:
        self._scale = tf.Variable(_FIRST, dtype=tf.float32, trainable=False)
        self._good_steps = tf.Variable(0, dtype=tf.int64, trainable=False)

    @property
    def variables(self) -> list[tf.Variable]:
        """The state to save in checkpoints."""
        return [self._scale, self._good_steps]

    def scale(self, loss: tf.Tensor) -> tf.Tensor:
        """Returns the float32 loss to differentiate."""
        return loss * self._scale

    def unscale(self, gradients: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Returns the gradients of the loss itself, from those of the scaled one."""
        factor = 1.0 / self._scale  # a power of two: nothing is rounded
        return [gradient * factor for gradient in gradients]

    def update(self, is_finite: tf.Tensor) -> None:
        """Adjusts the factor after a step.

        Args:
            is_finite: bool scalar, whether loss and gradients were finite, over all replicas.
        """
        good_steps = tf.where(is_finite, self._good_steps + 1, 0)
        grows = good_steps >= _GROWS_AFTER
        grown = tf.where(grows, self._scale * 2.0, self._scale)
        self._scale.assign(tf.where(is_finite, grown, tf.maximum(self._scale / 2.0, 1.0)))
        self._good_steps.assign(tf.where(grows, tf.zeros_like(good_steps), good_steps))
