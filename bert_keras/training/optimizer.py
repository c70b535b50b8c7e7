"""The optimizers: AdamW, and LAMB for large batches."""

import keras
import tensorflow as tf

_NO_DECAY = ("bias", "gamma", "beta")


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

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations.value, tf.float32) + 1.0
        powers = tf.pow(self.beta_1, step), tf.pow(self.beta_2, step)
        # The same word twice in a batch is two slices of one row: they must be added up.
        gradient = tf.convert_to_tensor(gradient)
        if self._decays[index]:
            # One pass over the weights, where subtracting the product would be three.
            variable.assign(variable * (1.0 - learning_rate * self.decay))
        # The kernel adds epsilon before the correction of the second moment, the paper after it.
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(self.first_moments[index]),
            v=_handle(self.second_moments[index]),
            beta1_power=powers[0],
            beta2_power=powers[1],
            lr=learning_rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon * tf.sqrt(1.0 - powers[1]),
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

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations.value, tf.float32) + 1.0
        gradient = tf.convert_to_tensor(gradient)  # see AdamW
        moments = self.first_moments[index], self.second_moments[index]
        for moment, beta, value in zip(
            moments, (self.beta_1, self.beta_2), (gradient, tf.square(gradient)), strict=True
        ):
            moment.assign_add((value - moment) * (1 - beta))
        first = moments[0] / (1.0 - tf.pow(self.beta_1, step))
        second = moments[1] / (1.0 - tf.pow(self.beta_2, step))
        update = first / (tf.sqrt(second) + self.epsilon)
        if self._decays[index]:
            update += self.decay * variable
            norms = tf.norm(variable), tf.norm(update)
            ratio = tf.where(tf.reduce_all(tf.stack(norms) > 0), norms[0] / norms[1], 1.0)
            update *= ratio
        variable.assign_sub(learning_rate * update)


OPTIMIZERS = {"adamw": AdamW, "lamb": Lamb}


def _handle(variable):
    # Keras hands its own variables to `build` and TensorFlow's to `update_step`.
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle
