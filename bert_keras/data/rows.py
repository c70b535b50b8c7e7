"""Labelled text in memory: `Rows`, and `read_rows`, which reads them from any layout."""

import collections
import dataclasses
import os
import pathlib
import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Literal, Self, TypeVar

import numpy as np

from bert_keras.data import folders, tables, tfds
from bert_keras.data.columns import Columns
from bert_keras.data.tables import Layout, RecordTable, shorten
from bert_keras.errors import InputError

T = TypeVar("T")
# What a label is: one class, several classes, or a number.
LabelKind = Literal["class", "multi", "number"]

# Common names of columns. A first line of such names is a header.
_HEADER_WORDS = {
    *("id", "name", "value", "text", "texts", "sentence", "sentences", "string", "phrase", "title"),
    *("body", "content", "document", "review", "reviews", "comment", "message", "utterance"),
    *("question", "query", "premise", "hypothesis", "headline", "description", "tweet", "post"),
    *("article", "label", "labels", "class", "classes", "category", "categories", "topic"),
    *("topics", "tag", "tags", "target", "sentiment", "intent", "score", "scores", "rating"),
    *("polarity", "gold"),
}
_LARGEST_NUMBER = float(np.finfo(np.float32).max)  # as a label


@dataclasses.dataclass
class Rows:
    """Labelled text in memory. Each sequence has one entry for each row.

    Attributes:
        texts: the texts, or the first texts of pairs.
        pairs: the second texts of pairs; None for single texts.
        labels: a string for each row of kind "class", a list of strings for "multi", a float for
            "number"; None for rows without labels.
        locations: the location of each row, "train.tsv:17", for messages.
        records: each row as it was read, to write it with predictions added: a list of strings, or
            a dict if the layout is "jsonl".
        header: the names of the records' columns; None if they have none.
        layout: the format of the records.
        kind: what a label is.
    """

    texts: Sequence[str]
    pairs: Sequence[str] | None
    labels: Sequence[Any] | None
    locations: Sequence[str]
    records: Sequence[Any]
    header: Sequence[str] | None = None
    layout: Layout = "tsv"
    kind: LabelKind = "class"

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def classes(self) -> Sequence[str] | None:
        """The class of each row; None if labels are of another kind."""
        return self.labels if self.kind == "class" else None

    def contents(self) -> Sequence[Hashable]:
        """Returns the text, or the two texts, of each row."""
        return self.texts if self.pairs is None else [*zip(self.texts, self.pairs, strict=True)]

    def select(self, indices: Iterable[int]) -> Self:
        """Returns the rows at `indices`, in that order."""
        indices = list(indices)

        def chosen(entries: Sequence[T]) -> Sequence[T]:
            return [entries[index] for index in indices]

        return dataclasses.replace(
            self,
            texts=chosen(self.texts),
            pairs=None if self.pairs is None else chosen(self.pairs),
            labels=None if self.labels is None else chosen(self.labels),
            locations=chosen(self.locations),
            records=chosen(self.records),
        )


def read_rows(
    path: str | os.PathLike[str],
    *,
    columns: Columns | None = None,
    kind: LabelKind = "class",
    labelled: bool | None = True,
) -> Rows:
    """Reads labelled text.

    Args:
        path: a file whose name ends in .tsv or .txt (columns separated by tabs, no quoting), .csv
            or .jsonl; a folder with a subfolder of text files for each class; or
            `tfds:name[/config][:version][:split]` for a data set of tensorflow-datasets, split
            "train" unless given.
        columns: the columns; "text" and "label" unless given, and in tensorflow-datasets the only
            features that fit. A folder of classes has no columns.
        kind: what a label is: "class", one label; "multi", any number of labels, separated by
            commas in TSV and CSV, a list in JSON lines; "number".
        labelled: False for rows to predict: labels are not read, and their column may be missing.
            None reads labels if a file has their column.

    Returns:
        The rows, in the order of the file.

    Raises:
        InputError: the rows cannot be used; the message names the file and the line.
    """
    name = os.fspath(path)
    columns = columns or Columns()
    if name.startswith(tfds.PREFIX):
        labelled = bool(labelled)
        table, columns = tfds.read_catalogue(name, columns, kind, labelled)
        return from_table(table, columns, kind, labelled)
    path = pathlib.Path(path)
    if path.is_dir():
        return _read_class_folders(path, kind, bool(labelled))
    suffix = path.suffix.lower()
    if suffix in (".tsv", ".txt"):
        table = tables.read_tsv(path, columns.in_header())
    elif suffix == ".csv":
        table = tables.read_csv(path, columns.in_header())
    elif suffix == ".jsonl":
        table = tables.read_json_lines(path)
    else:
        raise InputError(
            f"{path}: expected a file that ends in .tsv, .txt, .csv or .jsonl, a folder of class "
            "folders, or tfds:NAME."
        )
    return from_table(table, columns, kind, labelled)


def from_table(
    table: RecordTable,
    columns: Columns,
    kind: LabelKind = "class",
    labelled: bool | None = True,
) -> Rows:
    """Makes rows from a table.

    Args:
        table: the table.
        columns: its columns.
        kind: see `read_rows`.
        labelled: see `read_rows`.

    Raises:
        InputError: a column is missing, a text is empty, a label is not of its kind, or the first
            line looks like a header and would be read as a row.
    """
    if labelled is None:
        labelled = _has_column(table, str(columns.label))
    texts = _column(table, columns.text)
    pairs = _column(table, columns.pair) if columns.pair else None
    labels = _column(table, columns.label) if labelled else None
    if table.header is None and table.layout != "jsonl":
        _check_first_line(table.locations[0], texts, labels)
    check_texts(texts, table.locations, repr(columns.text))
    if pairs:
        check_texts(pairs, table.locations, repr(columns.pair))
    if labels:
        labels = _parse_labels(labels, table, kind)
    return Rows(
        texts, pairs, labels, table.locations, table.records, table.header, table.layout, kind
    )


def find_labels(rows: Rows) -> list[str]:
    """Returns the labels that rows have.

    Args:
        rows: the rows to train on, labelled, of kind "class" or "multi".

    Returns:
        The distinct labels, sorted; labels that are numbers are sorted by value.

    Raises:
        InputError: there is only one class, or no label at all.
    """
    several = rows.kind == "multi"
    labels = {label for each in rows.labels or () for label in (each if several else [each])}
    if len(labels) < (1 if several else 2):
        found = f"{shorten(labels.pop())} alone" if labels else "none"
        raise InputError(f"{rows.locations[0]}: expected rows of several labels, found {found}.")
    try:
        return sorted(labels, key=lambda label: (float(label), label))
    except ValueError:
        return sorted(labels)


def check_labels(rows: Rows, labels: Sequence[str], where: str = "the training rows") -> None:
    """Checks that rows have known labels only.

    Args:
        rows: labelled rows of kind "class" or "multi".
        labels: the known labels.
        where: the origin of the known labels, for the message.

    Raises:
        InputError: a row has another label.
    """
    known = set(labels)
    for each, location in zip(rows.labels or (), rows.locations, strict=True):
        for label in each if rows.kind == "multi" else [each]:
            if label not in known:
                listed = ", ".join(labels[:20]) + (" …" if labels[20:] else "")
                raise InputError(
                    f"{location}: the label {shorten(label)} is none of the {len(labels)} labels "
                    f"of {where}: {listed}."
                )


def check_texts(texts: Sequence[Any], locations: Sequence[str], where: str) -> None:
    """Checks that texts are strings with more than white space.

    Args:
        texts: the value of each row.
        locations: the location of each row, for the message.
        where: the column, for the message.

    Raises:
        InputError: a text is not a string, or is empty.
    """
    for text, location in zip(texts, locations, strict=True):
        if not isinstance(text, str):
            raise InputError(f"{location}: expected text in {where}, found {shorten(text)}.")
        if not text or text.isspace():
            raise InputError(f"{location}: expected text in {where}, found nothing.")


def _read_class_folders(path: pathlib.Path, kind: LabelKind, labelled: bool) -> Rows:
    if kind != "class":
        raise InputError(f"{path}: a folder of class folders gives one label a text.")
    files, texts, labels = folders.read_folder(path, labelled)
    check_texts(texts, files, "the file")
    return Rows(texts, None, labels, files, [[file] for file in files], header=["file"])


def _column(table: RecordTable, name: str) -> list[Any]:
    if table.layout == "jsonl":
        for record, location in zip(table.records, table.locations, strict=True):
            if name not in record:
                keys = ", ".join(map(shorten, record)) or "none"
                raise InputError(f"{location}: expected the key {name!r}, found {keys}.")
        return [record[name] for record in table.records]
    index = _index(table, str(name))
    return [record[index] for record in table.records]


def _has_column(table: RecordTable, name: str) -> bool:
    """Whether a table's first record has a column. `_column` checks the other records."""
    if table.layout == "jsonl":
        return name in table.records[0]
    if table.header is not None:
        return name in table.header
    return name.isdecimal() and int(name) < len(table.records[0])


def _index(table: RecordTable, name: str) -> int:
    file = table.locations[0].rpartition(":")[0]
    first = ", ".join(map(shorten, table.header or table.records[0]))
    if table.header is not None:
        if table.header.count(name) != 1:
            often = "twice" if name in table.header else "not"
            raise InputError(
                f"{file}:1: the column {name!r} is {often} in the first line, {first}: name yours "
                "with `text_column`, `pair_column` and `label_column`, or, if that line is a row "
                "and not a header, give the columns by number, from 0."
            )
        return table.header.index(name)
    if not name.isdecimal() or int(name) >= len(table.records[0]):
        raise InputError(
            f"{file}:1: expected the number of a column, from 0, found {name!r}; the first line "
            f"has {first}."
        )
    return int(name)


def _check_first_line(location: str, texts: list[Any], labels: list[Any] | None) -> None:
    """Refuses a header that would be read as a row.

    A first line is a header if its text consists of common names of columns, and its label does
    too, or is the only label of the file that is not a number. No other row may have that label.
    """
    if not _could_name_a_column(texts[0]):
        return
    if labels:
        if not (_could_name_a_column(labels[0]) or all(map(_is_number, labels[1:]))):
            return
        if _is_number(labels[0]) or collections.Counter(labels)[labels[0]] > 1:
            return
    found = shorten(texts[0]) + (f" and {shorten(labels[0])}" if labels else "")
    raise InputError(
        f"{location}: expected a row, found what looks like a header, {found}: give the columns by "
        "name, or remove the line."
    )


def _could_name_a_column(cell: str) -> bool:
    words = re.findall(r"[^\W\d_]{2,}", cell.lower())  # Review Text, gold_label, sentence1, text_a
    return bool(words) and _HEADER_WORDS.issuperset(words)


def _parse_labels(labels: list[Any], table: RecordTable, kind: LabelKind) -> list[Any]:
    if kind == "multi" and table.layout != "jsonl":
        labels = [[label for label in some.split(",") if label.strip()] for some in labels]
    parsers: dict[str, Callable[[Any, str], Any]] = {
        "class": _class,
        "multi": _several,
        "number": _number,
    }
    parse = parsers[kind]
    return [parse(label, location) for label, location in zip(labels, table.locations, strict=True)]


def _class(value: Any, location: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()  # as in JSON
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        raise InputError(f"{location}: expected a label, found {shorten(value)}.")
    if not value.strip():
        raise InputError(f"{location}: expected a label, found nothing.")
    return value.strip()


def _several(value: Any, location: str) -> list[str]:
    if not isinstance(value, list):
        raise InputError(f"{location}: expected a list of labels, found {shorten(value)}.")
    return list(dict.fromkeys(_class(label, location) for label in value))


def _number(value: Any, location: str) -> float:
    if isinstance(value, bool) or not _is_number(value):
        raise InputError(f"{location}: expected a finite number, found {shorten(value)}.")
    return float(value)


def _is_number(value: Any) -> bool:
    try:
        return abs(float(value)) <= _LARGEST_NUMBER and "_" not in str(value)
    except (TypeError, ValueError, OverflowError):
        return False
