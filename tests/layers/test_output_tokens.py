import numpy as np

from bert_keras.layers.output_tokens import OutputTokens

EXAMPLES = np.array([[1, 1, 2, 2, 2], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0], [1, 2, 3, 3, 0]], "int32")


def test_first_tokens():
    positions, example_ids, masked = OutputTokens()(EXAMPLES)
    assert np.array(positions).tolist() == [0, 2, 5, 15, 16, 17]
    assert np.array(example_ids).tolist() == [[1, 2, 3, 4, 5, 6]]
    assert np.array(masked).tolist() == [[0] * 6]


def test_masked_tokens_stand_between_them():
    marks = np.zeros_like(EXAMPLES)
    marks[0, 1] = marks[0, 4] = marks[1, 2] = 1
    positions, example_ids, masked = OutputTokens()(EXAMPLES, marks)
    assert np.array(positions).tolist() == [0, 1, 2, 4, 5, 7, 15, 16, 17]
    assert np.array(example_ids).tolist() == [[1, 0, 2, 0, 3, 0, 4, 5, 6]]
    assert np.array(masked).tolist() == [[0, 1, 0, 1, 0, 1, 0, 0, 0]]


def test_no_output_token():
    positions, example_ids, masked = OutputTokens()(EXAMPLES[2:3])
    assert positions.shape == (0,) and example_ids.shape == masked.shape == (1, 0)
