import json
import logging
import os
import shutil
import signal

import numpy as np
import pytest
import safetensors.numpy
import sample_tasks
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from bert_keras.data.source import RowSource
from bert_keras.errors import InputError, Interrupted
from bert_keras.models.classifier import BertClassifier
from bert_keras.tasks.classification.task import Classification
from bert_keras.tensorboard.writer import RunWriter
from bert_keras.training import memory
from bert_keras.training.job import Job, Settings
from bert_keras.training.loop import Schedule
from bert_keras.training.run_folder import RunFolder
from bert_keras.training.step import TrainingStep
from bert_keras.training.task import Evaluation


@pytest.fixture(autouse=True)
def draw_no_graph(monkeypatch):
    """Spares each test's runs a trace. `unbroken` is made before, so it has its graph."""
    monkeypatch.setattr("bert_keras.training.job._draw", lambda *_: None)


@pytest.fixture(scope="module")
def make_job(tiny_checkpoint, samples):
    def make(path, task=Classification, seed=0, epochs=3.0, strategy=None, **settings):
        source = RowSource(train=str(samples / "reviews.tsv"), dev_fraction=0.2)
        schedule = Schedule(
            learning_rate=0.01,
            epochs=epochs,
            batch_size=8,
            warmup_proportion=0.1,
            evaluations_per_epoch=1.0,
            seed=seed,
        )
        settings = Settings(
            **{"init_checkpoint": str(tiny_checkpoint), "schedule": schedule, "save_every": 3}
            | settings
        )
        return Job(task(source, 32, seed=seed), settings, RunFolder(path), strategy)

    return make


@pytest.fixture(scope="module")
def unbroken(make_job, tmp_path_factory):
    """A run of 9 steps with a checkpoint after every third."""
    path = tmp_path_factory.mktemp("unbroken")
    make_job(path).train({"seed": 0}, {"seed": 0})
    return path


def state(path, step=None):
    """All that a training changes, as its newest checkpoint has it, or that of a step."""
    steps = [int(file.stem.removeprefix("step-")) for file in (path / "checkpoints").iterdir()]
    return safetensors.numpy.load_file(
        path / "checkpoints" / f"step-{max(steps) if step is None else step}.safetensors"
    )


def assert_same_run(path, other):
    mine, theirs = state(path), state(other)
    assert mine.keys() == theirs.keys()
    for name, values in mine.items():
        np.testing.assert_array_equal(values, theirs[name], name)
    for name in ("model.safetensors", "scores.json"):
        assert (path / name).read_bytes() == (other / name).read_bytes(), name


def log_steps(monkeypatch):
    steps = []
    monkeypatch.setattr(RunWriter, "training", lambda self, step, scalars: steps.append(step))
    return steps


def test_what_a_run_leaves(unbroken):
    assert {path.name for path in unbroken.iterdir()} == {
        *(".lock", "flags.json", "scores.json", "checkpoints", "train", "eval"),
        *("config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json"),
    }
    scores = json.loads((unbroken / "scores.json").read_text())
    assert scores["finished"] and scores["step"] == 9
    assert RunFolder(unbroken).finished
    events = tf.compat.v1.train.summary_iterator
    files = (unbroken / "train").iterdir()
    assert any(event.graph_def for file in files for event in events(str(file)))
    # Dropout's own states are among what is kept: without them no run goes on as it was.
    seeds = [v for v in state(unbroken).values() if v.shape == (2,) and v.dtype == np.int64]
    assert len(seeds) > 2


class CutOff(Exception):
    pass


def test_a_training_that_was_cut_off_ends_as_an_unbroken_one(
    make_job, unbroken, tmp_path, monkeypatch
):
    def raise_at_5(self, step, scalars):
        if step == 5:  # between two checkpoints
            raise CutOff

    with monkeypatch.context() as patch, pytest.raises(CutOff):
        patch.setattr(RunWriter, "training", raise_at_5)
        make_job(tmp_path).train({"seed": 0}, {"seed": 0})
    assert not RunFolder(tmp_path).finished
    steps = log_steps(monkeypatch)
    with pytest.raises(InputError, match="was begun on other data"):
        make_job(tmp_path, seed=1).train({"seed": 0}, {"seed": 0})  # which holds out other rows
    assert steps == []
    make_job(tmp_path).train({"seed": 0}, {"seed": 0})
    assert steps == [4, 5, 6, 7, 8, 9]
    assert_same_run(tmp_path, unbroken)


@pytest.mark.long
@pytest.mark.parametrize("name", ["questions", "entities", "embeddings"])
def test_other_tasks_go_on_as_well(name, tiny_checkpoint, samples, tmp_path, monkeypatch):
    def train(path):
        schedule = Schedule(0.01, 1.0, 8, 0.1, evaluations_per_epoch=0.1, seed=0, max_steps=4)
        settings = Settings(str(tiny_checkpoint), schedule, save_every=2)
        Job(sample_tasks.make(name, samples), settings, RunFolder(path)).train({}, {})

    def raise_at_4(self, step, scalars):
        if step == 4:
            raise CutOff

    train(tmp_path / "unbroken")
    with monkeypatch.context() as patch, pytest.raises(CutOff):
        patch.setattr(RunWriter, "training", raise_at_4)
        train(tmp_path / "run")
    steps = log_steps(monkeypatch)
    train(tmp_path / "run")
    assert steps == [3, 4]
    assert_same_run(tmp_path / "run", tmp_path / "unbroken")


@pytest.mark.parametrize("where", ["training", "evaluating"])
def test_told_to_stop_it_saves_first(make_job, unbroken, tmp_path, monkeypatch, where):
    told = []

    def tell(self, step, _):
        if step == 5 + (where == "evaluating"):  # an evaluation follows step 6
            os.kill(os.getpid(), signal.SIGTERM)
            told.append(step)

    with monkeypatch.context() as patch, pytest.raises(Interrupted, match="at step 6 of 9"):
        patch.setattr(RunWriter, "training", tell)
        make_job(tmp_path).train({"seed": 0}, {"seed": 0})
    assert told and not RunFolder(tmp_path).finished
    steps = log_steps(monkeypatch)
    make_job(tmp_path).train({"seed": 0}, {"seed": 0})
    assert steps == [7, 8, 9]
    assert_same_run(tmp_path, unbroken)
    events = tf.compat.v1.train.summary_iterator
    evaluated = {
        event.step
        for path in (tmp_path / "eval").iterdir()
        for event in events(str(path))
        for value in event.summary.value
        if value.tag == "eval/accuracy"
    }
    assert evaluated == {3, 6, 9}  # that of step 6 was made up for


@pytest.mark.parametrize("devices", [pytest.param((1, 2), marks=pytest.mark.long), (2, 1)])
def test_goes_on_with_other_devices(
    make_job, unbroken, mirrored, tmp_path, monkeypatch, caplog, devices
):
    strategies = {1: None, 2: mirrored}
    before, now = devices

    def stop(self, step, _):
        if step == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(RunWriter, "training", stop)
        make_job(tmp_path, strategy=strategies[before]).train({"seed": 0}, {"seed": 0})
    steps = log_steps(monkeypatch)
    with caplog.at_level(logging.INFO):
        make_job(tmp_path, strategy=strategies[now]).train({"seed": 0}, {"seed": 0})
    assert steps == [6, 7, 8, 9]
    assert "Going on at step 5 of 9." in caplog.text
    assert f"The number of devices is {now} and was {before}:" in caplog.text
    assert RunFolder(tmp_path).finished
    one, two = (safetensors.numpy.load_file(p / "model.safetensors") for p in (unbroken, tmp_path))
    assert one.keys() == two.keys()
    # Other chances of dropout, the same training.
    distance = max(np.abs(one[name] - two[name]).max() for name in one)
    assert 0 < distance < 0.1


def test_cut_off_after_the_last_step(make_job, unbroken, tmp_path, monkeypatch):
    path = shutil.copytree(unbroken, tmp_path / "run")
    folder = RunFolder(path)
    folder.keep_scores(9, json.loads((path / "scores.json").read_text())["scores"])
    assert not folder.finished
    steps = log_steps(monkeypatch)
    make_job(path).train({"seed": 0}, {"seed": 0})
    assert steps == []
    assert_same_run(path, unbroken)


def test_ended_is_ended(make_job, unbroken, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in unbroken.rglob("*")}
    job = make_job(unbroken)
    monkeypatch.setattr(Classification, "prepare", lambda *_: pytest.fail("read the rows"))
    job.train({"seed": 0}, {"seed": 0})
    assert {path: path.stat().st_mtime_ns for path in unbroken.rglob("*")} == before


def test_evaluates_the_held_out_rows_again(make_job, unbroken, capsys):
    make_job(unbroken).evaluate()
    scores = json.loads((unbroken / "eval_results.json").read_text())
    assert scores == json.loads((unbroken / "scores.json").read_text())["scores"]
    assert f"accuracy {scores['accuracy']:.4f}" in capsys.readouterr().out


class Scripted(Classification):
    """Scores that go up and down as written here."""

    script = (0.5, 0.8, 0.7, 0.6, 0.9)
    evaluations = 0

    def evaluate(self, outputs):
        self.evaluations += 1
        return Evaluation({"accuracy": self.script[self.evaluations - 1]})

    def save(self, model, folder):
        super().save(model, folder)
        self.saved = model.get_weights()
        self.saved_at = self.evaluations


def test_early_stopping_keeps_the_best_weights(make_job, unbroken, tmp_path, monkeypatch):
    tasks, steps = [], log_steps(monkeypatch)

    def task(*arguments, **more):
        tasks.append(Scripted(*arguments))
        return tasks[-1]

    settings = {"seed": 1, "epochs": 9.0, "early_stopping": "accuracy", "patience": 2}
    job = make_job(tmp_path, task, **settings)
    job.train({}, {})
    assert steps[-1] == 12  # of 27; evaluated after 3, 6, 9 and 12
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores == {"step": 6, "scores": {"accuracy": 0.8}, "finished": True}
    assert tasks[0].saved_at == 2
    kept = BertClassifier.from_pretrained(tmp_path)
    for value, best in zip(kept.get_weights(), tasks[0].saved, strict=True):
        np.testing.assert_array_equal(value, best)

    # Had it been cut off before it noted its end, it would not train on.
    RunFolder(tmp_path).keep_scores(6, {"accuracy": 0.8})
    make_job(tmp_path, task, **settings).train({}, {})
    assert steps[-1] == 12 and tasks[1].evaluations == 0

    # The other seed has made it another run, from the first step on.
    mine, theirs = state(tmp_path, 9), state(unbroken, 9)
    assert mine["training/0"].shape == theirs["training/0"].shape
    assert not np.array_equal(mine["training/0"], theirs["training/0"])


def test_trains_in_bfloat16_and_answers_in_float32(make_job, tmp_path):
    answers = []

    class Recording(Classification):
        def evaluate(self, outputs):
            answers.append(np.array(outputs))
            return super().evaluate(outputs)

    job = make_job(tmp_path, Recording, epochs=1.0, dtype="mixed_bfloat16")
    job.train({}, {})
    weights = safetensors.numpy.load_file(tmp_path / "model.safetensors")
    assert {values.dtype for values in weights.values()} == {np.dtype(np.float32)}
    # From outside: the kept weights give the same answers in a float32 model, to the last digits
    # that bfloat16 would not have.
    make_job(tmp_path, Recording).evaluate()
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-6)
    assert not np.array_equal(answers[0], answers[0].astype(tf.bfloat16.as_numpy_dtype))


@pytest.mark.parametrize(
    ("asked", "settings", "message"),
    [
        ({}, {"early_stopping": "f2"}, "expected one of accuracy, f1, f1_macro, matthews, found"),
        ({"predicts": True}, {}, "predict_file: expected a file, or"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(
    make_job, tmp_path, asked, settings, message
):
    path = tmp_path / "run"
    with pytest.raises(InputError, match=message):
        make_job(path, **settings).train({}, {}, **asked)
    assert not path.exists()


def test_a_batch_that_does_not_fit(make_job, tmp_path, monkeypatch):
    path = tmp_path / "run"
    monkeypatch.setattr(memory, "free_memory", lambda: 4e6)
    with pytest.raises(InputError, match=r"--train_batch_size=8 in \d+ rows .* are free"):
        make_job(path).train({}, {})
    assert not path.exists()


def test_a_batch_that_fits_no_longer(make_job, unbroken, tmp_path, monkeypatch):
    path = shutil.copytree(unbroken, tmp_path / "run")
    (path / "scores.json").unlink()
    (path / "checkpoints" / "step-9.safetensors").unlink()
    monkeypatch.setattr(memory, "free_memory", lambda: 4e6)
    steps = log_steps(monkeypatch)
    with pytest.raises(InputError, match=r"--train_batch_size=8 in \d+ rows .* are free"):
        make_job(path).train({"seed": 0}, {"seed": 0})
    assert steps == []


def test_a_device_that_runs_out_of_memory(make_job, tmp_path, monkeypatch):
    def fail(self, batch, totals, whole=None):
        raise tf.errors.ResourceExhaustedError(None, None, "no room")

    monkeypatch.setattr(TrainingStep, "_gradients", fail)
    with pytest.raises(InputError, match=r"--train_batch_size=8 .* does not fit"):
        make_job(tmp_path).train({}, {})


def test_trains_in_float16(make_job, tmp_path):
    job = make_job(tmp_path, epochs=8.0, dtype="mixed_float16")
    job.train({}, {})
    losses = [float(tf.make_ndarray(v.tensor)) for v in scalars(tmp_path, "train/loss")]
    assert np.isfinite(losses).all() and np.mean(losses[-4:]) < np.mean(losses[:4]) - 0.1


def scalars(path, tag):
    """The values of a tag in a run's events, in their order."""
    for file in sorted((path / tag.split("/")[0]).iterdir()):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            yield from (value for value in event.summary.value if value.tag == tag)


@pytest.mark.parametrize(
    ("asked", "settings", "flag"),
    [({"evaluates": True}, {}, "do_eval"), ({}, {"early_stopping": "f1"}, "early_stopping")],
)
def test_nothing_to_evaluate_on(make_job, tmp_path, asked, settings, flag, monkeypatch):
    monkeypatch.setattr(Classification, "evaluation_set", lambda self: None)
    path = tmp_path / "run"
    with pytest.raises(InputError, match=f"--{flag}: expected rows to evaluate on"):
        make_job(path, **settings).train({}, {}, **asked)
    assert not path.exists()


class Untrained(Classification):
    answers_untrained = True


def test_weights_answer_as_they_are(make_job, unbroken, tmp_path, capsys, caplog):
    caplog.set_level(logging.INFO)
    make_job(unbroken).evaluate()
    expected = capsys.readouterr().out
    path = tmp_path / "run"
    job = make_job(path, Untrained, init_checkpoint=str(unbroken))
    job.take_weights({"seed": 0}, evaluates=True)
    job.evaluate()
    assert capsys.readouterr().out == expected
    assert f"Not trained here: these are the weights of {unbroken} as they are." in caplog.text
    assert {path.name for path in path.iterdir()} == {".lock", "flags.json", "eval_results.json"}
    # A later call finds a run, still without a model of its own.
    make_job(path, Untrained, init_checkpoint=str(unbroken)).evaluate()
    assert capsys.readouterr().out == expected


def test_no_weights_to_answer_with(make_job, unbroken, tmp_path):
    path = tmp_path / "run"
    for task, reference, pattern in (
        (Classification, str(unbroken), "holds no trained model yet; train it with --do_train"),
        (Untrained, None, "holds no trained model yet"),
        (Untrained, "nowhere", "--init_checkpoint: nowhere: expected a folder"),
    ):
        with pytest.raises(InputError, match=pattern):
            make_job(path, task, init_checkpoint=reference).take_weights({})
    assert not path.exists()
    # What is being trained is not answered for by the weights that it began with.
    (path / "checkpoints").mkdir(parents=True)
    (path / "flags.json").write_text('{"program": "bert_keras"}')
    with pytest.raises(InputError, match="holds no trained model yet"):
        make_job(path, Untrained, init_checkpoint=str(unbroken)).evaluate()


def test_exports_of_other_formats_and_precisions(make_job, unbroken, tmp_path, capsys):
    shutil.copytree(unbroken, tmp_path / "run")
    job = make_job(tmp_path / "run")
    ids = {"token_ids": tf.constant([[2, 60, 61, 3, 0]]), "segment_ids": tf.zeros((1, 5), tf.int32)}
    answers = []
    for form, precision in (("litert", "int8"), ("saved_model", "bfloat16"), ("saved_model", "")):
        job.export(form, precision or "float32")
        path = capsys.readouterr().out.split()[-1]
        if form == "litert":
            assert path == str(tmp_path / "run" / "export_litert" / "1")
            ask = Interpreter(f"{path}/model.tflite").get_signature_runner()
            answers.append(ask(**ids)["probabilities"])
        else:
            signature = tf.saved_model.load(path).signatures["token_ids"]
            answers.append(signature(**ids)["probabilities"].numpy())
    in_int8, in_bfloat16, exact = answers
    assert all(answer.dtype == np.float32 for answer in answers)
    for answer in (in_int8, in_bfloat16):
        np.testing.assert_allclose(answer, exact, atol=0.05)
        assert np.abs(answer - exact).max() > 1e-6
