"""Reads tables of text: TSV, CSV and JSON lines, as records of fields, nothing interpreted yet."""

import csv
import dataclasses
import io
import itertools
import json
import pathlib

from bert_keras.errors import InputError


@dataclasses.dataclass
class RecordTable:
    """A file as it was read.

    Attributes:
        records: a list of strings a row, all of one length; from JSON lines, a dict a row.
        locations: where each record stands, "train.tsv:17"; lines count from 1.
        header: the columns' names; None if the file has no header line, or is JSON lines.
        layout: "tsv", "csv" or "jsonl".
    """

    records: list
    locations: list
    header: list | None
    layout: str


def read_text(path):
    """Reads a whole file of UTF-8 text, without its byte order mark if it has one.

    Args:
        path: the file.

    Returns:
        A string, line ends as they stand in the file.

    Raises:
        InputError: the file is missing or not readable, or holds a NUL byte or bytes that are not
            UTF-8; the line is named.
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


def read_tsv(path, has_header, skip_incomplete=False):
    """Reads a table whose columns are separated by tabs and whose rows by line ends.

    There is no quoting: a quote mark is a character like any other. A row ends with "\\n" or
    "\\r\\n" and nothing else. Empty lines at the end of the file are not rows.

    Args:
        path: the file.
        has_header: whether the first line names the columns.
        skip_incomplete: leaves out the rows that have not as many columns as the first line, or an
            empty one, and prints how many they were.

    Returns:
        `RecordTable`.

    Raises:
        InputError: see `read_text`; or the file holds no row, or a row has more or fewer columns
            than the first line.
    """
    records = [line.split("\t") for line in _lines(read_text(path))]
    locations = [f"{path}:{number}" for number in range(1, len(records) + 1)]
    if skip_incomplete:
        whole = [len(record) == len(records[0]) and all(record) for record in records]
        if not all(whole):
            print(f"{path}: skipped {whole.count(False)} rows that lack a field.")
        records = list(itertools.compress(records, whole))
        locations = list(itertools.compress(locations, whole))
    return _table(path, records, locations, has_header, "tsv")


def read_csv(path, has_header):
    """Reads a table of comma-separated values as RFC 4180 has them.

    A field in double quotes may hold commas, line ends and doubled quote marks. A place is the line
    on which its row begins. Empty lines at the end of the file are not rows.

    Args:
        path: the file.
        has_header: whether the first line names the columns.

    Returns:
        `RecordTable`.

    Raises:
        InputError: as `read_tsv`; or the quoting is broken.
    """
    text = read_text(path).rstrip("\r\n")
    # The module's own limit on a field is 128 KiB; here the file is in memory already.
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


def read_json_lines(path):
    """Reads a file of JSON objects, one a line.

    Args:
        path: the file.

    Returns:
        `RecordTable` of dicts, without a header.

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


def parse_record(line, location):
    """Reads a line of JSON lines.

    Args:
        line: a str.
        location: what the message calls it.

    Returns:
        A dict.

    Raises:
        InputError: the line is not a JSON object.
    """
    try:
        record = json.loads(line, parse_constant=_no_constant)
        if "\\u" in line:  # an escape can name half a surrogate pair, which is no text
            json.dumps(record, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", error)
        raise InputError(f"{location}: expected a JSON object: {reason}.") from None
    if not isinstance(record, dict):
        raise InputError(f"{location}: expected a JSON object, found {shorten(line)}.")
    return record


def shorten(value, limit=40):
    """A value as a message shows it: quoted, and cut after `limit` characters."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return repr(text if len(text) <= limit else text[:limit] + "…")


def _lines(text):
    text = text.replace("\r\n", "\n").rstrip("\n")
    return text.split("\n") if text else []


def _table(path, records, locations, has_header, layout):
    if len(records) <= has_header or not any(map(any, records)):
        found = "a header alone" if records and has_header else "an empty file"
        raise InputError(f"{path}: expected rows, found {found}.")
    expected = len(records[0])
    for record, location in zip(records, locations, strict=True):
        if len(record) != expected:
            raise InputError(
                f"{location}: expected {expected} columns, as in the first line, found {len(record)}."
            )
    if not has_header:
        return RecordTable(records, locations, None, layout)
    return RecordTable(records[1:], locations[1:], records[0], layout)


def _line(data, position):
    return data.count(b"\n", 0, position) + 1


def _no_constant(name):
    raise ValueError(f"{name} is not JSON")


def what_is_in(folder):
    """A folder's first entries, as a message about a missing file lists them."""
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return f"nor a folder {folder}"
    listed = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if names[10:] else "")
    return f"{folder} holds {listed or 'nothing'}"
