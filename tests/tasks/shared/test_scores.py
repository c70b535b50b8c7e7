import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bert_keras.errors import InputError
from bert_keras.tasks.shared import scores

pytestmark = pytest.mark.filterwarnings("error")

# Of the second class: 3 found, 1 missed, 2 false alarms, 4 rightly left.
TRUTH = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
PREDICTED = np.array([1, 1, 1, 0, 1, 1, 0, 0, 0, 0])


def test_two_classes_by_hand():
    result = scores.class_scores(["no", "yes"], TRUTH, PREDICTED)
    assert list(result) == ["accuracy", "f1", "f1_macro", "matthews"]
    assert result["accuracy"] == pytest.approx(7 / 10)
    assert result["f1"] == pytest.approx(2 * 3 / (2 * 3 + 1 + 2))
    assert result["f1_macro"] == pytest.approx((6 / 9 + 8 / 11) / 2)
    assert result["matthews"] == pytest.approx((3 * 4 - 2 * 1) / math.sqrt(5 * 4 * 6 * 5))
    assert all(type(score) is float for score in result.values())


def test_three_classes_by_hand():
    truth, predicted = [0, 0, 1, 1, 2, 2], [0, 1, 1, 1, 2, 0]
    result = scores.class_scores(["a", "b", "c"], truth, predicted)
    assert "f1" not in result
    assert result["f1_macro"] == pytest.approx((2 / 4 + 4 / 5 + 2 / 3) / 3)
    # R_K from c = 4 right of s = 6, true counts 2 2 2 and predicted counts 2 3 1.
    right = (4 * 6 - 12) / math.sqrt((36 - 14) * (36 - 12))
    assert result["matthews"] == pytest.approx(right)


def test_f1_is_of_the_second_class_even_if_no_row_has_it():
    result = scores.class_scores(["no", "yes"], [0, 0, 0], [0, 0, 0])
    assert result == {"accuracy": 1.0, "f1": 0.0, "f1_macro": 1.0, "matthews": 0.0}


@pytest.mark.parametrize("truth, predicted", [([0, 1], [1, 1]), ([0, 0], [0, 1]), ([0], [1])])
def test_matthews_is_zero_where_it_is_undefined(truth, predicted):
    assert scores.class_scores(["no", "yes"], truth, predicted)["matthews"] == 0.0


def test_a_class_without_rows_does_not_lower_the_macro_mean():
    result = scores.class_scores(["a", "b", "absent"], [0, 1, 1], [0, 1, 1])
    assert result["f1_macro"] == 1.0


def test_a_class_without_rows_that_is_predicted_does():
    result = scores.class_scores(["a", "b", "absent"], [0, 1, 1], [0, 1, 2])
    assert result["f1_macro"] == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_several_labels_a_row_by_hand():
    truth = [[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, 0]]
    probabilities = [[0.9, 0.1, 0.2], [0.5, 0.4, 0.0], [0.1, 0.1, 0.1], [0.7, 0.8, 0.3]]
    result = scores.multi_scores(truth, probabilities)
    assert result["exact_match"] == 2 / 4
    assert result["f1_micro"] == pytest.approx(2 * 3 / (2 * 3 + 1 + 1))
    assert result["f1_macro"] == pytest.approx((4 / 5 + 2 / 3) / 2)  # the third class never occurs


def test_several_labels_none_true_and_none_predicted():
    result = scores.multi_scores(np.zeros([2, 3]), np.zeros([2, 3]))
    assert result == {"exact_match": 1.0, "f1_micro": 0.0, "f1_macro": 0.0}


def test_several_labels_of_a_single_class():
    result = scores.multi_scores([[1], [0], [1]], [[0.6], [0.6], [0.6]])
    assert result["exact_match"] == pytest.approx(2 / 3)
    assert result["f1_micro"] == result["f1_macro"] == pytest.approx(4 / 5)


def test_numbers_by_hand():
    result = scores.number_scores([1, 2, 3, 4], [1, 3, 2, 10])
    # Ranks 1 3 2 4: one pair swapped. Deviations -1.5 -.5 .5 1.5 and -3 -1 -2 6.
    assert result["spearman"] == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert result["pearson"] == pytest.approx(13 / math.sqrt(5 * 50))
    assert result["mse"] == pytest.approx((0 + 1 + 1 + 36) / 4)


@pytest.mark.parametrize(
    "truth, predicted",
    [
        ([1.0, 2.0, 3.0], [0.1, 0.1, 0.1]),
        ([5.0, 5.0], [1.0, 2.0]),
        ([1.0], [2.0]),
        ([1.0, 2.0], [0.1, 0.1 + 1e-17]),
        ([1.0, 2.0, 3.0], np.float64(0.1) * (1 + np.array([0, 1e-15, -1e-15]))),
    ],
)
def test_constant_numbers_do_not_correlate(truth, predicted):
    result = scores.number_scores(truth, predicted)
    assert result["spearman"] == result["pearson"] == 0.0
    assert result["mse"] == pytest.approx(np.mean((np.array(truth) - predicted) ** 2))


def test_small_numbers_are_not_taken_for_constants():
    result = scores.number_scores([0.0, 1.0, 2.0], [0.0, 1e-9, 2e-9])
    assert result["pearson"] == pytest.approx(1.0)


def test_a_diverged_run_has_no_numbers():
    result = scores.number_scores([1.0, 2.0], [np.nan, 1.0])
    assert all(math.isnan(score) for score in result.values())


def test_per_class_table():
    table = scores.per_class_table(["no", "yes", "absent"], TRUTH, PREDICTED)
    assert table.header == ["class", "precision", "recall", "F1", "rows"]
    assert table.rows == [
        ["no", "0.800", "0.667", "0.727", "6"],
        ["yes", "0.600", "0.750", "0.667", "4"],
        ["absent", "-", "-", "-", "0"],
    ]


def test_per_class_table_of_a_class_on_one_side_only():
    table = scores.per_class_table(["never predicted", "never true"], [0, 0], [1, 1])
    assert table.rows == [
        ["never predicted", "-", "0.000", "0.000", "2"],
        ["never true", "0.000", "-", "0.000", "0"],
    ]


def test_per_class_table_of_several_labels_a_row():
    truth, predicted = [[1, 0], [1, 1], [0, 1]], [[1, 0], [0, 1], [1, 0]]
    table = scores.per_class_table(["a", "b"], np.array(truth), np.array(predicted))
    assert table.rows == [
        ["a", "0.500", "0.500", "0.500", "2"],
        ["b", "1.000", "0.500", "0.667", "2"],
    ]


def test_confusion_matrix_has_the_truth_down_and_every_class():
    matrix = scores.confusion_matrix(["no", "yes", "absent"], TRUTH, PREDICTED)
    np.testing.assert_array_equal(matrix, [[4, 2, 0], [1, 3, 0], [0, 0, 0]])
    np.testing.assert_array_equal(scores.confusion_matrix(["only"], [0, 0], [0, 0]), [[2]])


def test_most_wrong():
    probabilities = np.array([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8], [0.7, 0.3], [0.8, 0.2]])
    result = scores.most_wrong(["a", "b"], [0, 0, 1, 1, 1], probabilities, 3)
    np.testing.assert_array_equal(result, [4, 1, 3])
    assert len(scores.most_wrong(["a", "b"], [0, 0, 1, 1, 1], probabilities, 100)) == 5


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 149), st.integers(0, 149)), min_size=1, max_size=60))
def test_the_scores_of_150_classes_agree_with_their_matrix(rows):
    labels = [f"class {i}" for i in range(150)]
    truth, predicted = np.array(rows).T
    result = scores.class_scores(labels, truth, predicted)
    matrix = scores.confusion_matrix(labels, truth, predicted)
    right, true, guessed = matrix.diagonal(), matrix.sum(1), matrix.sum(0)
    assert result["accuracy"] == pytest.approx(right.sum() / len(rows))
    occurs = true + guessed > 0
    assert result["f1_macro"] == pytest.approx(
        np.mean((2 * right / (true + guessed + ~occurs))[occurs])
    )
    assert -1 <= result["matthews"] <= 1
    table = scores.per_class_table(labels, truth, predicted)
    assert [int(row[-1]) for row in table.rows] == list(true)


@pytest.mark.parametrize(
    "call",
    [
        lambda: scores.class_scores(["a", "b"], [], []),
        lambda: scores.multi_scores(np.zeros([0, 3]), np.zeros([0, 3])),
        lambda: scores.number_scores([], []),
        lambda: scores.per_class_table(["a", "b"], [], []),
        lambda: scores.confusion_matrix(["a", "b"], [], []),
        lambda: scores.most_wrong(["a", "b"], [], np.zeros([0, 2]), 5),
    ],
)
def test_no_rows(call):
    with pytest.raises(InputError, match="no rows to score"):
        call()


def test_ids_and_shapes_that_do_not_fit():
    with pytest.raises(InputError, match="class ids from 0 to 1, found 0 to 2"):
        scores.class_scores(["a", "b"], [0, 1], [0, 2])
    with pytest.raises(InputError, match=r"found \[2\] and \[1\]"):
        scores.class_scores(["a", "b"], [0, 1], [0])
    with pytest.raises(InputError, match=r"\[rows, 2\], found \[2, 3\]"):
        scores.most_wrong(["a", "b"], [0, 1], np.zeros([2, 3]), 1)
