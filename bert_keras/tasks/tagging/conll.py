"""Files of words, one a line with its tag, as the shared tasks of CoNLL have them."""

import dataclasses
import re

from bert_keras.data.tables import read_text, shorten
from bert_keras.errors import InputError
from bert_keras.files import atomic_write
from bert_keras.tasks.tagging import tag_schemes

_DOCUMENT = "-DOCSTART-"  # a line that begins a document, and is no word


@dataclasses.dataclass
class Sentences:
    """A file of words, one entry a sentence in every list.

    Attributes:
        words: each sentence's words, a list of str.
        numbers: the numbers of their lines, from 0.
        spans: each sentence's `tag_schemes.Span`s; None where tags are not read.
        lines: all lines of the file, without line ends.
        scheme: that of the tags, or None.
    """

    words: list
    numbers: list
    spans: list | None
    lines: list
    scheme: str | None


def read_conll(path, scheme="auto", labelled=True):
    """Reads a file with a word a line, in columns, and blank lines between sentences.

    Columns are separated by tabs, if a line has one, or by spaces. The first is the word and the
    last the tag; what is between is not read. Lines whose first column is -DOCSTART- end a sentence
    and are no words. There are no comments: "#" is a word.

    Args:
        path: the file.
        scheme: one of `tag_schemes.SCHEMES`, or "auto", which tells it from the tags.
        labelled: whether there are tags. If not, one column is enough.

    Returns:
        `Sentences`.

    Raises:
        InputError: the file cannot be read or holds no word, a line has more or fewer columns than
            others, or a tag cannot be or not where it stands. The message names file and line.
    """
    lines = read_text(path).replace("\r\n", "\n").split("\n")
    if lines[-1] == "":
        lines.pop()
    rows, numbers = [[]], [[]]
    for number, line in enumerate(lines):
        columns = columns_of(line)
        if not columns or columns[0] == _DOCUMENT:
            if rows[-1]:
                rows.append([])
                numbers.append([])
            continue
        if not columns[0]:
            raise InputError(f"{path}:{number + 1}: expected a word, found {shorten(line)}.")
        rows[-1].append(columns)
        numbers[-1].append(number)
    if not rows[-1]:
        rows.pop(), numbers.pop()
    if not rows:
        raise InputError(f"{path}: expected words, one a line, found none.")
    words = [[columns[0] for columns in sentence] for sentence in rows]
    if not labelled:
        return Sentences(words, numbers, None, lines, None)

    _check_columns(path, rows, numbers)
    given = [[columns[-1] for columns in sentence] for sentence in rows]
    if scheme == "auto":
        scheme = tag_schemes.find_scheme(given)
    spans = []
    for sentence, of_sentence in zip(given, numbers, strict=True):
        try:
            spans.append(tag_schemes.spans_of(sentence, scheme))
        except tag_schemes.TagError as error:
            raise InputError(f"{path}:{of_sentence[error.word] + 1}: {error}.") from None
    return Sentences(words, numbers, spans, lines, scheme)


def columns_of(line):
    """A line's columns; none if it is blank."""
    line = line.rstrip(" \t")
    return re.split("\t" if "\t" in line else " +", line) if line else []


def _check_columns(path, rows, numbers):
    """What lacks a column has another one for its tag."""
    expected = max(2, len(rows[0][0]))
    for sentence, of_sentence in zip(rows, numbers, strict=True):
        for columns, number in zip(sentence, of_sentence, strict=True):
            if len(columns) != expected:
                raise InputError(
                    f"{path}:{number + 1}: expected a word and its tag, {expected} columns as in "
                    f"the first line, found {len(columns)}."
                )


def write_conll(path, lines, numbers, given):
    """Writes a file of words again, with a tag as a further last column.

    Args:
        path: the file; it appears whole or not at all.
        lines: all lines of the file that was read.
        numbers: for each sentence, the numbers of its words' lines.
        given: for each sentence, its words' tags. Lines that begin documents get an O.
    """
    new = {
        number: tag
        for of_sentence, of_words in zip(numbers, given, strict=True)
        for number, tag in zip(of_sentence, of_words, strict=True)
    }
    with atomic_write(path) as file:
        for number, line in enumerate(lines):
            line = line.rstrip(" \t")
            if line:
                between = "\t" if "\t" in line or " " not in line else " "
                line += between + new.get(number, tag_schemes.OUTSIDE)
            file.write(line + "\n")
