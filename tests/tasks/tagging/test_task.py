import subprocess
import sys

import pytest

from bert_keras.errors import InputError
from bert_keras.options import from_record, record_of
from bert_keras.tasks.tagging.task import Tagging


def test_what_a_run_records():
    task = Tagging(train="a.conll", scheme="iobes", max_length=16)
    record = {
        "train_file": "a.conll",
        "dev_file": "",
        "dev_fraction": 0.1,
        "scheme": "iobes",
        "max_seq_length": 16,
    }
    assert record_of(task) == record
    assert from_record(Tagging, record) == task


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_length": 2}, "max_length: expected at least 3, found 2."),
        ({"max_length": 8.0}, "max_length: expected a whole number, found 8.0."),
        ({"dev_fraction": 2}, "dev_fraction: expected 0 or more and less than 1, found 2."),
        (
            {"scheme": "iob"},
            "scheme: expected one of 'auto', 'iob1', 'iob2', 'iobes', 'bilou', 'bmes', found "
            "'iob'.",
        ),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(InputError) as caught:
        Tagging(train="a.conll", **settings)
    assert str(caught.value) == message


def test_more_tokens_than_positions(tiny_checkpoint, samples):
    task = Tagging(train=str(samples / "entities.conll"), max_length=65)
    with pytest.raises(InputError, match=r"^max_length: expected at most 64, .* found 65"):
        task.prepare(str(tiny_checkpoint), 0)


def test_settings_need_no_tensorflow():
    code = (
        "import sys, bert_keras; bert_keras.Tagging(train='a'); "
        "bert_keras.QuestionAnswering(train='a'); assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
