import csv
import json
import types

import numpy as np
import pytest
import tensorflow as tf

from bert_keras.data.rows import Columns
from bert_keras.data.source import RowSource
from bert_keras.errors import InputError
from bert_keras.tasks.classification.task import Classification

REVIEWS = ["text\tlabel"] + ["good soup\tgood"] * 6 + ["bad soup\tbad"] * 3 + ["no soup\tnone"]
NUMBERS = ["sentence1\tsentence2\tscore", "a\tb\t1.5", "c\td\t-2", "e\tf\t0", "g\th\t4"]
SEVERAL = [
    {"text": "a man", "label": ["x", "y"]},
    {"text": "a dog", "label": []},
    {"text": "a cat", "label": ["y"]},
]


@pytest.fixture
def unencoded(monkeypatch):
    """Leaves out what takes most of a test's time, where only the labels matter."""
    encoded = types.SimpleNamespace(truncated=0)
    monkeypatch.setattr("bert_keras.tasks.classification.task.encode", lambda *_: encoded)


@pytest.fixture
def make_task(tmp_path, tiny_checkpoint):
    """Makes a task from lines of rows, prepared to be trained."""

    def make(lines, columns=None, class_weights=None, predict=None, prepare=True, **more):
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        suffix = "tsv" if isinstance(lines[0], str) else "jsonl"
        for name, content in (("train", texts), ("predict", predict)):
            if content:
                path = tmp_path / f"{name}.{suffix}"
                path.write_text("\n".join(content) + "\n", encoding="utf-8")
                more[name] = str(path)
        more = {"dev": more["train"]} | more
        predict_file = more.pop("predict", "")
        source = RowSource(columns=columns, **more)
        task = Classification(source, 16, class_weights, predict_file=predict_file)
        if prepare:
            task.prepare(tiny_checkpoint)
        return task

    return make


def pairs(label):
    return Columns("sentence1", "sentence2", label)


def serve(task, outputs):
    return {name: tensor.numpy() for name, tensor in task._answer(tf.constant(outputs)).items()}


def softmax(logits):
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


LOGITS = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32) * 2


def test_class_targets_and_loss(make_task):
    task = make_task(REVIEWS)
    assert task.labels == ["bad", "good", "none"]
    training_set = task.training_set()
    examples, targets = training_set.examples, training_set.targets
    assert len(examples) == 10
    assert targets["labels"].tolist() == [1] * 6 + [0] * 3 + [2]
    assert targets["weights"].tolist() == [1] * 10
    losses, weights = task.losses(tf.constant(LOGITS), targets), task.weights(targets)
    expected = -np.log(softmax(LOGITS)[np.arange(10), targets["labels"]])
    np.testing.assert_allclose(losses["class"], expected, rtol=1e-5)
    np.testing.assert_array_equal(weights["class"], targets["weights"])


def test_class_weights_are_inverse_to_the_shares(unencoded, make_task):
    targets = make_task(REVIEWS, class_weights="balanced").training_set().targets
    # rows / (classes * rows of the class)
    expected = [10 / (3 * 6)] * 6 + [10 / (3 * 3)] * 3 + [10 / 3]
    np.testing.assert_allclose(targets["weights"], expected, rtol=1e-6)
    assert targets["weights"].dtype == np.float32


@pytest.mark.parametrize("kind", ["multi", "number"])
def test_class_weights_need_classes(make_task, kind):
    with pytest.raises(InputError, match="--class_weights: expected one label a text"):
        make_task(REVIEWS, label_kind=kind, class_weights="balanced", prepare=False)


def test_multi_targets_and_loss(unencoded, make_task):
    task = make_task(SEVERAL, label_kind="multi")
    assert task.labels == ["x", "y"]
    targets = task.training_set().targets
    assert targets["labels"].tolist() == [[1, 1], [0, 0], [0, 1]]
    logits = LOGITS[:3, :2]
    losses = task.losses(tf.constant(logits), targets)
    p, truth = sigmoid(logits), targets["labels"]
    expected = -(truth * np.log(p) + (1 - truth) * np.log(1 - p)).mean(axis=1)
    np.testing.assert_allclose(losses["multi"], expected, rtol=1e-5)


def test_number_targets_and_loss(unencoded, make_task):
    task = make_task(NUMBERS, columns=pairs("score"), label_kind="number")
    assert task.labels == []
    targets = task.training_set().targets
    assert targets["labels"].tolist() == [1.5, -2, 0, 4]
    losses = task.losses(tf.constant(LOGITS[:4, :1]), targets)
    np.testing.assert_allclose(losses["number"], (LOGITS[:4, 0] - [1.5, -2, 0, 4]) ** 2, rtol=1e-5)


def test_pairs_are_encoded_as_pairs(make_task):
    task = make_task(NUMBERS, columns=pairs("score"), label_kind="number")
    examples = task.training_set().examples
    expected = task.tokenizer.encode(["a", "c", "e", "g"], ["b", "d", "f", "h"], max_length=16)
    assert examples.token_ids.to_list() == expected["token_ids"].to_list()
    assert examples.segment_ids.to_list() == [[0, 0, 0, 1, 1]] * 4


def test_answers(make_task):
    answer = serve(make_task(REVIEWS), LOGITS)
    shares = softmax(LOGITS)
    np.testing.assert_allclose(answer["probabilities"], shares, rtol=1e-5)
    np.testing.assert_allclose(answer["score"], shares.max(axis=1), rtol=1e-5)
    names = [[b"bad", b"good", b"none"][i] for i in shares.argmax(axis=1)]
    assert answer["label"].tolist() == names

    answer = serve(make_task(SEVERAL, label_kind="multi"), [[2.0, 1.0], [-1.0, -2.0], [-0.5, 0.0]])
    assert answer["label"].tolist() == [b"x,y", b"", b"y"]
    np.testing.assert_allclose(answer["probabilities"][0], sigmoid(np.array([2, 1])), rtol=1e-5)
    np.testing.assert_allclose(answer["score"], sigmoid(np.array([2, -1, 0])), rtol=1e-5)

    task = make_task(NUMBERS, columns=pairs("score"), label_kind="number")
    assert {name: values.tolist() for name, values in serve(task, [[1.5], [-2.0]]).items()} == {
        "score": [1.5, -2.0]
    }


@pytest.mark.parametrize("kind", ["class", "multi", "number"])
def test_no_text_no_answer(make_task, kind):
    lines = {"class": REVIEWS, "multi": SEVERAL, "number": NUMBERS}[kind]
    task = make_task(lines, columns=pairs("score") if kind == "number" else None, label_kind=kind)
    width = max(1, len(task.labels))
    for values in serve(task, np.zeros((0, width), np.float32)).values():
        assert len(values) == 0


def test_class_evaluation_counts_every_row(make_task):
    task = make_task(REVIEWS)
    truth = np.array([1] * 6 + [0] * 3 + [2])
    logits = np.eye(3, dtype=np.float32)[truth] * 4
    logits[5] = [4, 0, 0]  # one "good" taken for "bad", surely
    logits[9] = [0, 1, 0]  # one "none" for "good", less so
    evaluation = task.evaluate(logits)
    assert evaluation.scores["accuracy"] == pytest.approx(0.8)
    assert list(evaluation.scores) == task.score_names
    assert sum(int(row[-1]) for row in evaluation.tables["per class"].rows) == 10
    wrong = evaluation.tables["most wrong"]
    assert wrong.header == ["text", "truth", "answer", "probability of truth"]
    assert [row[:3] for row in wrong.rows[:2]] == [
        ["good soup", "good", "bad"],
        ["no soup", "none", "good"],
    ]
    assert float(wrong.rows[0][3]) == pytest.approx(softmax(logits)[5, 1], abs=1e-4)
    assert evaluation.images["confusion matrix"].dtype == np.uint8
    is_good, probability = evaluation.curves["good"]
    assert is_good.tolist() == (truth == 1).tolist()
    np.testing.assert_allclose(probability, softmax(logits)[:, 1], rtol=1e-5)


def test_multi_evaluation(make_task):
    task = make_task(SEVERAL, label_kind="multi")
    evaluation = task.evaluate(np.array([[3.0, 2.0], [1.0, -1.0], [-2.0, 2.0]], np.float32))
    assert list(evaluation.scores) == task.score_names
    assert evaluation.scores["exact_match"] == pytest.approx(2 / 3)
    assert evaluation.scores["f1_micro"] == pytest.approx(6 / 7)
    worst = evaluation.tables["most wrong"].rows[0]
    assert worst == ["a dog", "", f"{1 - sigmoid(1.0):.4f}"]


def test_number_evaluation(make_task):
    task = make_task(NUMBERS, columns=pairs("score"), label_kind="number")
    evaluation = task.evaluate(np.array([[1.0], [-2.0], [0.5], [1.0]], np.float32))
    assert list(evaluation.scores) == task.score_names
    assert evaluation.scores["mse"] == pytest.approx((0.25 + 0 + 0.25 + 9) / 4)
    assert evaluation.tables["most wrong"].rows[0] == ["g ⟷ h", "4.0", "1.0000"]


def test_predictions_are_the_same_rows_in_order(make_task, tmp_path):
    rows = [f'{i}\ttext {i} "quoted"' for i in range(10)]
    task = make_task(REVIEWS, predict=["id\ttext", *rows])
    assert len(task.prediction_set()) == 10
    path = task.write_predictions(LOGITS, tmp_path)
    assert path == tmp_path / "predictions.tsv"
    with open(path, encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
    assert header == ["id", "text", "label", "score", "p(bad)", "p(good)", "p(none)"]
    assert ["\t".join(line[:2]) for line in lines] == rows
    shares = softmax(LOGITS)
    np.testing.assert_allclose([[float(x) for x in line[4:]] for line in lines], shares, rtol=1e-5)
    assert [line[2] for line in lines] == [task.labels[i] for i in shares.argmax(axis=1)]


def test_one_text_is_not_two(unencoded, make_task):
    task = make_task(NUMBERS, columns=pairs("score"), label_kind="number")
    other = make_task(REVIEWS, predict=["text", "soup"], prepare=False)
    task._source, task._predict_file = other._source, other._predict_file
    with pytest.raises(InputError, match=r"predict\.tsv:2: expected two texts a row"):
        task.prediction_set()


def test_predicted_numbers(unencoded, make_task, tmp_path):
    predict = ["sentence1\tsentence2", "a\tb", "c\td"]
    task = make_task(NUMBERS, columns=pairs("score"), label_kind="number", predict=predict)
    task.prediction_set()
    path = task.write_predictions(np.array([[0.25], [3.0]], np.float32), tmp_path)
    assert path.read_text() == "sentence1\tsentence2\tscore\na\tb\t0.25\nc\td\t3\n"


def test_a_kept_run_is_taken_up(make_task, tmp_path, tiny_checkpoint):
    task = make_task(REVIEWS)
    model = task.build_model(tiny_checkpoint, "float32")
    folder = tmp_path / "run"
    task.save(model, folder)
    config = json.loads((folder / "config.json").read_text())
    assert config["problem_type"] == "single_label_classification"
    assert config["id2label"] == {"0": "bad", "1": "good", "2": "none"}

    again = make_task(REVIEWS, prepare=False)
    again.restore(folder)
    assert again.labels == task.labels
    assert again.tokenizer.vocabulary == task.tokenizer.vocabulary
    inputs = again.tokenizer(["good soup", "bad"])
    np.testing.assert_array_equal(again.build_model(folder, "float32")(inputs), model(inputs))
    assert len(again.evaluation_set()) == 10

    other = make_task(SEVERAL, label_kind="multi", prepare=False)
    with pytest.raises(InputError, match="'multi', found one for single_label_classification"):
        other.restore(folder)


@pytest.mark.parametrize(("task_name", "metric"), [("MRPC", "f1"), ("CoLA", "matthews")])
def test_the_metric_of_glue_comes_first(task_name, metric):
    task = Classification(RowSource(task_name=task_name, data_dir="nowhere"), 16)
    task.labels = ["0", "1"]
    assert task.score_names[0] == metric
    assert sorted(task.score_names) == ["accuracy", "f1", "f1_macro", "matthews"]


def test_more_tokens_than_positions(make_task, tiny_checkpoint):
    task = Classification(make_task(REVIEWS, prepare=False)._source, 65)
    with pytest.raises(InputError, match=r"--max_seq_length: expected at most 64, .* found 65\."):
        task.prepare(tiny_checkpoint)


def test_cut_texts_are_counted(make_task, caplog):
    caplog.set_level("INFO")
    lines = ["text\tlabel", "soup " * 20 + "\tgood", "soup\tbad"]
    make_task(lines).training_set()
    assert "1 of 2 texts are longer than 16 tokens and were cut (--max_seq_length)." in caplog.text
