"""The script as a person calls it, but in this process, where TensorFlow has started."""

import json
import shutil
import subprocess
import sys

import calling
import pytest

run_qa = calling.load("run_qa")


def call(*arguments):
    return calling.call(run_qa, *arguments)


@pytest.fixture(scope="module")
def finished(tiny_checkpoint, samples, tmp_path_factory):
    """A run that did all there is to do."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    done = call(
        *("--do_train", "--do_eval", "--do_predict", "--do_export"),
        f"--output_dir={folder}",
        f"--init_checkpoint={tiny_checkpoint}",
        f"--train_file={samples / 'questions.json'}",
        f"--predict_file={samples / 'questions.json'}",
        *("--max_seq_length=64", "--max_query_length=24", "--doc_stride=16", "--dev_fraction=0.3"),
        *("--num_train_epochs=1", "--train_batch_size=16"),
    )
    assert done.code == 0, done.err
    done.folder = folder
    return done


def test_all_in_one_call(finished, samples):
    assert {path.name for path in finished.folder.iterdir()} == {
        *("flags.json", "scores.json", "eval_results.json", ".lock"),
        *("predictions.json", "nbest_predictions.json", "null_odds.json"),
        *("config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json"),
        *("checkpoints", "train", "eval", "export"),
    }
    scores = json.loads((finished.folder / "eval_results.json").read_text())
    assert list(scores)[:2] == ["f1", "exact_match"] and "NoAns_exact" in scores
    assert f"f1 {scores['f1']:.4f}" in finished.out
    config = json.loads((finished.folder / "config.json").read_text())
    threshold = config["null_score_diff_threshold"]
    assert scores["null_score_diff_threshold"] == threshold
    assert f"null_score_diff_threshold {threshold:.4f}" in finished.out
    predicted = json.loads((finished.folder / "predictions.json").read_text())
    assert list(predicted) == [f"q{number:02}" for number in range(1, 33)]
    data = json.loads((samples / "questions.json").read_text())["data"]
    contexts = {
        qa["id"]: paragraph["context"]
        for article in data
        for paragraph in article["paragraphs"]
        for qa in paragraph["qas"]
    }
    assert all(answer in contexts[name] for name, answer in predicted.items())


@pytest.mark.long
def test_another_threshold_holds_for_one_call(finished, tmp_path):
    folder = shutil.copytree(finished.folder, tmp_path / "run")
    kept = json.loads((folder / "scores.json").read_text())["scores"]["null_score_diff_threshold"]
    for flags, expected in ((["--null_score_diff_threshold=-7"], -7), ([], kept)):
        done = call("--do_eval", f"--output_dir={folder}", *flags)
        assert done.code == 0, done.err
        scores = json.loads((folder / "eval_results.json").read_text())
        assert scores["null_score_diff_threshold"] == expected


def test_help_fits_a_screen():
    shown = subprocess.run(
        [sys.executable, run_qa.__file__, "--help"], capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0 and shown.stderr == ""
    lines = shown.stdout.splitlines()
    assert len(lines) <= 50 and max(map(len, lines)) <= 100
    assert "  --max_seq_length=384 " in shown.stdout and "  --doc_stride=128 " in shown.stdout


def test_bad_questions_are_told_in_a_sentence(tiny_checkpoint, tmp_path):
    path = tmp_path / "train.json"
    path.write_text('{"data": [{"paragraphs": [{"context": "A lamp.", "qas": [{"id": "1"}]}]}]}')
    shown = call(
        *("--do_train", f"--output_dir={tmp_path / 'run'}", f"--init_checkpoint={tiny_checkpoint}"),
        *(f"--train_file={path}", "--max_seq_length=64", "--max_query_length=8", "--doc_stride=8"),
    )
    assert (shown.code, shown.out) == (1, "")
    assert shown.err == f"{path}: question '1': expected 'question', found 'id'.\n"
    assert list(tmp_path.iterdir()) == [path]
