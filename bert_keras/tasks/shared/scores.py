"""Numbers and tables that say how good predictions are.

scikit-learn and scipy know the formulas; what they leave undefined is decided here, so that a score
is always a plain float that can be logged and compared, and no warning reaches the user.
"""

import numpy as np

from bert_keras.errors import InputError
from bert_keras.training.task import Table


def class_scores(labels, truth, predicted):
    """Scores of a task with one label a row.

    Args:
        labels: the classes' names; their order is that of the class ids.
        truth: int [rows], the right class ids.
        predicted: int [rows], the predicted class ids.

    Returns:
        A dict of floats: `accuracy`; `f1`, that of the second class, only if there are two classes;
        `f1_macro`, the mean over the classes that occur in `truth` or in `predicted`, so that a
        class the rows lack does not count against the model; `matthews`, the Matthews correlation
        (for more than two classes, Gorodkin's R_K), 0.0 where it is undefined because truth or
        predictions are all of one class. An F1 without a single right answer is 0.0.

    Raises:
        InputError: no rows, or ids that do not fit the labels or each other.
    """
    from sklearn import metrics

    truth, predicted = _class_ids(labels, truth, predicted)
    scores = {"accuracy": metrics.accuracy_score(truth, predicted)}
    if len(labels) == 2:
        scores["f1"] = metrics.f1_score(truth, predicted, pos_label=1, zero_division=0.0)
    scores["f1_macro"] = metrics.f1_score(truth, predicted, average="macro", zero_division=0.0)
    # With all rows of one class on both sides scikit-learn also answers 0.0, but warns.
    constant = (truth == truth[0]).all() or (predicted == predicted[0]).all()
    scores["matthews"] = 0.0 if constant else metrics.matthews_corrcoef(truth, predicted)
    return {name: float(score) for name, score in scores.items()}


def multi_scores(truth, probabilities):
    """Scores of a task with any number of labels a row, a label predicted from 0.5 up.

    Args:
        truth: bool [rows, classes].
        probabilities: float [rows, classes], each class's own; the classes need not sum to 1.

    Returns:
        A dict of floats: `exact_match`, the share of rows with all classes right; `f1_micro`, over
        all decisions together; `f1_macro`, the mean over the classes that occur in the truth or in
        the predictions. An F1 without a single right label is 0.0.

    Raises:
        InputError: no rows, or arrays of different shapes.
    """
    truth, probabilities = _pair(np.asarray(truth, bool), np.asarray(probabilities), dimensions=2)
    predicted = probabilities >= 0.5
    right, true, guessed = _counts(truth, predicted)
    occurs = true + guessed > 0  # [classes]
    f1 = _share(2 * right, true + guessed)  # [classes]
    return {
        "exact_match": float((truth == predicted).all(axis=1).mean()),
        "f1_micro": float(2 * right.sum() / max(1, (true + guessed).sum())),
        "f1_macro": float(f1[occurs].mean()) if occurs.any() else 0.0,
    }


def number_scores(truth, predicted):
    """Scores of a task whose answer is a number.

    Args:
        truth: float [rows].
        predicted: float [rows].

    Returns:
        A dict of floats: `spearman` and `pearson`, 0.0 where they are undefined (one row, or all
        truths or all predictions equal: such predictions tell no row from another); `mse`, the mean
        squared error, the only one of the scores here that is better when lower. A prediction that
        is not finite, as of a run that diverged, makes all three nan.

    Raises:
        InputError: no rows, or arrays of different shapes.
    """
    from scipy import stats

    truth, predicted = _pair(np.asarray(truth, float), np.asarray(predicted, float), dimensions=1)
    if not np.isfinite(predicted).all():
        return dict.fromkeys(("spearman", "pearson", "mse"), float("nan"))
    # Ranks and deviations alike vanish when all values are equal up to rounding.
    if np.allclose(truth, truth[0], 1e-12, 0) or np.allclose(predicted, predicted[0], 1e-12, 0):
        spearman = pearson = 0.0
    else:
        spearman = float(stats.spearmanr(truth, predicted).statistic)
        pearson = float(stats.pearsonr(truth, predicted).statistic)
    mse = float(np.mean(np.square(truth - predicted)))
    return {"spearman": spearman, "pearson": pearson, "mse": mse}


def per_class_table(labels, truth, predicted):
    """How well each class is found.

    Args:
        labels: the classes' names; their order is that of the class ids.
        truth: int [rows], or bool [rows, classes] for several labels a row.
        predicted: as `truth`.

    Returns:
        A `Table`, one row a class in the order of `labels`: precision, recall, F1 and the number of
        rows that are truly of the class. A number that is undefined shows as "-": the precision of
        a class never predicted, the recall of one that no row has, the F1 of one that is both.

    Raises:
        InputError: no rows, or ids that do not fit the labels or each other.
    """
    if np.ndim(truth) == 2:
        truth, predicted = _pair(np.asarray(truth, bool), np.asarray(predicted, bool), dimensions=2)
    else:
        truth, predicted = _class_ids(labels, truth, predicted)
        classes = np.arange(len(labels))
        truth, predicted = truth[:, None] == classes, predicted[:, None] == classes
    right, true, guessed = _counts(truth, predicted)
    shares = _share(right, guessed), _share(right, true), _share(2 * right, true + guessed)
    rows = []
    for label, *values, count in zip(labels, *shares, true, strict=True):
        rows.append([label, *("-" if np.isnan(x) else f"{x:.3f}" for x in values), str(count)])
    return Table(["class", "precision", "recall", "F1", "rows"], rows)


def confusion_matrix(labels, truth, predicted):
    """Counts which class was taken for which.

    Args:
        labels: the classes' names; their order is that of the class ids.
        truth: int [rows].
        predicted: int [rows].

    Returns:
        int64 [classes, classes]; entry (i, j) is the number of rows of class i predicted as j.

    Raises:
        InputError: no rows, or ids that do not fit the labels or each other.
    """
    truth, predicted = _class_ids(labels, truth, predicted)
    classes = len(labels)
    return np.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)


def most_wrong(labels, truth, probabilities, k):
    """Finds the rows that surprised the model most.

    Args:
        labels: the classes' names; their order is that of the class ids.
        truth: int [rows].
        probabilities: float [rows, classes].
        k: how many rows are wanted.

    Returns:
        int [at most k], the rows' indices, the lowest probability of the true class first and equal
        ones in the rows' order.

    Raises:
        InputError: no rows, or arrays that do not fit each other.
    """
    probabilities = np.asarray(probabilities)
    if probabilities.ndim != 2 or probabilities.shape[1] != len(labels):
        found = list(probabilities.shape)
        raise InputError(f"Expected probabilities of [rows, {len(labels)}], found {found}.")
    # Only the shape matters of the second argument.
    truth, _ = _class_ids(labels, truth, np.zeros(len(probabilities), int))
    of_truth = np.take_along_axis(probabilities, truth[:, None], axis=1)[:, 0]  # [rows]
    return np.argsort(of_truth, kind="stable")[:k]


def _counts(truth, predicted):
    """How many rows are rightly, truly and supposedly of each class, from bool [rows, classes]."""
    return (truth & predicted).sum(axis=0), truth.sum(axis=0), predicted.sum(axis=0)


def _share(part, whole):
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def _class_ids(labels, truth, predicted):
    truth, predicted = _pair(np.asarray(truth), np.asarray(predicted), dimensions=1)
    for ids in (truth, predicted):
        if ids.min() < 0 or ids.max() >= len(labels):
            raise InputError(
                f"Expected class ids from 0 to {len(labels) - 1}, found {ids.min()} to {ids.max()}."
            )
    return truth, predicted


def _pair(truth, predicted, dimensions):
    if truth.shape != predicted.shape or truth.ndim != dimensions:
        raise InputError(
            f"Expected truth and predictions of one shape with {dimensions} dimensions, found "
            f"{list(truth.shape)} and {list(predicted.shape)}."
        )
    if not len(truth):
        raise InputError("There are no rows to score.")
    return truth, predicted
