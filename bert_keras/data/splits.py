"""Divides rows in two: a held-out share, or a few rows of each class."""

import logging
import math
import random
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Protocol, Self, TypeVar

from bert_keras.data.rows import Rows
from bert_keras.errors import InputError

_log = logging.getLogger(__name__)


class SplittableRows(Protocol):
    """Rows that can be divided: `Rows`, or what a task has in their place."""

    def __len__(self) -> int:
        """Returns the number of rows."""

    def contents(self) -> Sequence[Hashable]:
        """Returns the text, or the texts, of each row; rows with equal contents are repetitions."""

    def select(self, indices: Iterable[int]) -> Self:
        """Returns the rows at `indices`, in that order."""


R = TypeVar("R", bound=SplittableRows)


def hold_out(
    rows: R, fraction: float, seed: int, classes: Sequence[str] | None = None
) -> tuple[R, R]:
    """Holds out rows to evaluate on.

    Args:
        rows: the rows to divide.
        fraction: the share to hold out, more than 0 and less than 1. The number of rows held out is
            exact to the nearest row, unless too many classes have a single row.
        seed: the same seed divides the same rows in the same way.
        classes: the class of each row. Each class is divided by the fraction, to within one row,
            and keeps at least one row to train on. None divides all rows together.

    Returns:
        (the rows to train on, the rows held out), both in the order of `rows`.

    Raises:
        InputError: the fraction is out of range, or no row would be held out.
    """
    if not 0 < fraction < 1:
        raise InputError(
            f"expected more than 0 and less than 1, found {fraction}.", field="fraction"
        )
    chosen: set[int] = set()
    seen = 0
    for members in _shuffled_groups(classes or [""] * len(rows), seed):
        # Rounding the running total lets one class compensate for the rounding of another.
        seen += len(members)
        due = int(seen * fraction + 0.5) - len(chosen)
        share = math.ceil(len(members) * fraction)
        chosen.update(members[: min(due, share, len(members) - 1)])
    if not chosen:
        raise InputError(f"{fraction} of {len(rows)} rows leaves none to hold out.")
    held_out, rest = _divide(rows, chosen)
    return rest, held_out


def take_per_class(rows: Rows, n: int, seed: int) -> tuple[Rows, Rows]:
    """Takes a few rows of each class, to learn from few labels.

    Args:
        rows: labelled rows of kind "class".
        n: the number of rows of each class.
        seed: the same seed takes the same rows of the same rows.

    Returns:
        (the rows taken, the others), both in the order of `rows`.

    Raises:
        InputError: a class has fewer than `n` rows, or the rows have no classes.
    """
    classes = rows.classes
    if classes is None:
        raise InputError(f"{rows.locations[0]}: a number of rows a class needs one label a row.")
    chosen: set[int] = set()
    for members in _shuffled_groups(classes, seed):
        if len(members) < n:
            first = members[0]
            raise InputError(
                f"{rows.locations[first]}: expected {n} rows of the class {classes[first]!r} at "
                f"least, found {len(members)}."
            )
        chosen.update(members[:n])
    return _divide(rows, chosen)


def unseen(rows: R, train: R) -> R:
    """Removes rows that repeat a training row, which would make scores too good, or another row.

    Args:
        rows: the rows to evaluate on.
        train: the rows to train on.

    Returns:
        The remaining rows, in order.
    """
    seen = set(train.contents())
    kept = []
    for index, content in enumerate(rows.contents()):
        if content not in seen:
            kept.append(index)
            seen.add(content)
    if len(kept) < len(rows):
        _log.info(
            "%d rows are not evaluated on: they repeat a training row or each other.",
            len(rows) - len(kept),
        )
    return rows.select(kept)


def _shuffled_groups(classes: Sequence[str], seed: int) -> Iterator[list[int]]:
    """Yields the indices of the rows of each class in random order; classes come by name."""
    groups: dict[str, list[int]] = {}
    for index, name in enumerate(classes):
        groups.setdefault(name, []).append(index)
    order = random.Random(seed)
    for _, members in sorted(groups.items()):
        order.shuffle(members)
        yield members


def _divide(rows: R, chosen: set[int]) -> tuple[R, R]:
    others = (index for index in range(len(rows)) if index not in chosen)
    return rows.select(sorted(chosen)), rows.select(others)
