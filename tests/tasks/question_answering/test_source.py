import json

import pytest

from bert_keras.errors import InputError
from bert_keras.tasks.question_answering.source import QuestionSource


@pytest.fixture
def write(tmp_path):
    """Writes questions about so many contexts, the first with an answer elsewhere.

    The second one is empty.
    """

    def write(name, contexts):
        def qa(i):
            answer = {"text": f"text {i}", "answer_start": int(i == 0)}
            return {"id": str(i), "question": "" if i == 1 else "What?", "answers": [answer]}

        paragraphs = [{"context": f"text {i}", "qas": [qa(i)]} for i in range(contexts)]
        path = tmp_path / name
        path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))
        return str(path)

    return write


def test_a_file_of_its_own_to_evaluate_on_is_taken_whole(write, caplog):
    caplog.set_level("INFO")
    source = QuestionSource(train=write("train.json", 10), dev=write("dev.json", 3))
    train, dev = source.train_and_dev(4)
    assert train.ids == [str(i) for i in range(2, 10)]
    assert dev.ids == source.dev_rows(4).ids == ["0", "1", "2"]
    assert caplog.text.count("dev.json: 1 answers are not at the positions") == 2
    assert dev.answers[0][0].text == "text 0"  # an official score asks for the text alone


def test_some_contexts_are_held_out(write):
    source = QuestionSource(train=write("train.json", 40))
    train, dev = source.train_and_dev(4)
    assert len(dev) == 4 and not set(train.contexts) & set(dev.contexts)
    assert source.dev_rows(4).ids == dev.ids  # in a later call too


def test_nothing_is_held_out_on_request(write):
    source = QuestionSource(train=write("train.json", 10), dev_fraction=0.0)
    assert source.train_and_dev(4)[1] is None and source.dev_rows(4) is None


def test_files_that_are_not_named():
    with pytest.raises(InputError, match="train: expected a file, found none"):
        QuestionSource().train_and_dev(4)
    with pytest.raises(InputError, match="file: expected a file, found none"):
        QuestionSource().unlabelled("")
    with pytest.raises(InputError, match=r"dev_fraction: expected 0 or more .* found 1"):
        QuestionSource(dev_fraction=1.0)
