import pytest

from bert_keras.errors import InputError
from bert_keras.options import from_record, record_of
from bert_keras.tasks.question_answering.task import QuestionAnswering


def test_what_a_run_records():
    task = QuestionAnswering(train="a.json", n_best=3, max_length=200)
    record = {
        "train_file": "a.json",
        "dev_file": "",
        "dev_fraction": 0.1,
        "doc_stride": 128,
        "max_query_length": 64,
        "max_answer_length": 30,
        "n_best_size": 3,
        "null_score_diff_threshold": None,
        "scoring": "squad",
        "max_seq_length": 200,
    }
    assert record_of(task) == record
    assert from_record(QuestionAnswering, record) == task
    assert QuestionAnswering().max_length == 384 and QuestionAnswering.eval_batch_size == 64


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"max_length": 128, "doc_stride": 128},
            "doc_stride: expected at most 61, the tokens of a context that `max_length`=128 leaves "
            "beside a question of `max_query_length`=64, found 128.",
        ),
        (
            {"max_length": 32, "doc_stride": 1},
            "doc_stride: expected at most 0, the tokens of a context that `max_length`=32 leaves "
            "beside a question of `max_query_length`=64, found 1.",
        ),
        ({"doc_stride": 0}, "doc_stride: expected at least 1, found 0."),
        ({"n_best": 0}, "n_best: expected at least 1, found 0."),
        ({"max_answer_length": 0}, "max_answer_length: expected at least 1, found 0."),
        ({"max_query_length": 0}, "max_query_length: expected at least 1, found 0."),
        ({"dev_fraction": 1}, "dev_fraction: expected 0 or more and less than 1, found 1."),
        ({"scoring": "glue"}, "scoring: expected one of 'squad', 'cmrc', found 'glue'."),
        (
            {"null_score_diff_threshold": float("nan")},
            "null_score_diff_threshold: expected a finite number, found nan.",
        ),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(InputError) as caught:
        QuestionAnswering(train="a.json", **settings)
    assert str(caught.value) == message


def test_more_tokens_than_positions(tiny_checkpoint, samples):
    sizes = {"max_length": 65, "max_query_length": 12, "doc_stride": 8}
    task = QuestionAnswering(train=str(samples / "questions.json"), **sizes)
    with pytest.raises(InputError, match=r"^max_length: expected at most 64, .* found 65\."):
        task.prepare(str(tiny_checkpoint), 0)
