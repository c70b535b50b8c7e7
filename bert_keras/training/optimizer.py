"""The optimizers: AdamW, and LAMB for large batches."""

from __future__ import annotations

import abc
import typing
from collections.abc import Sequence

import keras
import tensorflow as tf

_NO_DECAY = ("bias", "gamma", "beta")


class _Factors(typing.NamedTuple):
    """Scalars of a step, the same for all weights."""

    learning_rate: tf.Tensor
    beta_1: tf.Tensor
    beta_2: tf.Tensor
    power_1: tf.Tensor  # beta_1^t
    power_2: tf.Tensor
    decayed: tf.Tensor  # the factor that decay multiplies a weight by


class _Adam(keras.optimizers.Optimizer, abc.ABC):
    """What the optimizers share: two moments a weight, and which weights do not decay."""

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
        weight_decay: float = 0.01,
        epsilon: float = 1e-6,
        name: str | None = None,
        **kwargs: typing.Any,
    ):
        super().__init__(learning_rate=learning_rate, name=name or type(self).__name__, **kwargs)
        self.decay = weight_decay
        self.epsilon = epsilon
        self.beta_1 = 0.9
        self.beta_2 = 0.999

    def build(self, variables: Sequence[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self.first_moments, self.second_moments = self.add_optimizer_variables(
            variables, ["first_moment", "second_moment"]
        )
        self._decays = [variable.path.split("/")[-1] not in _NO_DECAY for variable in variables]

    def update(
        self,
        gradients: Sequence[tf.Tensor],
        variables: Sequence[keras.Variable],
        learning_rate: tf.Tensor,
        moves: tf.Tensor,
    ) -> None:
        """Updates variables; not `apply`, which would sum over the replicas once more.

        Args:
            gradients: one for each variable, finite.
            variables: those that it was built with.
            learning_rate: of this step.
            moves: bool scalar. Where it is false, weights and moments stay as they are.
        """
        factors = self._factors(learning_rate, moves)
        for gradient, variable in zip(gradients, variables, strict=True):
            self._update(gradient, variable.value, factors)

    def update_step(
        self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor
    ) -> None:
        # A word that occurs twice in a batch is two slices of one row: they must be summed.
        gradient = tf.convert_to_tensor(gradient)
        self._update(gradient, variable, self._factors(learning_rate, moves=True))

    @abc.abstractmethod
    def _update(self, gradient: tf.Tensor, variable: tf.Variable, factors: _Factors) -> None:
        """Updates one variable."""

    def _factors(self, learning_rate: tf.Tensor, moves: tf.Tensor | bool) -> _Factors:
        step = tf.cast(self.iterations.value, tf.float32) + 1.0
        powers = tf.pow(self.beta_1, step), tf.pow(self.beta_2, step)
        learning_rate = tf.where(moves, learning_rate, 0.0)
        betas = tf.where(moves, self.beta_1, 1.0), tf.where(moves, self.beta_2, 1.0)
        return _Factors(learning_rate, *betas, *powers, 1.0 - learning_rate * self.decay)

    def get_config(self) -> dict[str, typing.Any]:
        return super().get_config() | {"weight_decay": self.decay, "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="bert_keras")
class AdamW(_Adam):
    """Adam with decoupled weight decay, on all weights except biases and layer normalisation.

    Loshchilov & Hutter 2017 (arXiv 1711.05101), algorithm 2. Unlike BERT's original optimizer it
    corrects the bias of the moments: without that, fine-tuning on few rows often fails (Mosbach et
    al. 2020, arXiv 2006.04884; Zhang et al. 2020, arXiv 2006.05987). Each weight is updated by one
    fused TensorFlow kernel, where Keras's own AdamW runs a dozen operations.

    Args:
        learning_rate: a number, or a schedule such as `WarmupDecay`.
        weight_decay: BERT's 0.01. The decay of a step is `learning_rate * weight_decay`.
        epsilon: BERT's 1e-6, added to the square root of the corrected second moment.
        name: the optimizer's name; the class's unless given.
        **kwargs: `keras.optimizers.Optimizer`'s. `global_clipnorm=1.0` clips gradients as BERT's
            training does; `bert_keras.train` does so by itself.

    Example:
        import keras
        import numpy as np

        import bert_keras

        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        model.compile(
            bert_keras.AdamW(1e-3, global_clipnorm=1.0),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=False,  # XLA does not have the fused kernel
        )
        model.fit(np.ones([8, 4]), np.zeros([8]), epochs=2, verbose=0)
    """

    def _update(self, gradient: tf.Tensor, variable: tf.Variable, factors: _Factors) -> None:
        index = self._get_variable_index(variable)
        if self._decays[index]:
            # One pass over the weights, where subtracting the product would be three.
            variable.assign(variable * factors.decayed)
        # The kernel adds epsilon before the correction of the second moment, the paper after it.
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(self.first_moments[index]),
            v=_handle(self.second_moments[index]),
            beta1_power=factors.power_1,
            beta2_power=factors.power_2,
            lr=factors.learning_rate,
            beta1=factors.beta_1,
            beta2=factors.beta_2,
            epsilon=self.epsilon * tf.sqrt(1.0 - factors.power_2),
            grad=gradient,
        )


@keras.saving.register_keras_serializable(package="bert_keras")
class Lamb(_Adam):
    """Adam with each weight's step scaled to the weight's norm, so that large batches are stable.

    You et al. 2019 (arXiv 1904.00962), algorithm 2, with the moments' bias corrected and the trust
    ratio ||x|| / ||r + decay x||, which is 1 where either norm is 0. Biases and layer normalisation
    have neither decay nor ratio, as in the paper's BERT. Keras's own LAMB leaves the decay out of
    the ratio.

    Args:
        learning_rate: a number, or a schedule such as `WarmupDecay`. The paper's for BERT is
            5e-3 / sqrt(2)^n, tens of times larger than Adam's: it is a share of the weight's norm.
        weight_decay: BERT's 0.01.
        epsilon: the paper's 1e-6.
        name: the optimizer's name; the class's unless given.
        **kwargs: `keras.optimizers.Optimizer`'s.

    Example:
        import keras
        import numpy as np

        import bert_keras

        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        model.compile(
            bert_keras.Lamb(5e-3),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        model.fit(np.ones([8, 4]), np.zeros([8]), epochs=2, verbose=0)
    """

    def _update(self, gradient: tf.Tensor, variable: tf.Variable, factors: _Factors) -> None:
        index = self._get_variable_index(variable)
        moments = self.first_moments[index], self.second_moments[index]
        for moment, beta, value in zip(
            moments,
            (factors.beta_1, factors.beta_2),
            (gradient, tf.square(gradient)),
            strict=True,
        ):
            moment.assign_add((value - moment) * (1.0 - beta))
        first = moments[0] / (1.0 - factors.power_1)
        second = moments[1] / (1.0 - factors.power_2)
        update = first / (tf.sqrt(second) + self.epsilon)
        if self._decays[index]:
            update += self.decay * variable
            norms = tf.norm(variable), tf.norm(update)
            ratio = tf.where(tf.reduce_all(tf.stack(norms) > 0), norms[0] / norms[1], 1.0)
            update *= ratio
        variable.assign_sub(factors.learning_rate * update)


OPTIMIZERS: dict[str, type[_Adam]] = {"adamw": AdamW, "lamb": Lamb}


def _handle(variable: keras.Variable | tf.Variable) -> tf.Tensor:
    # Keras passes its own variables to `build` and TensorFlow's to `update_step`.
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle
