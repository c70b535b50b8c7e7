import numpy as np
import pytest
import tensorflow as tf

from bert_keras.tasks.question_answering.sizes import WindowSizes
from bert_keras.tasks.question_answering.windows import question_windows
from bert_keras.text.tokenizer import BertTokenizer

TOKENIZER = BertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh"])
CLS, SEP = TOKENIZER.cls_id, TOKENIZER.sep_id
CONTEXTS = [list(range(100, 110)), [], [200, 201, 202]]


def windows_of(questions, context_of, sizes):
    found = question_windows(
        tf.ragged.constant(questions, tf.int32, ragged_rank=1),
        tf.ragged.constant(CONTEXTS, tf.int32),
        tf.constant(context_of, tf.int32),
        sizes,
        TOKENIZER,
    )
    return type(found)(*map(tf.function(lambda part: part), found))


def test_an_example_is_a_question_and_a_window():
    found = windows_of([[7, 8], [9]], [0, 2], WindowSizes(9, 4, 3))
    assert found.token_ids.to_list() == [
        [CLS, 7, 8, SEP, 100, 101, 102, 103, SEP],
        [CLS, 7, 8, SEP, 103, 104, 105, 106, SEP],
        [CLS, 7, 8, SEP, 106, 107, 108, 109, SEP],
        [CLS, 9, SEP, 200, 201, 202, SEP],
    ]
    assert found.segment_ids.to_list() == [[0] * 4 + [1] * 5] * 3 + [[0] * 3 + [1] * 4]
    assert found.question.numpy().tolist() == [0, 0, 0, 1]
    assert found.first.numpy().tolist() == [0, 3, 6, 0]
    assert found.before.numpy().tolist() == [4, 4, 4, 3]


def test_a_long_question_is_cut():
    found = windows_of([[7] * 9], [2], WindowSizes(9, 4, 1))
    assert found.token_ids.to_list() == [
        [CLS, 7, 7, 7, 7, SEP, 200, 201, SEP],
        [CLS, 7, 7, 7, 7, SEP, 201, 202, SEP],
    ]


def test_a_context_of_no_tokens_has_a_window():
    found = windows_of([[7]], [1], WindowSizes(9, 4, 1))
    assert found.token_ids.to_list() == [[CLS, 7, SEP, SEP]]
    assert found.starts[0, 0] >= found.starts[0, 1]  # where nothing begins


def test_no_questions_no_windows():
    found = windows_of(np.zeros((0, 0)).tolist(), [], WindowSizes(9, 4, 1))
    assert found.token_ids.shape[0] == 0 and found.starts.shape == (0, 2)


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("length", [6, 9, 10, 30])
def test_an_answer_begins_in_the_one_window_with_most_around_it(length, stride):
    found = windows_of([[7, 8], [9]], [0, 0], WindowSizes(length, 2, min(stride, length - 5)))
    room = length - 5
    for question, before in ((0, 4), (1, 3)):
        mine = found.question.numpy() == question
        firsts = found.first.numpy()[mine]
        sizes = found.token_ids.row_lengths().numpy()[mine] - before - 1
        starts = found.starts.numpy()[mine] - before
        for token in range(10):
            context = [
                min(token - first, first + size - 1 - token)
                for first, size in zip(firsts, sizes, strict=True)
            ]
            owner = int(np.argmax(context))  # the first of the best
            owns = [
                start <= token - first < end
                for first, (start, end) in zip(firsts, starts, strict=True)
            ]
            assert owns == [index == owner for index in range(len(firsts))], (room, token)
