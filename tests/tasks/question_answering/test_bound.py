import dataclasses
import itertools
import json

import numpy as np
import pytest
import tensorflow as tf

from bert_keras.data.packing import pack
from bert_keras.errors import InputError
from bert_keras.serving.export import export
from bert_keras.serving.freezing import freeze
from bert_keras.tasks.question_answering.task import QuestionAnswering
from bert_keras.training.inference import Inference
from bert_keras.training.settings import TrainingSettings

SIZES = {"max_length": 48, "max_query_length": 12, "doc_stride": 8}
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
def write(tmp_path):
    """Writes questions about a context to a file; returns its path."""

    def write(name, qas, context=LAMP):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"data": [{"paragraphs": [{"context": context, "qas": qas}]}]}))
        return str(path)

    return write


@pytest.fixture
def make_task(write):
    """Makes a task of questions, to be trained on them and evaluated on them."""

    def make(qas=QUESTIONS, context=LAMP, **more):
        path = write("train", qas, context)
        return QuestionAnswering(**({"train": path, "dev": path} | SIZES | more))

    return make


@pytest.fixture
def prepare(make_task, tiny_checkpoint):
    """Makes a task of questions and prepares it."""

    def prepare(*qas, **more):
        return make_task(*qas, **more).prepare(str(tiny_checkpoint), 0)

    return prepare


@pytest.fixture(scope="module")
def model(tiny_checkpoint):
    from bert_keras.models.question_answering import BertQuestionAnswering

    return BertQuestionAnswering.from_pretrained(tiny_checkpoint)


def predictions_of(bound, examples, model):
    return Inference(model, bound.predictions, 4)(examples, "predicting")


def test_the_loss_is_over_an_examples_own_tokens(prepare):
    bound, *_ = prepare()
    lengths, targets = [5, 9, 3], np.array([[1, 2], [8, 3], [0, 0]])
    ids = tf.RaggedTensor.from_row_lengths(tf.range(17), lengths)
    inputs, order = pack(ids, ids, row_length=12)
    rows = inputs["token_ids"].shape[0]
    logits = np.random.default_rng(0).normal(size=(rows, 12, 2)).astype(np.float32) * 3
    batch = {"inputs": inputs, "answer": tf.constant(targets[order.numpy()], tf.int32)}
    losses = bound.losses(tf.constant(logits), batch)["span"].numpy()
    np.testing.assert_array_equal(bound.loss_weights(batch)["span"], np.ones(3))

    used = inputs["example_ids"].numpy() > 0
    flat = dict(zip(inputs["token_ids"].numpy()[used], logits[used], strict=True))
    starts = np.cumsum([0, *lengths])
    for loss, example in zip(losses, order.numpy(), strict=True):
        own = np.array([flat[token] for token in range(starts[example], starts[example + 1])])
        shares = np.exp(own) / np.exp(own).sum(0)
        expected = -np.mean([np.log(shares[targets[example][side], side]) for side in range(2)])
        assert loss == pytest.approx(expected, rel=1e-4)


def test_an_answer_that_has_no_tokens_is_not_trained_on(prepare):
    asked = [*QUESTIONS[:2], qa("accent", "who", "\u0301", context=LAMP + "\u0301")]
    _, training_set, examples = prepare(asked, context=LAMP + "\u0301")
    batch = next(iter(training_set.batches(TrainingSettings(batch_size=9))))
    places = {row["place"].rpartition(" ")[2] for row in training_set.describe(batch)}
    assert places == {"'1'", "'2'"} and len(training_set) == 2
    assert len(examples.questions) == 3


def test_a_replica_without_an_example_has_no_loss(prepare):
    batch = {
        "inputs": {"example_ids": tf.zeros([0, 12], tf.int32)},
        "answer": tf.zeros([0, 2], tf.int32),
        "starts": tf.zeros([0, 2], tf.int32),
    }
    bound, *_ = prepare()
    assert bound.losses(tf.zeros([0, 12, 2]), batch)["span"].shape == (0,)
    assert bound.predictions(tf.zeros([0, 12, 2]), batch).shape == (0, 21, 4)


def test_a_batch_is_described_by_its_questions_and_windows(prepare, caplog):
    caplog.set_level("INFO")
    bound, training_set, _ = prepare(context=LAMP + LAMP)
    batch = next(iter(training_set.batches(TrainingSettings(batch_size=2))))
    described = training_set.describe(batch)
    assert len(described) == 2
    assert described[0]["place"].startswith(f"{bound.task.train}: question '")
    assert described[0]["question"] in [question["question"] for question in QUESTIONS]
    start = " ".join(described[0]["question"].split()[:3])
    assert described[0]["window"].startswith(start) and len(described[0]["window"]) > len(start)
    assert len(training_set) > len(QUESTIONS)
    assert f"3 questions, in {len(training_set)} windows of 48 tokens at most" in caplog.text
    assert "1 of them are longer than 12 tokens and were cut (`max_query_length`)." in caplog.text


def oracle(examples, odds):
    """Predictions that score right spans best, and no answer by given odds."""
    encoded, questions = examples.encoded, examples.questions
    predictions = np.full((len(examples), 21, 4), -np.inf, np.float32)
    predictions[:, 0] = 0
    for index, gold in enumerate(questions.answers):
        for window in np.flatnonzero(encoded.windows.question == index):
            predictions[window, 0, 0] = odds[index] + 1
            own = encoded.windows.starts.numpy()[window]
            first = last = own[0] + 0
            shift = int(encoded.windows.first[window] - encoded.windows.before[window])
            if gold:
                context = questions.context_of[index]
                first = encoded.starts.to_list()[context].index(gold[0].start) - shift
                if not own[0] <= first < own[1]:
                    continue
                end = gold[0].start + len(gold[0].text)
                last = encoded.ends.to_list()[context].index(end) - shift
            predictions[window, 1] = [0.5, 0.5, first, last]
    return predictions


def test_right_answers_score_full(prepare):
    bound, _, examples = prepare()
    evaluation = bound.evaluate(examples, oracle(examples, [-2, -1, 3]))
    assert evaluation.scores.pop("null_score_diff_threshold") == -1  # chosen here
    assert list(evaluation.scores) == bound.score_names(examples)
    assert evaluation.scores == dict.fromkeys(
        ["f1", "exact_match", "HasAns_f1", "HasAns_exact", "NoAns_f1", "NoAns_exact"], 1.0
    )
    table = evaluation.tables["most wrong"]
    assert table.header == ["question", "truth", "answer", "probability of answer", "f1"]
    assert ["what is bright", "lamp / This lamp", "lamp"] in [row[:3] for row in table.rows]
    is_null, probability = evaluation.curves["no answer"]
    assert is_null.tolist() == [False, False, True] and probability.argmax() == 2


def test_a_threshold_that_is_given_is_not_sought(prepare):
    bound, _, examples = prepare(null_score_diff_threshold=-1.5)
    evaluation = bound.evaluate(examples, oracle(examples, [-2, -1, 3]))
    scores = evaluation.scores
    assert scores["null_score_diff_threshold"] == -1.5 and evaluation.chosen == {}
    assert scores["HasAns_f1"] == 0.5 and scores["NoAns_f1"] == 1  # the second one is lost
    assert bound.tuned(evaluation) is bound


@pytest.mark.long
def test_without_questions_to_choose_it_by_the_threshold_is_0(prepare, caplog):
    caplog.set_level("INFO")
    message = "No questions to choose `null_score_diff_threshold` by (`dev`): it is 0."
    prepare()
    nothing = {"dev": "", "dev_fraction": 0}
    assert prepare(null_score_diff_threshold=0.5, **nothing).task.threshold == 0.5
    assert message not in caplog.text
    bound, _, examples = prepare(**nothing)
    assert message in caplog.text and bound.threshold == 0 and examples is None


def test_where_every_question_has_an_answer_none_is_refused(prepare):
    bound, _, examples = prepare(QUESTIONS[:2])
    evaluation = bound.evaluate(examples, oracle(examples, [9, 9]))
    assert evaluation.scores == {"f1": 1.0, "exact_match": 1.0}
    assert not evaluation.curves and not evaluation.chosen
    with pytest.raises(InputError, match=r"null_score_diff_threshold: every question in .* has an"):
        prepare(QUESTIONS[:2], null_score_diff_threshold=1.0)


def test_the_threshold_is_kept_with_the_model(prepare, make_task, model, tmp_path):
    bound, _, examples = prepare()
    evaluation = bound.evaluate(examples, oracle(examples, [-2, -1, 3]))
    assert evaluation.chosen == {"null_score_diff_threshold": -1}
    tuned = bound.tuned(evaluation)
    assert (bound.threshold, tuned.threshold) == (0, -1)
    tuned.save(model, tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["null_score_diff_threshold"] == -1 and "id2label" not in config
    again = make_task().restore(tmp_path / "run")
    examples = again.evaluation_set(0)
    evaluation = again.evaluate(examples, oracle(examples, [-2, -1.5, 3]))
    assert evaluation.chosen == {} and again.threshold == -1  # and is not sought again
    assert evaluation.scores["null_score_diff_threshold"] == -1
    given = make_task(null_score_diff_threshold=2.0).restore(tmp_path / "run")
    assert given.threshold == 2

    (tmp_path / "run" / "config.json").write_text(
        json.dumps({k: v for k, v in config.items() if k != "null_score_diff_threshold"})
    )
    with pytest.raises(InputError, match="expected a model that answers questions, found another"):
        make_task().restore(tmp_path / "run")


def test_a_model_without_no_answer_takes_no_threshold(prepare, make_task, model, tmp_path):
    bound, *_ = prepare(QUESTIONS[:2])
    bound.save(model, tmp_path / "run")
    assert make_task(null_score_diff_threshold=2.0).restore(tmp_path / "run").threshold is None


def test_questions_in_memory(prepare):
    bound, *_ = prepare()
    inputs = [
        {"question": "what is bright", "context": LAMP},
        ("", "☕"),
        ["who", ""],
    ]
    examples = bound.examples_of(inputs)
    predictions = np.full((len(examples), 21, 4), -np.inf, np.float32)
    predictions[:, 0] = [-1, -1, 0, 0]
    windows = examples.encoded.windows
    for window, question in enumerate(windows.question.numpy()):
        first, end = windows.starts.numpy()[window]
        if first < end:
            predictions[window, 1] = [0.25 * question, 0.5 - window, first, first]
    found = bound.answers(examples, predictions)
    scores = [answer.pop("score") for answer in found]
    assert (
        found
        == [
            {"answer": "This", "start": 0, "end": 4},
            {"answer": "☕", "start": 0, "end": 1},
            {"answer": "", "start": -1, "end": -1},
        ][: len(found)]
    )
    assert 0 < scores[0] < 1 and scores[2] == 1


def test_inputs_that_are_no_questions(prepare):
    bound, *_ = prepare()
    good = {"question": "who", "context": "Ada"}
    for bad in ("who", ("who",), {"question": "who"}, ("who", 3), 5, ("who", "a", "b")):
        with pytest.raises(InputError) as caught:
            bound.examples_of([good, bad])
        assert str(caught.value) == (
            "inputs: [1]: expected a dict with 'question' and 'context', two strings, found "
            f"{str(bad)!r}."
        )


LONG = " ".join([LAMP] * 20)
PREDICT = [
    {"id": "a", "question": "what is bright"},
    {"id": "b", "question": "where is the chair"},
    {"id": "c", "question": "soup?"},
    {"id": "d", "question": ""},
]


@pytest.mark.parametrize("has_null", [True, pytest.param(False, marks=pytest.mark.long)])
def test_what_is_served_is_what_is_predicted(prepare, write, model, tmp_path, has_null):
    task, *_ = prepare(QUESTIONS[: 3 if has_null else 2], context=LONG)
    examples = task.read_examples(write("predict", PREDICT, LONG))
    predictions = predictions_of(task, examples, model)
    assert len(predictions) > 32  # more than one turn
    if has_null:
        task.write_predictions(examples, predictions, tmp_path)
        odds = sorted(json.loads((tmp_path / "null_odds.json").read_text()).values())
        # Between the odds, so that some have an answer.
        task = dataclasses.replace(task, threshold=(odds[0] + odds[1]) / 2)
    path, tables = task.write_predictions(examples, predictions, tmp_path)
    assert (path, tables) == (tmp_path / "predictions.json", {})
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

    answers = task.answers(examples, predictions)
    for name in ("answer", "start", "end", "score"):
        column = [answer[name] for answer in answers]
        if name == "answer":
            assert column == list(predicted.values())
        else:
            np.testing.assert_allclose(column, served[name], rtol=1e-3)

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


def spans_by_hand(model, tokenizer, question, context, max_length, stride, longest):
    """The best span and the score of no answer: a window a call, all of a window's spans.

    Each span is scored in the window in which its first token has the most context.
    """
    asked = tokenizer.tokenize([question]).values.numpy()
    ids, starts, ends = (part.values.numpy() for part in tokenizer.tokenize_with_offsets([context]))
    size = max_length - 3 - len(asked)
    windows, first = [], 0
    while not windows or windows[-1][1] < len(ids):
        windows.append((first, min(first + size, len(ids))))
        first += stride
    spans, null = {}, np.inf
    for first, end in windows:
        example = [
            *(tokenizer.cls_id, *asked, tokenizer.sep_id),
            *(*ids[first:end], tokenizer.sep_id),
        ]
        before = 2 + len(asked)
        inputs = {
            "token_ids": np.array([example], np.int32),
            "segment_ids": (np.arange(len(example))[None] >= before).astype(np.int32),
            "position_ids": np.arange(len(example), dtype=np.int32)[None],
            "example_ids": np.ones([1, len(example)], np.int32),
        }
        logits = model(inputs)[0].numpy()
        null = min(null, logits[0].sum())
        for start, length in itertools.product(range(first, end), range(longest)):
            if start + length >= end:
                continue
            context_size = min(start - first, end - 1 - start)
            logit = logits[before + start - first, 0] + logits[before + start + length - first, 1]
            spans.setdefault(start, []).append((context_size, -first, logit, start + length))
    best = max(
        (logit, starts[start], ends[last])
        for start, every in spans.items()
        for size_of, order, logit, last in every
        if (size_of, order) == max(one[:2] for one in every)
    )
    return best, null, len(windows)


def test_long_contexts_are_predicted_as_window_by_window(prepare, model, tiny_checkpoint):
    """Contexts of over 150 tokens, and a model of 64 positions."""
    words = [*"abcdefg", "soup", "warm", "lamp", "bright", "chair", "good", "bread", ".", ","]
    random = np.random.default_rng(0)
    contexts = [" ".join(random.choice(words, 170)) for _ in range(2)]
    asked = [("what is bright", 0), ("is soup warm", 1), ("who", 0)]
    sizes = {"max_length": 64, "max_query_length": 12, "doc_stride": 20, "max_answer_length": 5}
    bound, *_ = prepare(**sizes)
    examples = bound.examples_of([(question, contexts[index]) for question, index in asked])
    assert examples.encoded.starts.row_lengths().numpy().min() > 150
    predictions = predictions_of(bound, examples, model)
    found = bound.answers(examples, predictions)
    windows = 0
    for (question, index), answer in zip(asked, found, strict=True):
        (score, start, end), null, count = spans_by_hand(
            model, bound.tokenizer, question, contexts[index], 64, 20, 5
        )
        windows += count
        has_answer = null - score <= 0  # the threshold
        expected = (start, end) if has_answer else (-1, -1)
        assert (answer["start"], answer["end"]) == expected
        assert answer["answer"] == (contexts[index][start:end] if has_answer else "")
    assert windows == len(examples) > 15
    never = dataclasses.replace(bound, threshold=None)
    for (question, index), answer in zip(asked, never.answers(examples, predictions), strict=True):
        best, *_ = spans_by_hand(model, bound.tokenizer, question, contexts[index], 64, 20, 5)
        assert (answer["start"], answer["end"]) == best[1:]


def test_long_contexts_are_evaluated(prepare):
    """Answers all over a context of over 150 tokens are right, each by a window of 64 or fewer."""
    context = " ".join([LAMP] * 9)
    places = [context.index("bread", 80 * n) for n in range(8)]
    asked = [
        {"id": str(n), "question": f"bread {n}", "answers": [{"text": "bread", "answer_start": at}]}
        for n, at in enumerate(places)
    ]
    none = {"id": "none", "question": "who", "answers": []}
    bound, training_set, examples = prepare([*asked, none], context=context, max_length=64)
    assert examples.encoded.starts.row_lengths().numpy().min() > 150
    assert len(training_set) == len(examples) > 40
    assert (training_set.targets["answer"][:, 0] > 0).sum() > len(asked)  # in several windows each
    evaluation = bound.evaluate(examples, oracle(examples, [-1] * 8 + [1]))
    assert evaluation.scores["f1"] == evaluation.scores["NoAns_exact"] == 1
    found = bound.answers(examples, oracle(examples, [-1] * 8 + [1]))
    assert [answer["start"] for answer in found] == [*places, -1]
