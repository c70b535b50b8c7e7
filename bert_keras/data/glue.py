"""Reads the nine classification and similarity tasks of GLUE from the folders it comes in.

Wang et al., "GLUE: A Multi-Task Benchmark and Analysis Platform for Natural Language
Understanding", 2018 (arXiv 1804.07461).
"""

import dataclasses
import pathlib

from bert_keras.data import tables
from bert_keras.data.rows import Columns, from_table
from bert_keras.errors import InputError


@dataclasses.dataclass(frozen=True)
class GlueTask:
    """What is particular to a task.

    Attributes:
        columns: where text, pair and label stand in train and dev.
        test_columns: where text and pair stand in test; None if as in train.
        labels: the names of the labels as the files have them; None for a number.
        metrics: GLUE's own, the one to rank by first.
        splits: the files, without ".tsv".
    """

    columns: Columns
    labels: tuple | None = ("0", "1")
    metrics: tuple = ("accuracy",)
    test_columns: Columns | None = None
    splits: tuple = ("train", "dev", "test")

    @property
    def kind(self):
        """The kind of the rows: "class" or "number"."""
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


def find_task(name):
    """Finds a task by name, in capitals or not: ("SST-2", its `GlueTask`) for "sst-2".

    Raises:
        InputError: GLUE has no such task.
    """
    for known, task in TASKS.items():
        if known.lower() == name.lower():
            return known, task
    raise InputError(f"{name}: expected a task of GLUE: {', '.join(TASKS)}.")


def read_glue(task_name, data_dir, split):
    """Reads a split of a GLUE task as GLUE's own download lays it out.

    The rows of QQP's train and dev files that lack a field are skipped, as is customary with this
    data set, and their number is printed.

    Args:
        task_name: "CoLA", "SST-2", "MRPC", "QQP", "STS-B", "MNLI", "QNLI", "RTE" or "WNLI".
        data_dir: the task's folder, or the one that holds it by the task's name.
        split: "train", "dev" or "test"; for MNLI "dev_matched" (also called "dev"),
            "dev_mismatched", "test_matched" (also "test") or "test_mismatched".

    Returns:
        `Rows`; those of a test file without labels.

    Raises:
        InputError: there is no such task, split or file, or it is not as GLUE has it.
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
