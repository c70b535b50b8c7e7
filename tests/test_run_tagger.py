"""The script as a person calls it, but in this process, where TensorFlow has started."""

import json
import pathlib
import shutil
import subprocess
import sys

import calling
import pytest
import tensorflow as tf

run_tagger = calling.load("run_tagger")


SCRIPT = pathlib.Path(run_tagger.__file__)


def call(*arguments):
    return calling.call(run_tagger, *arguments)


@pytest.fixture(scope="module")
def finished(tiny_checkpoint, samples, tmp_path_factory):
    """A run that did all there is to do, and what it printed."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    done = call(
        *("--do_train", "--do_eval", "--do_predict", "--do_export"),
        f"--output_dir={folder}",
        f"--init_checkpoint={tiny_checkpoint}",
        f"--train_file={samples / 'entities.conll'}",
        f"--predict_file={samples / 'entities.jsonl'}",
        *("--max_seq_length=16", "--num_train_epochs=1", "--train_batch_size=8"),
    )
    assert done.code == 0, done.err
    done.folder = folder
    return done


def test_all_in_one_call(finished, samples):
    assert {path.name for path in finished.folder.iterdir()} == {
        *("flags.json", "scores.json", "eval_results.json", "predictions.jsonl"),
        *("config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json"),
        *(".lock", "checkpoints", "train", "eval", "export"),
    }
    scores = json.loads((finished.folder / "eval_results.json").read_text())
    assert list(scores) == ["f1", "precision", "recall", "accuracy", "f1_macro"]
    assert "per type" in finished.out and f"accuracy {scores['accuracy']:.4f}" in finished.out
    config = json.loads((finished.folder / "config.json").read_text())
    assert config["tag_scheme"] == "iob2"
    assert list(config["id2label"].values())[:3] == ["O", "B-organisation", "I-organisation"]

    rows = (samples / "entities.jsonl").read_text().splitlines()
    written = (finished.folder / "predictions.jsonl").read_text().splitlines()
    model = tf.saved_model.load(str(finished.folder / "export" / "1"))
    texts = tf.constant([json.loads(row)["text"] for row in rows])
    served = model.entities(texts)
    answer = model.signatures["serving_default"](text=texts)
    assert answer["count"].numpy().tolist() == served["start"].row_lengths().numpy().tolist()
    for row, line, starts in zip(rows, written, served["start"].to_list(), strict=True):
        found = json.loads(line).pop("predicted_entities")
        assert json.loads(row).items() <= json.loads(line).items()
        assert [entity["start"] for entity in found] == starts


def test_entities_are_no_numbers(finished):
    done = call("--do_export", "--export_format=litert", f"--output_dir={finished.folder}")
    assert (done.code, done.err.removesuffix("\n")) == (
        1,
        "--export_format: this task's models answer with more than numbers, which takes a "
        "saved_model, found litert.",
    )
    assert not (finished.folder / "export_litert").exists()


def test_predicting_later_needs_no_other_flags(finished, tmp_path):
    path = tmp_path / "new.txt"
    words = [*["word"] * 100, "U.S.", "\u200b", "😀"]
    path.write_text("-DOCSTART-\n\n" + "\n".join(words) + "\n\nlast", encoding="utf-8")
    done = call("--do_predict", f"--output_dir={finished.folder}", f"--predict_file={path}")
    assert done.code == 0, done.err
    lines = (finished.folder / "predictions.conll").read_text().split("\n")
    assert [line.partition("\t")[0] for line in lines] == [*path.read_text().split("\n"), ""]
    config = json.loads((finished.folder / "config.json").read_text())
    assert {line.partition("\t")[2] for line in lines if line} <= set(config["id2label"].values())


def test_evaluating_on_another_file(finished, samples):
    done = call(
        "--do_eval", f"--output_dir={finished.folder}", f"--dev_file={samples}/entities.jsonl"
    )
    assert done.code == 0, done.err
    table = done.out.split("per type")[1].splitlines()[2:5]
    assert sum(int(line.split()[-1]) for line in table) == 31


def test_help_fits_a_screen():
    shown = subprocess.run([sys.executable, SCRIPT, "--help"], capture_output=True, text=True)
    assert shown.returncode == 0 and shown.stderr == ""
    lines = shown.stdout.splitlines()
    assert len(lines) <= 50 and max(map(len, lines)) <= 100
    assert lines[0].startswith("Fine-tunes BERT")
    for flag in ("--do_train", "--train_file", "--scheme", "--debug"):
        assert any(line.startswith(f"  {flag}") for line in lines)


@pytest.fixture
def call_badly(tiny_checkpoint, tmp_path, monkeypatch):
    """Asks for a training with something wrong; returns the sentence that was shown."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_checkpoint, tmp_path / "checkpoint")

    def call_badly(*arguments, suffix="conll", **files):
        for name, content in files.items():
            (tmp_path / f"{name}.{suffix}").write_text(content)
        shown = call(
            *("--do_train", "--output_dir=run", "--init_checkpoint=checkpoint"),
            *(f"--train_file=train.{suffix}", "--max_seq_length=16", *arguments),
        )
        assert shown.code != 0 and shown.out == "" and not (tmp_path / "run").exists()
        (sentence,) = shown.err.splitlines()
        return sentence

    return call_badly


def entity(start, end):
    return {"start": start, "end": end, "type": "x"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("a B-x\nb I-y\n", "train.conll:2: I-y follows B-x, with no B-y before it."),
        ("a S-x\nb E-x\n", "train.conll:2: E-x follows S-x, with no B-x before it."),
        ("a O\nb O\n", "train.conll: expected entities to learn, found none."),
        (
            [{"text": "hot soup", "entities": [entity(0, 5), entity(4, 8)]}],
            "train.jsonl:1: expected entities that do not overlap, found 'hot s' (0 to 5) and "
            "'soup' (4 to 8).",
        ),
        (
            [{"text": "hot soup", "entities": [entity(0, 9)]}],
            "train.jsonl:1: expected an entity within the text's 8 characters, found 0 to 9.",
        ),
    ],
)
def test_texts_that_cannot_be_used(call_badly, content, sentence):
    if isinstance(content, str):
        assert call_badly(train=content) == sentence
    else:
        lines = "".join(json.dumps(row) + "\n" for row in content)
        assert call_badly(train=lines, suffix="jsonl") == sentence


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--early_stopping=rouge"],
            "--early_stopping: expected one of f1, precision, recall, accuracy, f1_macro, found "
            "'rouge'.",
        ),
        (
            ["--dev_file=dev.conll", "--scheme=iobes"],
            "train.conll:2: O follows B-x, with no E-x between them.",
        ),
        (
            ["--dev_file=dev.conll"],
            "dev.conll:1: the type 'z' is none of the 1 types of the training texts: x.",
        ),
    ],
)
def test_flags_that_cannot_be(call_badly, arguments, sentence):
    train = "a B-x\nb O\n\nc B-x\n" + "".join(f"\n{letter} O\n" for letter in "defghij")
    assert call_badly(*arguments, train=train, dev="a B-z\n") == sentence
