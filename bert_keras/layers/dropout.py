"""Dropout that draws a byte for each element."""

from typing import Any

import keras
from keras import ops

from bert_keras.layers.execution import Execution
from bert_keras.layers.types import Tensor


@keras.saving.register_keras_serializable(package="bert_keras")
class Dropout(keras.layers.Dropout):
    """Keras's Dropout with the masks of four elements drawn from one random integer.

    Srivastava et al. 2014 (JMLR 15, section 4): each element is set to 0 with probability `rate`,
    and the others are divided by the probability of being kept.

    Keras draws a float for each element, which is most of the cost of dropout on a CPU. A byte is
    enough: `rate` is rounded to a multiple of 1/256 (0.1 becomes 26 / 256 = 0.1016), and the
    division uses the rounded probability, so the mean is exact.

    Attributes:
        execution: see `Execution.replica`.

    Args:
        rate: the probability that an element is dropped, 0 or more and below 1.
        seed: as in Keras; from its global seed unless given, so `keras.utils.set_random_seed`
            makes a run reproducible.
        **kwargs: `name`, `dtype`.
    """

    execution = Execution()

    def draw_seed(self) -> Tensor | None:
        """Advances the layer's seed generator and returns a seed for `call`; None at rate 0.

        Every call with one seed drops the same elements, as recomputation in the backward pass
        requires.
        """
        if self.rate == 0:
            return None
        seed = self.seed_generator.next()
        replica = self.execution.replica
        return seed if replica is None else seed + ops.cast(replica(), seed.dtype)

    def call(self, inputs: Tensor, training: bool = False, seed: Tensor | None = None) -> Tensor:
        """Applies dropout.

        Args:
            inputs: a tensor.
            training: whether to apply dropout; otherwise the inputs are returned.
            seed: returned by `draw_seed`; drawn here unless given.

        Returns:
            A tensor of the inputs' shape and dtype.
        """
        if not training or self.rate == 0:
            return inputs
        dropped = min(max(round(self.rate * 256), 1), 255)  # of 256
        shape = ops.shape(inputs)
        count = 1
        for size in shape:
            count = count * size
        generator = _Drawn(self.draw_seed() if seed is None else seed)
        integers = keras.random.randint(
            ((count + 3) // 4, 1), -(2**31), 2**31 - 1, dtype="int32", seed=generator
        )
        draws = ops.reshape(ops.view(integers, "uint8"), (-1,))[:count]  # [elements]
        kept = ops.reshape(draws, shape) >= dropped
        return ops.where(kept, inputs * (256 / (256 - dropped)), ops.zeros((), inputs.dtype))


class _Drawn(keras.random.SeedGenerator):
    """A generator that returns one given seed: `keras.random` takes no tensors as seeds."""

    def __init__(self, seed: Tensor):
        self._seed = seed  # The parent's constructor is not called: it would make a variable.

    def next(self, ordered: bool = True) -> Any:
        return self._seed
