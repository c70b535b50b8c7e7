"""Texts without labels."""

import os
import re
from collections.abc import Iterable, Sequence

from bert_keras.data.columns import Columns
from bert_keras.data.rows import check_texts, read_rows
from bert_keras.data.tables import read_text
from bert_keras.errors import InputError
from bert_keras.files import atomic_write

# Tabs, and all characters that some reader takes for the end of a line.
_BREAKS = re.compile(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")


def read_texts(path: str | os.PathLike[str], column: str = "text") -> Sequence[str]:
    """Reads texts.

    Args:
        path: a file whose name ends in .txt, with a text on each line; or anything that `read_rows`
            reads.
        column: the column of the text, if the file has columns.

    Returns:
        The texts, in the order of the file.

    Raises:
        InputError: a text is empty, or the file cannot be used; the message names the line.
    """
    return read_texts_with_locations(path, column)[0]


def read_texts_with_locations(
    path: str | os.PathLike[str], column: str = "text"
) -> tuple[Sequence[str], Sequence[str]]:
    """As `read_texts`; returns the texts and their locations, "texts.txt:17", for messages."""
    path = str(path)
    if not path.lower().endswith(".txt"):
        rows = read_rows(path, columns=Columns(column), labelled=False)
        return rows.texts, rows.locations
    texts = read_text(path).replace("\r\n", "\n").rstrip("\n").split("\n")
    if texts == [""]:
        raise InputError(f"{path}: expected a text on each line, found an empty file.")
    locations = [f"{path}:{number}" for number in range(1, len(texts) + 1)]
    check_texts(texts, locations, "the line")
    return texts, locations


def on_one_line(text: str) -> str:
    """Returns a text with each run of characters that end a line or column made one space."""
    return _BREAKS.sub(" ", text).strip()


def write_texts(path: str | os.PathLike[str], texts: Iterable[str]) -> None:
    """Writes one text a line, see `on_one_line`. The write is atomic."""
    with atomic_write(path) as file:
        file.writelines(f"{on_one_line(text)}\n" for text in texts)
