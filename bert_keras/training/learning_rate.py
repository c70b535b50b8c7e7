"""Learning rates that change with the step."""

import math
from typing import Any

import keras
from keras import ops

DECAYS = ("linear", "cosine", "inverse_sqrt", "constant")


@keras.saving.register_keras_serializable(package="bert_keras")
class WarmupDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate that rises linearly from 0 to its peak, and decays from there.

    Args:
        peak: the highest learning rate.
        total_steps: optimizer steps in the whole training.
        warmup_proportion: the share of those steps in which the rate rises. 0.1 is BERT's.
        decay: how it falls. "linear": linearly to 0 (Devlin et al. 2018, appendix A.2).
            "cosine": to 0 on half a cosine (Loshchilov & Hutter 2016, arXiv 1608.03983, eq. 5).
            "inverse_sqrt": with the square root of the step, from the end of the warm-up (Vaswani
            et al. 2017, arXiv 1706.03762, eq. 3), for trainings that may be prolonged. "constant":
            not at all.
    """

    def __init__(
        self,
        peak: float,
        total_steps: int,
        warmup_proportion: float = 0.1,
        decay: str = "linear",
    ):
        self.peak = peak
        self.total_steps = total_steps
        self.warmup_proportion = warmup_proportion
        self.decay = decay

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        warmup = int(self.total_steps * self.warmup_proportion)
        left = (self.total_steps - step) / max(self.total_steps - warmup, 1)  # 1 down to 0
        left = ops.clip(left, 0.0, 1.0)
        falling = {
            "linear": lambda: left,
            "cosine": lambda: (1 - ops.cos(math.pi * left)) / 2,
            "inverse_sqrt": lambda: ops.rsqrt(ops.maximum(step / max(warmup, 1), 1.0)),
            "constant": lambda: ops.ones_like(left),
        }[self.decay]()
        rising = step / warmup if warmup else 1.0
        return self.peak * ops.minimum(rising, falling)

    def get_config(self) -> dict[str, Any]:
        return {
            "peak": self.peak,
            "total_steps": self.total_steps,
            "warmup_proportion": self.warmup_proportion,
            "decay": self.decay,
        }
