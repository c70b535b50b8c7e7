import numpy as np
import pytest

from bert_keras.tensorboard.pictures import picture_of_confusion

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize("classes", [1, 5, 150])
def test_a_picture_of_any_number_of_classes(classes):
    matrix = np.random.default_rng(0).integers(0, 9, (classes, classes))
    matrix[0] = 0  # a class without rows
    picture = picture_of_confusion([f"class {i}" for i in range(classes)], matrix)
    height, width, channels = picture.shape
    assert picture.dtype == np.uint8 and channels == 3
    # Large enough for a readable line of text a class, and for TensorBoard to take.
    assert max(400, 10 * classes) < height < 2200 and max(400, 10 * classes) < width < 2200


@pytest.mark.parametrize("cell, right, low", [((0, 1), True, False), ((1, 0), False, True)])
def test_the_true_classes_go_down_and_the_predicted_ones_across(cell, right, low):
    matrix = np.zeros([2, 2], int)
    matrix[cell] = 9
    picture = picture_of_confusion(["a", "b"], matrix).astype(int)
    picture = picture[:, :400]  # without the bar of colours
    rows, columns = np.nonzero(picture[..., 2] > picture[..., 0] + 80)
    assert (columns.mean() > 230) == right
    assert (rows.mean() > 180) == low


def test_names_of_all_kinds():
    names = ["$x^", "体育\u0600", "a\nb\tc", "", "a very long name of a class that has no end"]
    picture_of_confusion(names, np.eye(5, dtype=int))
