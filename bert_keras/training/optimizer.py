"""AdamW and the learning-rate schedule of BERT."""

import keras
import tensorflow as tf
from keras import ops

_NO_DECAY = ("bias", "gamma", "beta")


@keras.saving.register_keras_serializable(package="bert_keras")
class LinearWarmupDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate that rises from 0 to its peak, then falls to 0, both on straight lines.

    Devlin et al. 2018, appendix A.2.

    Args:
        peak: the highest learning rate.
        total_steps: optimizer steps in the whole training.
        warmup_proportion: the share of those steps in which the rate rises. 0.1 is BERT's.
    """

    def __init__(self, peak, total_steps, warmup_proportion=0.1):
        self.peak = peak
        self.total_steps = total_steps
        self.warmup_proportion = warmup_proportion

    def __call__(self, step):
        step = ops.cast(step, "float32")
        warmup = int(self.total_steps * self.warmup_proportion)
        rising = step / max(warmup, 1)
        falling = (self.total_steps - step) / max(self.total_steps - warmup, 1)
        return self.peak * ops.clip(ops.minimum(rising if warmup else 1.0, falling), 0.0, 1.0)

    def get_config(self):
        return {
            "peak": self.peak,
            "total_steps": self.total_steps,
            "warmup_proportion": self.warmup_proportion,
        }


@keras.saving.register_keras_serializable(package="bert_keras")
class AdamW(keras.optimizers.Optimizer):
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

    def __init__(self, learning_rate, weight_decay=0.01, epsilon=1e-6, name="adamw", **kwargs):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
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

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations.value, tf.float32) + 1.0
        powers = tf.pow(self.beta_1, step), tf.pow(self.beta_2, step)
        # The same word twice in a batch is two slices of one row: they must be added up.
        gradient = tf.convert_to_tensor(gradient)
        if self._decays[index]:
            variable.assign_sub(variable * (learning_rate * self.decay))
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

    def get_config(self):
        return super().get_config() | {"weight_decay": self.decay, "epsilon": self.epsilon}


def _handle(variable):
    # Keras hands its own variables to `build` and TensorFlow's to `update_step`.
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle
