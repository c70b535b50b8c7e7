"""Divides rows in two: a held-out share, or a few rows of each label."""

import logging
import math
import random

from bert_keras.errors import InputError

_log = logging.getLogger(__name__)


def hold_out(rows, fraction, seed):
    """Sets rows aside to evaluate on.

    Rows of kind "class" are divided within each class: held out is the fraction of its rows, give
    or take one, and one row of each class always stays. Other rows are divided as one.

    Args:
        rows: labelled `Rows`.
        fraction: the share to hold out, between 0 and 1; met to the nearest row in all, unless
            classes of a single row stand against it.
        seed: an integer; the same seed divides the same rows in the same way.

    Returns:
        (the rows to train on, the rows held out), both in the order of `rows`.

    Raises:
        InputError: the fraction is not between 0 and 1, or one side would be empty.
    """
    if not 0 < fraction < 1:
        raise InputError(f"expected a share to hold out between 0 and 1, found {fraction}.")
    chosen = set()
    seen = 0
    for members in _shuffled_groups(rows, seed):
        # Rounding the running total lets one class make up for the rounding of another.
        seen += len(members)
        due = int(seen * fraction + 0.5) - len(chosen)
        share = math.ceil(len(members) * fraction)
        chosen.update(members[: min(due, share, len(members) - 1)])
    if not chosen:
        raise InputError(f"{fraction} of {len(rows)} rows leaves none to hold out.")
    held_out, rest = _divide(rows, chosen)
    return rest, held_out


def take_per_class(rows, n, seed):
    """Takes a few rows of each class, to learn from few labels.

    Args:
        rows: labelled `Rows` of kind "class".
        n: how many of each class.
        seed: an integer; the same seed takes the same of the same rows.

    Returns:
        (the rows taken, the others), both in the order of `rows`.

    Raises:
        InputError: a class has fewer than `n` rows, or the rows have no classes.
    """
    if rows.kind != "class":
        raise InputError(f"{rows.locations[0]}: a number of rows a class needs one label a row.")
    chosen = set()
    for members in _shuffled_groups(rows, seed):
        if len(members) < n:
            label = rows.labels[members[0]]
            raise InputError(
                f"{rows.locations[members[0]]}: expected {n} rows of the class {label!r} at least, "
                f"found {len(members)}."
            )
        chosen.update(members[:n])
    return _divide(rows, chosen)


def unseen(rows, train):
    """Leaves out rows whose texts are trained on, which make scores too good, and repetitions.

    Args:
        rows: those to evaluate on.
        train: those to train on.

    Returns:
        The others of `rows`, in order.
    """
    seen = set(_texts(train))
    kept = []
    for index, texts in enumerate(_texts(rows)):
        if texts not in seen:
            kept.append(index)
            seen.add(texts)
    if len(kept) < len(rows):
        _log.info(
            "%d rows are not evaluated on: their texts are among the training rows, or come twice.",
            len(rows) - len(kept),
        )
    return rows.select(kept)


def _shuffled_groups(rows, seed):
    """The rows' indices in random order, class by class, classes by name."""
    groups = {}
    for index in range(len(rows)):
        groups.setdefault(rows.labels[index] if rows.kind == "class" else "", []).append(index)
    order = random.Random(seed)
    for _, members in sorted(groups.items()):
        order.shuffle(members)
        yield members


def _divide(rows, chosen):
    others = (index for index in range(len(rows)) if index not in chosen)
    return rows.select(sorted(chosen)), rows.select(others)


def _texts(rows):
    return zip(rows.texts, rows.pairs or rows.texts, strict=True)
