"""Killed is paused: a training that is stopped again and again ends as one that is not, to the bit.

The processes that are killed are forked from one that has imported TensorFlow, which is most of a
short run's time; the unbroken run and the last start are the script as a person calls it.
"""

import json
import multiprocessing
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time

import pytest
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

ROOT = pathlib.Path(__file__).parent.parent
HANGS = 300  # seconds
SHAPE = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
}


def call(script, log, arguments):
    """Runs a script in the process that this is called in, with its output in a file."""
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    sys.argv = [script, *arguments]
    __import__(script).main()


@pytest.fixture(scope="module")
def forks():
    """Where processes are forked from."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            *(
                "bert_keras.training.job",
                "bert_keras.tasks.classification.bound",
                "sklearn.metrics",
            ),
            *("bert_keras.tasks.pretraining.bound", "bert_keras.corpus.prepared"),
        ]
    )
    return context


class Run:
    """A script's run in a folder, started with one command as often as it takes."""

    def __init__(self, script, folder, *arguments):
        self.folder = folder
        self.log = folder.with_suffix(".log")
        self._script = script
        self._arguments = [*map(str, arguments), "--do_train", f"--output_dir={folder}"]

    def start_and_wait(self):
        """Returns what it says."""
        command = [sys.executable, ROOT / f"{self._script}.py", *self._arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def start_and_stop(self, forks, moment, number):
        """Sends it a signal as soon as `moment()` holds; returns its exit code."""
        process = forks.Process(target=call, args=(self._script, self.log, self._arguments))
        process.start()
        latest = time.monotonic() + HANGS
        while not moment():
            assert process.is_alive(), self.said
            assert time.monotonic() < latest, self.said
            time.sleep(0.001)
        os.kill(process.pid, number)
        process.join(HANGS)
        return process.exitcode

    @property
    def said(self):
        """What those said that were stopped."""
        return self.log.read_text()

    @property
    def step(self):
        """That of the newest checkpoint, 0 if there is none."""
        names = (re.fullmatch(r"step-(\d+)\.safetensors", n) for n in self._names("checkpoints"))
        return max((int(name[1]) for name in names if name), default=0)

    def writes(self, name):
        """Whether it is writing a file that begins so."""
        names = self._names("checkpoints") + self._names("")
        return any(found.startswith(f".aside.{name}") for found in names)

    def _names(self, folder):
        try:
            return os.listdir(self.folder / folder)
        except FileNotFoundError:
            return []

    def result(self):
        """All that it has come to: weights, moments, step, dropout's seeds, scores, curves."""
        # Those before the last one may have been saved by how long a checkpoint took.
        last = self.folder / "checkpoints" / f"step-{self.step}.safetensors"
        paths = [*self.folder.glob("*.safetensors"), last]
        paths += [self.folder / "config.json", self.folder / "scores.json"]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths} | {
            name: self._curves(name) for name in ("train", "eval")
        }

    def _curves(self, name):
        """What TensorBoard shows, by tag: [(step, bytes)]; but speed, graphs and the run's name."""
        events = EventAccumulator(str(self.folder / name), {"tensors": 0}).Reload()
        return {
            tag: [(e.step, e.tensor_proto.SerializeToString()) for e in events.Tensors(tag)]
            for tag in events.Tags()["tensors"]
            if not tag.endswith("_per_second") and not tag.startswith("_")
        }


def soon_after_the_start(draw):
    """A moment in which the process reads, builds its graphs, restores or takes its first steps."""
    end = time.monotonic() + draw.uniform(0, 4)
    return lambda: time.monotonic() > end


def soon_after_a_step(draw, run, step):
    """A moment in a step, or in the writing of a file, a little after a step was saved."""
    kind, wait = draw.choice(["", "step-", "model"]), draw.uniform(0, 0.1)
    since = None

    def moment():
        nonlocal since
        if since is None and run.step >= step:
            since = time.monotonic()
        if since is None:
            return False
        if kind and run.step < step + 10:  # not for long: there may be no better model to write
            return run.writes(kind)
        return time.monotonic() > since + wait

    return moment


def kill_and_go_on(run, forks, kills, last):
    """Kills a run at random moments, tells it to stop once, and lets it go on to its end.

    Args:
        run: the `Run`.
        forks: the fixture.
        kills: how often.
        last: the step after which it ends.

    Returns:
        The steps that it went on from.
    """
    draw = random.Random(1)
    begun = [0] * -(-kills // 5)
    for step in begun + sorted(draw.randint(1, last // 2) for _ in range(kills - len(begun))):
        is_new = step > run.step
        moment = soon_after_a_step(draw, run, step) if is_new else soon_after_the_start(draw)
        assert run.start_and_stop(forks, moment, signal.SIGKILL) == -signal.SIGKILL, run.said
    moment = soon_after_a_step(draw, run, run.step + 1)
    assert run.start_and_stop(forks, moment, signal.SIGTERM) == 128 + signal.SIGTERM, run.said
    sentence = r"Stopped at step (\d+) of \d+; everything is saved, and the same call or command"
    (stopped,) = re.findall(f"^{sentence} continues from there.$", run.said, re.MULTILINE)
    said = run.said + run.start_and_wait()
    went_on = re.findall(r"Continuing at step (\d+)", said)
    assert went_on[-1] == stopped
    return [int(step) for step in went_on]


@pytest.mark.long
@pytest.mark.parametrize(("kills", "places"), [(8, 4), pytest.param(20, 5, marks=pytest.mark.long)])
def test_a_classifier_killed_again_and_again(
    tiny_checkpoint, samples, tmp_path, forks, kills, places
):
    arguments = [
        f"--init_checkpoint={tiny_checkpoint}",
        f"--train_file={samples / 'reviews.tsv'}",
        f"--dev_file={samples / 'reviews.tsv'}",  # so that it gets better from time to time
        *("--max_seq_length=32", "--train_batch_size=4", "--num_train_steps=400"),
        *("--learning_rate=0.001", "--learning_rate_decay=constant", "--deterministic"),
        *("--evaluations_per_epoch=0.7", "--early_stopping=accuracy", "--patience=8"),
        "--save_checkpoints_steps=3",  # also between two points of the curve, one every second step
    ]
    unbroken = Run("run_classifier", tmp_path / "unbroken", *arguments)
    unbroken.start_and_wait()
    best = json.loads((unbroken.folder / "scores.json").read_text())["step"]
    assert 10 < best < unbroken.step < 400  # stopped early, by scores that it has to remember
    run = Run("run_classifier", tmp_path / "killed", *arguments)
    went_on = kill_and_go_on(run, forks, kills, unbroken.step)
    assert len(set(went_on)) >= places, went_on
    assert run.result() == unbroken.result()


@pytest.mark.long
def test_a_pretraining_killed_8_times(tiny_checkpoint, samples, tmp_path, forks):
    (tmp_path / "bert_config.json").write_text(json.dumps(SHAPE))

    def pretraining(name):
        return Run(
            "run_pretraining",
            tmp_path / name,
            f"--prepared_dir={tmp_path / name}-prepared",
            f"--input_file={samples / 'reports.txt'}",
            f"--vocab_dir={tiny_checkpoint}",
            f"--bert_config_file={tmp_path / 'bert_config.json'}",
            *("--layout=sentences", "--max_seq_length=64", "--short_seq_length=32"),
            *("--train_batch_size=4", "--gradient_accumulation_steps=2", "--masking=word"),
            *("--num_train_steps=120", "--evaluations_per_epoch=0.1", "--dev_fraction=0.3"),
            *("--save_checkpoints_steps=4", "--deterministic"),
        )

    unbroken = pretraining("unbroken")
    unbroken.start_and_wait()
    assert unbroken.step == 120
    run = pretraining("killed")
    went_on = kill_and_go_on(run, forks, 8, 120)
    assert len(set(went_on)) >= 4, went_on
    assert run.result() == unbroken.result()
