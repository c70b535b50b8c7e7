"""How a model is trained: the schedule, and everything else that one chooses for a run."""

import dataclasses
from typing import Any, Literal

from bert_keras.data.epochs import steps_per_epoch
from bert_keras.errors import InputError
from bert_keras.options import check_options, option


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Attributes:
        batch_size: examples a step.
        learning_rate: the highest, reached at the end of the warm-up.
        epochs: passes over the training set.
        warmup_proportion: the share of the steps in which the learning rate rises.
        max_steps: steps in all, whatever `epochs` says; 0 leaves it to `epochs`.
        optimizer: "adamw" or "lamb".
        decay: how the learning rate falls, see `WarmupDecay`.
        micro_batches: in how many micro-batches a step's batch is computed, one after the other.
            More take less memory and give the same gradients, except for dropout's masks.
        evaluations_per_epoch: how often to evaluate; below 1, not after every epoch. After the
            last step there is always an evaluation.
        seed: of the order of the examples, of dropout and of new weights.
    """

    batch_size: int = option(32, "Examples a step.", name="train_batch_size", minimum=1)
    learning_rate: float = option(1e-4, "The highest, at the end of the warm-up.", minimum=0)
    epochs: float = option(
        3.0, "Passes over the training rows.", name="num_train_epochs", minimum=0
    )
    warmup_proportion: float = option(
        0.1, "Share of steps in which the rate rises.", minimum=0, maximum=1
    )
    max_steps: int = option(
        0, "Steps in all, whatever the passes; 0: by the passes.", name="num_train_steps", minimum=0
    )
    optimizer: Literal["adamw", "lamb"] = option("adamw", "LAMB is for batches of thousands.")
    decay: Literal["linear", "cosine", "inverse_sqrt", "constant"] = option(
        "linear", "How the rate falls.", name="learning_rate_decay"
    )
    micro_batches: int = option(
        1,
        "Micro-batches that a step is computed in: less memory.",
        name="gradient_accumulation_steps",
        minimum=1,
    )
    evaluations_per_epoch: float = option(
        1.0, "How often; 0.5 is after every second epoch.", minimum=0
    )
    seed: int = option(
        0, "Of all that is random: the same seed, the same run.", minimum=0, maximum=2**32 - 1
    )

    def __post_init__(self) -> None:
        check_options(self)

    def steps(self, examples: int) -> int:
        """Returns the optimizer steps in all, for a training set of so many examples."""
        if self.max_steps:
            return self.max_steps
        return max(1, round(self.epochs * steps_per_epoch(examples, self.batch_size)))

    def evaluation_steps(self, examples: int) -> set[int]:
        """Returns the steps after which to evaluate, the last one among them."""
        total, epoch = self.steps(examples), steps_per_epoch(examples, self.batch_size)
        count = int(total / epoch * self.evaluations_per_epoch + 1e-9)
        marks = {round(k * epoch / self.evaluations_per_epoch) for k in range(1, count + 1)}
        return {mark for mark in marks if 0 < mark < total} | {total}


@dataclasses.dataclass(frozen=True)
class TrainingSettings(Schedule):
    """Everything that one chooses for a run apart from the task.

    Attributes:
        precision: what the training computes in: "float32", "bfloat16" or "float16". Evaluation,
            prediction and export are in float32, so that all three give the same numbers.
        early_stopping: the score to stop by and to keep the best weights by; "" for none.
        patience: evaluations without a better score after which to stop; 0 never stops, and keeps
            the best weights all the same.
        recompute: whether blocks are computed again in the backward pass: less memory, more time.
        xla: whether to compile the blocks with XLA, again for every number of rows.
        deterministic: whether operations give the same bits in every run, even where that is
            slower. TensorFlow keeps this for the whole process.
        eval_batch_size: examples in a batch when not training; the task's own default unless given.
        save_every: steps after which a checkpoint is saved, in addition to those at evaluations,
            which are left out where they would cost more than 2% of the time.
        keep_checkpoints: how many of the newest checkpoints are kept.
        cpu_devices: how many devices the processor is divided into where there is no GPU.
    """

    precision: Literal["float32", "bfloat16", "float16"] = option(
        "float32", "Faster where the chip has it."
    )
    early_stopping: str = option("", "Score to stop on and to keep the best weights by.")
    patience: int = option(
        3, "Evaluations without a better score before stopping; 0: never.", minimum=0
    )
    recompute: bool = option(False, "Compute blocks twice: less memory, more time.")
    xla: bool = option(False, "Compile the blocks with XLA.")
    deterministic: bool = option(False, "To the last bit, also where that is slower.")
    eval_batch_size: int | None = option(
        None, "Examples a step when not training.", minimum=1, of_call=True
    )
    save_every: int = option(
        1000,
        "How often to save, in addition to evaluations.",
        name="save_checkpoints_steps",
        minimum=1,
        of_call=True,
    )
    keep_checkpoints: int = option(2, "How many of the newest are kept.", minimum=1, of_call=True)
    cpu_devices: int = option(
        1, "Divide the processor into so many devices.", minimum=1, of_call=True
    )

    @property
    def dtype(self) -> str:
        """The Keras dtype policy to train in."""
        return self.precision if self.precision == "float32" else f"mixed_{self.precision}"


def training_settings(values: dict[str, Any]) -> TrainingSettings:
    """Makes settings from keyword arguments.

    Raises:
        InputError: one is no setting; the message lists those that there are.
    """
    names = [field.name for field in dataclasses.fields(TrainingSettings)]
    for name in values:
        if name not in names:
            raise InputError(f"{name} is no setting of a training; there are {', '.join(names)}.")
    return TrainingSettings(**values)
