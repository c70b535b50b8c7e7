"""Where a task's examples come from: `Source`, the base of all, and those of labelled rows."""

import abc
import dataclasses
from typing import ClassVar, Generic, Literal, TypeVar

from bert_keras.data import glue
from bert_keras.data.columns import Columns
from bert_keras.data.rows import LabelKind, Rows, read_rows
from bert_keras.data.splits import hold_out, take_per_class, unseen
from bert_keras.errors import InputError
from bert_keras.files import PACKAGE_PREFIX, resolve
from bert_keras.options import check_options, option

Examples = TypeVar("Examples")
Split = Literal["train", "dev", "test"]  # examples of "test" are read without their labels


@dataclasses.dataclass(frozen=True)
class Source(abc.ABC, Generic[Examples]):
    """Examples to train on, to evaluate on and to predict.

    A subclass says how a file is read and how training examples are divided.

    Attributes:
        train: the file to train on, or `pkg://package/path`; "" for none.
        dev: the file to evaluate on, given in the same way.
        dev_fraction: the share of the training examples to evaluate on if there is no `dev`; 0
            for none.

    Raises:
        InputError: a setting has a value that it cannot have; the message names the setting.
    """

    train: str = option("", "The file to train on.", name="train_file")
    dev: str = option("", "The file to evaluate on.", name="dev_file")
    dev_fraction: float = option(0.1, "Share of training rows held out if there is no dev_file.")

    _origins: ClassVar[str] = "a file"  # of examples, as messages name them

    def __post_init__(self) -> None:
        check_options(self)
        if not 0 <= self.dev_fraction < 1:
            raise InputError(
                f"expected 0 or more and less than 1, found {self.dev_fraction:g}.",
                field="dev_fraction",
            )

    def train_and_dev(self, seed: int) -> tuple[Examples, Examples | None]:
        """Reads the examples to train on and those to evaluate on.

        Args:
            seed: decides which training examples are held out.

        Returns:
            Both; None for the latter if there are none.

        Raises:
            InputError: there is nothing to train on, or a file cannot be used.
        """
        return self._train_and_dev(seed)

    def dev_rows(self, seed: int) -> Examples | None:
        """Reads the examples to evaluate on: those that `train_and_dev` returns for the seed.

        Returns:
            The examples; None if there are none.

        Raises:
            InputError: a file cannot be used.
        """
        dev = self._own_dev()
        if dev is None and self._is_given(self.train):
            dev = self._train_and_dev(seed)[1]
        return dev

    def unlabelled(self, file: str) -> Examples:
        """Reads the examples to predict. Their labels may be missing and are not read.

        Args:
            file: a file, or `pkg://package/path`.

        Raises:
            InputError: there is nothing to predict, or the file cannot be used.
        """
        return self._open("test", file, field="file")

    @abc.abstractmethod
    def _read(self, split: Split, file: str) -> Examples:
        """Reads the examples of a file."""

    @abc.abstractmethod
    def _hold_out(self, train: Examples, seed: int) -> tuple[Examples, Examples]:
        """Divides training examples: returns those to train on and those to evaluate on."""

    def _is_given(self, file: str) -> bool:
        """Whether there are examples of a split, whose file is `file`."""
        return bool(file)

    def _open(self, split: Split, file: str, field: str) -> Examples:
        if not self._is_given(file):
            raise InputError(f"expected {self._origins}, found none.", field=field)
        return self._read(split, str(resolve(file)) if file.startswith(PACKAGE_PREFIX) else file)

    def _own_dev(self) -> Examples | None:
        """The examples to evaluate on that have a file of their own."""
        return self._open("dev", self.dev, field="dev") if self._is_given(self.dev) else None

    def _train_and_dev(self, seed: int) -> tuple[Examples, Examples | None]:
        train = self._open("train", self.train, field="train")
        dev = self._own_dev()
        if dev is None and self.dev_fraction:
            try:
                return self._hold_out(train, seed)
            except InputError as error:
                raise InputError(f"{error}", field="dev_fraction") from None
        return train, dev


@dataclasses.dataclass(frozen=True)
class GlueSource(Source[Rows]):
    """Rows of a task of GLUE, or of files of the user's own.

    Attributes:
        train, dev: whatever `read_rows` reads.
        task_name: a task of GLUE, which determines files, columns and the kind of the labels; ""
            for own files.
        data_dir: the folder of GLUE's tasks, or of that task.
    """

    task_name: str = option("", "A task of GLUE, such as SST-2; needs `data_dir`.")
    data_dir: str = option("", "The folder of GLUE's tasks.")

    _origins: ClassVar[str] = "a file, or `task_name` and `data_dir`"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.task_name and not self.data_dir:
            raise InputError("expected the folder of GLUE's tasks, found none.", field="data_dir")
        if self.task_name:
            glue.find_task(self.task_name)

    @property
    def glue_task(self) -> glue.GlueTask | None:
        """What is particular to the task of GLUE; None for own files."""
        return glue.find_task(self.task_name)[1] if self.task_name else None

    @property
    def metric(self) -> str | None:
        """GLUE's own score for a task of GLUE, else None."""
        return self.glue_task.metrics[0] if self.glue_task else None

    def _is_given(self, file: str) -> bool:
        return bool(self.task_name or file)

    def _read(self, split: Split, file: str) -> Rows:
        if not file:
            return glue.read_glue(self.task_name, self.data_dir, split)
        return self._read_file(split, file)

    @abc.abstractmethod
    def _read_file(self, split: Split, file: str) -> Rows:
        """Reads the rows of a file of the user's own."""

    def _hold_out(self, train: Rows, seed: int) -> tuple[Rows, Rows]:
        train, others = hold_out(train, self.dev_fraction, seed, train.classes)
        return train, unseen(others, train)


@dataclasses.dataclass(frozen=True)
class RowSource(GlueSource):
    """Labelled texts, or pairs of texts: a task of GLUE, or files of the user's own.

    Attributes:
        columns: the columns of the files; None for the usual names.
        label_kind: what a label of the files is: one class, several, or a number.
        rows_per_class: train on so many rows of each class and, if there is no `dev`, evaluate on
            all others; 0 trains on every row.
    """

    columns: Columns | None = None
    label_kind: Literal["class", "multi", "number"] = option(
        "class", "One label, several, a number."
    )
    rows_per_class: int = option(
        0,
        "Train on so many rows a class, hold out the rest.",
        name="train_rows_per_class",
        minimum=0,
    )

    @property
    def kind(self) -> LabelKind:
        """What a label is: "class", "multi" or "number"."""
        return self.glue_task.kind if self.glue_task else self.label_kind

    def _read_file(self, split: Split, file: str) -> Rows:
        columns = self.glue_task.columns if self.glue_task else self.columns
        return read_rows(file, columns=columns, kind=self.kind, labelled=split != "test")

    def _train_and_dev(self, seed: int) -> tuple[Rows, Rows | None]:
        if not self.rows_per_class:
            return super()._train_and_dev(seed)
        train = self._open("train", self.train, field="train")
        train, others = take_per_class(train, self.rows_per_class, seed)
        dev = self._own_dev()
        return train, unseen(others, train) if dev is None else dev
