"""Scores and tables of predictions.

scikit-learn and scipy have the formulas. Where they leave a score undefined, it is defined here, so
that a score is always a plain float that can be logged and compared, and no warning reaches the
user.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from bert_keras.errors import InputError
from bert_keras.training.task import Table


def class_scores(labels: Sequence[str], truth: ArrayLike, predicted: ArrayLike) -> dict[str, float]:
    """Scores a task with one label a row.

    Args:
        labels: the classes' names; their order is that of the class ids.
        truth: int [rows], the true class ids.
        predicted: int [rows], the predicted class ids.

    Returns:
        Scores by name: `accuracy`; `f1`, that of the second class, only if there are two classes;
        `f1_macro`, the mean over the classes that occur in `truth` or in `predicted`, so that a
        class without rows does not lower it; `matthews`, the Matthews correlation (for more than
        two classes, Gorodkin's R_K), 0.0 where it is undefined because truth or predictions are all
        of one class. An F1 without a correct prediction is 0.0.

    Raises:
        InputError: no rows, or ids that do not fit the labels or each other.
    """
    from sklearn import metrics

    true, guessed = _class_ids(labels, truth, predicted)
    scores = {"accuracy": metrics.accuracy_score(true, guessed)}
    if len(labels) == 2:
        scores["f1"] = metrics.f1_score(true, guessed, pos_label=1, zero_division=0.0)
    scores["f1_macro"] = metrics.f1_score(true, guessed, average="macro", zero_division=0.0)
    # With all rows of one class in both arrays scikit-learn also returns 0.0, but warns.
    constant = (true == true[0]).all() or (guessed == guessed[0]).all()
    scores["matthews"] = 0.0 if constant else metrics.matthews_corrcoef(true, guessed)
    return {name: float(score) for name, score in scores.items()}


def multi_scores(truth: ArrayLike, probabilities: ArrayLike) -> dict[str, float]:
    """Scores a task with any number of labels a row, where a label is predicted from 0.5 up.

    Args:
        truth: bool [rows, classes].
        probabilities: float [rows, classes], each class's own; the classes need not sum to 1.

    Returns:
        Scores by name: `exact_match`, the share of rows with all classes correct; `f1_micro`, over
        all decisions together; `f1_macro`, the mean over the classes that occur in the truth or in
        the predictions. An F1 without a correct label is 0.0.

    Raises:
        InputError: no rows, or arrays of different shapes.
    """
    labelled, scores = _pair(np.asarray(truth, bool), np.asarray(probabilities), dimensions=2)
    predicted = scores >= 0.5
    right, true, guessed = _counts(labelled, predicted)
    occurs = true + guessed > 0  # [classes]
    f1 = _share(2 * right, true + guessed)  # [classes]
    return {
        "exact_match": float((labelled == predicted).all(axis=1).mean()),
        "f1_micro": float(2 * right.sum() / max(1, (true + guessed).sum())),
        "f1_macro": float(f1[occurs].mean()) if occurs.any() else 0.0,
    }


def number_scores(truth: ArrayLike, predicted: ArrayLike) -> dict[str, float]:
    """Scores a task whose labels are numbers.

    Args:
        truth: float [rows].
        predicted: float [rows].

    Returns:
        Scores by name: `spearman` and `pearson`, 0.0 where they are undefined (one row, or all
        labels or all predictions equal); `mse`, the mean squared error, the only score here that is
        better when lower. A prediction that is not finite, as of a run that diverged, makes all
        three nan.

    Raises:
        InputError: no rows, or arrays of different shapes.
    """
    from scipy import stats

    true, guessed = _pair(np.asarray(truth, float), np.asarray(predicted, float), dimensions=1)
    if not np.isfinite(guessed).all():
        return dict.fromkeys(("spearman", "pearson", "mse"), float("nan"))
    # Both correlations are undefined where all values are equal up to rounding.
    if np.allclose(true, true[0], 1e-12, 0) or np.allclose(guessed, guessed[0], 1e-12, 0):
        spearman = pearson = 0.0
    else:
        spearman = float(stats.spearmanr(true, guessed).statistic)
        pearson = float(stats.pearsonr(true, guessed).statistic)
    mse = float(np.mean(np.square(true - guessed)))
    return {"spearman": spearman, "pearson": pearson, "mse": mse}


def per_class_table(labels: Sequence[str], truth: ArrayLike, predicted: ArrayLike) -> Table:
    """Tabulates precision, recall and F1 of each class.

    Args:
        labels: the classes' names; their order is that of the class ids.
        truth: int [rows], or bool [rows, classes] for several labels a row.
        predicted: as `truth`.

    Returns:
        A table with a row for each class, in the order of `labels`: precision, recall, F1 and the
        number of rows that are truly of the class. A score that is undefined is "-": the precision
        of a class never predicted, the recall of one that no row has, the F1 of one that is both.

    Raises:
        InputError: no rows, or ids that do not fit the labels or each other.
    """
    if np.ndim(truth) == 2:
        pair = _pair(np.asarray(truth, bool), np.asarray(predicted, bool), dimensions=2)
    else:
        ids, classes = _class_ids(labels, truth, predicted), np.arange(len(labels))
        pair = ids[0][:, None] == classes, ids[1][:, None] == classes
    right, true, guessed = _counts(*pair)
    shares = _share(right, guessed), _share(right, true), _share(2 * right, true + guessed)
    rows = []
    for label, *values, count in zip(labels, *shares, true, strict=True):
        rows.append([label, *("-" if np.isnan(x) else f"{x:.3f}" for x in values), str(count)])
    return Table(["class", "precision", "recall", "F1", "rows"], rows)


def confusion_matrix(labels: Sequence[str], truth: ArrayLike, predicted: ArrayLike) -> np.ndarray:
    """Counts the rows of each true class that were predicted as each class.

    Args:
        labels: the classes' names; their order is that of the class ids.
        truth: int [rows].
        predicted: int [rows].

    Returns:
        int64 [classes, classes]; entry (i, j) is the number of rows of class i predicted as j.

    Raises:
        InputError: no rows, or ids that do not fit the labels or each other.
    """
    true, guessed = _class_ids(labels, truth, predicted)
    classes = len(labels)
    return np.bincount(true * classes + guessed, minlength=classes**2).reshape(classes, classes)


def most_wrong(
    labels: Sequence[str], truth: ArrayLike, probabilities: ArrayLike, k: int
) -> np.ndarray:
    """Finds the rows whose true class has the lowest probability.

    Args:
        labels: the classes' names; their order is that of the class ids.
        truth: int [rows].
        probabilities: float [rows, classes].
        k: how many rows to return at most.

    Returns:
        int [at most k], the rows' indices, the lowest probability of the true class first and equal
        ones in the rows' order.

    Raises:
        InputError: no rows, or arrays that do not fit each other.
    """
    scores = np.asarray(probabilities)
    if scores.ndim != 2 or scores.shape[1] != len(labels):
        raise InputError(
            f"Expected probabilities of [rows, {len(labels)}], found {list(scores.shape)}."
        )
    # Only the length of the second argument matters.
    true, _ = _class_ids(labels, truth, np.zeros(len(scores), int))
    of_truth = np.take_along_axis(scores, true[:, None], axis=1)[:, 0]  # [rows]
    return np.argsort(of_truth, kind="stable")[:k]


def _counts(truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, ...]:
    """Counts true positives, labels and predictions of each class, from bool [rows, classes]."""
    return (truth & predicted).sum(axis=0), truth.sum(axis=0), predicted.sum(axis=0)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def _class_ids(
    labels: Sequence[str], truth: ArrayLike, predicted: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    pair = _pair(np.asarray(truth), np.asarray(predicted), dimensions=1)
    for ids in pair:
        if ids.min() < 0 or ids.max() >= len(labels):
            raise InputError(
                f"Expected class ids from 0 to {len(labels) - 1}, found {ids.min()} to {ids.max()}."
            )
    return pair


def _pair(
    truth: np.ndarray, predicted: np.ndarray, dimensions: int
) -> tuple[np.ndarray, np.ndarray]:
    if truth.shape != predicted.shape or truth.ndim != dimensions:
        raise InputError(
            f"Expected truth and predictions of one shape with {dimensions} dimensions, found "
            f"{list(truth.shape)} and {list(predicted.shape)}."
        )
    if not len(truth):
        raise InputError("There are no rows to score.")
    return truth, predicted
