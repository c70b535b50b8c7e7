"""The script as a person calls it, from a pile of text to a checkpoint."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from bert_keras.checkpoints.convert import convert
from bert_keras.checkpoints.huggingface import write_huggingface
from bert_keras.checkpoints.load import contents_of, open_checkpoint
from bert_keras.config import BertConfig
from bert_keras.models.classifier import BertClassifier
from bert_keras.models.pretrainer import BertPretrainer
from bert_keras.text.tokenizer import BertTokenizer

ROOT = pathlib.Path(__file__).parent.parent
SHAPE = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
}


def run(*arguments, script="run_pretraining.py"):
    return subprocess.run(
        [sys.executable, ROOT / script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def settings(tmp_path_factory, tiny_checkpoint, samples):
    """A folder, and the flags of a short pretraining from nothing, in two phases."""
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
def trained(settings):
    folder, words = settings
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


@pytest.mark.long
def test_the_prepared_texts_are_found_again(trained, settings):
    prepared = settings[0] / "prepared"
    before = {path: path.stat().st_mtime_ns for path in prepared.rglob("*") if path.is_file()}
    done = run(f"--output_dir={trained[0]}", "--do_eval")
    assert done.returncode == 0, done.stderr
    assert before == {p: p.stat().st_mtime_ns for p in prepared.rglob("*") if p.is_file()}
    scores = json.loads((trained[0] / "scores.json").read_text())["scores"]
    again = json.loads((trained[0] / "eval_results.json").read_text())
    assert again == pytest.approx(scores, rel=1e-6)


def fillings(folder):
    return [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]


@pytest.mark.long
def test_a_run_and_any_weights_fill_in_alike(trained, settings, tmp_path):
    texts, prepared = tmp_path / "texts.txt", settings[0] / "prepared"
    texts.write_text("The [MASK] was late.\nA [MASK] and a [MASK].\n")
    asked = ["--do_predict", f"--predict_file={texts}", "--num_fillings=2"]
    hidden = prepared.rename(tmp_path / "elsewhere")  # neither needs what was trained on
    try:
        done = run(*asked, f"--output_dir={trained[0]}")
        assert done.returncode == 0, done.stderr
        foreign = [f"--init_checkpoint={trained[0]}", f"--output_dir={tmp_path / 'run'}"]
        done = run(*asked, *foreign, "--do_export", "--max_seq_length=64")
        assert done.returncode == 0, done.stderr
    finally:
        hidden.rename(prepared)
    assert "Not trained here" in done.stderr
    found = fillings(trained[0])
    assert found == fillings(tmp_path / "run")
    assert [[len(best) for best in one["masks"]] for one in found] == [[2], [2, 2]]
    assert (tmp_path / "run" / "export" / "1" / "saved_model.pb").is_file()


@pytest.mark.long
def test_weights_without_the_head_fill_in_nothing(tiny_checkpoint, tmp_path):
    done = run(
        *("--do_export", f"--init_checkpoint={tiny_checkpoint}", "--max_seq_length=16"),
        f"--output_dir={tmp_path / 'run'}",
    )
    assert done.returncode == 1 and not (tmp_path / "run").exists()
    assert "holds no head of a masked language model" in done.stderr.splitlines()[-1]


def warm_start(weights, samples, folder):
    """A step from weights that changes nothing; returns how it ended and the run's `Contents`."""
    done = run(
        *("--do_train", f"--init_checkpoint={weights}", f"--output_dir={folder / 'run'}"),
        *("--num_train_steps=1", "--learning_rate=0", "--max_seq_length=32"),
        *(f"--input_file={samples / 'reports.txt'}", "--layout=sentences", "--dev_fraction=0.3"),
        f"--prepared_dir={folder / 'prepared'}",
    )
    assert done.returncode == 0, done.stderr
    return done, contents(folder / "run")


def contents(folder):
    with open_checkpoint(folder) as checkpoint:
        return contents_of(checkpoint)


@pytest.fixture
def with_heads(tiny_checkpoint, tmp_path):
    """A function of a folder's name and a `sentence_head` that writes a pretrainer's weights."""

    def write(name, sentence_head):
        tokenizer = BertTokenizer.from_pretrained(tiny_checkpoint)
        shape = {"vocab_size": len(tokenizer.vocabulary), "initializer_range": 0.2, **SHAPE}
        model = BertPretrainer(BertConfig.from_dict(shape), sentence_head)
        model.get_layer("masked_lm").bias.assign_add(np.linspace(-1, 1, shape["vocab_size"]))
        write_huggingface(model, tmp_path / name)
        tokenizer.save(tmp_path / name)
        return tmp_path / name

    return write


@pytest.mark.long
def test_it_starts_from_weights_with_their_heads(with_heads, samples, tmp_path):
    weights = with_heads("weights", sentence_head=True)
    done, found = warm_start(weights, samples, tmp_path)
    assert "tensors loaded" in done.stderr
    assert "Newly made" not in done.stderr and "Left over" not in done.stderr
    expected = contents(weights)
    assert found.values.keys() == expected.values.keys() and "next_sentence" in found.heads
    for name, value in expected.values.items():
        np.testing.assert_array_equal(found.values[name], value, name)


@pytest.mark.long
def test_it_starts_from_googles_layout(with_heads, samples, tmp_path):
    weights = with_heads("weights", sentence_head=True)
    convert(weights, tmp_path / "google", "google")
    done, found = warm_start(tmp_path / "google", samples, tmp_path)
    assert "Newly made" not in done.stderr and "Left over" not in done.stderr
    expected = contents(weights)
    assert found.config.hidden_act == "gelu_new"  # Google's "gelu"
    assert found.values.keys() == expected.values.keys()
    for name, value in expected.values.items():
        np.testing.assert_array_equal(found.values[name], value, name)


@pytest.mark.long
def test_it_starts_from_a_grown_vocabulary_and_says_what_is_new(with_heads, samples, tmp_path):
    old = with_heads("old", sentence_head=False)
    (tmp_path / "words.txt").write_text("ferryboat\npassengers\n")
    done = run(
        *(f"--init_checkpoint={old}", f"--output_dir={tmp_path / 'grown'}"),
        f"--add_tokens={tmp_path / 'words.txt'}",
        script="convert_checkpoint.py",
    )
    assert done.returncode == 0, done.stderr
    done, found = warm_start(tmp_path / "grown", samples, tmp_path)
    assert "Newly made: next_sentence/kernel, next_sentence/bias.\n" in done.stderr
    expected = contents(tmp_path / "grown")
    assert found.config.vocab_size == contents(old).config.vocab_size + 2
    for name, value in expected.values.items():
        np.testing.assert_array_equal(found.values[name], value, name)
    assert BertTokenizer.from_pretrained(tmp_path / "run").vocabulary[-2:] == [
        "ferryboat",
        "passengers",
    ]


def test_what_cannot_be_is_one_sentence(settings, tmp_path):
    _, words = settings
    new = [*words, f"--output_dir={tmp_path / 'run'}", "--do_train"]
    for more, expected in (
        (["--vocab_dir="], "expected either --init_checkpoint, to continue from weights, or "),
        (["--input_file="], "--input_file: expected texts to read, found none.\n"),
        (["--do_predict"], "--do_predict needs --predict_file.\n"),
        (["--model_size=mini"], "--model_size: expected either this or --bert_config_file, found"),
        (["--masked_lm_prob=1"], "--masked_lm_prob: expected more than 0 and less than 1, found"),
        (["--short_seq_length=64"], "--short_seq_length: expected at least 8 and less than "),
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
    assert done.stdout.count("\n") <= 54 and max(map(len, done.stdout.splitlines())) <= 100
