import contextlib
import errno
import os
import shutil
import socket
import subprocess
import sys
import textwrap

import pytest
import tensorflow as tf

from bert_keras import files
from bert_keras.errors import InputError
from bert_keras.training.run_folder import RunFolder


def test_a_run_from_its_beginning_to_its_end(tmp_path):
    folder = RunFolder(tmp_path / "deep" / "run")
    assert not folder.exists and not folder.finished and folder.record == {}
    assert not (tmp_path / "deep").exists()
    folder.begin({"seed": 3, "train_file": "größe.tsv"})
    assert folder.exists and not folder.finished
    folder.keep_scores(10, {"f1": 0.5})
    assert not folder.finished
    folder.finish()

    again = RunFolder(tmp_path / "deep" / "run")
    assert again.finished and again.record == {"seed": 3, "train_file": "größe.tsv"}
    again.begin({"seed": 4})
    assert again.record["seed"] == 3


def test_refuses_what_is_no_run(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"holds files but no flags\.json"):
        RunFolder(tmp_path)
    with pytest.raises(InputError, match="is a file, expected a folder"):
        RunFolder(tmp_path / "thesis.txt")


def test_takes_an_empty_folder(tmp_path):
    RunFolder(tmp_path).begin({})
    assert RunFolder(tmp_path).exists


def test_a_damaged_record(tmp_path):
    (tmp_path / "flags.json").write_text('{"seed": ')
    with pytest.raises(InputError, match=r"flags\.json: expected JSON"):
        RunFolder(tmp_path)


@pytest.mark.parametrize("flags", ["{}", '{"lr": 1}', '{"program": "other"}', "[]"])
def test_flags_of_another_program(tmp_path, flags):
    (tmp_path / "flags.json").write_text(flags)
    (tmp_path / "model.safetensors").write_text("theirs")
    with pytest.raises(InputError, match=r"flags\.json(: expected a JSON object| is not of this)"):
        RunFolder(tmp_path)
    assert len([*tmp_path.iterdir()]) == 2


def test_checkpoints(tmp_path):
    folder = RunFolder(tmp_path)
    weight, waited = tf.Variable([1.0, 2.0]), tf.Variable(0)
    checkpoints = folder.checkpoints(1, {"devices": 1}, training=[weight], stopping=[waited])
    assert checkpoints.restore() is None
    for step in (5, 10):
        weight.assign([step, step])
        waited.assign(step)
        checkpoints.save(step)
    checkpoints.flush()
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-10.safetensors"]
    weight.assign([0.0, 0.0])
    assert folder.checkpoints(training=[weight], stopping=[waited]).restore() == 10
    assert weight.numpy().tolist() == [10, 10] and int(waited) == 10


# Two processes, several workers.


@contextlib.contextmanager
def another_process(path, what="lock"):
    """A process that holds a run's folder until the block ends, by SIGKILL."""
    script = f"""
        import time
        from bert_keras.training.run_folder import RunFolder
        RunFolder({str(path)!r}).{what}
        print(flush=True)
        time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "\n"
            yield process
        finally:
            process.kill()


@pytest.mark.long
def test_the_second_process_is_told(tmp_path):
    run = tmp_path / "run"
    first = RunFolder(run)  # both find no run here, and begin one
    with another_process(run, "begin({})") as process:
        where = f"{run} is in use by process {process.pid} on {socket.gethostname()} since 20"
        with pytest.raises(InputError, match=where):
            first.begin({"seed": 3})
        before = (run / ".lock").read_bytes()
        with pytest.raises(InputError, match=where):
            RunFolder(run).lock()
        assert (run / ".lock").read_bytes() == before
        assert RunFolder(run).record == {}  # reading is free
        worker = RunFolder(run, writes=False)
        worker.lock()
        worker.begin({})
    first.begin({"seed": 3})  # free again after SIGKILL
    with another_process(tmp_path / "other", "begin({})"):
        RunFolder(run).lock()  # again, by the process that holds it
    assert f"process {os.getpid()} " in (run / ".lock").read_text()
    assert RunFolder(run).record == {}


@pytest.mark.long
def test_a_folder_that_was_removed_and_begun_again(tmp_path):
    path = tmp_path / "run"
    RunFolder(path).begin({})
    shutil.rmtree(path)
    RunFolder(path).begin({})
    script = f"from bert_keras.training.run_folder import RunFolder as R; R({str(path)!r}).lock()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert f"InputError: output_dir: {path} is in use by process {os.getpid()} on" in done.stderr


def test_a_run_that_is_not_begun_is_not_touched(tmp_path):
    RunFolder(tmp_path).lock()
    RunFolder(tmp_path / "run").lock()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_where_there_are_no_locks(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    with another_process(tmp_path / "run", "begin({})"):
        with monkeypatch.context() as patch:
            patch.setattr(files.fcntl, "flock", refuse)
            RunFolder(tmp_path / "run").lock()
        with monkeypatch.context() as patch:
            patch.setattr(files, "fcntl", None)  # as on Windows
            RunFolder(tmp_path / "run").lock()


def test_what_a_killed_process_left(tmp_path):
    """One that was killed before it had its flags, in the middle of writing them."""
    (tmp_path / ".lock").touch()
    (tmp_path / ".aside.flags.json.x").write_text("{")
    RunFolder(tmp_path).begin({"seed": 3})
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "flags.json"]


def test_a_worker_that_does_not_write(tmp_path):
    worker = RunFolder(tmp_path / "run", writes=False)
    worker.begin({}, "rows")
    worker.keep_scores(3, {})
    worker.finish()
    checkpoints = worker.checkpoints(step=[tf.Variable(0)])
    checkpoints.save(1)
    checkpoints.flush()
    assert list(tmp_path.iterdir()) == []
    RunFolder(tmp_path / "run").begin({"seed": 3}, "rows")
    assert worker.record["seed"] == 3
    worker.begin({}, "rows")
    with pytest.raises(InputError, match="was begun on other data"):
        worker.begin({}, "other rows")
