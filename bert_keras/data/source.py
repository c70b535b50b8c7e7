"""Where a classifier's rows come from: GLUE's folders, or files of the user's own."""

import dataclasses

from bert_keras.data import glue
from bert_keras.data.rows import Columns, read_rows
from bert_keras.data.splits import hold_out, take_per_class, unseen
from bert_keras.errors import InputError
from bert_keras.files import PACKAGE_PREFIX, resolve
from bert_keras.tasks.classification.relations import mark_entities


@dataclasses.dataclass(frozen=True)
class Source:
    """The rows to train on, to evaluate on and to predict.

    Attributes:
        task_name: a task of GLUE, which knows its files, columns and kind; "" for own files.
        data_dir: the folder of GLUE's tasks, or of that task.
        train_file, dev_file, predict_file: whatever `read_rows` reads; "" where there is none.
        columns: `Columns` of those files; None for the usual names.
        entities: the columns of two entities to be marked in the texts, see `mark_entities`; empty
            for texts as they are.
        kind: what a label is: "class", "multi" or "number".
        dev_fraction: the share of the training rows to evaluate on, where there is no `dev_file`.
        rows_per_class: train on so many rows of each class and, where there is no `dev_file`,
            evaluate on all others; 0 takes every row.
        seed: of the choice of rows to hold out.
        label_needed: False reads labels only where the files have their column.
    """

    task_name: str = ""
    data_dir: str = ""
    train_file: str = ""
    dev_file: str = ""
    predict_file: str = ""
    columns: Columns | None = None
    entities: tuple = ()
    kind: str = "class"
    dev_fraction: float = 0.1
    rows_per_class: int = 0
    seed: int = 0
    label_needed: bool = True

    def __post_init__(self):
        if not 0 <= self.dev_fraction < 1:
            raise InputError(f"--dev_fraction: expected 0 to 1, found {self.dev_fraction}.")
        if self.entities and len(self.entities) != 2:
            raise InputError(
                "--entity_columns: expected two names, such as head,tail, found "
                f"{','.join(self.entities)!r}."
            )
        if self.entities and (self.task_name or (self.columns and self.columns.pair)):
            raise InputError("--entity_columns: expected own rows of one text each, not of two.")
        if self.task_name and not self.data_dir:
            raise InputError("--task_name needs --data_dir, the folder of GLUE's tasks.")
        if self.task_name:
            _, task = glue.find_task(self.task_name)
            object.__setattr__(self, "kind", task.kind)
            object.__setattr__(self, "columns", task.columns)

    @property
    def metric(self):
        """GLUE's own score for a task of GLUE, else None."""
        return glue.find_task(self.task_name)[1].metrics[0] if self.task_name else None

    def train_and_dev(self):
        """Returns the `Rows` to train on and those to evaluate on, or None for the latter."""
        if not (self.task_name or self.train_file):
            raise InputError("--do_train needs --train_file, or --task_name and --data_dir.")
        train = self._read("train", self.train_file)
        dev = self._own_dev()
        if self.rows_per_class:
            train, others = take_per_class(train, self.rows_per_class, self.seed)
            dev = dev or unseen(others, train)
        elif dev is None and self.dev_fraction:
            try:
                train, others = hold_out(train, self.dev_fraction, self.seed)
            except InputError as error:
                raise InputError(f"--dev_fraction: {error}") from None
            dev = unseen(others, train)
        return train, dev

    def dev(self):
        """Returns the `Rows` to evaluate on, or None; the same ones as `train_and_dev`."""
        if not (self.task_name or self.dev_file or self.train_file):
            return None
        return self._own_dev() or self.train_and_dev()[1]

    def _own_dev(self):
        """The rows to evaluate on that stand in a file of their own, or None."""
        if self.task_name or self.dev_file:
            return self._read("dev", self.dev_file)
        return None

    def unlabelled(self):
        """Returns the `Rows` to predict."""
        if not (self.task_name or self.predict_file):
            raise InputError("--do_predict needs --predict_file.")
        return self._read("test", self.predict_file, labelled=False)

    def _read(self, split, file, labelled=True):
        if file.startswith(PACKAGE_PREFIX):
            file = resolve(file)
        if labelled and not self.label_needed:
            labelled = None
        if file:
            rows = read_rows(file, columns=self.columns, kind=self.kind, labelled=labelled)
            return mark_entities(rows, self.entities) if self.entities else rows
        return glue.read_glue(self.task_name, self.data_dir, split)
