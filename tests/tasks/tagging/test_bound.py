import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from bert_keras.checkpoints.huggingface import write_huggingface
from bert_keras.errors import InputError
from bert_keras.models.token_classifier import BertTokenClassifier
from bert_keras.tasks.tagging.task import Tagging
from bert_keras.training.inference import Inference
from bert_keras.training.settings import TrainingSettings

# Windows of five tokens over six; "u.s." is four to the tokenizer.
WORDS = "a I-x\nb I-x\nc I-y\nd O\ne B-x\nf I-x\n\nu.s. I-y\nq O\n"
ROWS = [
    {"text": "a.b cd", "entities": [{"start": 0, "end": 3, "type": "x"}], "id": 1},
    {"text": "e", "entities": []},
]


@pytest.fixture
def write(tmp_path):
    """Writes words, or rows, to a file; returns its path."""

    def write(name, content):
        path = tmp_path / f"{name}.conll"
        if not isinstance(content, str):
            content = "".join(json.dumps(row) + "\n" for row in content)
            path = path.with_suffix(".jsonl")
        path.write_text(content)
        return str(path)

    return write


@pytest.fixture
def make_task(write):
    """Makes a task of files' contents."""

    def make(train=WORDS, dev=None, max_length=7):
        files = {"train": write("train", train), "dev": write("dev", dev or train)}
        return Tagging(**files, max_length=max_length)

    return make


@pytest.fixture
def prepare(make_task, tiny_checkpoint):
    """Makes a task of files' contents and prepares it."""

    def prepare(*contents, **more):
        return make_task(*contents, **more).prepare(str(tiny_checkpoint), 0)

    return prepare


def first_batch(training_set, batch_size=8):
    schedule = TrainingSettings(batch_size=batch_size)
    return next(iter(training_set.batches(schedule)))


def certain(bound, tags_of_tokens, length):
    """Predictions of a model that is certain of a tag for each token of each window."""
    tags = np.zeros([len(tags_of_tokens), length], int)
    for row, some in zip(tags, tags_of_tokens, strict=True):
        row[: len(some)] = some
    return np.log(np.eye(len(bound.labels))[tags] * 0.9 + 0.1 / len(bound.labels)).astype("float32")


def test_each_word_is_learned_once_where_it_has_most_context(prepare):
    bound, training_set, _ = prepare()
    assert bound.types == ("x", "y")
    assert bound.labels == ("O", "B-x", "I-x", "B-y", "I-y")
    assert len(training_set) == 3  # two windows and one
    labels = training_set.targets["labels"].numpy()
    # [CLS] a b c d e [SEP], [CLS] c d e f [SEP], [CLS] u . s . q [SEP]
    assert labels.tolist() == [
        [-1, 1, 2, 3, 0, -1, -1],
        [-1, -1, -1, 1, 2, -1, -1],
        [-1, 3, 4, 4, 4, 0, -1],
    ]


def test_the_loss_is_over_labelled_tokens(prepare):
    bound, training_set, _ = prepare()
    batch = first_batch(training_set)
    inputs = batch["inputs"]
    shape = [*inputs["token_ids"].shape, 5]
    logits = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    losses = bound.losses(tf.constant(logits), batch)["tags"]
    assert bound.loss_weights(batch)["tags"].numpy().tolist() == [1.0] * 11
    assert losses.shape == (11,)
    # The same by hand, in the order of the examples in the rows.
    expected = []
    for row, (ids, positions) in enumerate(
        zip(inputs["example_ids"].numpy(), inputs["position_ids"].numpy(), strict=True)
    ):
        before = sum(inputs["example_ids"].numpy()[:row].max(axis=1, initial=0))
        for column, (number, position) in enumerate(zip(ids, positions, strict=True)):
            label = batch["labels"].numpy()[before + number - 1, position] if number else -1
            if label >= 0:
                line = logits[row, column]
                expected.append(np.log(np.exp(line).sum()) - line[label])
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_a_batch_is_described_by_its_texts(prepare):
    _, training_set, _ = prepare()
    described = training_set.describe(first_batch(training_set))
    assert {row["place"].rpartition(":")[2]: row["text"] for row in described} == {
        "1": "a b c d e f",
        "8": "u.s. q",
    }


def test_predictions_are_of_each_window_and_as_wide_in_every_batch(prepare):
    bound, _, examples = prepare()
    (batch,) = examples.evaluation_batches(8)
    logits = np.random.default_rng(0).normal(size=[*batch["inputs"]["token_ids"].shape, 5])
    predictions = bound.predictions(tf.constant(logits, tf.float32), batch).numpy()
    assert predictions.shape == (3, 64, 5)
    example_ids = batch["inputs"]["example_ids"].numpy()
    first = logits[0][example_ids[0] == 1]
    np.testing.assert_allclose(
        np.exp(predictions[0, : len(first)]),
        np.exp(first) / np.exp(first).sum(1, keepdims=True),
        1e-5,
    )


def test_evaluation(prepare):
    bound, _, examples = prepare()
    # Windows: the tags that do not count are wrong, and so are the predictions for "f" and "q".
    sure = certain(bound, [[0, 1, 2, 3, 0, 3], [0, 3, 3, 1, 0], [0, 3, 0, 0, 0, 1]], 7)
    evaluation = bound.evaluate(examples, sure)
    assert list(evaluation.scores) == bound.score_names(examples)
    assert list(evaluation.scores) == ["f1", "precision", "recall", "accuracy", "f1_macro"]
    # Predicted: a b as x, c as y, e as x (wrong end), u.s. as y, q as x.
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


def test_predictions_are_the_same_lines_in_the_training_files_scheme(prepare, write, tmp_path):
    bound, *_ = prepare()
    examples = bound.read_examples(write("new", "-DOCSTART-\n\na\nb\nc\nd\ne\nf\n\nu.s.\nq"))
    assert len(examples) == 3
    sure = certain(bound, [[0, 1, 2, 3, 0, 0], [0, 0, 0, 1, 1], [0, 3, 4, 4, 4, 0]], 7)
    path, tables = bound.write_predictions(examples, sure, tmp_path)
    assert (path, tables) == (tmp_path / "predictions.conll", {})
    assert path.read_text() == (
        "-DOCSTART-\tO\n\na\tI-x\nb\tI-x\nc\tI-y\nd\tO\ne\tI-x\nf\tB-x\n\nu.s.\tI-y\nq\tO\n"
    )


def test_predicted_rows(prepare, write, tmp_path):
    bound, *_ = prepare(ROWS)
    examples = bound.read_examples(write("new", ROWS))
    sure = certain(bound, [[0, 1, 2, 2, 1, 0], [0, 0]], 7)
    path, _ = bound.write_predictions(examples, sure, tmp_path)
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


def test_answers_to_texts_in_memory(prepare):
    bound, *_ = prepare()
    examples = bound.examples_of(["a.b cd", "", "e"])
    sure = certain(bound, [[0, 1, 2, 2, 3, 0], [0, 0], [0, 0, 0]], 7)
    entities, *others = bound.answers(examples, sure)
    assert others == [[], []]
    expected = [
        {"text": "a.b", "type": "x", "start": 0, "end": 3},
        {"text": "cd", "type": "y", "start": 4, "end": 6},
    ]
    for entity, of_text in zip(entities, expected, strict=True):
        assert entity.pop("score") == pytest.approx(0.9 + 0.1 / 5, rel=1e-5)
        assert entity == of_text


def test_inputs_that_are_no_texts(prepare):
    bound, *_ = prepare()
    for inputs, message in (
        (["a", 3], r"inputs: \[1\]: expected a text, found 3\."),
        ([["a", "b"]], r"inputs: \[0\]: expected a text, found .*a.*b.*\."),
    ):
        with pytest.raises(InputError, match=message):
            bound.examples_of(inputs)


SENTENCE = "ada went to rome , and bob stayed ."
PLACE, PERSONS = (12, 16), ((0, 3), (23, 26))


@pytest.fixture
def long_row():
    """Twelve sentences, of 9 words each, as one text with 36 entities."""
    entities = []
    for base in range(0, 12 * (len(SENTENCE) + 1), len(SENTENCE) + 1):
        spans = [("person", span) for span in PERSONS] + [("place", PLACE)]
        entities += [{"start": base + a, "end": base + b, "type": t} for t, (a, b) in spans]
    return {"text": " ".join([SENTENCE] * 12), "entities": entities}


def test_each_entity_of_a_long_text_counts_once(prepare, long_row):
    bound, training_set, examples = prepare([long_row], max_length=32)
    tokens = int(tf.size(examples.windowed.ids.values))
    assert tokens > 100 and len(examples) > 5
    labels = training_set.targets["labels"].numpy()
    assert (labels >= 0).sum() == 12 * 9
    # Certain of the labels, and of O in the windows in which a word has less context.
    tags = np.maximum(labels, 0)
    evaluation = bound.evaluate(examples, certain(bound, tags, labels.shape[1]))
    assert set(evaluation.scores.values()) == {1.0}
    assert sum(int(line[-1]) for line in evaluation.tables["per type"].rows) == 36


@pytest.mark.parametrize("max_length", [32, 64])
def test_long_texts_are_predicted_as_window_by_window(
    prepare, long_row, tiny_checkpoint, max_length
):
    bound, _, examples = prepare([long_row], max_length=max_length)
    model = bound.build_model(tiny_checkpoint, "float32")
    kernel, _ = model.get_layer("token_classifier").weights
    kernel.assign(np.random.default_rng(1).normal(size=kernel.shape))
    predictions = Inference(model, bound.predictions, 3)(examples, "evaluating")

    # The same naively: a window a call, and the one with the most context for each token.
    size, ids = max_length - 2, examples.windowed.ids.values.numpy()
    cls, sep = bound.tokenizer.cls_id, bound.tokenizer.sep_id
    best = [(-1, None)] * len(ids)  # of each token: its context, its log-probabilities
    for start in range(0, len(ids), size // 2):
        window = ids[start : start + size]
        alone = [cls, *window, sep]
        shape = [1, len(alone)]
        inputs = {
            "token_ids": np.array([alone], np.int32),
            "segment_ids": np.zeros(shape, np.int32),
            "position_ids": np.arange(len(alone), dtype=np.int32)[None],
            "example_ids": np.ones(shape, np.int32),
        }
        log_probs = tf.nn.log_softmax(model(inputs))[0, 1:-1].numpy()
        for index, values in enumerate(log_probs):
            context = min(index, len(window) - 1 - index)
            if context > best[start + index][0]:
                best[start + index] = (context, values)
        if start + size >= len(ids):
            break
    expected = np.array([values for _, values in best])[examples.words.token]
    decoded = bound._decode(examples, predictions)
    np.testing.assert_allclose(decoded.log_probs, expected, atol=1e-5)
    assert len(decoded.entities) > 10
    (entities,) = bound.answers(examples, predictions)
    assert max(entity["end"] for entity in entities) > len(long_row["text"]) - 20
    assert all(long_row["text"][e["start"] : e["end"]] == e["text"] for e in entities)

    # What is evaluated is what is predicted.
    scores = bound.evaluate(examples, predictions).scores
    gold = {(e["start"], e["end"], e["type"]) for e in long_row["entities"]}
    right = sum((e["start"], e["end"], e["type"]) in gold for e in entities)
    assert scores["precision"] == pytest.approx(right / len(entities))
    assert scores["recall"] == pytest.approx(right / 36)


def test_split_words_are_reported(prepare, caplog):
    rows = [{"text": "abc", "entities": [{"start": 1, "end": 2, "type": "x"}]}, *ROWS]
    prepare(rows)
    assert "1 of 2 entities start or end inside a word or have no word, the first" in caplog.text
    assert "train.jsonl:1, 'b' from 1 to 2. They are learned as entire words" in caplog.text


def test_a_kept_run_is_restored(prepare, make_task, tmp_path, tiny_checkpoint):
    bound, *_ = prepare()
    model = bound.build_model(tiny_checkpoint, "float32")
    bound.save(model, tmp_path / "run")
    again = make_task().restore(tmp_path / "run")
    assert (again.labels, again.types, again.scheme) == (bound.labels, ("x", "y"), "iob1")
    inputs = again.tokenizer(["a b"])
    np.testing.assert_array_equal(
        again.build_model(tmp_path / "run", "float32")(inputs), model(inputs)
    )
    assert len(again.evaluation_set(0)) == 3


def test_a_model_of_another_task_is_refused(make_task, tiny_checkpoint):
    with pytest.raises(InputError, match="expected a model that tags entities, found another"):
        make_task().restore(tiny_checkpoint)


def test_a_head_for_other_tags_is_left_and_its_encoder_taken(prepare, tmp_path, caplog):
    caplog.set_level("INFO")
    bound, *_ = prepare()
    encoder = bound.build_model(other_tagger(bound, tmp_path), "float32").encoder
    assert "Left over in the file: classifier.bias, classifier.weight" in caplog.text
    assert encoder.config.hidden_size == 16


def other_tagger(bound, tmp_path):
    """A folder of a token classifier with as many classes of other names."""
    from bert_keras.config import BertConfig

    config = BertConfig(len(bound.tokenizer.vocabulary), 16, 1, 2, 32, max_position_embeddings=16)
    write_huggingface(BertTokenClassifier(config, 5), tmp_path / "other")
    return tmp_path / "other"


def test_types_that_were_never_trained(prepare, make_task, tmp_path, tiny_checkpoint):
    message = "dev.conll:3: the type 'z' is none of the 2 types of the training texts: x, y."
    bound, *_ = prepare()
    bound.save(bound.build_model(tiny_checkpoint, "float32"), tmp_path / "run")
    later = make_task(dev="a O\n\nb O\nc I-z\n").restore(tmp_path / "run")
    for attempt in (
        lambda: prepare(dev="a O\n\nb O\nc I-z\n"),
        lambda: later.evaluation_set(0),
    ):
        with pytest.raises(InputError) as caught:
            attempt()
        assert str(caught.value).endswith(message)


def test_nothing_to_evaluate_on(make_task, tiny_checkpoint):
    task = dataclasses.replace(make_task(), dev="", dev_fraction=0.0)
    assert task.prepare(str(tiny_checkpoint), 0).evaluation_set is None


def test_the_shortest_windows(prepare):
    _, training_set, _ = prepare(max_length=3)
    assert len(training_set) == 6 + 5
