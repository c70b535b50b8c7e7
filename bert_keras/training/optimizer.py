"""The optimizers: AdamW, and LAMB for large batches."""

import typing

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
    kept: tf.Tensor  # what decay leaves of a weight


class _Adam(keras.optimizers.Optimizer):
    """What the optimizers share: two moments a weight, and which weights are left out of decay."""

    def __init__(self, learning_rate, weight_decay=0.01, epsilon=1e-6, name=None, **kwargs):
        super().__init__(learning_rate=learning_rate, name=name or type(self).__name__, **kwargs)
        self.decay = weight_decay
        self.epsilon = epsilon
        self.beta_1 = 0.9
        self.beta_2 = 0.999

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.first_moments, self.second_moments = self.add_optimizer_variables(
            variables, ["first_moment", "second_moment"]
        )
        self._decays = [variable.path.split("/")[-1] not in _NO_DECAY for variable in variables]

    def update(self, gradients, variables, learning_rate, moves):
        """Updates variables; not `apply`, which would sum over the replicas once more.

        Args:
            gradients: one for each variable, finite.
            variables: Keras variables that it was built with.
            learning_rate: of this step.
            moves: bool scalar. Where it is false, weights and moments stay as they are.
        """
        factors = self._factors(learning_rate, moves)
        for gradient, variable in zip(gradients, variables, strict=True):
            self._update(gradient, variable.value, factors)

    def update_step(self, gradient, variable, learning_rate):
        # The same word twice in a batch is two slices of one row: they must be added up.
        gradient = tf.convert_to_tensor(gradient)
        self._update(gradient, variable, self._factors(learning_rate, moves=True))

    def _factors(self, learning_rate, moves):
        step = tf.cast(self.iterations.value, tf.float32) + 1.0
        powers = tf.pow(self.beta_1, step), tf.pow(self.beta_2, step)
        learning_rate = tf.where(moves, learning_rate, 0.0)
        betas = tf.where(moves, self.beta_1, 1.0), tf.where(moves, self.beta_2, 1.0)
        return _Factors(learning_rate, *betas, *powers, 1.0 - learning_rate * self.decay)

    def get_config(self):
        return super().get_config() | {"weight_decay": self.decay, "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="bert_keras")
class AdamW(_Adam):
    """Adam with decoupled weight decay, on all weights but biases and layer normalisation.

    Loshchilov & Hutter 2017 (arXiv 1711.05101), algorithm 2. Unlike BERT's original optimizer it
    corrects the bias of the moments: without that, fine-tuning on few rows often fails (Mosbach et
    al. 2020, arXiv 2006.04884; Zhang et al. 2020, arXiv 2006.05987). Each weight is updated by one
    fused TensorFlow kernel, where Keras's own AdamW runs a dozen operations.

    Args:
        learning_rate: float or schedule.
        weight_decay: BERT's 0.01. The decay of a step is `learning_rate * weight_decay`.
        epsilon: BERT's 1e-6, added to the square root of the corrected second moment.
        **kwargs: `keras.optimizers.Optimizer`'s; `global_clipnorm=1.0` is BERT's, for those who
            train with `fit`.
    """

    def _update(self, gradient, variable, factors):
        index = self._get_variable_index(variable)
        if self._decays[index]:
            # One pass over the weights, where subtracting the product would be three.
            variable.assign(variable * factors.kept)
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
    """Adam's step, scaled for each weight to the weight's own norm: large batches train stably.

    You et al. 2019 (arXiv 1904.00962), algorithm 2, with the moments' bias corrected and the trust
    ratio ||x|| / ||r + decay x||, which is 1 where either norm is 0. Biases and layer normalisation
    take neither decay nor ratio, as in the paper's BERT. Keras's own LAMB leaves the decay out of
    the ratio.

    Args:
        learning_rate: float or schedule. The paper's for BERT is 5e-3 / sqrt(2)^n, larger than
            Adam's by tens: it is a share of the weight's norm.
        weight_decay: BERT's 0.01.
        epsilon: the paper's 1e-6.
        **kwargs: `keras.optimizers.Optimizer`'s.
    """

    def _update(self, gradient, variable, factors):
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


OPTIMIZERS = {"adamw": AdamW, "lamb": Lamb}


def _handle(variable):
    # Keras hands its own variables to `build` and TensorFlow's to `update_step`.
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle
