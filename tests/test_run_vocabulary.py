"""The script as a person calls it: its flags have the names of run_classifier's, so alone."""

import json
import pathlib
import subprocess
import sys

import pytest

from bert_keras.text.tokenizer import BertTokenizer

ROOT = pathlib.Path(__file__).parent.parent


def run(*arguments):
    return subprocess.run(
        [sys.executable, ROOT / "run_vocabulary.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def learned(samples, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocabulary") / "new"
    files = f"{samples}/rep*.txt"
    done = run(
        f"--input_file={files}", "--layout=sentences", "--vocab_size=180", f"--output_dir={folder}"
    )
    return folder, done


def test_a_vocabulary(learned):
    folder, done = learned
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in sorted(folder.iterdir())] == [
        "tokenizer_config.json",
        "vocab.txt",
    ]
    tokenizer = BertTokenizer.from_pretrained(folder)
    assert len(tokenizer.vocabulary) == 180
    assert tokenizer.lowercase
    assert "180 tokens in" in done.stdout
    last = done.stdout.splitlines()[-1]
    # The first of six documents is held out: it has 50 words.
    assert last.startswith("Held-out documents: 50 words, 0.000% [UNK], 2.")
    assert last.endswith(" tokens a word")


def test_another_is_not_overwritten(learned):
    folder, _ = learned
    before = (folder / "vocab.txt").read_bytes()
    done = run("--input_file=data", f"--output_dir={folder}")
    assert done.returncode == 1
    assert done.stderr == f"{folder}: expected a new folder, found a folder with content.\n"
    assert (folder / "vocab.txt").read_bytes() == before


def test_one_document_and_capitals(tmp_path):
    (tmp_path / "one.jsonl").write_text(json.dumps({"body": "Tom Ng met Tom Ng. " * 9 + "Ŵŷ"}))
    done = run(
        f"--input_file={tmp_path}/one.jsonl",
        "--text_column=body",
        "--vocab_size=100",
        "--nodo_lower_case",
        f"--output_dir={tmp_path}/new",
    )
    assert done.returncode == 0, done.stderr
    assert "One document, learned from: 55 words" in done.stdout
    assert "Tom" in BertTokenizer.from_pretrained(tmp_path / "new").vocabulary
    assert not BertTokenizer.from_pretrained(tmp_path / "new").lowercase


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output_dir=new"], "--input_file: expected texts to read, found none."),
        (["--input_file=a.txt"], "Expected --output_dir, a new folder for the vocabulary."),
        (["--input_file=a.txt", "--output_dir=new"], "a.txt: expected a file, a folder or a glob"),
        (["--layout=pages"], "flag --layout=pages: value should be one of <auto|"),
        (["--vocab_size=0"], "flag --vocab_size=0: 0 is not a positive integer"),
    ],
)
def test_flags_that_cannot_be(arguments, message):
    done = run(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith(message)
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" \n\n\t\n", "expected text, found white space."),
        (
            "x" * 999,
            "expected words to learn a vocabulary from, found none of at most 200 characters.",
        ),
    ],
)
def test_texts_without_words(tmp_path, text, message):
    path = tmp_path / "texts.txt"
    path.write_text(text)
    done = run(f"--input_file={path}", f"--output_dir={tmp_path / 'new'}")
    assert (done.returncode, done.stderr) == (1, f"{path}: {message}\n")
    assert not (tmp_path / "new").exists()


def test_help_fits_a_screen():
    lines = run("--help").stdout.splitlines()
    assert len(lines) < 24
    assert max(map(len, lines)) <= 100
