"""Labelled text in memory: `Rows`, and `read_rows`, which makes them from any layout."""

import collections
import dataclasses
import os
import pathlib
import re

import numpy as np

from bert_keras.data import folders, tables, tfds
from bert_keras.data.tables import shorten
from bert_keras.errors import InputError
from bert_keras.options import option

# The words by which people call their columns. A first line of such names is a header.
_HEADER_WORDS = {
    *("id", "name", "value", "text", "texts", "sentence", "sentences", "string", "phrase", "title"),
    *("body", "content", "document", "review", "reviews", "comment", "message", "utterance"),
    *("question", "query", "premise", "hypothesis", "headline", "description", "tweet", "post"),
    *("article", "label", "labels", "class", "classes", "category", "categories", "topic"),
    *("topics", "tag", "tags", "target", "sentiment", "intent", "score", "scores", "rating"),
    *("polarity", "gold"),
}
_LARGEST = float(np.finfo(np.float32).max)  # of a number to learn


@dataclasses.dataclass(frozen=True)
class Columns:
    """Which columns of a table hold what.

    Names promise that the first line of a TSV or CSV file is a header and has them; numbers,
    counting from "0", promise that it is a row. In JSON lines a name is a key of the object, and
    in tensorflow-datasets a feature.

    Attributes:
        text: the column of the text, or of the first sentence of two.
        pair: the column of the second sentence; None if there is but one.
        label: the column of the label, the labels, or the number.
    """

    text: str = option(
        "text", "Name of the text's column; a number if there is no header.", name="text_column"
    )
    pair: str | None = option(
        None, "The second text's column, where there are two.", name="pair_column"
    )
    label: str = option("label", "The label's column.", name="label_column")

    def in_header(self):
        """Whether the columns are given by name, so that the first line must be a header."""
        return not str(self.text).isdecimal()


@dataclasses.dataclass
class Rows:
    """Labelled text in memory, one entry a row in every list.

    Attributes:
        texts: the texts, or the first sentences of pairs.
        pairs: the second sentences; None for single texts.
        labels: a string a row for kind "class", a list of strings for "multi", a float for
            "number"; None for rows without labels.
        locations: where each row stands, "train.tsv:17", for messages.
        records: each row as it was read, to be written again with predictions added: a list of
            strings, or a dict if the layout is "jsonl".
        header: the names of the records' columns; None if they have none.
        layout: how such records are written: "tsv", "csv" or "jsonl".
        kind: what a label is: "class", "multi" or "number".
    """

    texts: list
    pairs: list | None
    labels: list | None
    locations: list
    records: list
    header: list | None = None
    layout: str = "tsv"
    kind: str = "class"

    def __len__(self):
        return len(self.texts)

    def select(self, indices):
        """Returns the rows at `indices`, in that order, as new `Rows`."""
        indices = list(indices)
        lists = ("texts", "pairs", "labels", "locations", "records")
        chosen = {
            name: entries and [entries[i] for i in indices]
            for name, entries in ((name, getattr(self, name)) for name in lists)
        }
        return dataclasses.replace(self, **chosen)


def read_rows(path, *, columns=None, kind="class", labelled=True):
    """Reads labelled text.

    Args:
        path: a file whose name ends in .tsv or .txt (columns separated by tabs, no quoting), .csv
            or .jsonl; a folder of class folders that hold text files; or
            `tfds:name[/config][:version][:split]` for a tensorflow-datasets name, split "train" if
            none is given.
        columns: `Columns`; by default "text" and "label", and in tensorflow-datasets the obvious
            ones. A folder of classes has none.
        kind: what a label is: "class", one label; "multi", any number of labels, separated by
            commas in TSV and CSV, a list in JSON lines; "number".
        labelled: False for rows to be predicted: the label column may be missing and is not read.
            None reads it where it is there (of tensorflow-datasets it is not read then).

    Returns:
        `Rows`, in the order of the file.

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
        if kind != "class":
            raise InputError(f"{path}: a folder of class folders gives one label a text.")
        files, texts, labels = folders.read_folder(path, labelled)
        check_texts(texts, files, "the file")
        return Rows(texts, None, labels, files, [[file] for file in files], header=["file"])
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


def from_table(table, columns, kind="class", labelled=True):
    """Takes texts and labels out of a table.

    Args:
        table: `bert_keras.data.tables.RecordTable`.
        columns: `Columns`.
        kind: see `read_rows`.
        labelled: see `read_rows`.

    Returns:
        `Rows`.

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
        if kind == "multi" and table.layout != "jsonl":
            labels = [[label for label in some.split(",") if label.strip()] for some in labels]
        read = {"class": _class, "multi": _several, "number": _number}[kind]
        labels = [
            read(label, location) for label, location in zip(labels, table.locations, strict=True)
        ]
    return Rows(
        texts, pairs, labels, table.locations, table.records, table.header, table.layout, kind
    )


def find_labels(rows):
    """The labels that rows have.

    Args:
        rows: labelled `Rows` of kind "class" or "multi", those to train on.

    Returns:
        A sorted list of distinct strings; numbers sort by size.

    Raises:
        InputError: there is nothing to tell apart: one class only, or no label at all.
    """
    several = rows.kind == "multi"
    found = {label for each in rows.labels for label in (each if several else [each])}
    if len(found) < (1 if several else 2):
        what = f"{shorten(found.pop())} alone" if found else "none"
        raise InputError(f"{rows.locations[0]}: expected rows of several labels, found {what}.")
    try:
        return sorted(found, key=lambda label: (float(label), label))
    except ValueError:
        return sorted(found)


def check_labels(rows, labels, where="the training rows"):
    """Checks that rows have known labels only.

    Args:
        rows: labelled `Rows` of kind "class" or "multi".
        labels: the known labels.
        where: where they are known from, for the message.

    Raises:
        InputError: a row's label is not among them.
    """
    known = set(labels)
    for each, location in zip(rows.labels, rows.locations, strict=True):
        for label in each if rows.kind == "multi" else [each]:
            if label not in known:
                listed = ", ".join(labels[:20]) + (" …" if labels[20:] else "")
                raise InputError(
                    f"{location}: the label {shorten(label)} is none of the {len(labels)} labels of "
                    f"{where}: {listed}."
                )


def _column(table, name):
    if table.layout == "jsonl":
        for record, location in zip(table.records, table.locations, strict=True):
            if name not in record:
                keys = ", ".join(map(shorten, record)) or "none"
                raise InputError(f"{location}: expected the key {name!r}, found {keys}.")
        return [record[name] for record in table.records]
    index = _index(table, str(name))
    return [record[index] for record in table.records]


def _has_column(table, name):
    """Whether a table's first record has a column; that the others have it too is for later."""
    if table.layout == "jsonl":
        return name in table.records[0]
    if table.header is not None:
        return name in table.header
    return name.isdecimal() and int(name) < len(table.records[0])


def _index(table, name):
    file = table.locations[0].rpartition(":")[0]
    first = ", ".join(map(shorten, table.header or table.records[0]))
    if table.header is not None:
        if table.header.count(name) != 1:
            often = "twice" if name in table.header else "not"
            raise InputError(
                f"{file}:1: the column {name!r} is {often} in the first line, {first}: name yours "
                "with --text_column, --pair_column and --label_column, or, if that line is a row "
                "and not a header, give the columns by number, from 0."
            )
        return table.header.index(name)
    if not name.isdecimal() or int(name) >= len(table.records[0]):
        raise InputError(
            f"{file}:1: expected the number of a column, from 0, found {name!r}; the first line "
            f"has {first}."
        )
    return int(name)


def _check_first_line(location, texts, labels):
    """Refuses a header that would be read as a row.

    A first line is a header if its text is made of words that people call columns by, and its label
    is too, or is the one label of the file that is not a number; nothing else in the file may have
    that label.
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


def _could_name_a_column(cell):
    words = re.findall(r"[^\W\d_]{2,}", cell.lower())  # Review Text, gold_label, sentence1, text_a
    return bool(words) and _HEADER_WORDS.issuperset(words)


def check_texts(texts, locations, where):
    """Checks that texts are texts, and not empty.

    Args:
        texts: what was read, one a row.
        locations: where each stands, for the message.
        where: what it was read from.

    Raises:
        InputError: one is none.
    """
    for text, location in zip(texts, locations, strict=True):
        if not isinstance(text, str):
            raise InputError(f"{location}: expected text in {where}, found {shorten(text)}.")
        if not text or text.isspace():
            raise InputError(f"{location}: expected text in {where}, found nothing.")


def _class(value, location):
    if isinstance(value, bool):
        return str(value).lower()  # as JSON writes it
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        raise InputError(f"{location}: expected a label, found {shorten(value)}.")
    if not value.strip():
        raise InputError(f"{location}: expected a label, found nothing.")
    return value.strip()


def _several(value, location):
    if not isinstance(value, list):
        raise InputError(f"{location}: expected a list of labels, found {shorten(value)}.")
    return list(dict.fromkeys(_class(label, location) for label in value))


def _number(value, location):
    if isinstance(value, bool) or not _is_number(value):
        raise InputError(f"{location}: expected a finite number, found {shorten(value)}.")
    return float(value)


def _is_number(value):
    try:
        return abs(float(value)) <= _LARGEST and "_" not in str(value)
    except (TypeError, ValueError, OverflowError):
        return False
