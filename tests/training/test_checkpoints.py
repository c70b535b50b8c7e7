"""Checkpoints that are whole or not there, whatever happens to the process and to the disk."""

import errno
import logging
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import types

import numpy as np
import pytest
import safetensors
import tensorflow as tf

from bert_keras import files
from bert_keras.errors import InputError
from bert_keras.training import checkpoints as checkpoints_module
from bert_keras.training.checkpoints import Checkpoints

VALUES = {
    "weights": [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.array([1.5, -2], tf.bfloat16.as_numpy_dtype),
        np.zeros([0, 4], np.float16),
    ],
    "state": [
        np.array([2**63 - 1, -5], np.int64),
        np.array(2**32 - 1, np.uint32),
        np.array(-np.inf, np.float64),
        np.array([True, False]),
    ],
}


def variables(make=np.copy):
    """Variables of all the kinds that a training has."""
    return {group: [tf.Variable(make(v)) for v in values] for group, values in VALUES.items()}


def bits(of):
    return [[(v.dtype, v.shape, v.numpy().tobytes()) for v in group] for group in of.values()]


@pytest.fixture
def step():
    return tf.Variable(0, dtype=tf.int64)


@pytest.fixture
def saved(tmp_path, step):
    """The checkpoints of a training of the steps 3, 6 and 9."""
    checkpoints = Checkpoints(tmp_path / "run", {"step": [step]})
    for value in (3, 6, 9):
        step.assign(value)
        checkpoints.save(value)
    checkpoints.flush()
    step.assign(0)
    return tmp_path / "run"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_every_bit_comes_back(tmp_path):
    before, after = variables(), variables(np.zeros_like)
    checkpoints = Checkpoints(tmp_path / "run", before, notes={"devices": 2})
    assert checkpoints.restore() is None and not (tmp_path / "run").exists()
    checkpoints.save(1200)
    checkpoints.flush()
    assert names(tmp_path / "run") == ["step-1200.safetensors"]
    assert bits(before) != bits(after)
    checkpoints = Checkpoints(tmp_path / "run", after, notes={"devices": 1})
    assert checkpoints.restored_notes == {}
    assert checkpoints.restore() == 1200 and checkpoints.restored_notes == {"devices": 2}
    assert bits(before) == bits(after)
    with safetensors.safe_open(tmp_path / "run" / "step-1200.safetensors", "numpy") as file:
        assert file.metadata()["step"] == "1200"


def test_what_changes_while_it_is_written_is_kept_as_it_was(tmp_path, monkeypatch):
    saved = threading.Event()
    monkeypatch.setattr(Checkpoints, "_write", _after(saved, Checkpoints._write))
    ones = {"all": [tf.Variable(tf.ones([3, 2])) for _ in range(4)]}
    checkpoints = Checkpoints(tmp_path, ones)
    checkpoints.save(1)
    first, second, third, fourth = ones["all"]
    first.assign_add(first)
    second.scatter_add(tf.IndexedSlices(tf.ones([1, 2]), [1]))
    third.assign(tf.zeros([3, 2]))
    tf.raw_ops.ResourceApplyGradientDescent(var=fourth.handle, alpha=1.0, delta=tf.ones([3, 2]))
    changed = [variable.numpy() for variable in ones["all"]]
    saved.set()
    checkpoints.flush()
    assert not any((values == 1).all() for values in changed)
    assert checkpoints.restore() == 1
    assert all((variable.numpy() == 1).all() for variable in ones["all"])


def _after(event, function):
    def waiting(*arguments):
        assert event.wait(60)
        function(*arguments)

    return waiting


def test_the_newest_are_kept(saved, step):
    assert names(saved) == ["step-6.safetensors", "step-9.safetensors"]
    checkpoints = Checkpoints(saved, {"step": [step]}, keep=3)
    assert checkpoints.restore() == 9 and int(step) == 9
    assert checkpoints.restore(6) == 6 and int(step) == 6
    with pytest.raises(InputError, match=r"step-3\.safetensors: expected this checkpoint, found"):
        checkpoints.restore(3)
    for value in (12, 100):  # by number, not by name
        checkpoints.save(value)
    checkpoints.flush()
    assert names(saved) == [f"step-{value}.safetensors" for value in (100, 12, 9)]


def test_what_changes_after_saving_is_not_in_it(tmp_path, monkeypatch):
    may_write = threading.Event()
    write = Checkpoints._write
    monkeypatch.setattr(Checkpoints, "_write", lambda *a: (may_write.wait(10), write(*a)))
    variable = tf.Variable(tf.ones([1000]))
    checkpoints = Checkpoints(tmp_path, {"weights": [variable]})
    checkpoints.save(1)
    variable.assign_add(tf.ones([1000]))
    assert names(tmp_path) == []  # the training did not wait
    may_write.set()
    checkpoints.flush()
    assert checkpoints.restore() == 1
    assert set(variable.numpy()) == {1}


def flip(at):
    def spoil(data):
        data[at] ^= 0x20
        return data

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [
        *(flip(at) for at in (0, 7, 8, 20, 37, 40, 60, 80, 100, -9, -1)),
        *(lambda data, size=size: data[:size] for size in (0, 5, 37, 40, 44, 45, 90, -8, -1)),
        lambda data: data + b"\0",
        lambda data: bytes(len(data)),  # as a file may be after a loss of power
        lambda data: data[:8] + data[8:].replace(b"I64", b"U64"),
        lambda data: b"\xff" * 8 + data[8:],
    ],
)
def test_a_damaged_one_is_set_aside(saved, step, spoil, caplog):
    path = saved / "step-9.safetensors"
    path.write_bytes(spoil(bytearray(path.read_bytes())))
    reader = Checkpoints(saved, {"step": [step]}, writes=False)
    assert reader.restore() == 6 and names(saved)[-1] == "step-9.safetensors"
    with caplog.at_level(logging.WARNING):
        assert Checkpoints(saved, {"step": [step]}).restore() == 6 and int(step) == 6
    assert f"{path} is damaged" in caplog.text and "the checkpoint of step 6" in caplog.text
    assert names(saved) == ["step-6.safetensors", "step-9.safetensors.damaged"]


def test_a_flipped_bit_anywhere(saved, step):
    path = saved / "step-9.safetensors"
    data = path.read_bytes()
    checkpoints = Checkpoints(saved, {"step": [step]}, writes=False)
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])
        assert checkpoints.restore() == 6, at
    path.write_bytes(data)
    assert checkpoints.restore() == 9


def test_all_are_damaged(saved, step):
    for path in saved.iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    for _ in range(2):  # the next start does not begin anew either
        with pytest.raises(InputError, match=r"step-9\.safetensors, step-6\.safetensors"):
            Checkpoints(saved, {"step": [step]}).restore()
    assert names(saved) == ["step-6.safetensors", "step-9.safetensors"] and int(step) == 0


@pytest.mark.parametrize(
    ("others", "sentence"),
    [
        ({"step": [tf.Variable(0)]}, r"step/0 is I64 \(\), and here I32 \(\)"),
        ({"step": [tf.Variable([0], dtype=tf.int64)]}, r"I64 \(\), and here I64 \(1,\)"),
        ({"step": []}, r"step/0 is I64 \(\), and here not there"),
        ({"steps": [tf.Variable(0)]}, r"steps/0 is not there, and here I32 \(\)"),
    ],
)
def test_of_another_training(saved, others, sentence):
    with pytest.raises(InputError, match="expected a checkpoint of this training.*" + sentence):
        Checkpoints(saved, others).restore()
    assert names(saved) == ["step-6.safetensors", "step-9.safetensors"]


def test_a_reader_changes_nothing(saved, step):
    (saved / ".aside.step-12.safetensors.x").touch()
    before = {path: path.read_bytes() for path in saved.iterdir()}
    reader = Checkpoints(saved, {"step": [step]}, writes=False)
    assert reader.restore() == 9
    reader.save(12)
    reader.flush()
    assert {path: path.read_bytes() for path in saved.iterdir()} == before


def test_a_full_disk(saved, step, monkeypatch):
    checkpoints = Checkpoints(saved, {"step": [step]})
    checkpoints.restore()
    with monkeypatch.context() as patch:

        def full(handle):
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(files.os, "fsync", full)
        checkpoints.save(12)
        with pytest.raises(OSError, match=f"No space left on device: '{saved}/step-12"):
            checkpoints.save(15)
        checkpoints.save(15)
        with pytest.raises(OSError, match="No space left"):
            checkpoints.flush()
    assert names(saved) == ["step-6.safetensors", "step-9.safetensors"]
    checkpoints.save(18)  # there is room again
    checkpoints.flush()
    assert names(saved) == ["step-18.safetensors", "step-9.safetensors"]


def test_a_file_that_may_not_grow(saved):
    """As full as a disk: the system refuses in the middle of a write."""
    before = {path: path.read_bytes() for path in saved.iterdir()}
    signal_before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    checkpoints = Checkpoints(saved, {"weights": [tf.zeros([1 << 20])]})
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
        checkpoints.save(12)
        with pytest.raises(OSError, match=f"File too large: '{saved}/step-12"):
            checkpoints.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, signal_before)
    assert {path: path.read_bytes() for path in saved.iterdir()} == before


@pytest.mark.long
def test_killed_while_it_writes(saved, step):
    script = f"""
        import os, signal, sys, threading, time
        import tensorflow as tf
        from bert_keras.training.checkpoints import Checkpoints

        folder = {str(saved)!r}
        checkpoints = Checkpoints(folder, {{"step": [tf.Variable(tf.ones([1 << 26]))]}})
        checkpoints.save(12)
        while True:
            sizes = [e.stat().st_size for e in os.scandir(folder) if e.name.startswith(".aside.")]
            if sizes and sizes[0]:
                print(*sizes, flush=True)
                os.kill(os.getpid(), signal.SIGKILL)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert 0 < int(done.stdout) < 4 << 26  # a part of it was there
    (left, *others) = names(saved)
    assert left.startswith(".aside.step-12.safetensors")
    assert others == ["step-6.safetensors", "step-9.safetensors"]
    assert Checkpoints(saved, {"step": [step]}).restore() == 9
    assert names(saved) == others


def test_what_is_written_survives_a_loss_of_power(saved, step, monkeypatch):
    """The file is on disk before it has its name, and the name before the older one goes."""
    done = []
    for name in ("fsync", "replace", "unlink"):
        original = getattr(os, name)

        def call(*arguments, name=name, original=original):
            is_folder = isinstance(arguments[0], int) and os.path.isdir(f"/dev/fd/{arguments[0]}")
            done.append(name + " of the folder" * is_folder)
            return original(*arguments)

        monkeypatch.setattr(os, name, call)
    checkpoints = Checkpoints(saved, {"step": [step]})
    checkpoints.save(12)
    checkpoints.flush()
    assert done == ["fsync", "replace", "fsync of the folder", "unlink"]


def test_one_that_is_not_cheap_is_left_out(tmp_path, step, monkeypatch):
    clock = types.SimpleNamespace(now=100.0, worked=0.0)
    monkeypatch.setattr(checkpoints_module.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(checkpoints_module.time, "thread_time", lambda: clock.worked)
    write = checkpoints_module._write

    def write_for_a_second(*arguments):
        clock.worked += 1
        write(*arguments)

    monkeypatch.setattr(checkpoints_module, "_write", write_for_a_second)
    checkpoints = Checkpoints(tmp_path, {"step": [step]}, keep=9)
    for seconds, number in ((0, 1), (49, 2), (1, 3), (49, 4)):
        clock.now += seconds
        checkpoints.save(number, if_cheap=True)
        checkpoints.flush()
    checkpoints.save(5)
    checkpoints.flush()
    assert names(tmp_path) == [f"step-{number}.safetensors" for number in (1, 3, 5)]
