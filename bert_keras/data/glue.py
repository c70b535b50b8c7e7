"""Reads the nine classification and similarity tasks of GLUE from GLUE's own folders.

Wang et al., "GLUE: A Multi-Task Benchmark and Analysis Platform for Natural Language
Understanding", 2018 (arXiv 1804.07461).
"""

import dataclasses
import os
import pathlib

from bert_keras.data import tables
from bert_keras.data.columns import Columns
from bert_keras.data.rows import LabelKind, Rows, from_table
from bert_keras.errors import InputError


@dataclasses.dataclass(frozen=True)
class GlueTask:
    """The files of a task.

    Attributes:
        columns: the columns of train and dev.
        labels: the labels in the files; None for a number.
        metrics: GLUE's scores of the task, the one that ranks models first.
        test_columns: the columns of test; None if the same as in train.
        splits: the names of the files, without ".tsv".
    """

    columns: Columns
    labels: tuple[str, ...] | None = ("0", "1")
    metrics: tuple[str, ...] = ("accuracy",)
    test_columns: Columns | None = None
    splits: tuple[str, ...] = ("train", "dev", "test")

    @property
    def kind(self) -> LabelKind:
        """What a label is: "class" or "number"."""
        return "class" if self.labels else "number"


_ENTAILMENT = ("entailment", "not_entailment")

TASKS = {
    "CoLA": GlueTask(
        Columns("3", None, "1"), metrics=("matthews",), test_columns=Columns("sentence")
    ),
    "SST-2": GlueTask(Columns("sentence")),
    "MRPC": GlueTask(Columns("#1 String", "#2 String", "Quality"), metrics=("f1", "accuracy")),
    "QQP": GlueTask(Columns("question1", "question2", "is_duplicate"), metrics=("f1", "accuracy")),
    "STS-B": GlueTask(
        Columns("sentence1", "sentence2", "score"), labels=None, metrics=("spearman", "pearson")
    ),
    "MNLI": GlueTask(
        Columns("sentence1", "sentence2", "gold_label"),
        labels=("contradiction", "entailment", "neutral"),
        splits=("train", "dev_matched", "dev_mismatched", "test_matched", "test_mismatched"),
    ),
    "QNLI": GlueTask(Columns("question", "sentence"), labels=_ENTAILMENT),
    "RTE": GlueTask(Columns("sentence1", "sentence2"), labels=_ENTAILMENT),
    "WNLI": GlueTask(Columns("sentence1", "sentence2")),
}


def find_task(name: str) -> tuple[str, GlueTask]:
    """Finds a task by its name in any case: ("SST-2", its `GlueTask`) for "sst-2".

    Raises:
        InputError: GLUE has no such task.
    """
    for known, task in TASKS.items():
        if known.lower() == name.lower():
            return known, task
    raise InputError(f"{name}: expected a task of GLUE: {', '.join(TASKS)}.")


def read_glue(task_name: str, data_dir: str | os.PathLike[str], split: str) -> Rows:
    """Reads a split of a GLUE task from the files of GLUE's own download.

    Rows of QQP's train and dev files that lack a field are skipped, as is usual with this data set,
    and their number is logged.

    Args:
        task_name: "CoLA", "SST-2", "MRPC", "QQP", "STS-B", "MNLI", "QNLI", "RTE" or "WNLI".
        data_dir: the task's folder, or the folder that has it as a subfolder of the task's name.
        split: "train", "dev" or "test"; for MNLI "dev_matched" (the same as "dev"),
            "dev_mismatched", "test_matched" (the same as "test") or "test_mismatched".

    Returns:
        The rows; rows of a test file have no labels.

    Raises:
        InputError: there is no such task, split or file, or the file is not in GLUE's format.
    """
    name, task = find_task(task_name)
    file_name = next((s for s in task.splits if s in (split, f"{split}_matched")), None)
    if file_name is None:
        raise InputError(f"{name}: expected a split {', '.join(task.splits)}, found {split!r}.")
    folder = pathlib.Path(data_dir)
    path = (folder / name if (folder / name).is_dir() else folder) / f"{file_name}.tsv"
    is_test = split.startswith("test")
    columns = task.test_columns if is_test and task.test_columns else task.columns
    incomplete = name == "QQP" and not is_test
    table = tables.read_tsv(path, columns.in_header(), skip_incomplete=incomplete)
    return from_table(table, columns, task.kind, labelled=not is_test)
