"""Writes rows as they were read, with the predictions of a model added."""

import csv
import json
import numbers
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import IO, Any

from bert_keras.data.rows import Rows
from bert_keras.files import atomic_write

# Values by column name: of each row a string, a number or a list of strings.
NewColumns = Mapping[str, Sequence[Any]]


def write_predictions(path: str | os.PathLike[str], rows: Rows, columns: NewColumns) -> None:
    """Writes a file of the same rows in the same order, with columns added at the end.

    The layout is that of the rows, `rows.layout`: TSV, CSV, or JSON lines, where a column is a key.
    A file without a header stays without one. Rows of a folder of text files become TSV with the
    files' names, and rows of tensorflow-datasets become JSON lines.

    If the rows already have a column of that name, the added one is called "predicted_" and the
    name. In TSV, which has no quoting, a tab or line end in an added value becomes a space. Lines
    end with "\\n" (in CSV with "\\r\\n", by RFC 4180), and there is no byte order mark.

    Args:
        path: the file. The write is atomic.
        rows: the rows.
        columns: the columns to add. Numbers are written with six significant digits.
    """
    if rows.layout == "jsonl":
        write_json_lines(path, rows.records, columns)
        return
    names = _free_names(columns, rows.header or [])
    added = zip(*columns.values(), strict=True)
    with atomic_write(path) as file:
        write = csv.writer(file).writerow if rows.layout == "csv" else _tsv_writer(file)
        if rows.header:
            write([*rows.header, *names])
        for record, values in zip(rows.records, added, strict=True):
            write([*record, *map(_for_table, values)])


def write_json_lines(
    path: str | os.PathLike[str], records: Sequence[Mapping[str, Any]], columns: NewColumns
) -> None:
    """Writes JSON objects, one a line, with keys added; see `write_predictions`."""
    names = _free_names(columns, {key for record in records for key in record})
    added = zip(*columns.values(), strict=True)
    with atomic_write(path) as file:
        for record, values in zip(records, added, strict=True):
            new = dict(zip(names, map(_for_json, values), strict=True))
            file.write(json.dumps({**record, **new}, ensure_ascii=False) + "\n")


def _free_names(columns: NewColumns, taken: Collection[str]) -> list[str]:
    names: list[str] = []
    for name in columns:
        while name in taken or name in names:
            name = f"predicted_{name}"
        names.append(name)
    return names


def _tsv_writer(file: IO[Any]) -> Callable[[Iterable[str]], object]:
    breaks = str.maketrans("\t\n", "  ")

    def write(fields: Iterable[str]) -> None:
        file.write("\t".join(field.translate(breaks) for field in fields) + "\n")

    return write


def _for_table(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value)
    return value if isinstance(value, str) else f"{value:.6g}"


def _for_json(value: Any) -> Any:
    if isinstance(value, numbers.Integral):
        return int(value)
    return float(f"{value:.6g}") if isinstance(value, numbers.Real) else value
