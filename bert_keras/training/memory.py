"""Whether a step of training fits into memory, told in a sentence before it is tried."""

import dataclasses
import pathlib

import tensorflow as tf

from bert_keras.errors import InputError

# Bytes that a step holds at once, beside weights and moments, fitted to the most that processes
# held resident. By the bytes of a number, where activations are in the compute dtype: some are
# kept in it, others (GELU, LayerNorm) in float32.
_A_TOKEN = {2: 37, 4: 57}  # in a block, for each unit of the width
_AN_INNER = {2: 17, 4: 20}  # in a block, for each token and unit inside the feed-forward network
_A_PROBABILITY = {2: 5.4, 4: 9.2}  # in a block, for each head, query and key
_A_LOGIT = 8  # for each masked token and word of the vocabulary
_A_WEIGHT = 6  # its gradient, and a part of the clipped copies
_RECOMPUTED = 1.4  # of a block's, when one is computed again and differentiated
_A_GRAPH, _A_BLOCK = 50e6, 17e6  # TensorFlow's own, whatever the sizes

_MARGIN = 1.3  # the estimate may be so much too high, and what fits must not be refused
_SURE = 0.75  # of what is free: what is recommended fits though the estimate be too low


@dataclasses.dataclass(frozen=True)
class StepSize:
    """What a step computes.

    Attributes:
        examples: `Schedule.batch_size`.
        rows: rows of the batch, of which each holds one example or several.
        length: tokens of a row.
        masked: masked tokens of the batch, in pretraining.
        recompute: whether blocks are computed again in the backward pass.
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
    def from_batch(cls, batch, **known):
        """Takes rows, length and masked tokens from a batch of a task's, the rest as it is told."""
        rows, length = batch["inputs"]["example_ids"].shape
        masked = int(tf.math.count_nonzero(batch["inputs"].get("masked", 0)))
        return cls(rows=rows, length=length, masked=masked, **known)

    def in_rows_of(self, length):
        """The same tokens in rows of another length."""
        rows = -(-self.rows * self.length // length)
        return dataclasses.replace(self, rows=rows, length=length)


def check_memory(model, size):
    """Refuses a step that cannot fit into the processor's memory.

    To be called when the model and its optimizer were made, whose weights and moments are in
    memory by then. What an estimate may be wrong by is left as a margin: a step is refused when
    it needs 1.3 times what is free. On a GPU, and where the system does not tell what is free,
    nothing is refused.

    Args:
        model: a `BertModel`.
        size: the `StepSize` of the largest batch.

    Raises:
        InputError: it does not fit; the message says what would.
    """
    free = None if tf.config.list_logical_devices("GPU") else free_memory()
    needed = step_bytes(model, size)
    if free is not None and needed > _MARGIN * free:
        raise InputError(
            f"{_named(size)} needs about {_gigabytes(needed)} of memory, and {_gigabytes(free)} "
            f"are free: {_advice(model, size, _SURE * free)}."
        )


def out_of_memory(model, size):
    """Says what would fit after a step did not.

    Args:
        model: see `check_memory`.
        size: the `StepSize` of the step that ended in a `tf.errors.ResourceExhaustedError`.

    Returns:
        An `InputError`, to be raised.
    """
    needed = step_bytes(model, size)
    advice = _advice(model, size, needed / 2)
    return InputError(f"{_named(size)} does not fit into the device's memory: {advice}.")


def step_bytes(model, size):
    """Estimates what a step takes, beside the weights and the optimizer's moments.

    Of 50 peaks that were measured on a processor (widths 128 to 768, 2 to 12 blocks, rows of 64 to
    512 tokens, all ways of computing but XLA) it gives 0.79 to 1.28 times each.

    Args:
        model: see `check_memory`.
        size: a `StepSize`.

    Returns:
        Bytes of this machine's memory, all its replicas together.
    """
    config, weights = model.config, model.count_params()
    number = tf.as_dtype(model.compute_dtype).size
    pieces = size.micro_batches * size.replicas
    rows = size.local_replicas * max(size.rows / pieces, 1)  # computed at once
    masked = size.masked * rows / size.rows
    tokens, blocks = rows * size.length, config.num_hidden_layers

    inside = _A_TOKEN[number] * config.hidden_size + _AN_INNER[number] * config.intermediate_size
    attention = _A_PROBABILITY[number] * config.num_attention_heads * size.length
    block = tokens * (inside + attention)
    logits = masked * config.vocab_size * _A_LOGIT
    gradients = size.local_replicas * weights * _A_WEIGHT
    if size.recompute:
        inputs = blocks * tokens * config.hidden_size * number
        step = inputs + max(_RECOMPUTED * block, logits) + gradients
    elif pieces > 1:  # gradients are added up, over micro-batches or replicas
        step = blocks * block + logits + gradients
    else:  # activations go as gradients come
        step = max(blocks * block + logits, gradients)
    return _A_GRAPH + size.local_replicas * blocks * _A_BLOCK + step


def free_memory(root="/"):
    """Returns the bytes that this process may still take; None where the system does not tell.

    Args:
        root: where `proc` and `sys` are.
    """
    root = pathlib.Path(root)
    try:
        known = dict(line.split(":") for line in _lines(root / "proc/meminfo"))
        machine = int(known["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
    return min([machine, *_left_in_groups(root)])


def _left_in_groups(root):
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
        # Each group is in its parent's limit. In a container the mount itself is the group's.
        folder = mount / path.lstrip("/")
        for at in [folder, *folder.parents]:
            if not at.is_relative_to(mount):
                break
            try:
                limit, used = [int(_lines(at / name)[0]) for name in files]
                stat = dict(line.split() for line in _lines(at / "memory.stat"))
            except (OSError, ValueError, IndexError):
                continue  # "max": no limit
            files_kept = ("total_inactive_file", "total_active_file")
            if files_kept[0] not in stat:
                files_kept = ("inactive_file", "active_file")
            cached = sum(int(stat.get(name, 0)) for name in files_kept)  # given back when needed
            yield max(limit - used + cached, 0)


def _lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def _advice(model, size, room):
    """Names what fits into so many bytes."""

    def fits(**changes):
        return step_bytes(model, dataclasses.replace(size, **changes)) <= room

    def share(examples):
        part = examples / size.examples
        return {
            "examples": examples,
            "rows": max(round(size.rows * part), 1),
            "masked": round(size.masked * part),
        }

    halves = [1 << power for power in reversed(range((size.examples - 1).bit_length()))]
    doubles = [size.micro_batches << power for power in range(1, 32)]
    doubles = [count for count in doubles if count <= size.rows]
    fewer = next((examples for examples in halves if fits(**share(examples))), None)
    more = next((count for count in doubles if fits(micro_batches=count)), None)
    found = [f"`batch_size`={fewer}"] if fewer else []
    found += [f"`micro_batches`={more}"] if more else []
    found += ["`recompute`"] if not size.recompute and fits(recompute=True) else []
    if not found:
        return "one row alone does not fit; a smaller model or `max_length` may"
    return f"{', or '.join(found)} would fit"


def _named(size):
    return f"`batch_size`={size.examples} in {size.rows:,} rows of {size.length} tokens" + (
        f", computed in {size.micro_batches} micro-batches," if size.micro_batches > 1 else ""
    )


def _gigabytes(count):
    count /= 1e9
    return f"{count:,.0f} GB" if count >= 10 else f"{count:.1f} GB"
