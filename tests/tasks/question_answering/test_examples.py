import copy
import json

import pytest

from bert_keras.errors import InputError
from bert_keras.tasks.question_answering.examples import (
    Answer,
    drop_empty,
    drop_misplaced,
    hold_out,
    read_questions,
    report_misplaced,
)

CONTEXTS = ["Ada came at nine.", "茶馆建于1924年。", "A lamp."]
GOOD = {
    "version": "v2.0",
    "data": [
        {
            "title": "one",
            "paragraphs": [
                {
                    "context": CONTEXTS[0],
                    "qas": [
                        {
                            "id": "1",
                            "question": "Who came?",
                            "answers": [
                                {"text": "Ada", "answer_start": 0},
                                {"text": "Ada came", "answer_start": 0},
                            ],
                        },
                        {"id": "2", "question": "Why?", "answers": [], "is_impossible": True},
                    ],
                },
                {
                    "context": CONTEXTS[1],
                    "qas": [
                        {
                            "id": "3",
                            "question": "哪一年?",
                            "answers": [{"text": "1924年", "answer_start": 4}],
                        }
                    ],
                },
            ],
        },
        {
            "paragraphs": [
                {"context": CONTEXTS[2], "qas": []},
                {
                    "context": CONTEXTS[0],
                    "qas": [
                        {
                            "id": "4",
                            "question": "When?",
                            "answers": [{"text": "nine", "answer_start": 12}],
                        }
                    ],
                },
            ]
        },
    ],
}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a file of questions with something changed; returns its name."""
    monkeypatch.chdir(tmp_path)

    def write(change=None):
        content = copy.deepcopy(GOOD)
        if change:
            change(content)
        (tmp_path / "q.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        return "q.json"

    return write


def qa(content, index=0):
    return content["data"][0]["paragraphs"][index]["qas"][0]


def test_questions_know_their_contexts_each_of_which_is_there_once(write):
    questions = read_questions(write())
    assert questions.ids == ["1", "2", "3", "4"]
    assert questions.texts == ["Who came?", "Why?", "哪一年?", "When?"]
    assert questions.contexts == CONTEXTS[:2]
    assert questions.context_of == [0, 0, 1, 0]
    assert questions.answers == [
        [Answer("Ada", 0), Answer("Ada came", 0)],
        [],
        [Answer("1924年", 4)],
        [Answer("nine", 12)],
    ]
    assert questions.location(2) == "q.json: question '3'"


def test_questions_to_predict_need_no_answers(write):
    questions = read_questions(write(lambda content: qa(content).pop("answers")), labelled=False)
    assert len(questions) == 4 and questions.answers is None


def test_some_questions_bring_their_own_contexts_alone(write):
    some = read_questions(write()).select([3, 2])
    assert (some.ids, some.contexts, some.context_of) == (["4", "3"], CONTEXTS[:2], [0, 1])
    some = read_questions("q.json").select([2])
    assert (some.contexts, some.context_of, some.answers) == (
        [CONTEXTS[1]],
        [0],
        [[Answer("1924年", 4)]],
    )


def set_to(name, value, index=0):
    return lambda content: qa(content, index).update({name: value})


def answer(**values):
    return set_to("answers", [{"text": "Ada", "answer_start": 0} | values])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c.pop("data"), "q.json: expected 'data', found 'version'."),
        (lambda c: c.update(data={}), "q.json: expected a list as 'data', found '{}'."),
        (lambda c: c.update(data=[]), "q.json: expected questions, found none."),
        (lambda c: c.update(data=[5]), "q.json: data[0]: expected a JSON object, found '5'."),
        (
            lambda c: c["data"][1].pop("paragraphs"),
            "q.json: data[1]: expected 'paragraphs', found nothing.",
        ),
        (
            lambda c: c["data"][0]["paragraphs"][1].pop("qas"),
            "q.json: data[0].paragraphs[1]: expected 'qas', found 'context'.",
        ),
        (
            lambda c: c["data"][0]["paragraphs"][1].update(context=" \n"),
            "q.json: data[0].paragraphs[1]: expected text as 'context', found nothing.",
        ),
        (
            lambda c: qa(c).pop("id"),
            "q.json: data[0].paragraphs[0].qas[0]: expected 'id', found 'question', 'answers'.",
        ),
        (set_to("id", "2"), "q.json: question '2': expected an id of its own, found two."),
        (set_to("question", 7), "q.json: question '1': expected text as 'question', found '7'."),
        (
            lambda c: qa(c).pop("answers"),
            "q.json: question '1': expected 'answers', found 'id', 'question'.",
        ),
        (
            set_to("answers", [{"text": "Ada"}]),
            "q.json: question '1': expected a number as 'answer_start', found nothing.",
        ),
        (
            answer(answer_start="0"),
            "q.json: question '1': expected a number as 'answer_start', found '0'.",
        ),
        (
            answer(text=""),
            "q.json: question '1': an answer: expected text as 'text', found nothing.",
        ),
        (
            set_to("is_impossible", True),
            "q.json: question '1': 'is_impossible' is true and there are answers.",
        ),
        (
            set_to("is_impossible", "no"),
            "q.json: question '1': expected true or false as 'is_impossible', found 'no'.",
        ),
    ],
)
def test_bad_questions(write, change, sentence):
    with pytest.raises(InputError) as caught:
        read_questions(write(change))
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("", "q.json: expected JSON in SQuAD's format: Expecting value"),
        ('{"data": [', "q.json: expected JSON in SQuAD's format: Expecting value"),
        ("[]", r"q.json: expected a JSON object, found '\[\]'"),
        (
            '{"data": ' + "[" * 100_000,
            "q.json: expected JSON in SQuAD's format: maximum recursion",
        ),
        (
            json.dumps(GOOD).replace("Ada came at", r"\ud800"),
            "q.json: expected JSON in SQuAD's format: .*surrogates",
        ),
    ],
)
def test_no_json(write, tmp_path, text, pattern):
    write()
    (tmp_path / "q.json").write_text(text)
    with pytest.raises(InputError, match=pattern):
        read_questions("q.json")


def test_empty_questions_are_read_and_not_trained_on(write, caplog):
    caplog.set_level("INFO")

    def change(content):
        qa(content)["question"] = ""
        qa(content, 1)["question"] = " \n"

    questions = read_questions(write(change))
    assert questions.texts == ["", "Why?", " \n", "When?"]
    assert drop_empty(questions).ids == ["2", "4"]
    assert caplog.messages == ["q.json: 2 questions are empty and are left out: '1', '3'."]
    with pytest.raises(InputError, match=r"^q\.json: expected questions, found only empty ones\."):
        drop_empty(questions.select([0, 2]))


def test_misplaced_answers_are_counted_named_and_left_out(write, caplog):
    caplog.set_level("INFO")

    def change(content):
        qa(content)["answers"][0]["answer_start"] = 1
        qa(content, 1)["answers"][0]["answer_start"] = 5

    questions = drop_misplaced(read_questions(write(change)))
    assert questions.ids == ["1", "2", "4"]  # the first has another answer
    assert questions.answers[0] == [Answer("Ada came", 0)]
    assert questions.contexts == [CONTEXTS[0]]
    (told,) = caplog.messages
    assert told == (
        "q.json: 2 answers are not at the positions that the file gives and are left out, "
        "and with them 1 questions that have no other: '1' ('Ada' at 1), '3' ('1924年' at 5)."
    )


@pytest.mark.parametrize("start", [-17, -1, 17, 10**30])
def test_answers_beyond_their_context_are_misplaced(write, caplog, start):
    caplog.set_level("INFO")
    questions = drop_misplaced(read_questions(write(answer(answer_start=start))))
    assert questions.ids == ["2", "3", "4"]
    assert f"1 questions that have no other: '1' ('Ada' at {start})." in caplog.text


def test_misplaced_answers_to_score_by_are_named_and_stay(write, caplog):
    caplog.set_level("INFO")
    report_misplaced(read_questions(write()))
    assert not caplog.messages
    questions = read_questions(write(answer(answer_start=1)))
    report_misplaced(questions)
    assert caplog.messages == [
        "q.json: 1 answers are not at the positions that the file gives. Scores compare texts "
        "alone and count them all the same: '1' ('Ada' at 1)."
    ]


def test_nothing_is_said_where_all_answers_are_there(write, caplog):
    caplog.set_level("INFO")
    questions = read_questions(write())
    assert drop_misplaced(drop_empty(questions)) is questions and not caplog.messages


def many(contexts):
    paragraphs = [
        {"context": f"text {i}", "qas": [{"id": f"{i} {k}", "question": "?"} for k in range(2)]}
        for i in range(contexts)
    ]
    return {"data": [{"paragraphs": paragraphs}]}


def test_no_context_is_on_both_sides(tmp_path):
    (tmp_path / "q.json").write_text(json.dumps(many(20)))
    questions = read_questions(tmp_path / "q.json", labelled=False)
    train, dev = hold_out(questions, 0.2, seed=3)
    assert (len(train), len(dev), len(dev.contexts)) == (32, 8, 4)
    assert sorted(train.contexts + dev.contexts) == sorted(questions.contexts)
    assert all(
        name.split()[0] == dev.contexts[c].split()[1]
        for name, c in zip(dev.ids, dev.context_of, strict=True)
    )
    assert hold_out(questions, 0.2, seed=3)[1].ids == dev.ids
    assert hold_out(questions, 0.2, seed=4)[1].ids != dev.ids
    with pytest.raises(InputError, match=r"^0\.01 of the 20 contexts of .* evaluate on"):
        hold_out(questions, 0.01, seed=3)
    with pytest.raises(InputError, match=r"^0\.99 of the 20 contexts of .* train on"):
        hold_out(questions, 0.99, seed=3)


def test_the_sample(samples):
    questions = read_questions(samples / "questions.json")
    assert drop_misplaced(questions) is questions
    assert (len(questions), len(questions.contexts)) == (32, 8)
    assert sum(not answers for answers in questions.answers) == 8
