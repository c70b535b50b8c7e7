"""Reads documents from files of running text, in memory that does not grow with the file."""

import codecs
import dataclasses
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator

from bert_keras.corpus.sentences import split_sentences
from bert_keras.data.tables import parse_record
from bert_keras.errors import InputError

LAYOUTS = ("sentences", "files", "jsonl", "wikitext")

_BLOCK = 1 << 20  # bytes read at a time
_LINE = 1 << 20  # characters: of a sentence, or of a paragraph of wikitext
_RECORD = 1 << 25  # characters: of a line of JSON, ten times a long novel
_PARAGRAPH = 1 << 16  # characters after which a paragraph is split before its end is read
_SECTION = 1 << 22  # characters after which a document is divided into sections
_BLANK = re.compile(r"\n\s*\n")
_WIKI_TITLE = re.compile(r"\s*= (?!=)(.*[^=\s]) =\s*")
_WIKI_HEADING = re.compile(r"\s*(?:= )+(.*[^=\s])(?: =)+\s*")
_WIKI_UNKNOWN = "<unk>"
_UNKNOWN = "\U0010fffd"  # private use: in no vocabulary, so a word with it becomes [UNK]
_WIKI_MARK = re.compile(r" @([-,.])@ ")  # "1 @,@ 000" stands for "1,000"


@dataclasses.dataclass(frozen=True)
class Document:
    """A document, or a section of a long one, as sentences.

    Attributes:
        location: where the document starts: "books/emma.txt", or "docs.jsonl:17", with lines
            counted from 1. A document of more than four million characters is divided into
            consecutive sections, which have the same location.
        sentences: at least one, none empty.
    """

    location: str
    sentences: list[str]


def read_documents(
    path: str, layout: str, text_column: str = "text", language: str = "en"
) -> Iterator[Document]:
    """Reads the documents of a file, gzipped if its name ends in .gz.

    Args:
        path: the file.
        layout: one of `LAYOUTS`, or "auto" (see `corpus.Corpus`).
        text_column: the key of the text in a JSON record.
        language: see `sentences.split_sentences`.

    Yields:
        The documents, in the order of the file.

    Raises:
        InputError: the file is missing, broken or not text, or a line is not of the layout.
    """
    if layout == "auto":
        layout = _guess(path)
    documents: Iterable[tuple[str, Iterable[str]]]
    if layout == "sentences":
        documents = _sentence_lines(path)
    elif layout == "files":
        documents = [(path, _whole_file(path, language))]
    elif layout == "jsonl":
        documents = _json_lines(path, text_column, language)
    else:
        documents = _wikitext(path, language)
    for location, sentences in documents:
        yield from in_sections(location, sentences)


def in_sections(location: str, sentences: Iterable[str]) -> Iterator[Document]:
    """Makes a document of sentences, or several sections if they are long.

    Args:
        location: the location of the document.
        sentences: its sentences.

    Yields:
        The document, or its sections; nothing if there is no sentence.
    """
    section: list[str] = []
    size = 0
    for sentence in sentences:
        section.append(sentence)
        size += len(sentence)
        if size >= _SECTION:
            yield Document(location, section)
            section, size = [], 0
    if section:
        yield Document(location, section)


def split_text(text: str, language: str) -> Iterator[str]:
    """Yields the sentences of a text, in which a blank line ends a paragraph."""
    for paragraph in _BLANK.split(text):
        yield from split_sentences(paragraph, language)


def _guess(path: str) -> str:
    if path.removesuffix(".gz").endswith(".jsonl"):
        return "jsonl"
    first = next((block for block in _blocks(path) if not block.isspace()), "")
    lines = [line for line in first.split("\n") if line.strip()]
    return "wikitext" if lines and _WIKI_TITLE.fullmatch(lines[0]) else "files"


def _sentence_lines(path: str) -> Iterator[tuple[str, Iterator[str]]]:
    """google-research/bert's layout: a sentence a line, and a blank line between documents."""
    lines = _lines(path, _LINE, "a sentence a line")
    for number, line in lines:
        first = line.strip()
        if first:
            # Both generators read the same lines, so the caller must exhaust this one first.
            yield f"{path}:{number}", _until_blank(first, lines)


def _until_blank(first: str, lines: Iterator[tuple[int, str]]) -> Iterator[str]:
    yield first
    for _, line in lines:
        line = line.strip()
        if not line:
            return
        yield line


def _whole_file(path: str, language: str) -> Iterator[str]:
    rest = ""
    for block in _blocks(path):
        *paragraphs, rest = _BLANK.split(rest + block)
        for paragraph in paragraphs:
            yield from split_sentences(paragraph, language)
        if len(rest) > _PARAGRAPH:
            *sentences, last = split_sentences(rest, language) or [""]
            yield from sentences
            rest = last + rest[-1] if rest[-1].isspace() else last
    yield from split_sentences(rest, language)


def _json_lines(path: str, text_column: str, language: str) -> Iterator[tuple[str, Iterator[str]]]:
    for number, line in _lines(path, _RECORD, "a record a line"):
        if not line.strip():
            continue
        location = f"{path}:{number}"
        record = parse_record(line, location)
        text = record.get(text_column)
        if not isinstance(text, str):
            names = ", ".join(map(repr, record)) or "none"
            found = f"there are {names}" if text is None else f"found {type(text).__name__}"
            raise InputError(f"{location}: expected a text in the column {text_column!r}; {found}.")
        yield location, split_text(text, language)


def _wikitext(path: str, language: str) -> Iterator[tuple[str, list[str]]]:
    """Articles that start with " = Title = " after a blank line; headings have more signs.

    "<unk>" becomes [UNK], which is never masked and which no vocabulary learns.
    """
    article: list[str] = []
    location, size, after_blank = path, 0, True
    for number, line in _lines(path, _LINE, "a paragraph a line"):
        if after_blank and _WIKI_TITLE.fullmatch(line):
            yield location, article
            location, article, size = f"{path}:{number}", [], 0
        after_blank = not line.strip()
        heading = _WIKI_HEADING.fullmatch(line)
        text = heading[1] if heading else _WIKI_MARK.sub(r"\1", line)
        article += split_sentences(text.replace(_WIKI_UNKNOWN, _UNKNOWN), language)
        size += len(line)
        if size >= _SECTION:  # so that memory does not grow with an article
            yield location, article
            article, size = [], 0
    yield location, article


def _lines(path: str, limit: int, what: str) -> Iterator[tuple[int, str]]:
    """Yields the number and the text of each line, without its "\\n"."""
    number, rest = 0, ""
    for block in _blocks(path):
        *lines, rest = (rest + block).split("\n")
        for line in lines:
            number += 1
            yield number, _short(line, limit, path, number, what)
        _short(rest, limit, path, number + 1, what)
    if rest:
        yield number + 1, rest


def _short(line: str, limit: int, path: str, number: int, what: str) -> str:
    if len(line) > limit:
        raise InputError(
            f"{path}:{number}: expected {what}, of at most {limit:,} characters, found a longer "
            "one."
        )
    return line


def _blocks(path: str) -> Iterator[str]:
    """Yields the text of a file block by block."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    read = 0
    try:
        with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as file:
            while data := file.read(_BLOCK):
                nul = data.find(b"\0")
                if nul >= 0:
                    raise InputError(f"{path}: expected text, found a NUL byte at {read + nul:,}.")
                yield _decode(decoder, data, path, read)
                read += len(data)
        _decode(decoder, b"", path, read)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: not a complete gzip file: {error}.") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from None


def _decode(decoder: codecs.IncrementalDecoder, data: bytes, path: str, read: int) -> str:
    pending = len(decoder.getstate()[0])  # bytes of a character that the last block cut
    try:
        text = decoder.decode(data, final=not data)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: expected UTF-8, found the byte 0x{error.object[error.start]:02x} at "
            f"{read - pending + error.start:,}."
        ) from None
    return text.removeprefix("\ufeff") if read == 0 else text
