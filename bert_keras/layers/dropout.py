"""Dropout whose masks come from bytes."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="bert_keras")
class Dropout(keras.layers.Dropout):
    """Keras's Dropout with four elements' masks drawn from one random number.

    Srivastava et al. 2014 (JMLR 15, section 4): each element is 0 with probability `rate`, and
    what stays is divided by the probability of staying.

    Keras draws a float for each element, which on a CPU is most of the cost of dropout. A byte
    is enough: `rate` is rounded to a whole number of 256ths (0.1 becomes 26 / 256 = 0.1016), and
    the division is by the probability that results, so that the mean is exact.

    Attributes:
        stream: a function without arguments that gives an int, or an int scalar. Where replicas
            hold copies of one seed, each is to have a number of its own here: their masks would
            be the same otherwise. None where there are no replicas.

    Args:
        rate: the probability that an element is dropped, 0 or more and below 1.
        seed: as in Keras; from its global seed unless given, so that
            `keras.utils.set_random_seed` repeats a run.
        **kwargs: `name`, `dtype`.
    """

    stream = None

    def draw_seed(self):
        """Advances this layer's seed and returns what `call` takes as `seed`; None at rate 0.

        A seed that is drawn before a call gives the same mask however often the call is made,
        which is what computing an activation again in the backward pass needs.
        """
        if self.rate == 0:
            return None
        seed = self.seed_generator.next()
        return seed + ops.cast(self.stream(), seed.dtype) if self.stream else seed

    def call(self, inputs, training=False, seed=None):
        """Drops.

        Args:
            inputs: a tensor.
            training: whether to drop.
            seed: what `draw_seed` returned; drawn here unless given.

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
        seed = _Drawn(self.draw_seed() if seed is None else seed)
        numbers = keras.random.randint(
            ((count + 3) // 4, 1), -(2**31), 2**31 - 1, dtype="int32", seed=seed
        )
        draws = ops.reshape(ops.view(numbers, "uint8"), (-1,))[:count]  # [elements]
        kept = ops.reshape(draws, shape) >= dropped
        return ops.where(kept, inputs * (256 / (256 - dropped)), ops.zeros((), inputs.dtype))


class _Drawn(keras.random.SeedGenerator):
    """A seed in the place of a generator: `keras.random` takes no tensors as seeds."""

    def __init__(self, seed):
        self._seed = seed  # and no state, which the parent would make a variable of

    def next(self, ordered=True):
        return self._seed
