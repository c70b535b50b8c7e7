import dataclasses
import json
import types

import numpy as np
import pytest
import tensorflow as tf

from bert_keras.data.packing import pack
from bert_keras.errors import InputError
from bert_keras.serving.export import export
from bert_keras.serving.freezing import freeze
from bert_keras.tasks.question_answering.source import QuestionSource
from bert_keras.tasks.question_answering.task import QuestionAnswering
from bert_keras.tasks.question_answering.windows import WindowSizes
from bert_keras.training.inference import Inference

SIZES = WindowSizes(48, 12, 8)
LAMP = "This lamp is bright, the chair is not. Warm soup, rich bread; ☕ and tea!"


def qa(name, question, *answers, context=LAMP):
    answers = [{"text": text, "answer_start": context.index(text)} for text in answers]
    return {"id": name, "question": question, "answers": answers}


QUESTIONS = [
    qa("1", "what is bright", "lamp", "This lamp"),
    qa("2", "what soup " * 9, "rich bread; ☕"),
    qa("3", "who"),
]


@pytest.fixture
def make_task(tmp_path, tiny_checkpoint):
    """Makes a task for questions, prepared to be trained on them and evaluated on them."""

    def make(qas=QUESTIONS, context=LAMP, prepare=True, **more):
        paths = {}
        for name, asked in {"train": qas, "predict": more.pop("predict", None)}.items():
            if asked:
                path = tmp_path / f"{name}.json"
                paragraph = {"context": context, "qas": asked}
                path.write_text(json.dumps({"data": [{"paragraphs": [paragraph]}]}))
                paths[name] = str(path)
        source = QuestionSource(paths["train"], dev=paths["train"])
        more = {"sizes": SIZES, "predict_file": paths.get("predict", "")} | more
        task = QuestionAnswering(source, **more)
        if prepare:
            task.prepare(tiny_checkpoint)
        return task

    return make


@pytest.fixture(scope="module")
def model(tiny_checkpoint):
    from bert_keras.models.question_answering import BertQuestionAnswering

    return BertQuestionAnswering.from_pretrained(tiny_checkpoint)


def answers_of(task, examples, model):
    return Inference(model, task.answers, 4)(examples, "answering")


def test_the_loss_is_over_an_examples_own_tokens(make_task):
    task = make_task()
    lengths, targets = [5, 9, 3], np.array([[1, 2], [8, 3], [0, 0]])
    ids = tf.RaggedTensor.from_row_lengths(tf.range(17), lengths)
    inputs, order = pack(ids, ids, row_length=12)
    rows = inputs["token_ids"].shape[0]
    logits = np.random.default_rng(0).normal(size=(rows, 12, 2)).astype(np.float32) * 3
    batch = {"inputs": inputs, "answer": tf.constant(targets[order.numpy()], tf.int32)}
    found = task.losses(tf.constant(logits), batch)["span"].numpy()
    np.testing.assert_array_equal(task.weights(batch)["span"], np.ones(3))

    used = inputs["example_ids"].numpy() > 0
    flat = dict(zip(inputs["token_ids"].numpy()[used], logits[used], strict=True))
    starts = np.cumsum([0, *lengths])
    for loss, example in zip(found, order.numpy(), strict=True):
        own = np.array([flat[token] for token in range(starts[example], starts[example + 1])])
        shares = np.exp(own) / np.exp(own).sum(0)
        expected = -np.mean([np.log(shares[targets[example][side], side]) for side in range(2)])
        assert loss == pytest.approx(expected, rel=1e-4)


def test_an_answer_that_has_no_tokens_is_not_trained_on(make_task):
    asked = [*QUESTIONS[:2], qa("accent", "who", "\u0301", context=LAMP + "\u0301")]
    task = make_task(asked, context=LAMP + "\u0301")
    assert task._train.ids == ["1", "2"] and len(task._dev) == 3
    assert len(task.training_set()) == 2


def test_a_replica_without_an_example_has_no_loss(make_task):
    batch = {
        "inputs": {"example_ids": tf.zeros([0, 12], tf.int32)},
        "answer": tf.zeros([0, 2], tf.int32),
        "starts": tf.zeros([0, 2], tf.int32),
    }
    task = make_task()
    assert task.losses(tf.zeros([0, 12, 2]), batch)["span"].shape == (0,)
    assert task.answers(tf.zeros([0, 12, 2]), batch).shape == (0, 21, 4)


def test_what_is_trained_on_can_be_told(make_task, caplog):
    caplog.set_level("INFO")
    task = make_task(context=LAMP + LAMP)
    training_set = task.training_set()
    batch = next(iter(training_set.batches(types.SimpleNamespace(batch_size=2, seed=0))))
    told = task.describe(batch)
    assert len(told) == 2 and told[0]["place"].startswith(task._train.file + ": question '")
    assert told[0]["question"] in [question["question"] for question in QUESTIONS]
    assert len(training_set) > len(QUESTIONS)
    assert f"3 questions, in {len(training_set)} windows of 48 tokens at most" in caplog.text
    assert "1 of them are longer than 12 tokens and were cut (--max_query_length)." in caplog.text


class Oracle:
    """Answers that score right spans best, and no answer by given odds."""

    def __init__(self, task, odds):
        task.evaluation_set()
        encoded = task._encoded["dev"]
        count = len(encoded.examples)
        self.answers = np.full((count, 21, 4), -np.inf, np.float32)
        self.answers[:, 0] = 0
        for index, some in enumerate(task._dev.answers):
            for window in np.flatnonzero(encoded.windows.question == index):
                self.answers[window, 0, 0] = odds[index] + 1
                own = encoded.windows.starts.numpy()[window]
                first = token = own[0] + 0
                shift = encoded.windows.first[window] - encoded.windows.before[window]
                if some:
                    begins = encoded.begins.to_list()[0]
                    token = begins.index(some[0].start) - int(shift)
                    if not own[0] <= token < own[1]:
                        continue
                    ends = encoded.ends.to_list()[0]
                    first, token = token, ends.index(some[0].start + len(some[0].text)) - int(shift)
                self.answers[window, 1] = [0.5, 0.5, first, token]


def test_right_answers_score_full(make_task):
    task = make_task()
    evaluation = task.evaluate(Oracle(task, [-2, -1, 3]).answers)
    assert evaluation.scores.pop("null_score_diff_threshold") == -1  # found here
    assert list(evaluation.scores) == task.score_names
    assert evaluation.scores == dict.fromkeys(
        ["f1", "exact_match", "HasAns_f1", "HasAns_exact", "NoAns_f1", "NoAns_exact"], 1.0
    )
    table = evaluation.tables["most wrong"]
    assert table.header == ["question", "truth", "answer", "probability of answer", "f1"]
    assert ["what is bright", "lamp / This lamp", "lamp"] in [row[:3] for row in table.rows]
    is_null, probability = evaluation.curves["no answer"]
    assert is_null.tolist() == [False, False, True] and probability.argmax() == 2


def test_a_threshold_that_is_given_is_not_sought(make_task):
    task = make_task(threshold=-1.5)
    scores = task.evaluate(Oracle(task, [-2, -1, 3]).answers).scores
    assert scores["null_score_diff_threshold"] == -1.5
    assert scores["HasAns_f1"] == 0.5 and scores["NoAns_f1"] == 1  # the second one is lost


def test_a_threshold_that_nothing_tells_is_0(make_task, tiny_checkpoint, caplog):
    caplog.set_level("INFO")
    told = "No questions to choose --null_score_diff_threshold by (--dev_file): it is 0."
    for held_out, threshold in ((True, None), (False, 0.5), (False, None)):
        assert told not in caplog.text
        task = make_task(prepare=False, threshold=threshold)
        if not held_out:
            task._source = dataclasses.replace(task._source, dev="", dev_fraction=0)
        task.prepare(tiny_checkpoint)
    assert told in caplog.text and task._threshold == 0


def test_where_every_question_has_an_answer_none_is_refused(make_task):
    task = make_task(QUESTIONS[:2])
    evaluation = task.evaluate(Oracle(task, [9, 9]).answers)
    assert evaluation.scores == {"f1": 1.0, "exact_match": 1.0} and not evaluation.curves
    with pytest.raises(InputError, match=r"--null_score_diff_threshold: every question in"):
        make_task(QUESTIONS[:2], threshold=1.0)


def test_the_threshold_stays_with_the_model(make_task, model, tmp_path):
    task = make_task()
    task.evaluate(Oracle(task, [-2, -1, 3]).answers)
    task.save(model, tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["null_score_diff_threshold"] == -1
    again = make_task(prepare=False)
    again.restore(tmp_path / "run")
    again.evaluate(Oracle(again, [-2, -1.5, 3]).answers)
    assert again._threshold == -1  # and is not sought again
    given = make_task(prepare=False, threshold=2.0)
    given.restore(tmp_path / "run")
    assert given._threshold == 2

    (tmp_path / "run" / "config.json").write_text(
        json.dumps({k: v for k, v in config.items() if k != "null_score_diff_threshold"})
    )
    with pytest.raises(InputError, match="expected a model that answers questions, found another"):
        again.restore(tmp_path / "run")


LONG = " ".join([LAMP] * 20)
PREDICT = [
    {"id": "a", "question": "what is bright"},
    {"id": "b", "question": "where is the chair"},
    {"id": "c", "question": "soup?"},
    {"id": "d", "question": ""},
]


@pytest.mark.parametrize("has_null", [True, False])
def test_what_is_served_is_what_is_predicted(make_task, model, tmp_path, has_null):
    task = make_task(QUESTIONS[: 3 if has_null else 2], context=LONG, predict=PREDICT)
    if has_null:
        task._threshold = 0.3  # between the odds, so that some have an answer
    found = answers_of(task, task.prediction_set(), model)
    assert len(found) > 32  # more than one turn
    if has_null:
        odds = np.sort(task._spans("predict", found).null_odds().numpy())
        task._threshold = float(odds[:2].mean())
    assert task.write_predictions(found, tmp_path) == tmp_path / "predictions.json"
    predicted = json.loads((tmp_path / "predictions.json").read_text())
    best = json.loads((tmp_path / "nbest_predictions.json").read_text())
    assert list(predicted) == list(best) == ["a", "b", "c", "d"]
    assert sum(text == "" for text in predicted.values()) == (3 if has_null else 0)
    assert (tmp_path / "null_odds.json").exists() == has_null

    serve = task.signatures(freeze(model))["serving_default"]
    if has_null:
        folder = export({"serving_default": serve}, task.tokenizer, tmp_path / "export")
        serve = tf.saved_model.load(folder).signatures["serving_default"]
    questions = tf.constant([question["question"] for question in PREDICT])
    served = {
        k: v.numpy() for k, v in serve(question=questions, context=tf.fill([4], LONG)).items()
    }
    assert [text.decode() for text in served["answer"]] == list(predicted.values())
    for index, (name, text) in enumerate(predicted.items()):
        entry = next(entry for entry in best[name] if entry["text"] == text)
        assert (served["start"][index], served["end"][index]) == (entry["start"], entry["end"])
        assert served["score"][index] == pytest.approx(entry["probability"], rel=1e-3)
        assert text == LONG[max(entry["start"], 0) : max(entry["end"], 0)]
        probabilities = [entry["probability"] for entry in best[name]]
        assert sum(probabilities) == pytest.approx(1, rel=1e-4)
        assert probabilities == sorted(probabilities, reverse=True)
        assert len(best[name]) == 20 + has_null

    none = serve(question=tf.constant([], tf.string), context=tf.constant([], tf.string))
    assert {name: values.shape for name, values in none.items()} == dict.fromkeys(served, (0,))
    odd = serve(
        question=tf.constant(["", "who", "who", b"\xff"]),
        context=tf.constant(["", " \n", "☕", b"\xff\xe4\xbd lamp"]),
    )
    assert odd["start"].numpy().tolist()[:2] == odd["end"].numpy().tolist()[:2] == [-1, -1]
    if not has_null:
        assert odd["answer"].numpy()[2].decode() == "☕"
        text = b"\xff\xe4\xbd lamp".decode("utf-8", "replace")
        start, end = int(odd["start"][3]), int(odd["end"][3])
        assert odd["answer"].numpy()[3].decode() == text[start:end] and end > start


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        (
            WindowSizes(128, 64, 128),
            "--doc_stride: expected at most 61, the tokens of a context that --max_seq_length=128 "
            "leaves beside a question of --max_query_length=64, found 128.",
        ),
        (
            WindowSizes(32, 64, 1),
            "--doc_stride: expected at most 0, the tokens of a context that --max_seq_length=32 "
            "leaves beside a question of --max_query_length=64, found 1.",
        ),
    ],
)
def test_windows_that_would_skip_tokens(make_task, sizes, sentence):
    with pytest.raises(InputError) as caught:
        make_task(sizes=sizes)
    assert str(caught.value) == sentence


def test_more_tokens_than_positions(make_task):
    with pytest.raises(InputError, match=r"--max_seq_length: expected at most 64, .* found 65\."):
        make_task(sizes=WindowSizes(65, 12, 8))
