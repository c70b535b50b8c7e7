"""CoNLL files: one word on a line with its tag, and blank lines between sentences."""

import dataclasses
import os
import re
from collections.abc import Sequence

from bert_keras.data.tables import read_text, shorten
from bert_keras.errors import InputError
from bert_keras.files import atomic_write
from bert_keras.tasks.tagging import tag_schemes

_DOCUMENT = "-DOCSTART-"  # the first column of a line that starts a document and is no word


@dataclasses.dataclass(frozen=True)
class Sentences:
    """The contents of a CoNLL file. All lists but `lines` have one entry for each sentence.

    Attributes:
        words: the words of each sentence.
        line_indices: the indices in `lines` of the lines of these words.
        spans: the entities of each sentence; None if the tags were not read.
        lines: all lines of the file, without line ends.
        scheme: the scheme of the tags; None if they were not read.
    """

    words: list[list[str]]
    line_indices: list[list[int]]
    spans: list[list[tag_schemes.Span]] | None
    lines: list[str]
    scheme: str | None


def read_conll(
    path: str | os.PathLike[str], scheme: str = "auto", labelled: bool = True
) -> Sentences:
    """Reads a CoNLL file.

    The columns of a line are separated by tabs, if it has one, or by spaces. The first column is
    the word and the last column the tag; the columns between them are not read. Lines whose first
    column is -DOCSTART- end a sentence and are no words. There are no comments: "#" is a word.

    Args:
        path: the file.
        scheme: one of `tag_schemes.SCHEMES`, or "auto", which infers it from the tags.
        labelled: whether there are tags. If not, one column is enough.

    Returns:
        The sentences in the file's order.

    Raises:
        InputError: the file cannot be read or has no word, a line has more or fewer columns than
            others, or a tag is not allowed. The message names the file and the line.
    """
    lines = read_text(path).replace("\r\n", "\n").split("\n")
    if lines[-1] == "":
        lines.pop()
    rows, line_indices = _sentences_of(path, lines)
    words = [[columns[0] for columns in sentence] for sentence in rows]
    if not labelled:
        return Sentences(words, line_indices, None, lines, None)

    _check_columns(path, rows, line_indices)
    tags = [[columns[-1] for columns in sentence] for sentence in rows]
    if scheme == "auto":
        scheme = tag_schemes.infer_scheme(tags)
    spans = []
    for of_sentence, indices in zip(tags, line_indices, strict=True):
        try:
            spans.append(tag_schemes.spans_of(of_sentence, scheme))
        except tag_schemes.TagError as error:
            raise InputError(f"{path}:{indices[error.word] + 1}: {error}.") from None
    return Sentences(words, line_indices, spans, lines, scheme)


def _sentences_of(
    path: str | os.PathLike[str], lines: Sequence[str]
) -> tuple[list[list[list[str]]], list[list[int]]]:
    """Splits lines into sentences: for each, the columns of its words, and their lines' indices."""
    rows: list[list[list[str]]] = [[]]
    line_indices: list[list[int]] = [[]]
    for index, line in enumerate(lines):
        columns = _columns_of(line)
        if not columns or columns[0] == _DOCUMENT:
            if rows[-1]:
                rows.append([])
                line_indices.append([])
            continue
        if not columns[0]:
            raise InputError(f"{path}:{index + 1}: expected a word, found {shorten(line)}.")
        rows[-1].append(columns)
        line_indices[-1].append(index)
    if not rows[-1]:
        rows.pop()
        line_indices.pop()
    if not rows:
        raise InputError(f"{path}: expected words, one a line, found none.")
    return rows, line_indices


def _columns_of(line: str) -> list[str]:
    """Returns the columns of a line; none if it is blank."""
    line = line.rstrip(" \t")
    return re.split("\t" if "\t" in line else " +", line) if line else []


def _check_columns(
    path: str | os.PathLike[str],
    rows: Sequence[Sequence[Sequence[str]]],
    line_indices: Sequence[Sequence[int]],
) -> None:
    """Checks that no line lacks a column, because another column would be read as its tag."""
    expected = max(2, len(rows[0][0]))
    for sentence, indices in zip(rows, line_indices, strict=True):
        for columns, index in zip(sentence, indices, strict=True):
            if len(columns) != expected:
                raise InputError(
                    f"{path}:{index + 1}: expected a word and its tag, {expected} columns as in "
                    f"the first line, found {len(columns)}."
                )


def write_conll(
    path: str | os.PathLike[str],
    lines: Sequence[str],
    line_indices: Sequence[Sequence[int]],
    tags: Sequence[Sequence[str]],
) -> None:
    """Writes the lines of a CoNLL file with a tag as an additional last column.

    Args:
        path: the file to write; it is replaced in one step.
        lines: all lines of the file that was read.
        line_indices: for each sentence, the indices of its words' lines.
        tags: for each sentence, its words' tags. Lines that start documents get the tag O.
    """
    tag_of = {
        index: tag
        for indices, of_words in zip(line_indices, tags, strict=True)
        for index, tag in zip(indices, of_words, strict=True)
    }
    with atomic_write(path) as file:
        for index, line in enumerate(lines):
            line = line.rstrip(" \t")
            if line:
                separator = "\t" if "\t" in line or " " not in line else " "
                line += separator + tag_of.get(index, tag_schemes.OUTSIDE)
            file.write(line + "\n")
