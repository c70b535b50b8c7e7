"""Whether a step of training fits into memory, estimated before it is tried."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from bert_keras.errors import InputError
from bert_keras.models.bert_model import BertModel
from bert_keras.training.task import Batch

# Bytes that a step needs at once, beside weights and moments, fitted to the peak resident memory of
# processes. Those in dicts are by the size of a number in the compute dtype, in bytes: some
# activations are kept in that dtype, others (GELU, LayerNorm) in float32.
_PER_UNIT = {2: 37, 4: 57}  # in a block, for each token and unit of the width
_PER_INNER_UNIT = {2: 17, 4: 20}  # in a block, for each token and unit of the feed-forward network
_PER_PROBABILITY = {2: 5.4, 4: 9.2}  # in a block, for each head, query and key
_PER_LOGIT = 8  # for each masked token and word of the vocabulary
_PER_WEIGHT = 6  # its gradient, and a part of the clipped copies
_RECOMPUTED = 1.4  # share of a block's bytes, when it is recomputed and differentiated
_PER_GRAPH, _PER_BLOCK = 50e6, 17e6  # TensorFlow's own, whatever the sizes

_MARGIN = 1.3  # a step that fits is not refused although the estimate may be too high by this
_SAFE_SHARE = 0.75  # of what is free; advice fits although the estimate may be too low


@dataclasses.dataclass(frozen=True)
class StepSize:
    """What a step computes.

    Attributes:
        examples: `Schedule.batch_size`.
        rows: rows of the batch, each of which holds one or several examples.
        length: tokens of a row.
        masked: masked tokens of the batch, in pretraining.
        recompute: whether blocks are recomputed in the backward pass.
        micro_batches: in how many micro-batches each replica computes its rows.
        replicas: how many replicas share the rows.
        local_replicas: how many of them are in this process.
    """

    examples: int
    rows: int
    length: int
    masked: int = 0
    recompute: bool = False
    micro_batches: int = 1
    replicas: int = 1
    local_replicas: int = 1

    @classmethod
    def from_batch(cls, batch: Batch, **known: Any) -> StepSize:
        """Makes a size with the rows, length and masked tokens of a batch.

        Args:
            batch: the batch.
            **known: the other fields.
        """
        rows, length = batch["inputs"]["example_ids"].shape
        masked = int(tf.math.count_nonzero(batch["inputs"].get("masked", 0)))
        return cls(rows=rows, length=length, masked=masked, **known)

    def in_rows_of(self, length: int) -> StepSize:
        """Returns the size of the same tokens in rows of another length."""
        rows = -(-self.rows * self.length // length)
        return dataclasses.replace(self, rows=rows, length=length)


def check_memory(model: BertModel, size: StepSize) -> None:
    """Refuses a step that cannot fit into the processor's memory.

    It is called when the model and its optimizer were made, so that weights and moments are in
    memory already. A step is refused when its estimate is 1.3 times what is free, because the
    estimate may be too high. On a GPU, and where the system does not report its free memory,
    nothing is refused.

    Args:
        model: the model.
        size: the size of the largest batch.

    Raises:
        InputError: it does not fit; the message says what would.
    """
    free = None if tf.config.list_logical_devices("GPU") else free_memory()
    needed = step_bytes(model, size)
    if free is not None and needed > _MARGIN * free:
        raise InputError(
            f"{_format_size(size)} needs about {_format_bytes(needed)} of memory, and "
            f"{_format_bytes(free)} are free: {_advice(model, size, _SAFE_SHARE * free)}."
        )


def out_of_memory(model: BertModel, size: StepSize) -> InputError:
    """Returns the error to raise when a step ended in a `tf.errors.ResourceExhaustedError`.

    Args:
        model: the model.
        size: the size of the step.
    """
    needed = step_bytes(model, size)
    advice = _advice(model, size, needed / 2)
    return InputError(f"{_format_size(size)} does not fit into the device's memory: {advice}.")


def step_bytes(model: BertModel, size: StepSize) -> float:
    """Estimates the memory of a step, beside the weights and the optimizer's moments.

    For 50 peaks that were measured on a processor (widths 128 to 768, 2 to 12 blocks, rows of 64 to
    512 tokens, all ways of computing but XLA) the estimates are 0.79 to 1.28 times the peak.

    Args:
        model: the model.
        size: the size of the step.

    Returns:
        Bytes of this machine's memory, all its replicas together.
    """
    config, weights = model.config, model.count_params()
    number = tf.as_dtype(model.compute_dtype).size
    shards = size.micro_batches * size.replicas
    rows = size.local_replicas * max(size.rows / shards, 1)  # computed at once
    masked = size.masked * rows / size.rows
    tokens, blocks = rows * size.length, config.num_hidden_layers

    inner = _PER_UNIT[number] * config.hidden_size
    inner += _PER_INNER_UNIT[number] * config.intermediate_size
    attention = _PER_PROBABILITY[number] * config.num_attention_heads * size.length
    block = tokens * (inner + attention)
    logits = masked * config.vocab_size * _PER_LOGIT
    gradients = size.local_replicas * weights * _PER_WEIGHT
    if size.recompute:
        inputs = blocks * tokens * config.hidden_size * number
        step = inputs + max(_RECOMPUTED * block, logits) + gradients
    elif shards > 1:  # gradients are summed, over micro-batches or replicas
        step = blocks * block + logits + gradients
    else:  # activations are freed while gradients are made
        step = max(blocks * block + logits, gradients)
    return _PER_GRAPH + size.local_replicas * blocks * _PER_BLOCK + step


def free_memory(root: str | pathlib.Path = "/") -> int | None:
    """Returns the bytes that this process may still take; None where the system does not report it.

    Args:
        root: the folder that has `proc` and `sys`.
    """
    root = pathlib.Path(root)
    try:
        known = dict(line.split(":") for line in _lines(root / "proc/meminfo"))
        machine = int(known["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
    return min([machine, *_left_in_groups(root)])


def _left_in_groups(root: pathlib.Path) -> Iterator[int]:
    """What each control group that the process is in has left of its limit, in either version."""
    try:
        groups = [line.split(":", 2) for line in _lines(root / "proc/self/cgroup")]
    except OSError:
        return
    for _, controllers, path in groups:
        mount, files = root / "sys/fs/cgroup", ("memory.max", "memory.current")
        if controllers:
            mount, files = mount / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
        if controllers and "memory" not in controllers.split(","):
            continue
        # Each group is within its parent's limit. In a container the mount itself is the group's.
        group = mount / path.lstrip("/")
        for folder in [group, *group.parents]:
            if not folder.is_relative_to(mount):
                break
            try:
                limit, used = [int(_lines(folder / name)[0]) for name in files]
                stat = dict(line.split() for line in _lines(folder / "memory.stat"))
            except (OSError, ValueError, IndexError):
                continue  # "max": no limit
            cache_names = ("total_inactive_file", "total_active_file")
            if cache_names[0] not in stat:
                cache_names = ("inactive_file", "active_file")
            cached = sum(int(stat.get(name, 0)) for name in cache_names)  # freed when needed
            yield max(limit - used + cached, 0)


def _lines(path: pathlib.Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _advice(model: BertModel, size: StepSize, budget: float) -> str:
    """Names settings with which a step fits into so many bytes."""

    def fits(**changes: Any) -> bool:
        return step_bytes(model, dataclasses.replace(size, **changes)) <= budget

    def with_examples(examples: int) -> dict[str, int]:
        share = examples / size.examples
        return {
            "examples": examples,
            "rows": max(round(size.rows * share), 1),
            "masked": round(size.masked * share),
        }

    halves = [1 << power for power in reversed(range((size.examples - 1).bit_length()))]
    doubles = [size.micro_batches << power for power in range(1, 32)]
    doubles = [count for count in doubles if count <= size.rows]
    fewer = next((examples for examples in halves if fits(**with_examples(examples))), None)
    more = next((count for count in doubles if fits(micro_batches=count)), None)
    settings = [f"`batch_size`={fewer}"] if fewer else []
    settings += [f"`micro_batches`={more}"] if more else []
    settings += ["`recompute`"] if not size.recompute and fits(recompute=True) else []
    if not settings:
        return "one row alone does not fit; a smaller model or `max_length` may"
    return f"{', or '.join(settings)} would fit"


def _format_size(size: StepSize) -> str:
    return f"`batch_size`={size.examples} in {size.rows:,} rows of {size.length} tokens" + (
        f", computed in {size.micro_batches} micro-batches," if size.micro_batches > 1 else ""
    )


def _format_bytes(count: float) -> str:
    count /= 1e9
    return f"{count:,.0f} GB" if count >= 10 else f"{count:.1f} GB"
