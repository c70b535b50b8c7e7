"""Reads tables of text: TSV, CSV and JSON lines, as records of fields, nothing interpreted yet."""

import csv
import dataclasses
import io
import itertools
import json
import logging
import os
import pathlib
from collections.abc import Sequence
from typing import Any, Literal, NoReturn

from bert_keras.errors import InputError

_log = logging.getLogger(__name__)

Layout = Literal["tsv", "csv", "jsonl"]


@dataclasses.dataclass
class RecordTable:
    """A file as it was read.

    Attributes:
        records: a list of strings for each row, all of one length; from JSON lines, a dict.
        locations: the location of each record, "train.tsv:17"; lines count from 1.
        header: the columns' names; None if the file has no header line, or is JSON lines.
        layout: the format that the records were read from.
    """

    records: Sequence[Any]
    locations: Sequence[str]
    header: Sequence[str] | None
    layout: Layout


def read_text(path: str | os.PathLike[str]) -> str:
    """Reads a file of UTF-8 text, without its byte order mark if it has one.

    Line ends stay as they are in the file.

    Raises:
        InputError: the file is missing or not readable, or holds a NUL byte or bytes that are not
            UTF-8; the message names the line.
    """
    path = pathlib.Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; {what_is_in(path.parent)}.") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from None
    nul = data.find(b"\0")
    if nul >= 0:
        raise InputError(f"{path}:{_line(data, nul)}: expected text, found a NUL byte.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, byte = _line(error.object, error.start), error.object[error.start]
        raise InputError(f"{path}:{line}: expected UTF-8, found the byte 0x{byte:02x}.") from None


def read_tsv(
    path: str | os.PathLike[str], has_header: bool, skip_incomplete: bool = False
) -> RecordTable:
    """Reads a table with tabs between columns and a row on each line.

    There is no quoting: a quote mark is a character like any other. A row ends with "\\n" or
    "\\r\\n" and nothing else. Empty lines at the end of the file are not rows.

    Args:
        path: the file.
        has_header: whether the first line names the columns.
        skip_incomplete: skips rows that have an empty field, or more or fewer columns than the
            first line, and logs their number.

    Raises:
        InputError: see `read_text`; or the file holds no row, or a row has more or fewer columns
            than the first line.
    """
    records = [line.split("\t") for line in _lines(read_text(path))]
    locations = [f"{path}:{number}" for number in range(1, len(records) + 1)]
    if skip_incomplete:
        complete = [len(record) == len(records[0]) and all(record) for record in records]
        if not all(complete):
            _log.info("%s: skipped %d rows that lack a field.", path, complete.count(False))
        records = list(itertools.compress(records, complete))
        locations = list(itertools.compress(locations, complete))
    return _table(path, records, locations, has_header, "tsv")


def read_csv(path: str | os.PathLike[str], has_header: bool) -> RecordTable:
    """Reads a table of comma-separated values, by RFC 4180.

    A field in double quotes may hold commas, line ends and doubled quote marks. The location of a
    row is its first line. Empty lines at the end of the file are not rows.

    Args:
        path: the file.
        has_header: whether the first line names the columns.

    Raises:
        InputError: as `read_tsv`; or the quoting is broken.
    """
    text = read_text(path).rstrip("\r\n")
    # The module limits a field to 128 KiB, but the file is in memory already.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    reader = csv.reader(io.StringIO(text, newline="\n"), strict=True)
    records, locations = [], []
    line = 1
    try:
        for record in reader:
            records.append(record or [""])
            locations.append(f"{path}:{line}")
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}:{line}: not a row of CSV: {error}.") from None
    return _table(path, records, locations, has_header, "csv")


def read_json_lines(path: str | os.PathLike[str]) -> RecordTable:
    """Reads a file of JSON objects, one on each line.

    Raises:
        InputError: see `read_text`; or the file holds no row, or a line is not a JSON object.
    """
    records, locations = [], []
    for number, line in enumerate(_lines(read_text(path)), 1):
        locations.append(f"{path}:{number}")
        records.append(parse_record(line, locations[-1]))
    if not records:
        raise InputError(f"{path}: expected rows, found an empty file.")
    return RecordTable(records, locations, header=None, layout="jsonl")


def parse_record(line: str, location: str) -> dict[str, Any]:
    """Parses a line of JSON lines.

    Args:
        line: the line.
        location: names the line in messages.

    Raises:
        InputError: the line is not a JSON object.
    """
    try:
        record = json.loads(line, parse_constant=_no_constant)
        if "\\u" in line:  # an escape can name half a surrogate pair, which is not text
            json.dumps(record, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", error)
        raise InputError(f"{location}: expected a JSON object: {reason}.") from None
    if not isinstance(record, dict):
        raise InputError(f"{location}: expected a JSON object, found {shorten(line)}.")
    return record


def shorten(value: Any, limit: int = 40) -> str:
    """Returns a value as a message shows it: quoted, and cut after `limit` characters."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return repr(text if len(text) <= limit else text[:limit] + "…")


def what_is_in(folder: pathlib.Path) -> str:
    """Lists a folder's first entries, for a message about a missing file."""
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return f"nor a folder {folder}"
    listed = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if names[10:] else "")
    return f"{folder} holds {listed or 'nothing'}"


def _lines(text: str) -> list[str]:
    text = text.replace("\r\n", "\n").rstrip("\n")
    return text.split("\n") if text else []


def _table(
    path: str | os.PathLike[str],
    records: list[list[str]],
    locations: list[str],
    has_header: bool,
    layout: Layout,
) -> RecordTable:
    if len(records) <= has_header or not any(map(any, records)):
        found = "a header alone" if records and has_header else "an empty file"
        raise InputError(f"{path}: expected rows, found {found}.")
    expected = len(records[0])
    for record, location in zip(records, locations, strict=True):
        if len(record) != expected:
            raise InputError(
                f"{location}: expected {expected} columns, as in the first line, found "
                f"{len(record)}."
            )
    if not has_header:
        return RecordTable(records, locations, None, layout)
    return RecordTable(records[1:], locations[1:], records[0], layout)


def _line(data: bytes, position: int) -> int:
    return data.count(b"\n", 0, position) + 1


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
