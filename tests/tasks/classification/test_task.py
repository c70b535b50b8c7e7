import csv
import dataclasses
import json
import types

import numpy as np
import pytest
import tensorflow as tf

from bert_keras.checkpoints.huggingface import write_huggingface
from bert_keras.config import BertConfig
from bert_keras.data.rows import Columns
from bert_keras.errors import InputError
from bert_keras.models.encoder import BertEncoder
from bert_keras.tasks.classification.bound import BoundClassification
from bert_keras.tasks.classification.task import Classification
from bert_keras.tasks.shared.examples import RowExamples
from bert_keras.text.tokenizer import BertTokenizer
from bert_keras.training.inference import Inference

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
    monkeypatch.setattr("bert_keras.tasks.classification.bound.encode", lambda *_: encoded)


@pytest.fixture
def make_task(tmp_path):
    """Makes a task from lines of rows, which are to evaluate on, too."""

    def make(lines, **more):
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        path = tmp_path / f"train.{'tsv' if isinstance(lines[0], str) else 'jsonl'}"
        path.write_text("\n".join(texts) + "\n", encoding="utf-8")
        return Classification(train=str(path), dev=str(path), max_length=16, **more)

    return make


@pytest.fixture
def prepare(make_task, tiny_checkpoint):
    """Makes such a task and reads its rows."""
    return lambda lines, **more: make_task(lines, **more).prepare(str(tiny_checkpoint), seed=0)


@pytest.fixture
def write(tmp_path):
    """Writes a file of rows to predict."""

    def write(*lines):
        path = tmp_path / "predict.tsv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return str(path)

    return write


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


def test_class_targets_and_loss(prepare):
    task, training_set, _ = prepare(REVIEWS)
    assert task.labels == ("bad", "good", "none")
    examples, targets = training_set.examples, training_set.targets
    assert len(examples) == 10
    assert targets["labels"].tolist() == [1] * 6 + [0] * 3 + [2]
    assert targets["weights"].tolist() == [1] * 10
    losses, weights = task.losses(tf.constant(LOGITS), targets), task.loss_weights(targets)
    expected = -np.log(softmax(LOGITS)[np.arange(10), targets["labels"]])
    np.testing.assert_allclose(losses["class"], expected, rtol=1e-5)
    np.testing.assert_array_equal(weights["class"], targets["weights"])


def test_class_weights_are_inverse_to_the_shares(unencoded, prepare):
    targets = prepare(REVIEWS, class_weights="balanced").training_set.targets
    # rows / (classes * rows of the class)
    expected = [10 / (3 * 6)] * 6 + [10 / (3 * 3)] * 3 + [10 / 3]
    np.testing.assert_allclose(targets["weights"], expected, rtol=1e-6)
    assert targets["weights"].dtype == np.float32


@pytest.mark.parametrize("kind", ["multi", "number"])
def test_class_weights_need_classes(make_task, kind):
    with pytest.raises(InputError, match=r"^class_weights: expected one label a text"):
        make_task(REVIEWS, label_kind=kind, class_weights="balanced")


def test_multi_targets_and_loss(unencoded, prepare):
    task, training_set, _ = prepare(SEVERAL, label_kind="multi")
    assert task.labels == ("x", "y")
    targets = training_set.targets
    assert targets["labels"].tolist() == [[1, 1], [0, 0], [0, 1]]
    logits = LOGITS[:3, :2]
    losses = task.losses(tf.constant(logits), targets)
    p, truth = sigmoid(logits), targets["labels"]
    expected = -(truth * np.log(p) + (1 - truth) * np.log(1 - p)).mean(axis=1)
    np.testing.assert_allclose(losses["multi"], expected, rtol=1e-5)


def test_number_targets_and_loss(unencoded, prepare):
    task, training_set, _ = prepare(NUMBERS, columns=pairs("score"), label_kind="number")
    assert task.labels == ()
    targets = training_set.targets
    assert targets["labels"].tolist() == [1.5, -2, 0, 4]
    losses = task.losses(tf.constant(LOGITS[:4, :1]), targets)
    np.testing.assert_allclose(losses["number"], (LOGITS[:4, 0] - [1.5, -2, 0, 4]) ** 2, rtol=1e-5)


def test_pairs_are_encoded_as_pairs(prepare):
    task, training_set, _ = prepare(NUMBERS, columns=pairs("score"), label_kind="number")
    examples = training_set.examples
    expected = task.tokenizer.encode(["a", "c", "e", "g"], ["b", "d", "f", "h"], max_length=16)
    assert examples.token_ids.to_list() == expected["token_ids"].to_list()
    assert examples.segment_ids.to_list() == [[0, 0, 0, 1, 1]] * 4


def test_answers(prepare):
    answer = serve(prepare(REVIEWS).task, LOGITS)
    shares = softmax(LOGITS)
    np.testing.assert_allclose(answer["probabilities"], shares, rtol=1e-5)
    np.testing.assert_allclose(answer["score"], shares.max(axis=1), rtol=1e-5)
    names = [[b"bad", b"good", b"none"][i] for i in shares.argmax(axis=1)]
    assert answer["label"].tolist() == names

    answer = serve(
        prepare(SEVERAL, label_kind="multi").task, [[2.0, 1.0], [-1.0, -2.0], [-0.5, 0.0]]
    )
    assert answer["label"].tolist() == [b"x,y", b"", b"y"]
    np.testing.assert_allclose(answer["probabilities"][0], sigmoid(np.array([2, 1])), rtol=1e-5)
    np.testing.assert_allclose(answer["score"], sigmoid(np.array([2, -1, 0])), rtol=1e-5)

    task = prepare(NUMBERS, columns=pairs("score"), label_kind="number").task
    assert {name: values.tolist() for name, values in serve(task, [[1.5], [-2.0]]).items()} == {
        "score": [1.5, -2.0]
    }


@pytest.mark.parametrize("kind", ["class", "multi", "number"])
def test_no_text_no_answer(prepare, kind):
    lines = {"class": REVIEWS, "multi": SEVERAL, "number": NUMBERS}[kind]
    columns = pairs("score") if kind == "number" else None
    task = prepare(lines, columns=columns, label_kind=kind).task
    width = max(1, len(task.labels))
    for values in serve(task, np.zeros((0, width), np.float32)).values():
        assert len(values) == 0


def test_class_evaluation_counts_every_row(prepare):
    task, _, dev = prepare(REVIEWS)
    truth = np.array([1] * 6 + [0] * 3 + [2])
    logits = np.eye(3, dtype=np.float32)[truth] * 4
    logits[5] = [4, 0, 0]  # one "good" taken for "bad", surely
    logits[9] = [0, 1, 0]  # one "none" for "good", less so
    evaluation = task.evaluate(dev, logits)
    assert evaluation.scores["accuracy"] == pytest.approx(0.8)
    assert list(evaluation.scores) == task.score_names(dev)
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


def test_multi_evaluation(prepare):
    task, _, dev = prepare(SEVERAL, label_kind="multi")
    logits = np.array([[3.0, 2.0], [1.0, -1.0], [-2.0, 2.0]], np.float32)
    evaluation = task.evaluate(dev, logits)
    assert list(evaluation.scores) == task.score_names(dev)
    assert evaluation.scores["exact_match"] == pytest.approx(2 / 3)
    assert evaluation.scores["f1_micro"] == pytest.approx(6 / 7)
    worst = evaluation.tables["most wrong"].rows[0]
    assert worst == ["a dog", "", f"{1 - sigmoid(1.0):.4f}"]


def test_number_evaluation(prepare):
    task, _, dev = prepare(NUMBERS, columns=pairs("score"), label_kind="number")
    evaluation = task.evaluate(dev, np.array([[1.0], [-2.0], [0.5], [1.0]], np.float32))
    assert list(evaluation.scores) == task.score_names(dev)
    assert evaluation.scores["mse"] == pytest.approx((0.25 + 0 + 0.25 + 9) / 4)
    assert evaluation.tables["most wrong"].rows[0] == ["g ⟷ h", "4.0", "1.0000"]


def test_predictions_are_the_same_rows_in_order(prepare, write, tmp_path):
    rows = [f'{i}\ttext {i} "quoted"' for i in range(10)]
    task = prepare(REVIEWS).task
    examples = task.read_examples(write("id\ttext", *rows))
    assert len(examples) == 10
    path = task.write_predictions(examples, LOGITS, tmp_path).path
    assert path == tmp_path / "predictions.tsv"
    with open(path, encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
    assert header == ["id", "text", "label", "score", "p(bad)", "p(good)", "p(none)"]
    assert ["\t".join(line[:2]) for line in lines] == rows
    shares = softmax(LOGITS)
    np.testing.assert_allclose([[float(x) for x in line[4:]] for line in lines], shares, rtol=1e-5)
    assert [line[2] for line in lines] == [task.labels[i] for i in shares.argmax(axis=1)]


def test_one_text_is_not_two(unencoded, prepare, write):
    task = prepare(NUMBERS, columns=pairs("score"), label_kind="number").task
    texts = dataclasses.replace(task, task=Classification(label_kind="number"))
    with pytest.raises(InputError, match=r"predict\.tsv:2: expected two texts a row"):
        texts.read_examples(write("text", "soup"))


def test_predicted_numbers(unencoded, prepare, write, tmp_path):
    task = prepare(NUMBERS, columns=pairs("score"), label_kind="number").task
    examples = task.read_examples(write("sentence1\tsentence2", "a\tb", "c\td"))
    predictions = np.array([[0.25], [3.0]], np.float32)
    path = task.write_predictions(examples, predictions, tmp_path).path
    assert path.read_text() == "sentence1\tsentence2\tscore\na\tb\t0.25\nc\td\t3\n"
    assert task.answers(examples, predictions) == [{"score": 0.25}, {"score": 3.0}]


def test_answers_in_python(prepare):
    task = prepare(REVIEWS).task
    examples = task.examples_of(["soup", "good"])
    assert isinstance(examples, RowExamples) and len(examples) == 2
    first, _ = task.answers(examples, LOGITS[:2])
    shares = softmax(LOGITS)[0]
    assert first["label"] == ("bad", "good", "none")[shares.argmax()]
    assert list(first["probabilities"]) == ["bad", "good", "none"]
    np.testing.assert_allclose(list(first["probabilities"].values()), shares, rtol=1e-5)
    assert first["score"] == max(first["probabilities"].values())

    several = prepare(SEVERAL, label_kind="multi").task
    (answer,) = several.answers(several.examples_of(["soup"]), np.array([[2.0, 1.0]], np.float32))
    assert answer["label"] == ["x", "y"]


def test_a_kept_run_is_restored(prepare, make_task, tmp_path, tiny_checkpoint):
    task = prepare(REVIEWS).task
    model = task.build_model(tiny_checkpoint, "float32")
    folder = tmp_path / "run"
    task.save(model, folder)
    config = json.loads((folder / "config.json").read_text())
    assert config["problem_type"] == "single_label_classification"
    assert config["id2label"] == {"0": "bad", "1": "good", "2": "none"}

    again = make_task(REVIEWS).restore(folder)
    assert again.labels == task.labels
    assert again.tokenizer.vocabulary == task.tokenizer.vocabulary
    inputs = again.tokenizer(["good soup", "bad"])
    np.testing.assert_array_equal(again.build_model(folder, "float32")(inputs), model(inputs))
    assert len(again.evaluation_set(seed=0)) == 10

    with pytest.raises(InputError, match="'multi', found one for single_label_classification"):
        make_task(SEVERAL, label_kind="multi").restore(folder)


@pytest.mark.parametrize(("task_name", "metric"), [("MRPC", "f1"), ("CoLA", "matthews")])
def test_the_metric_of_glue_comes_first(task_name, metric):
    task = Classification(task_name=task_name, data_dir="nowhere", max_length=16)
    names = BoundClassification(task, None, ("0", "1"), takes_pairs=False).score_names(None)
    assert names[0] == metric
    assert sorted(names) == ["accuracy", "f1", "f1_macro", "matthews"]


def test_more_tokens_than_positions(make_task, tiny_checkpoint):
    task = dataclasses.replace(make_task(REVIEWS), max_length=65)
    with pytest.raises(InputError, match=r"^max_length: expected at most 64, .* found 65\."):
        task.prepare(str(tiny_checkpoint), seed=0)


def test_cut_texts_are_counted(prepare, caplog):
    caplog.set_level("INFO")
    prepare(["text\tlabel", "soup " * 20 + "\tgood", "soup\tbad"])
    assert "1 of 2 texts are longer than 16 tokens and were cut (`max_length`)." in caplog.text


def test_texts_longer_than_a_row_and_short_ones(make_task, tmp_path):
    """Predictions do not depend on the lengths of the texts beside one in its batch."""
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "soup", "good", "bad", "none"]
    config = BertConfig(
        vocab_size=9,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=200,
        initializer_range=0.5,
    )
    write_huggingface(BertEncoder(config), tmp_path / "weights")
    BertTokenizer(vocabulary, max_length=200).save(tmp_path / "weights")
    lines = ["text\tlabel", "good " * 150 + "\tgood", "bad soup\tbad", "soup " * 90 + "\tbad"]
    task = dataclasses.replace(make_task(lines), max_length=180)
    bound, _, dev = task.prepare(str(tmp_path / "weights"), seed=0)
    model = bound.build_model(tmp_path / "weights", "float32")
    together = Inference(model, bound.predictions, batch_size=3)(dev, "")
    one_by_one = Inference(model, bound.predictions, batch_size=1)(dev, "")
    np.testing.assert_allclose(together, one_by_one, atol=1e-5)
    texts = [line.split("\t")[0] for line in lines[1:]]
    for text, prediction in zip(texts, together, strict=True):
        expected = model(bound.tokenizer([text], max_length=180))
        np.testing.assert_allclose(prediction, expected[0], atol=1e-5)
    assert set(bound.evaluate(dev, together).scores) == set(bound.score_names(dev))
