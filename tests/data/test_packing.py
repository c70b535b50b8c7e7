import numpy as np
import pytest
import tensorflow as tf

from bert_keras.data.packing import pack, unpack
from bert_keras.models.classifier import BertClassifier


def ragged(lists):
    return tf.ragged.constant(lists, tf.int32, ragged_rank=1, inner_shape=())


def make(lengths, seed=0):
    random = np.random.default_rng(seed)
    token_ids = ragged([random.integers(1, 50, n).tolist() for n in lengths])
    segment_ids = ragged([random.integers(0, 2, n).tolist() for n in lengths])
    return token_ids, segment_ids


def first_fit_decreasing(token_ids, segment_ids, row_length):
    """The same packing in plain Python."""
    rows = []  # lists of example numbers
    for example in sorted(range(len(token_ids)), key=lambda i: -len(token_ids[i])):
        size = len(token_ids[example])
        for row in rows:
            if sum(len(token_ids[i]) for i in row) + size <= row_length:
                row.append(example)
                break
        else:
            rows.append([example])
    inputs = {
        name: np.zeros((len(rows), row_length), np.int32)
        for name in ("token_ids", "segment_ids", "position_ids", "example_ids")
    }
    for r, row in enumerate(rows):
        column = 0
        for number, example in enumerate(row, 1):
            for position, token in enumerate(token_ids[example]):
                inputs["token_ids"][r, column] = token
                inputs["segment_ids"][r, column] = segment_ids[example][position]
                inputs["position_ids"][r, column] = position
                inputs["example_ids"][r, column] = number
                column += 1
    return inputs, [example for row in rows for example in row]


@pytest.mark.parametrize("row_length", [12, 13, 40, None])
@pytest.mark.parametrize("seed", range(5))
def test_equals_plain_python(row_length, seed):
    lengths = np.random.default_rng(seed).integers(1, 13, 30)
    token_ids, segment_ids = make(lengths, seed)
    inputs, order = pack(token_ids, segment_ids, row_length)
    expected, expected_order = first_fit_decreasing(
        token_ids.to_list(), segment_ids.to_list(), row_length or max(lengths)
    )
    assert list(inputs) == list(expected)
    for name, values in expected.items():
        assert inputs[name].dtype == tf.int32
        np.testing.assert_array_equal(inputs[name], values, name)
    assert order.numpy().tolist() == expected_order


def test_by_hand():
    inputs, order = pack(ragged([[7], [1, 2, 3], [5, 6]]), ragged([[0], [0, 0, 1], [1, 1]]), 4)
    assert inputs["token_ids"].numpy().tolist() == [[1, 2, 3, 7], [5, 6, 0, 0]]
    assert inputs["segment_ids"].numpy().tolist() == [[0, 0, 1, 0], [1, 1, 0, 0]]
    assert inputs["position_ids"].numpy().tolist() == [[0, 1, 2, 0], [0, 1, 0, 0]]
    assert inputs["example_ids"].numpy().tolist() == [[1, 1, 1, 2], [1, 1, 0, 0]]
    assert order.numpy().tolist() == [1, 0, 2]


def test_one_example():
    inputs, order = pack(ragged([[3, 4]]), ragged([[0, 1]]))
    assert inputs["token_ids"].numpy().tolist() == [[3, 4]]
    assert inputs["example_ids"].numpy().tolist() == [[1, 1]]
    assert order.numpy().tolist() == [0]


@pytest.mark.parametrize("row_length", [8, None])
def test_no_example(row_length):
    inputs, order = pack(ragged([]), ragged([]), row_length)
    assert {tuple(values.shape) for values in inputs.values()} == {(0, row_length or 1)}
    assert order.shape == (0,)


def test_in_a_graph_of_unknown_sizes():
    spec = tf.RaggedTensorSpec([None, None], tf.int32)
    examples = make([3, 5, 2, 5])
    in_graph, order = tf.function(pack, input_signature=[spec, spec])(*examples)
    eager, eager_order = pack(*examples)
    for name, values in eager.items():
        np.testing.assert_array_equal(in_graph[name], values)
    np.testing.assert_array_equal(order, eager_order)


def test_packed_examples_answer_as_they_do_alone(tiny_checkpoint):
    model = BertClassifier.from_pretrained(tiny_checkpoint, num_classes=3)
    token_ids, segment_ids = make([9, 2, 30, 17, 5, 2, 11, 40, 3])
    inputs, order = pack(token_ids, segment_ids, 48)
    assert inputs["token_ids"].shape[0] < 9
    together = model(inputs).numpy()
    for answer, example in zip(together, order.numpy(), strict=True):
        alone, _ = pack(token_ids[example : example + 1], segment_ids[example : example + 1])
        np.testing.assert_allclose(answer, model(alone).numpy()[0], atol=1e-5, rtol=0)
    assert np.ptp(together, axis=0).min() > 1e-2  # else the comparison would prove nothing


def test_what_was_packed_is_taken_apart_again():
    ids = tf.ragged.constant([[1, 2, 3], [4], [5, 6], [7, 8, 9, 10]], dtype=tf.int32)
    inputs, order = pack(ids, tf.zeros_like(ids), 5)
    values = tf.stack([inputs["token_ids"], -inputs["token_ids"]], axis=2)  # [rows, 5, 2]
    apart = unpack(values, inputs["example_ids"])
    assert apart[:, :, 0].to_list() == tf.gather(ids, order).to_list()
    assert apart[:, :, 1].to_list() == tf.gather(-ids, order).to_list()
    assert unpack(values[:0], inputs["example_ids"][:0]).nrows() == 0
