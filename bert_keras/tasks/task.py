"""What a task is to the training loop, to TensorBoard and to the export."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Table:
    """A small table for people.

    Attributes:
        header: the columns' names.
        rows: lists of strings, one a column.
    """

    header: list
    rows: list


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What came out of an evaluation, in forms that can be shown without knowing the task.

    Attributes:
        scores: numbers by name, the task's own metric first.
        tables: `Table`s by title.
        images: pictures by title, each uint8 [height, width, 3].
        curves: what a precision-recall curve is drawn from, by class: (is it that class,
            bool [rows]; predicted probability of it, float [rows]).
    """

    scores: dict
    tables: dict = dataclasses.field(default_factory=dict)
    images: dict = dataclasses.field(default_factory=dict)
    curves: dict = dataclasses.field(default_factory=dict)
