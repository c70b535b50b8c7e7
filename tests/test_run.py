import dataclasses
import functools
import json
import logging
import os
import shutil
import signal
import types

import numpy as np
import pytest
import safetensors.numpy
import sample_tasks
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

import bert_keras
from bert_keras import run as run_module
from bert_keras.errors import InputError, Interrupted
from bert_keras.models.classifier import BertClassifier
from bert_keras.run import Plan, Run
from bert_keras.tasks.classification.bound import BoundClassification
from bert_keras.tasks.classification.task import Classification
from bert_keras.tensorboard.writer import RunWriter
from bert_keras.training import memory
from bert_keras.training.run_folder import RunFolder
from bert_keras.training.settings import TrainingSettings
from bert_keras.training.step import TrainingStep
from bert_keras.training.task import AnswersUntrained, Evaluation

SETTINGS = {"learning_rate": 0.01, "epochs": 3.0, "batch_size": 8, "save_every": 3}


@pytest.fixture(autouse=True)
def draw_no_graph(monkeypatch):
    """Spares each test's runs a trace. `unbroken` is made before, so it has its graph."""
    monkeypatch.setattr("bert_keras.training.job._draw", lambda *_: None)


@pytest.fixture(scope="module")
def make_run(tiny_checkpoint, samples):
    def make(path, task=Classification, reference=str(tiny_checkpoint), **settings):
        rows = {"train": str(samples / "reviews.tsv"), "dev_fraction": 0.2, "max_length": 32}
        settings = TrainingSettings(**(SETTINGS | settings))
        return Run(path, task(**rows), init_checkpoint=reference, settings=settings)

    return make


@pytest.fixture(scope="module")
def unbroken(make_run, tmp_path_factory):
    """A run of 9 steps with a checkpoint after every third."""
    path = tmp_path_factory.mktemp("unbroken")
    make_run(path).train()
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
    make_run, unbroken, tmp_path, monkeypatch
):
    def raise_at_5(self, step, scalars):
        if step == 5:  # between two checkpoints
            raise CutOff

    with monkeypatch.context() as patch, pytest.raises(CutOff):
        patch.setattr(RunWriter, "training", raise_at_5)
        make_run(tmp_path).train()
    assert not RunFolder(tmp_path).finished
    steps = log_steps(monkeypatch)
    with monkeypatch.context() as patch, pytest.raises(InputError, match="begun on other data"):
        patch.setattr(Run, "_expect_same", lambda *_, **__: None)
        make_run(tmp_path, seed=1).train()  # which holds out other rows
    assert steps == []
    make_run(tmp_path).train()
    assert steps == [4, 5, 6, 7, 8, 9]
    assert_same_run(tmp_path, unbroken)


@pytest.mark.long
@pytest.mark.parametrize("name", ["questions", "entities", "embeddings"])
def test_other_tasks_go_on_as_well(name, tiny_checkpoint, samples, tmp_path, monkeypatch):
    def train(path):
        bert_keras.train(
            sample_tasks.make(name, samples),
            init_checkpoint=tiny_checkpoint,
            output_dir=path,
            **(SETTINGS | {"evaluations_per_epoch": 0.1, "max_steps": 4, "save_every": 2}),
        )

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


@pytest.mark.parametrize("where", ["training", pytest.param("evaluating", marks=pytest.mark.long)])
def test_told_to_stop_it_saves_first(make_run, unbroken, tmp_path, monkeypatch, where):
    told = []

    def tell(self, step, _):
        if step == 5 + (where == "evaluating"):  # an evaluation follows step 6
            os.kill(os.getpid(), signal.SIGTERM)
            told.append(step)

    with monkeypatch.context() as patch, pytest.raises(Interrupted, match="at step 6 of 9"):
        patch.setattr(RunWriter, "training", tell)
        make_run(tmp_path).train()
    assert told and not RunFolder(tmp_path).finished
    steps = log_steps(monkeypatch)
    make_run(tmp_path).train()
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


@pytest.mark.long
@pytest.mark.parametrize("devices", [pytest.param((1, 2), marks=pytest.mark.long), (2, 1)])
def test_goes_on_with_other_devices(
    make_run, unbroken, mirrored, tmp_path, monkeypatch, caplog, devices
):
    strategies = {1: tf.distribute.get_strategy(), 2: mirrored}
    before, now = devices

    def stop(self, step, _):
        if step == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(RunWriter, "training", stop)
        patch.setattr(run_module, "_open_strategy", lambda _: strategies[before])
        make_run(tmp_path).train()
    steps = log_steps(monkeypatch)
    with caplog.at_level(logging.INFO):
        monkeypatch.setattr(run_module, "_open_strategy", lambda _: strategies[now])
        make_run(tmp_path).train()
    assert steps == [6, 7, 8, 9]
    assert "Continuing at step 5 of 9." in caplog.text
    assert f"The number of devices is {now} and was {before}:" in caplog.text
    assert RunFolder(tmp_path).finished
    one, two = (safetensors.numpy.load_file(p / "model.safetensors") for p in (unbroken, tmp_path))
    assert one.keys() == two.keys()
    # Other chances of dropout, the same training.
    distance = max(np.abs(one[name] - two[name]).max() for name in one)
    assert 0 < distance < 0.1


def test_cut_off_after_the_last_step(make_run, unbroken, tmp_path, monkeypatch):
    path = shutil.copytree(unbroken, tmp_path / "run")
    folder = RunFolder(path)
    folder.keep_scores(9, json.loads((path / "scores.json").read_text())["scores"])
    assert not folder.finished
    steps = log_steps(monkeypatch)
    make_run(path).train()
    assert steps == []
    assert_same_run(path, unbroken)


def test_ended_is_ended(make_run, unbroken, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in unbroken.rglob("*")}
    run = make_run(unbroken)
    monkeypatch.setattr(Classification, "prepare", lambda *_: pytest.fail("read the rows"))
    run.train()
    assert {path: path.stat().st_mtime_ns for path in unbroken.rglob("*")} == before


def test_evaluates_the_held_out_rows_again(make_run, unbroken):
    scores = make_run(unbroken).evaluate()
    assert scores == json.loads((unbroken / "eval_results.json").read_text())
    assert scores == json.loads((unbroken / "scores.json").read_text())["scores"]
    assert set(scores.evaluation.tables) == {"per class", "most wrong"}


@pytest.fixture
def scripted(monkeypatch):
    """Scores that go up and down as written here; returns what was saved, and when."""
    scores = iter((0.5, 0.8, 0.7, 0.6, 0.9))
    seen = types.SimpleNamespace(evaluations=0, saved_at=None, saved=None)
    save = BoundClassification.save

    def evaluate(self, examples, predictions):
        seen.evaluations += 1
        return Evaluation({"accuracy": next(scores)})

    def save_and_remember(self, model, folder):
        save(self, model, folder)
        seen.saved, seen.saved_at = model.get_weights(), seen.evaluations

    monkeypatch.setattr(BoundClassification, "evaluate", evaluate)
    monkeypatch.setattr(BoundClassification, "save", save_and_remember)
    return seen


def test_early_stopping_keeps_the_best_weights(make_run, unbroken, tmp_path, monkeypatch, scripted):
    steps = log_steps(monkeypatch)
    settings = {"seed": 1, "epochs": 9.0, "early_stopping": "accuracy", "patience": 2}
    make_run(tmp_path, **settings).train()
    assert steps[-1] == 12  # of 27; evaluated after 3, 6, 9 and 12
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores == {"step": 6, "scores": {"accuracy": 0.8}, "finished": True}
    assert scripted.saved_at == 2
    kept = BertClassifier.from_pretrained(tmp_path)
    for value, best in zip(kept.get_weights(), scripted.saved, strict=True):
        np.testing.assert_array_equal(value, best)

    # Had it been cut off before it recorded its end, it would not train on.
    RunFolder(tmp_path).keep_scores(6, {"accuracy": 0.8})
    make_run(tmp_path, **settings).train()
    assert steps[-1] == 12 and scripted.evaluations == 4

    # The other seed has made it another run, from the first step on.
    mine, theirs = state(tmp_path, 9), state(unbroken, 9)
    assert mine["training/0"].shape == theirs["training/0"].shape
    assert not np.array_equal(mine["training/0"], theirs["training/0"])


def test_trains_in_bfloat16_and_answers_in_float32(make_run, tmp_path, monkeypatch):
    predicted = []
    evaluate = BoundClassification.evaluate

    def record(self, examples, predictions):
        predicted.append(np.array(predictions))
        return evaluate(self, examples, predictions)

    monkeypatch.setattr(BoundClassification, "evaluate", record)
    make_run(tmp_path, epochs=1.0, precision="bfloat16").train()
    weights = safetensors.numpy.load_file(tmp_path / "model.safetensors")
    assert {values.dtype for values in weights.values()} == {np.dtype(np.float32)}
    # From outside: the kept weights give the same predictions in a float32 model, to the last
    # digits that bfloat16 would not have.
    Run(tmp_path).evaluate()
    np.testing.assert_allclose(predicted[0], predicted[1], atol=1e-6)
    assert not np.array_equal(predicted[0], predicted[0].astype(tf.bfloat16.as_numpy_dtype))


@pytest.mark.parametrize(
    ("plan", "settings", "message"),
    [
        (
            Plan(),
            {"early_stopping": "f2"},
            "early_stopping: expected one of accuracy, f1, f1_macro, matthews, found",
        ),
        (Plan(predict_file=""), {}, "file: expected a file, or"),
        (
            Plan(export=("litert", "bfloat16")),
            {},
            "The format litert has the precisions float32 and int8, found 'bfloat16'",
        ),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(
    make_run, tmp_path, plan, settings, message
):
    path = tmp_path / "run"
    with pytest.raises(InputError, match=message):
        make_run(path, **settings).train(plan)
    assert not path.exists()


def test_a_batch_that_does_not_fit(make_run, tmp_path, monkeypatch):
    path = tmp_path / "run"
    monkeypatch.setattr(memory, "free_memory", lambda: 4e6)
    with pytest.raises(InputError, match=r"`batch_size`=8 in \d+ rows .* are free"):
        make_run(path).train()
    assert not path.exists()


def test_a_batch_that_fits_no_longer(make_run, unbroken, tmp_path, monkeypatch):
    path = shutil.copytree(unbroken, tmp_path / "run")
    (path / "scores.json").unlink()
    (path / "checkpoints" / "step-9.safetensors").unlink()
    monkeypatch.setattr(memory, "free_memory", lambda: 4e6)
    steps = log_steps(monkeypatch)
    with pytest.raises(InputError, match=r"`batch_size`=8 in \d+ rows .* are free"):
        make_run(path).train()
    assert steps == []


def test_a_device_that_runs_out_of_memory(make_run, tmp_path, monkeypatch):
    def fail(self, batch, totals, whole=None):
        raise tf.errors.ResourceExhaustedError(None, None, "no room")

    monkeypatch.setattr(TrainingStep, "_gradients", fail)
    with pytest.raises(InputError, match=r"`batch_size`=8 .* does not fit"):
        make_run(tmp_path).train()


@pytest.mark.long
def test_trains_in_float16(make_run, tmp_path):
    make_run(tmp_path, epochs=8.0, precision="float16").train()
    losses = [float(tf.make_ndarray(v.tensor)) for v in scalars(tmp_path, "train/loss")]
    assert np.isfinite(losses).all() and np.mean(losses[-4:]) < np.mean(losses[:4]) - 0.1


def scalars(path, tag):
    """The values of a tag in a run's events, in their order."""
    for file in sorted((path / tag.split("/")[0]).iterdir()):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            yield from (value for value in event.summary.value if value.tag == tag)


@pytest.mark.parametrize(
    ("plan", "settings", "field"),
    [(Plan(evaluates=True), {}, "do_eval"), (Plan(), {"early_stopping": "f1"}, "early_stopping")],
)
def test_nothing_to_evaluate_on(make_run, tmp_path, plan, settings, field):
    path = tmp_path / "run"
    task = functools.partial(without_dev, Classification)
    with pytest.raises(InputError, match=f"^{field}: expected rows to evaluate on"):
        make_run(path, task, **settings).train(plan)
    assert not path.exists()


def without_dev(task, **rows):
    return task(**(rows | {"dev_fraction": 0}))


@dataclasses.dataclass(frozen=True)
class Untrained(Classification, AnswersUntrained):
    def load_pretrained(self, folder):
        return self.restore(folder)


@pytest.mark.long
def test_weights_answer_as_they_are(make_run, unbroken, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    expected = make_run(unbroken).evaluate()
    path = tmp_path / "run"
    run = make_run(path, Untrained, str(unbroken))
    run.prepare(Plan(evaluates=True))
    assert run.evaluate() == expected
    assert f"Not trained here: these are the weights of {unbroken} as they are." in caplog.text
    assert {path.name for path in path.iterdir()} == {".lock", "flags.json", "eval_results.json"}
    # A later call finds a run, still without a model of its own.
    assert make_run(path, Untrained, str(unbroken)).evaluate() == expected


def test_weights_as_they_are_from_python(tiny_checkpoint, samples, tmp_path):
    path = tmp_path / "run"
    run = Run(path, bert_keras.Embedding(max_length=16), init_checkpoint=tiny_checkpoint)
    vectors = run.predict(["A text."])
    assert not path.exists()  # nothing was asked for that is written
    assert len(vectors) == 1
    run.predict(file=samples / "sentences.txt")
    again = Run(path)
    np.testing.assert_array_equal(again.predict(["A text."]), vectors)
    scores = again.evaluate(samples / "paraphrases.tsv")
    dev = bert_keras.Embedding(dev=samples / "paraphrases.tsv", max_length=16)
    assert Run(tmp_path / "other", dev, init_checkpoint=tiny_checkpoint).evaluate() == scores
    names = {path.name for path in path.iterdir()}
    assert names >= {"flags.json", "embeddings.npy"} and "eval_results.json" not in names


def test_no_weights_to_answer_with(make_run, unbroken, tmp_path):
    path = tmp_path / "run"
    for task, reference, pattern in (
        (Classification, str(unbroken), "holds no run; begin one by training"),
        (Untrained, None, "holds no run; begin one by training"),
        (Untrained, "nowhere", "^init_checkpoint: nowhere: expected a folder"),
    ):
        with pytest.raises(InputError, match=pattern):
            make_run(path, task, reference).prepare(Plan())
    assert not path.exists()
    # What is being trained is not answered for by the weights that it began with.
    (path / "checkpoints").mkdir(parents=True)
    record = {"program": "bert_keras", "init_checkpoint": str(unbroken)}
    (path / "flags.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match="holds no trained model yet"):
        make_run(path, Untrained, str(unbroken)).evaluate()


@pytest.mark.long
def test_exports_of_other_formats_and_precisions(make_run, unbroken, tmp_path):
    shutil.copytree(unbroken, tmp_path / "run")
    run = make_run(tmp_path / "run")
    ids = {"token_ids": tf.constant([[2, 60, 61, 3, 0]]), "segment_ids": tf.zeros((1, 5), tf.int32)}
    answers = []
    for form, precision in (("litert", "int8"), ("saved_model", "bfloat16"), ("saved_model", "")):
        path = run.export(form, precision or "float32")
        if form == "litert":
            assert path == tmp_path / "run" / "export_litert" / "1"
            ask = Interpreter(f"{path}/model.tflite").get_signature_runner()
            answers.append(ask(**ids)["probabilities"])
        else:
            signature = tf.saved_model.load(str(path)).signatures["token_ids"]
            answers.append(signature(**ids)["probabilities"].numpy())
    in_int8, in_bfloat16, exact = answers
    assert all(answer.dtype == np.float32 for answer in answers)
    for answer in (in_int8, in_bfloat16):
        np.testing.assert_allclose(answer, exact, atol=0.05)
        assert np.abs(answer - exact).max() > 1e-6


def test_what_python_gets(unbroken, samples, tmp_path):
    shutil.copytree(unbroken, tmp_path / "run")
    run = Run(tmp_path / "run")
    assert run.task == Classification(
        train=str(samples / "reviews.tsv"), dev_fraction=0.2, max_length=32
    )
    assert run.settings == TrainingSettings(**(SETTINGS | {"save_every": 1000}))
    assert run.predict([]) == []
    (first, second) = run.predict(["A waste of money.", "Better than expected."])
    assert set(first) == {"label", "score", "probabilities"}
    assert first["score"] == max(first["probabilities"].values())
    assert run.predict(["Better than expected."])[0]["score"] == pytest.approx(
        second["score"], abs=1e-6
    )
    texts = ["A waste of money.", "Better than expected."]
    assert run.predict(text for text in texts) == [first, second]
    path = run.predict(file=samples / "unlabelled.tsv")
    assert path == tmp_path / "run" / "predictions.tsv"
    assert len(path.read_text().splitlines()) == 11
    # Scores on another file are returned and leave the run's own alone.
    run.evaluate()
    own = (tmp_path / "run" / "eval_results.json").read_bytes()
    other = run.evaluate(samples / "reviews.tsv")
    counts = [int(row[-1]) for row in other.evaluation.tables["per class"].rows]
    assert sum(counts) == 28
    assert (tmp_path / "run" / "eval_results.json").read_bytes() == own


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda run: run.predict("A text."), "inputs: expected a list of inputs, found the str"),
        (lambda run: run.predict(7), "inputs: expected a list of inputs, found the int 7"),
        (lambda run: run.predict({"a": "b"}), "inputs: expected a list of inputs, found the dict"),
        (lambda run: run.predict(["a", "\ud800"]), r"inputs: \[1\]: expected Unicode"),
        (lambda run: run.predict(["A text.", 3]), r"inputs: \[1\]: expected a text, found 3"),
        (lambda run: run.predict(["a"], file="b"), "file: expected inputs or a file, found both"),
        (lambda run: run.predict(file="nowhere.tsv"), "nowhere.tsv: there is no such file"),
        (lambda run: run.export("onnx"), "format: expected one of saved_model, litert"),
        (
            lambda run: run.export(precision="int8"),
            "The format saved_model has the precisions float32 and bfloat16",
        ),
    ],
)
def test_what_python_cannot_ask(unbroken, call, message):
    with pytest.raises(InputError, match=message):
        call(Run(unbroken))


def test_other_settings_than_the_run_was_begun_with(make_run, unbroken):
    with pytest.raises(InputError, match=r"`epochs` was 3.0 and is 4.0; `seed` was 0 and is 1"):
        make_run(unbroken, epochs=4.0, seed=1).train()
    make_run(unbroken, epochs=4.0).evaluate()  # which it does not change
    with pytest.raises(InputError, match=r"`init_checkpoint` was .* and is 'elsewhere'"):
        make_run(unbroken, reference="elsewhere").predict(["A text."])
    with pytest.raises(InputError, match=r"`init_checkpoint` was .* and is 'elsewhere'"):
        make_run(unbroken, reference="elsewhere").prepare(Plan())


def test_a_setting_that_is_newer_than_the_run(make_run, unbroken, tmp_path):
    shutil.copytree(unbroken, tmp_path / "run")
    file = tmp_path / "run" / "flags.json"
    record = json.loads(file.read_text())
    del record["optimizer"]
    file.write_text(json.dumps(record))
    make_run(tmp_path / "run").train()
    with pytest.raises(InputError, match="`optimizer` was 'adamw' and is 'lamb'"):
        make_run(tmp_path / "run", optimizer="lamb").train()


def test_a_record_that_holds_other_things_than_settings(unbroken, tmp_path):
    for name, value in (("init_checkpoint", 5), ("dev_fraction", "a")):
        path = tmp_path / name
        shutil.copytree(unbroken, path)
        record = json.loads((path / "flags.json").read_text())
        (path / "flags.json").write_text(json.dumps(record | {name: value}))
        with pytest.raises(InputError, match=f"{name}: expected a (folder|number), found"):
            Run(path)


def test_no_run_and_no_such_setting(tmp_path):
    with pytest.raises(InputError, match="holds no run"):
        Run(tmp_path / "none")
    with pytest.raises(InputError, match="epoch is no setting of a training; there are"):
        bert_keras.train(Classification(), output_dir=tmp_path / "none", epoch=3)
    for task in ("reviews.tsv", Classification):
        with pytest.raises(InputError, match=r"^task: expected a task, such as Classification"):
            bert_keras.train(task, output_dir=tmp_path / "none")
    with pytest.raises(InputError, match=r"^settings: expected TrainingSettings, found \{'epochs'"):
        Run(tmp_path / "none", Classification(), settings={"epochs": 3})
    with pytest.raises(InputError, match="init_checkpoint: expected a folder of weights"):
        bert_keras.train(Classification(), output_dir=tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.long
def test_two_runs_in_one_process_do_not_disturb_each_other(make_run, unbroken, tmp_path):
    one, other = make_run(tmp_path / "one"), make_run(tmp_path / "other", seed=1)
    other.train()
    one.train()
    assert_same_run(tmp_path / "one", unbroken)
    assert one.evaluate() == make_run(unbroken).evaluate()
