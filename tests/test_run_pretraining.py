"""The script as a person calls it, from a pile of text to a checkpoint."""

import json
import pathlib
import subprocess
import sys

import pytest

from bert_keras.models.classifier import BertClassifier
from bert_keras.text.tokenizer import BertTokenizer

ROOT = pathlib.Path(__file__).parent.parent
SHAPE = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
}


def run(*arguments):
    return subprocess.run(
        [sys.executable, ROOT / "run_pretraining.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def places(tmp_path_factory, tiny_checkpoint, samples):
    """The flags of a short pretraining from nothing, in two phases."""
    folder = tmp_path_factory.mktemp("pretraining")
    (folder / "bert_config.json").write_text(json.dumps(SHAPE))
    return folder, [
        f"--input_file={samples / 'reports.txt'}",
        "--layout=sentences",
        f"--vocab_dir={tiny_checkpoint}",
        f"--bert_config_file={folder / 'bert_config.json'}",
        f"--prepared_dir={folder / 'prepared'}",
        f"--output_dir={folder / 'run'}",
        *("--max_seq_length=64", "--short_seq_length=32", "--train_batch_size=4"),
        *("--num_train_steps=10", "--dev_fraction=0.3", "--masking=word"),
        *("--gradient_accumulation_steps=2", "--learning_rate_decay=cosine"),
    ]


@pytest.fixture(scope="module")
def trained(places):
    folder, words = places
    return folder / "run", run(*words, "--do_train", "--do_eval")


def test_from_text_to_a_checkpoint(trained):
    folder, done = trained
    assert done.returncode == 0, done.stderr
    scores = json.loads((folder / "eval_results.json").read_text())
    assert list(scores)[:3] == ["masked_lm_loss", "masked_lm_accuracy", "perplexity"]
    assert json.loads((folder / "scores.json").read_text())["step"] == 10
    assert "5 best fillings" in done.stdout and "training 10/10" in done.stderr
    assert BertClassifier.from_pretrained(folder, num_classes=2).config.hidden_size == 16
    assert BertTokenizer.from_pretrained(folder).lowercase


def test_the_prepared_texts_are_found_again(trained, places):
    prepared = places[0] / "prepared"
    before = {path: path.stat().st_mtime_ns for path in prepared.rglob("*") if path.is_file()}
    done = run(f"--output_dir={trained[0]}", "--do_eval")
    assert done.returncode == 0, done.stderr
    assert before == {p: p.stat().st_mtime_ns for p in prepared.rglob("*") if p.is_file()}
    scores = json.loads((trained[0] / "scores.json").read_text())["scores"]
    again = json.loads((trained[0] / "eval_results.json").read_text())
    assert again == pytest.approx(scores, rel=1e-6)


def test_what_cannot_be_is_one_sentence(places, tmp_path):
    _, words = places
    new = [*words, f"--output_dir={tmp_path / 'run'}", "--do_train"]
    for more, expected in (
        (["--vocab_dir="], "Expected either --init_checkpoint"),
        (["--input_file="], "Expected --input_file, the texts.\n"),
        (["--do_export"], "--do_export: this script's models are not for that.\n"),
        ([f"--input_file={tmp_path / 'none.txt'}"], "none.txt"),
        (["--max_seq_length=65"], "--max_seq_length: expected at most 64"),
    ):
        done = run(*new, *more)
        assert done.returncode == 1
        assert expected in done.stderr and done.stderr.count("\n") == 1, done.stderr
        assert not (tmp_path / "run").exists()


def test_help_fits_a_screen():
    done = run("--help")
    assert done.returncode == 0
    assert done.stdout.count("\n") <= 50 and max(map(len, done.stdout.splitlines())) <= 100
