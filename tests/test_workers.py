"""Two processes as workers of one training, on loopback; either of them is killed."""

import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import calling
import pytest

import run_workers

run_classifier = calling.load("run_classifier")
ROOT = pathlib.Path(__file__).parent.parent

BATCH, EPOCHS = 16, 5
TRAIN_ROWS = 3 * BATCH + 1  # the last batch of an epoch has less to do than there are devices
DEV_ROWS = 15
STEPS = 4 * EPOCHS


@pytest.fixture(scope="module")
def arguments(tiny_checkpoint, tmp_path_factory):
    """What every worker and the single process are started with, their folder aside.

    Dropout is off, as each device draws for itself. The gradients are clipped, and the batches are
    computed in parts.
    """
    folder = tmp_path_factory.mktemp("workers")
    checkpoint = shutil.copytree(tiny_checkpoint, folder / "checkpoint")
    config = json.loads((checkpoint / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (checkpoint / "config.json").write_text(json.dumps(config))

    draw = random.Random(0)
    for name, rows in (("train", TRAIN_ROWS), ("dev", DEV_ROWS)):
        texts = ["".join(draw.choices("abcdefgh", k=draw.randint(5, 40))) for _ in range(rows)]
        lines = [f"{' '.join(text)}\t{'few' if len(text) < 20 else 'many'}" for text in texts]
        (folder / f"{name}.tsv").write_text("\n".join(["text\tlabel", *lines, ""]))
    return [
        *("--do_train", "--do_eval", f"--init_checkpoint={checkpoint}", "--max_seq_length=64"),
        *(f"--train_file={folder / 'train.tsv'}", f"--dev_file={folder / 'dev.tsv'}"),
        *(f"--train_batch_size={BATCH}", f"--num_train_epochs={EPOCHS}", "--eval_batch_size=7"),
        *("--gradient_accumulation_steps=2", "--learning_rate=0.003"),
        "--save_checkpoints_steps=1",
    ]


@pytest.fixture(scope="module")
def alone(arguments, tmp_path_factory):
    """The folder of the same run in one process."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    done = calling.call(run_classifier, *arguments, f"--output_dir={folder}")
    assert done.code == 0, done.err
    return folder


class Group:
    """A group of two workers."""

    def __init__(self, arguments, folder, log, script="run_classifier.py"):
        self._log = log
        command = [sys.executable, run_workers.__file__, "--workers=2", ROOT / script]
        environment = {n: v for n, v in os.environ.items() if n != "TF_CPP_MIN_LOG_LEVEL"}
        with log.open("w") as file:
            self._starter = subprocess.Popen(
                [*command, *arguments, f"--output_dir={folder}"],
                stdout=file,
                stderr=file,
                env=environment,
            )

    def worker(self, index):
        """The number of a worker's process; Linux tells the children in the order of their start.

        The chief's is the first.
        """
        pid = self._starter.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[index])

    def wait_for(self, folder, step):
        """Waits until a checkpoint of this step, or of a later one, is there."""
        while newest(folder) < step:
            assert self._starter.poll() is None, self.shown()
            time.sleep(0.05)

    def wait(self, seconds=180):
        """Waits for the end; returns the exit code."""
        try:
            return self._starter.wait(seconds)
        finally:
            if self._starter.poll() is None:
                self._starter.terminate()

    def shown(self):
        return self._log.read_text()


def newest(folder):
    names = [path.name for path in folder.glob("checkpoints/step-*.safetensors")]
    return max((int(re.search(r"\d+", name)[0]) for name in names), default=0)


def scalars(folder, name):
    """Every value that was written, a step that was done twice included: [(step, value)]."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    everything = {"size_guidance": {"tensors": 0}, "purge_orphaned_data": False}
    events = EventAccumulator(str(folder / "train"), **everything).Reload()
    found = events.Tensors(f"train/{name}")
    return [(event.step, float(make_ndarray(event.tensor_proto))) for event in found]


def send(number, pid):
    subprocess.run(["kill", f"-{number}", str(pid)], check=True)


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
def test_a_group_that_lost_a_worker_goes_on_to_the_numbers_of_one_process(
    arguments, alone, tmp_path
):
    folder = tmp_path / "run"
    for index in (1, 0):  # the chief, too
        group = Group(arguments, folder, tmp_path / f"{index}.log")
        group.wait_for(folder, newest(folder) + 2)
        begin = time.monotonic()
        send(signal.SIGKILL, group.worker(index))
        code = group.wait()
        # A minute for the other to notice; after that it would be killed, and that would be told.
        assert time.monotonic() - begin < 60
        shown = group.shown()
        assert f"Worker {index} of 2, counted from 0, was killed by SIGKILL." in shown
        assert "had to be killed" not in shown
        assert code == 1
        assert "Traceback" not in shown
        assert "continues from the last checkpoint" in shown
        assert not re.search("grpc|UNAVAILABLE|^(.1. )?[EFW][0-9]{4} ", shown, re.MULTILINE), shown
        assert not (folder / "eval_results.json").exists()

    group = Group(arguments, folder, tmp_path / "last.log")
    code = group.wait()
    shown = group.shown()
    assert code == 0, shown
    assert "Continuing at step" in shown

    expected = dict(scalars(alone, "loss"))
    assert list(expected) == list(range(1, STEPS + 1))
    found = scalars(folder, "loss")
    assert {step for step, _ in found} == set(expected)
    assert [loss for _, loss in found] == pytest.approx(
        [expected[step] for step, _ in found], rel=1e-5, abs=1e-5
    )
    norms = dict(scalars(alone, "gradient_norm"))
    assert max(norms.values()) > 1, "nothing was clipped"
    for step, norm in scalars(folder, "gradient_norm"):
        assert norm == pytest.approx(norms[step], rel=1e-3)
    names = ("eval_results.json", "scores.json")
    for mine, theirs in ([json.loads((f / n).read_text()) for f in (folder, alone)] for n in names):
        assert mine == theirs


@pytest.mark.long
def test_two_workers_pretrain_as_one_process(tiny_checkpoint, samples, tmp_path):
    config = {
        **{"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2},
        **{"intermediate_size": 32, "max_position_embeddings": 64},
        **{"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
    }
    (tmp_path / "bert_config.json").write_text(json.dumps(config))
    arguments = [
        *("--do_train", "--layout=sentences", f"--input_file={samples / 'reports.txt'}"),
        *(f"--prepared_dir={tmp_path / 'prepared'}", f"--vocab_dir={tiny_checkpoint}"),
        *(f"--bert_config_file={tmp_path / 'bert_config.json'}", "--max_seq_length=64"),
        *("--train_batch_size=8", "--num_train_steps=4", "--dev_fraction=0.3"),
    ]
    alone, together = tmp_path / "alone", tmp_path / "together"
    command = [sys.executable, ROOT / "run_pretraining.py", *arguments, f"--output_dir={alone}"]
    subprocess.run(command, check=True)
    group = Group(arguments, together, tmp_path / "log", "run_pretraining.py")
    assert group.wait() == 0, group.shown()
    for name in ("loss", "loss_of_masked_lm", "gradient_norm"):
        expected = scalars(alone, name)
        assert [step for step, _ in expected] == [1, 2, 3, 4]
        for found, same in zip(scalars(together, name), expected, strict=True):
            assert found == pytest.approx(same, rel=1e-4 if name == "gradient_norm" else 1e-5)
    mine, theirs = (json.loads((f / "scores.json").read_text()) for f in (together, alone))
    assert mine["scores"] == pytest.approx(theirs["scores"], rel=1e-3)
