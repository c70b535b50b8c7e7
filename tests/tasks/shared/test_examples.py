import numpy as np
import pytest
import tensorflow as tf

from bert_keras.data.batches import EncodedExamples
from bert_keras.errors import InputError
from bert_keras.tasks.shared.examples import RowExamples, rows_of_texts


def test_rows_of_texts():
    rows = rows_of_texts(["one", ""])
    assert rows.texts == ["one", ""] and rows.pairs is None and rows.labels is None
    assert rows.locations == ["inputs[0]", "inputs[1]"]
    assert (rows.header, rows.records) == (["text"], [["one"], [""]])


def test_no_texts():
    assert len(rows_of_texts([])) == 0
    assert rows_of_texts([], takes_pairs=True).pairs == []


def test_rows_of_pairs():
    rows = rows_of_texts([("one", "two"), ["three", "four"]], takes_pairs=True)
    assert rows.texts == ["one", "three"] and rows.pairs == ["two", "four"]
    assert rows.records == [["one", "two"], ["three", "four"]]
    assert rows.header == ["text", "text_pair"]


@pytest.mark.parametrize(
    ("inputs", "takes_pairs", "message"),
    [
        (["good", 3], False, r"\[1\]: expected a text, found 3"),
        ([b"bytes"], False, r"\[0\]: expected a text, found b'bytes'"),
        ([None], False, r"\[0\]: expected a text, found None"),
        ([("one", "two")], False, r"\[0\]: expected a text, found \('one', 'two'\)"),
        (["one"], True, r"\[0\]: expected two texts, found 'one'"),
        ([("one", "two"), ("one",)], True, r"\[1\]: expected two texts, found \('one',\)"),
        ([("one", "two", "three")], True, r"\[0\]: expected two texts"),
        ([("one", None)], True, r"\[0\]: expected two texts, found \('one', None\)"),
        (["x" * 100], True, r"\[0\]: expected two texts, found 'x{39}\.$"),
    ],
)
def test_inputs_of_another_form(inputs, takes_pairs, message):
    with pytest.raises(InputError, match=message) as error:
        rows_of_texts(inputs, takes_pairs)
    assert error.value.field == "inputs"


def test_a_data_frame_s_column():
    column = np.array(["one", "two"], object)
    assert rows_of_texts(column).texts == ["one", "two"]


def test_examples_come_in_batches():
    token_ids = tf.ragged.constant([[1, 2], [3], [4, 5, 6]], tf.int32)
    encoded = EncodedExamples(token_ids, token_ids * 0, truncated=0)
    examples = RowExamples(rows_of_texts(["a", "b", "c"]), encoded)
    batches = list(examples.evaluation_batches(2))
    assert len(examples) == 3 and len(batches) == 2
    assert sorted(n for batch in batches for n in batch["example"].numpy()) == [0, 1, 2]
