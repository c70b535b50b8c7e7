"""Whether a step fits, with made-up sizes of memory."""

import dataclasses
import re
import types

import pytest
import tensorflow as tf

from bert_keras.config import BertConfig
from bert_keras.errors import InputError
from bert_keras.training import memory
from bert_keras.training.memory import StepSize


def model(layers=6, width=384, heads=12, vocabulary=30522, weights=22.6e6, dtype="bfloat16"):
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
    )
    return types.SimpleNamespace(
        config=config, compute_dtype=dtype, count_params=lambda: int(weights)
    )


def in_rows(rows, length, **others):
    return StepSize(rows, rows, length, **others)


# What processes on a processor held resident at most, less what they held before the first step.
MEASURED = [
    (model(), in_rows(16, 128), 750e6),
    (model(), in_rows(4, 512), 1057e6),
    (model(), in_rows(32, 512), 6994e6),
    (model(), in_rows(32, 512, recompute=True), 1993e6),
    (model(), in_rows(128, 128, recompute=True), 1434e6),
    (model(dtype="float32"), in_rows(4, 512), 1497e6),
    (model(dtype="float32"), in_rows(4, 512, recompute=True), 620e6),
    (model(dtype="float16"), in_rows(16, 128), 737e6),
    (model(2, 128, 2, weights=4.4e6), in_rows(16, 256), 204e6),
    (model(4, 768, weights=52.5e6, dtype="float32"), in_rows(16, 128), 1109e6),
    (model(12, 768, weights=109e6), in_rows(8, 128), 1465e6),
    (model(4, 256, 4, weights=11.1e6), in_rows(32, 128, masked=614), 764e6),
    (model(4, 256, 4, weights=11.1e6), in_rows(32, 128, micro_batches=4), 310e6),
    (model(), in_rows(16, 128, micro_batches=4), 395e6),
    (model(), in_rows(16, 128, replicas=2, local_replicas=2), 1253e6),
]


@pytest.mark.parametrize("one, size, peak", MEASURED)
def test_estimates_are_near_what_was_measured(one, size, peak):
    assert 1 / 1.3 < memory.step_bytes(one, size) / peak < 1.3


def test_the_size_of_a_batch():
    inputs = {"example_ids": tf.ones((3, 8), tf.int32)}
    size = StepSize.from_batch({"inputs": inputs}, examples=5, micro_batches=2)
    assert size == StepSize(5, 3, 8, micro_batches=2)
    inputs["masked"] = tf.constant([[0, 1] * 4] * 3)
    assert StepSize.from_batch({"inputs": inputs}, examples=5).masked == 12


@pytest.fixture
def free(monkeypatch):
    """Says how many bytes are free."""
    return lambda count: monkeypatch.setattr(memory, "free_memory", lambda: count)


def recommended(error):
    """The changes that a message recommends, by argument, and whether to recompute."""
    message = str(error.value if hasattr(error, "value") else error)
    assert message.endswith("would fit.") and message.count("\n") == 0
    settings = re.findall(r"`(\w+)`=(\d+)(?=,? or|,| would)", message.split(": ", 1)[1])
    return {name: int(value) for name, value in settings}, "`recompute`" in message


def test_an_absurd_batch_is_refused_and_what_is_recommended_fits(free):
    free(22e9)
    size = in_rows(4096, 512)
    with pytest.raises(InputError, match=r"`batch_size`=4096 .* 512 tokens") as error:
        memory.check_memory(model(), size)
    assert "22 GB are free" in str(error.value)
    changes, recompute = recommended(error)
    fewer, micro_batches = changes["batch_size"], changes["micro_batches"]
    assert not recompute  # which would not be enough
    for fits in (in_rows(fewer, 512), dataclasses.replace(size, micro_batches=micro_batches)):
        memory.check_memory(model(), fits)
        assert memory.step_bytes(model(), fits) < 22e9
    # And the next larger ones would not be sure to.
    assert memory.step_bytes(model(), in_rows(2 * fewer, 512)) > 0.7 * 22e9
    assert (
        memory.step_bytes(model(), dataclasses.replace(size, micro_batches=micro_batches // 2))
        > 0.7 * 22e9
    )


def test_recomputing_is_recommended_where_it_is_enough(free):
    free(4e9)
    size = in_rows(32, 512)
    with pytest.raises(InputError) as error:
        memory.check_memory(model(), size)
    assert recommended(error)[1]
    memory.check_memory(model(), dataclasses.replace(size, recompute=True))


def test_what_is_not_clearly_too_much_is_tried(free):
    size = in_rows(32, 512)
    needed = memory.step_bytes(model(), size)
    free(needed / 1.25)
    memory.check_memory(model(), size)
    free(needed / 1.35)
    with pytest.raises(InputError):
        memory.check_memory(model(), size)


def test_nothing_is_said_where_nothing_is_known(free):
    free(None)
    memory.check_memory(model(), in_rows(1 << 20, 512))


def test_where_no_row_fits_no_batch_is_recommended(free):
    free(1e6)
    with pytest.raises(InputError, match="one row alone does not fit"):
        memory.check_memory(model(), in_rows(32, 512))


def test_batches_are_counted_in_examples_and_memory_in_rows(free):
    free(1e9)
    with pytest.raises(InputError, match=r"`batch_size`=640 in 64 rows") as error:
        memory.check_memory(model(), StepSize(640, 64, 512))
    assert recommended(error)[0]["batch_size"] == 16  # two rows, of ten examples each


def test_accumulation_goes_on_from_where_it_is(free):
    free(4e9)
    with pytest.raises(InputError, match="computed in 2 micro-batches") as error:
        memory.check_memory(model(), in_rows(256, 512, micro_batches=2))
    assert recommended(error)[0]["micro_batches"] > 16


def test_replicas_share_the_rows_and_each_has_its_gradients():
    alone = memory.step_bytes(model(), in_rows(32, 512))
    two_here = memory.step_bytes(model(), in_rows(32, 512, replicas=2, local_replicas=2))
    elsewhere = memory.step_bytes(model(), in_rows(32, 512, replicas=2))
    gradients = memory.step_bytes(model(), in_rows(1, 1))
    assert alone + gradients < two_here < alone + 4 * gradients
    assert alone / 2 < elsewhere < alone / 2 + 2 * gradients


def test_a_step_that_ran_out_of_memory():
    size = in_rows(64, 512)
    error = memory.out_of_memory(model(), size)
    assert isinstance(error, InputError)
    assert "does not fit into the device's memory" in str(error)
    changes, recompute = recommended(error)
    assert changes == {"batch_size": 16, "micro_batches": 4}
    assert recompute


MEMINFO = "MemTotal:       24684092 kB\nMemFree:  1000 kB\nMemAvailable:   20000000 kB\n"


def system(root, cgroup, **files):
    """Writes a `proc` and a `sys`; names of files have __ for /."""
    files = {"proc/meminfo": MEMINFO, "proc/self/cgroup": cgroup} | {
        f"sys/fs/cgroup/{name.replace('__', '/')}": text for name, text in files.items()
    }
    for name, text in files.items():
        path = root / re.sub(
            r"/(max|current|stat|limit_in_bytes|usage_in_bytes)$", r"/memory.\1", name
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def test_what_the_machine_has(tmp_path):
    assert memory.free_memory(system(tmp_path, "0::/\n")) == 20_000_000 * 1024
    assert memory.free_memory(tmp_path / "nothing") is None


def test_what_a_control_group_leaves(tmp_path):
    root = system(
        tmp_path,
        "0::/jobs/one\n",
        jobs__one__max="max\n",
        jobs__one__current="900\n",
        jobs__one__stat="inactive_file 0\nactive_file 0\n",
        jobs__max="1000000\n",
        jobs__current="600000\n",
        jobs__stat="anon 5\ninactive_file 100\nactive_file 20\n",
    )
    assert memory.free_memory(root) == 400_120


def test_what_a_control_group_of_the_first_version_leaves(tmp_path):
    root = system(
        tmp_path,
        "5:devices:/\n4:memory:/outside/one\n0::/\n",
        memory__limit_in_bytes="5000\n",  # the container's own mount
        memory__usage_in_bytes="4000\n",
        memory__stat="inactive_file 1\ntotal_inactive_file 7\ntotal_active_file 3\n",
    )
    assert memory.free_memory(root) == 1010


def test_this_machine_tells():
    free = memory.free_memory()
    assert free is None or 0 < free < 1 << 50
