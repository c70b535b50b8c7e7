import json

import numpy as np
import pytest
import tensorflow as tf

from bert_keras.checkpoints.huggingface import write_huggingface
from bert_keras.errors import InputError
from bert_keras.models.token_classifier import BertTokenClassifier
from bert_keras.tasks.tagging.source import TaggedSource
from bert_keras.tasks.tagging.task import Tagging

# Windows of five tokens over six; "u.s." is four to the tokenizer.
WORDS = "a I-x\nb I-x\nc I-y\nd O\ne B-x\nf I-x\n\nu.s. I-y\nq O\n"
ROWS = [
    {"text": "a.b cd", "entities": [{"start": 0, "end": 3, "type": "x"}], "id": 1},
    {"text": "e", "entities": []},
]


@pytest.fixture
def make_task(tmp_path, tiny_checkpoint):
    """Makes a task from files' contents, prepared to be trained."""

    def make(train=WORDS, dev=None, predict=None, max_length=7, prepare=True):
        files = {}
        for name, content in _given(train=train, dev=dev or train, predict=predict):
            path = tmp_path / f"{name}.conll"
            if not isinstance(content, str):
                content = "".join(json.dumps(row) + "\n" for row in content)
                path = path.with_suffix(".jsonl")
            path.write_text(content)
            files[name] = str(path)
        predict_file = files.pop("predict", "")
        task = Tagging(TaggedSource(**files), max_length, predict_file)
        if prepare:
            task.prepare(tiny_checkpoint)
        return task

    return make


def _given(**files):
    return [(name, content) for name, content in files.items() if content]


def first_batch(training_set, batch_size=8):
    from bert_keras.training.loop import Schedule

    schedule = Schedule(1e-3, 1, batch_size, 0.1, 1, seed=0)
    return next(iter(training_set.batches(schedule)))


def certain(task, tags_of_tokens, length):
    """Answers of a model that is sure of a tag for each token of each window."""
    tags = np.zeros([len(tags_of_tokens), length], int)
    for row, some in zip(tags, tags_of_tokens, strict=True):
        row[: len(some)] = some
    return np.log(np.eye(len(task.labels))[tags] * 0.9 + 0.1 / len(task.labels)).astype("float32")


def test_each_word_is_learned_once_where_it_has_most_context(make_task):
    task = make_task()
    assert task.types == ["x", "y"]
    assert task.labels == ["O", "B-x", "I-x", "B-y", "I-y"]
    training_set = task.training_set()
    assert len(training_set) == 3  # two windows and one
    labels = training_set.targets["labels"].numpy()
    # [CLS] a b c d e [SEP], [CLS] c d e f [SEP], [CLS] u . s . q [SEP]
    assert labels.tolist() == [
        [-1, 1, 2, 3, 0, -1, -1],
        [-1, -1, -1, 1, 2, -1, -1],
        [-1, 3, 4, 4, 4, 0, -1],
    ]


def test_the_loss_is_over_labelled_tokens(make_task):
    task = make_task()
    batch = first_batch(task.training_set())
    inputs = batch["inputs"]
    shape = [*inputs["token_ids"].shape, 5]
    logits = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    losses, weights = task.losses(tf.constant(logits), batch)["tags"], task.weights(batch)["tags"]
    assert weights.numpy().tolist() == [1.0] * 11 and losses.shape == (11,)
    # The same by hand, in the order in which the examples stand in the rows.
    expected = []
    for row, (ids, locations) in enumerate(
        zip(inputs["example_ids"].numpy(), inputs["position_ids"].numpy(), strict=True)
    ):
        before = sum(inputs["example_ids"].numpy()[:row].max(axis=1, initial=0))
        for column, (number, location) in enumerate(zip(ids, locations, strict=True)):
            label = batch["labels"].numpy()[before + number - 1, location] if number else -1
            if label >= 0:
                line = logits[row, column]
                expected.append(np.log(np.exp(line).sum()) - line[label])
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    locations = {each["place"].rpartition(":")[2] for each in task.describe(batch)}
    assert locations == {"1", "8"}


def test_answers_are_of_each_window_and_as_wide_in_every_batch(make_task):
    task = make_task()
    (batch,) = task.evaluation_set().evaluation_batches(8)
    logits = np.random.default_rng(0).normal(size=[*batch["inputs"]["token_ids"].shape, 5])
    answers = task.answers(tf.constant(logits, tf.float32), batch).numpy()
    assert answers.shape == (3, 64, 5)
    example_ids = batch["inputs"]["example_ids"].numpy()
    first = logits[0][example_ids[0] == 1]
    np.testing.assert_allclose(
        np.exp(answers[0, : len(first)]), np.exp(first) / np.exp(first).sum(1, keepdims=True), 1e-5
    )


def test_evaluation(make_task):
    task = make_task()
    task.evaluation_set()
    # Windows: the tags that do not count are wrong, and so is the answer to "f" and "q".
    sure = certain(task, [[0, 1, 2, 3, 0, 3], [0, 3, 3, 1, 0], [0, 3, 0, 0, 0, 1]], 7)
    evaluation = task.evaluate(sure)
    assert list(evaluation.scores) == task.score_names
    assert list(evaluation.scores) == ["f1", "precision", "recall", "accuracy", "f1_macro"]
    # Found: a b as x, c as y, e as x (wrong end), u.s. as y, q as x.
    assert evaluation.scores["precision"] == pytest.approx(3 / 5)
    assert evaluation.scores["recall"] == pytest.approx(3 / 4)
    assert evaluation.scores["accuracy"] == pytest.approx(6 / 8)
    assert evaluation.tables["per type"].rows == [
        ["x", "0.333", "0.500", "0.400", "2"],
        ["y", "1.000", "1.000", "1.000", "2"],
    ]
    wrong = evaluation.tables["most wrong"].rows
    assert [row[:3] for row in wrong] == [
        ["a b c d e f", "a b (x), c (y), e f (x)", "a b (x), c (y), e (x)"],
        ["u.s. q", "u.s. (y)", "u.s. (y), q (x)"],
    ]
    assert evaluation.images["types of words"].dtype == np.uint8


def test_predictions_are_the_same_lines_in_the_training_files_scheme(make_task, tmp_path):
    task = make_task(predict="-DOCSTART-\n\na\nb\nc\nd\ne\nf\n\nu.s.\nq")
    assert len(task.prediction_set()) == 3
    sure = certain(task, [[0, 1, 2, 3, 0, 0], [0, 0, 0, 1, 1], [0, 3, 4, 4, 4, 0]], 7)
    path = task.write_predictions(sure, tmp_path)
    assert path == tmp_path / "predictions.conll"
    assert path.read_text() == (
        "-DOCSTART-\tO\n\na\tI-x\nb\tI-x\nc\tI-y\nd\tO\ne\tI-x\nf\tB-x\n\nu.s.\tI-y\nq\tO\n"
    )


def test_predicted_rows(make_task, tmp_path):
    task = make_task(ROWS, predict=ROWS)
    task.prediction_set()
    sure = certain(task, [[0, 1, 2, 2, 1, 0], [0, 0]], 7)
    path = task.write_predictions(sure, tmp_path)
    assert path == tmp_path / "predictions.jsonl"
    one, two = map(json.loads, path.read_text().splitlines())
    score = round(0.9 + 0.1 / 3, 6)
    assert one == ROWS[0] | {
        "predicted_entities": [
            {"text": "a.b", "type": "x", "start": 0, "end": 3, "score": score},
            {"text": "cd", "type": "x", "start": 4, "end": 6, "score": score},
        ]
    }
    assert two == ROWS[1] | {"predicted_entities": []}


def test_split_words_are_told(make_task, caplog):
    rows = [{"text": "abc", "entities": [{"start": 1, "end": 2, "type": "x"}]}, *ROWS]
    make_task(rows).training_set()
    assert "1 of 2 entities begin or end inside a word or hold none, the first in " in caplog.text
    assert "train.jsonl:1, 'b' from 1 to 2: such are learned as the whole words" in caplog.text


def test_a_kept_run_is_taken_up(make_task, tmp_path, tiny_checkpoint):
    task = make_task()
    model = task.build_model(tiny_checkpoint, "float32")
    task.save(model, tmp_path / "run")
    again = make_task(prepare=False)
    again.restore(tmp_path / "run")
    assert (again.types, again._scheme) == (["x", "y"], "iob1")
    inputs = again.tokenizer(["a b"])
    np.testing.assert_array_equal(
        again.build_model(tmp_path / "run", "float32")(inputs), model(inputs)
    )
    assert len(again.evaluation_set()) == 3


def test_a_head_for_other_tags_is_left_and_its_encoder_taken(make_task, tmp_path, caplog):
    caplog.set_level("INFO")
    task = make_task()
    encoder = task.build_model(task_checkpoint(task, tmp_path), "float32").encoder
    assert "Left over in the file: classifier.bias, classifier.weight" in caplog.text
    assert encoder.config.hidden_size == 16


def task_checkpoint(task, tmp_path):
    """A folder of a token classifier with as many classes, called otherwise."""
    from bert_keras.config import BertConfig

    config = BertConfig(len(task.tokenizer.vocabulary), 16, 1, 2, 32, max_position_embeddings=16)
    write_huggingface(BertTokenClassifier(config, 5), tmp_path / "other")
    return tmp_path / "other"


def test_types_that_were_never_trained(make_task):
    with pytest.raises(InputError) as caught:
        make_task(dev="a O\n\nb O\nc I-z\n")
    assert str(caught.value).endswith(
        "dev.conll:3: the type 'z' is none of the 2 types of the training texts: x, y."
    )


def test_lengths_that_cannot_be(make_task):
    with pytest.raises(InputError, match="--max_seq_length: expected 3 at least, found 2"):
        make_task(max_length=2)
    with pytest.raises(InputError, match=r"--max_seq_length: expected at most 64, .* found 65"):
        make_task(max_length=65)
    assert len(make_task(max_length=3).training_set()) == 6 + 5
