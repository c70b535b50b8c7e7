"""The script as a person calls it, but in this process, where TensorFlow has started."""

import json
import subprocess
import sys

import calling
import numpy as np
import pytest
import tensorflow as tf

from bert_keras.text.tokenizer import BertTokenizer

run_embeddings = calling.load("run_embeddings")


def call(*arguments):
    return calling.call(run_embeddings, *arguments)


@pytest.fixture(scope="module")
def finished(tiny_checkpoint, samples, tmp_path_factory):
    """A run that did all there is to do, and what it printed."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    done = call(
        *("--do_train", "--do_eval", "--do_predict", "--do_export"),
        f"--output_dir={folder}",
        f"--init_checkpoint={tiny_checkpoint}",
        f"--train_file={samples / 'paraphrases.tsv'}",
        f"--predict_file={samples / 'sentences.txt'}",
        *("--max_seq_length=32", "--num_train_epochs=1", "--pooling=max", "--layer=-2"),
    )
    assert done.code == 0, done.err
    done.folder = folder
    return done


def test_all_in_one_call(finished, samples):
    assert {path.name for path in finished.folder.iterdir()} == {
        *("flags.json", "scores.json", "eval_results.json", "embeddings.npy", "texts.tsv"),
        *("config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json"),
        *("modules.json", "1_Pooling", "sentence_bert_config.json"),
        *(".lock", "checkpoints", "train", "eval", "predict", "export"),
    }
    scores = json.loads((finished.folder / "eval_results.json").read_text())
    assert list(scores) == ["recall_at_1", "mrr"]
    assert scores == json.loads((finished.folder / "scores.json").read_text())["scores"]
    assert "22 pairs to train on, without scores" in finished.err
    texts = (samples / "sentences.txt").read_text().splitlines()
    assert (finished.folder / "texts.tsv").read_text().splitlines() == texts
    vectors = np.load(finished.folder / "embeddings.npy")
    assert vectors.dtype == np.float32 and vectors.shape == (len(texts), 16)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_served_is_what_was_predicted(finished, samples):
    texts = (samples / "sentences.txt").read_text().splitlines()
    expected = np.load(finished.folder / "embeddings.npy")
    loaded = tf.saved_model.load(finished.folder / "export" / "1")
    serve = loaded.signatures["serving_default"]
    served = serve(text=tf.constant(texts))
    assert list(served) == ["embedding"]
    np.testing.assert_allclose(served["embedding"], expected, atol=1e-6)
    assert serve(text=tf.constant([], tf.string))["embedding"].shape == (0, 16)
    inputs = BertTokenizer.from_pretrained(finished.folder)(texts[:2])
    inputs = {name: inputs[name] for name in ("token_ids", "segment_ids")}
    found = loaded.signatures["token_ids"](**inputs)["embedding"]
    np.testing.assert_allclose(found, expected[:2], atol=1e-6)


def test_scored_pairs_for_a_run_that_was_trained_without(finished, samples):
    done = call(
        *("--do_eval", f"--output_dir={finished.folder}", f"--dev_file={samples}/scores.tsv"),
        *("--text_column=sentence1", "--pair_column=sentence2"),
    )
    assert done.code == 0, done.err
    assert "spearman" in done.out and "most wrong" in done.out


def test_untrained_weights_in_a_new_folder(tiny_checkpoint, samples, tmp_path):
    folder = tmp_path / "run"
    done = call(
        *("--do_eval", "--do_predict", f"--output_dir={folder}"),
        f"--init_checkpoint={tiny_checkpoint}",
        f"--dev_file={samples / 'scores.tsv'}",
        *("--text_column=sentence1", "--pair_column=sentence2", "--max_seq_length=64"),
        *(f"--predict_file={samples / 'sentences.txt'}", "--query=soup", "--num_neighbors=3"),
    )
    assert done.code == 0, done.err
    assert f"Not trained here: these are the weights of {tiny_checkpoint} as they are." in done.err
    assert {path.name for path in folder.iterdir()} == {
        *(".lock", "flags.json", "eval_results.json", "embeddings.npy", "texts.tsv", "predict"),
    }
    assert list(json.loads((folder / "eval_results.json").read_text())) == ["spearman", "pearson"]
    header, *nearest = done.out.split("\nnearest to: soup\n")[1].splitlines()[:4]
    assert header.split() == ["cosine", "row", "text"]
    cosines = [float(line.split()[0]) for line in nearest]
    assert cosines == sorted(cosines, reverse=True)
    texts = (samples / "sentences.txt").read_text().splitlines()
    for line in nearest:
        _, row, text = line.split(maxsplit=2)
        assert texts[int(row)] == text
    # The folder knows what it answers with.
    before = np.load(folder / "embeddings.npy")
    done = call("--do_predict", f"--output_dir={folder}", f"--predict_file={samples}/sentences.txt")
    assert done.code == 0, done.err
    np.testing.assert_allclose(np.load(folder / "embeddings.npy"), before, atol=1e-6)


@pytest.mark.parametrize("asked", ["--do_eval", "--do_predict", "--do_export"])
def test_a_run_has_one_model(finished, asked):
    before = {path: path.stat().st_mtime_ns for path in finished.folder.rglob("*")}
    started = json.loads((finished.folder / "flags.json").read_text())["init_checkpoint"]
    done = call(
        *(asked, f"--output_dir={finished.folder}", "--init_checkpoint=other"),
        *("--layer=-1", "--pooling=max", "--normalize", "--eval_batch_size=7"),
    )
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"{finished.folder} was begun with other settings (--normalize was None and is True; "
        f"--layer was -2 and is -1; --init_checkpoint was {started!r} and is 'other'): take those, "
        "or name a new --output_dir.\n"
    )
    assert {path: path.stat().st_mtime_ns for path in finished.folder.rglob("*")} == before


def test_help_fits_a_screen():
    shown = subprocess.run(
        [sys.executable, run_embeddings.__file__, "--help"], capture_output=True, text=True
    )
    assert shown.returncode == 0 and shown.stderr == ""
    lines = shown.stdout.splitlines()
    assert len(lines) <= 50 and max(map(len, lines)) <= 100
    assert any(line.startswith("  --query") for line in lines)


# Bad input.

PAIRS = "text\tpair\nsoup\tbread\nlamp\tchair\nsun\train\n"


@pytest.mark.parametrize(
    ("arguments", "files", "sentence"),
    [
        (
            ["--do_train"],
            {"train.tsv": ""},
            "train.tsv: expected rows, found an empty file.",
        ),
        (
            ["--do_train"],
            {"train.tsv": "text\tpair\nsoup\n"},
            "train.tsv:2: expected 2 columns, as in the first line, found 1.",
        ),
        (
            ["--do_train"],
            {"train.tsv": "text\tpair\nsoup\t \n"},
            "train.tsv:2: expected text in 'pair', found nothing.",
        ),
        (
            ["--do_train"],
            {"train.tsv": PAIRS.encode().replace(b"lamp", b"l\xe1mp")},
            "train.tsv:3: expected UTF-8, found the byte 0xe1.",
        ),
        (
            ["--do_train", "--label_column=likeness"],
            {},
            "train.tsv:1: the column 'likeness' is not in the first line, 'text', 'pair': name "
            "yours with --text_column, --pair_column and --label_column, or, if that line is a row "
            "and not a header, give the columns by number, from 0.",
        ),
        (
            ["--do_train", "--gradient_accumulation_steps=2"],
            {},
            "--gradient_accumulation_steps: expected 1, because the loss compares all examples of "
            "a step with each other, found 2.",
        ),
        (
            ["--do_train", "--early_stopping=spearman"],
            {},
            "--early_stopping: expected one of recall_at_1, mrr, found 'spearman'.",
        ),
        (
            ["--do_train", "--layer=9"],
            {},
            "--layer: expected -3 to 2 in an encoder of 2 blocks, found 9.",
        ),
        (["--do_eval"], {}, "--do_eval: expected rows to evaluate on, found none; see --dev_file."),
        (["--do_predict"], {}, "--predict_file: expected a file of texts, found none."),
        (
            ["--do_predict", "--predict_file=new.txt"],
            {"new.txt": "soup\n\nbread\n"},
            "new.txt:2: expected text in the line, found nothing.",
        ),
        (
            ["--do_predict", "--predict_file=new.txt"],
            {},
            "new.txt: there is no such file; . holds checkpoint, train.tsv.",
        ),
        (
            ["--do_eval", "--query=soup"],
            {},
            "--query needs --do_predict.",
        ),
        (["--do_predict", "--query= "], {}, "--query: expected a text, found spaces."),
        (
            ["--do_eval", "--task_name=RTE", "--data_dir=."],
            {},
            "--task_name: expected STS-B, found RTE.",
        ),
        (
            ["--do_predict", "--init_checkpoint="],
            {},
            "--output_dir: run holds no run; begin one by training.",
        ),
        (
            ["--do_predict", "--init_checkpoint=nowhere"],
            {},
            "--init_checkpoint: nowhere: expected a folder, found nothing.",
        ),
    ],
)
def test_what_cannot_be(arguments, files, sentence, tiny_checkpoint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checkpoint").symlink_to(tiny_checkpoint)
    train = ["--train_file=train.tsv"] if "--do_train" in arguments else []
    for name, content in ({"train.tsv": PAIRS} | files).items():
        content = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(content)
    shown = call(
        *("--output_dir=run", "--init_checkpoint=checkpoint", "--max_seq_length=16"),
        *("--dev_fraction=0.4", *train, *arguments),
    )
    assert shown.code != 0 and shown.out == ""
    assert shown.err.splitlines()[-1] == sentence
    assert "Traceback" not in shown.err and not (tmp_path / "run").exists()
