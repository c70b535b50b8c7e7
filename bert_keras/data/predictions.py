"""Writes rows again, as they were read, with what a model says about them added."""

import csv
import json
import numbers

from bert_keras.files import atomic_write


def write_predictions(path, rows, columns):
    """Writes a file of the same rows in the same order with columns added at the end.

    The layout is the one that the rows came in, `rows.layout`: TSV, CSV, or JSON lines, where a
    column is a key. A file without a header stays without one. For a folder of text files the rows
    are TSV with the files' names, and for tensorflow-datasets they are JSON lines.

    An added column whose name the rows already have is called "predicted_" and that name. In TSV,
    which cannot quote, a tab or line end in an added value becomes a space. Lines end with "\\n"
    (in CSV "\\r\\n", as RFC 4180 has it), and there is no byte order mark.

    Args:
        path: the file; it appears whole or not at all.
        rows: `Rows`.
        columns: lists of one value a row, by column name; a value is a string, a number or a list
            of strings. Numbers are written with six significant digits.
    """
    taken = rows.header or []
    if rows.layout == "jsonl":
        taken = {key for record in rows.records for key in record}
    names = []
    for name in columns:
        names.append(_free_name(name, {*taken, *names}))
    added = zip(*columns.values(), strict=True)
    with atomic_write(path) as file:
        if rows.layout == "jsonl":
            for record, values in zip(rows.records, added, strict=True):
                new = dict(zip(names, map(_for_json, values), strict=True))
                file.write(json.dumps(record | new, ensure_ascii=False) + "\n")
            return
        write = csv.writer(file).writerow if rows.layout == "csv" else _tsv_writer(file)
        if rows.header:
            write([*rows.header, *names])
        for record, values in zip(rows.records, added, strict=True):
            write([*record, *map(_for_table, values)])


def _free_name(name, taken):
    while name in taken:
        name = f"predicted_{name}"
    return name


def _tsv_writer(file):
    breaks = str.maketrans("\t\n", "  ")

    def write(fields):
        file.write("\t".join(field.translate(breaks) for field in fields) + "\n")

    return write


def _for_table(value):
    if isinstance(value, list):
        return ",".join(value)
    return value if isinstance(value, str) else f"{value:.6g}"


def _for_json(value):
    if isinstance(value, numbers.Integral):
        return int(value)
    return float(f"{value:.6g}") if isinstance(value, numbers.Real) else value
