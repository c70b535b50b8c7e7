"""Texts with the entities in them: `TaggedTexts`, and `read_tagged`, which reads them."""

import dataclasses
import itertools
import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

from bert_keras.data.tables import read_json_lines, shorten
from bert_keras.errors import InputError
from bert_keras.tasks.tagging.conll import read_conll


class Entity(NamedTuple):
    """A stretch of a text.

    Attributes:
        start: its first code point.
        end: the one behind its last.
        type: its type's name.
    """

    start: int
    end: int
    type: str


@dataclasses.dataclass
class TaggedTexts:
    """Texts with the entities in them, one entry a text in every list.

    Attributes:
        texts: the texts. A sentence of a file of words is its words with a space between them.
        entities: each text's `Entity`s, in order; None for texts without.
        words: each text's words, (start, end) in code points, where the file says what a word is;
            else None, and words are the tokenizer's.
        locations: where each text stands, "train.conll:17", for messages.
        records: each text as it was read: a dict of JSON lines, or the numbers of the words' lines.
        layout: "conll" or "jsonl".
        lines: all lines of a file of words; else None.
        scheme: that of such a file's tags; None where it has none.
    """

    texts: list
    entities: list | None
    words: list | None
    locations: list
    records: list
    layout: str
    lines: list | None = None
    scheme: str | None = None

    def __len__(self):
        return len(self.texts)

    @property
    def types(self):
        """The types that there are, sorted."""
        return sorted({entity.type for entities in self.entities for entity in entities})

    def contents(self) -> Sequence[str]:
        """Returns the text of each."""
        return self.texts

    def select(self, indices: Iterable[int]) -> Self:
        """Returns the texts at `indices`, in that order, as new `TaggedTexts`."""
        indices = list(indices)
        chosen = {
            name: entries and [entries[i] for i in indices]
            for name in ("texts", "entities", "words", "locations", "records")
            for entries in [getattr(self, name)]
        }
        return dataclasses.replace(self, **chosen)


def read_tagged(path, scheme="auto", labelled=True):
    """Reads texts with their entities.

    Args:
        path: a file of JSON lines, if its name ends in .jsonl; else a file of words, one a line;
            see `read_conll`.
        scheme: that of such a file's tags, one of `tags.SCHEMES`, or "auto".
        labelled: False for texts to be predicted: entities may be missing and are not read.

    Returns:
        `TaggedTexts`, in the order of the file.

    Raises:
        InputError: the file cannot be used; the message names file and line.
    """
    if os.fspath(path).lower().endswith(".jsonl"):
        return _read_json_lines(path, labelled)
    sentences = read_conll(path, scheme, labelled)
    texts, words, entities = [], [], []
    for sentence in sentences.words:
        spans, end = [], -1
        for word in sentence:
            start, end = end + 1, end + 1 + len(word)
            spans.append((start, end))
        texts.append(" ".join(sentence))
        words.append(spans)
    for of_words, spans in zip(words, sentences.spans or [], strict=False):
        entities.append([Entity(of_words[s.first][0], of_words[s.last][1], s.type) for s in spans])
    return TaggedTexts(
        texts,
        entities if labelled else None,
        words,
        [f"{path}:{numbers[0] + 1}" for numbers in sentences.numbers],
        sentences.numbers,
        "conll",
        sentences.lines,
        sentences.scheme,
    )


def check_types(texts, types):
    """Checks that texts have entities of known types only.

    Args:
        texts: `TaggedTexts`, or None.
        types: the known types' names, those of the training texts.

    Raises:
        InputError: an entity's type is not among them.
    """
    known = set(types)
    for entities, location in zip(texts.entities, texts.locations, strict=True) if texts else ():
        for entity in entities:
            if entity.type not in known:
                raise InputError(
                    f"{location}: the type {shorten(entity.type)} is none of the {len(types)} types "
                    f"of the training texts: {', '.join(types[:20])}{' …' if types[20:] else ''}."
                )


def _read_json_lines(path, labelled):
    table = read_json_lines(path)
    texts, entities = [], []
    for record, location in zip(table.records, table.locations, strict=True):
        text = record.get("text")
        if not isinstance(text, str) or not text.strip():
            found = shorten(text) if "text" in record else "no such key"
            raise InputError(f"{location}: expected text in 'text', found {found}.")
        texts.append(text)
        if labelled:
            entities.append(_entities_of(text, record.get("entities"), location))
    return TaggedTexts(
        texts, entities if labelled else None, None, table.locations, table.records, "jsonl"
    )


def _entities_of(text, found, location):
    """Checks a row's entities, and leaves out the white space at their ends."""
    if not isinstance(found, list):
        raise InputError(f"{location}: expected a list in 'entities', found {shorten(found)}.")
    entities = []
    for each in found:
        keys = [each.get(key) for key in ("start", "end", "type")] if isinstance(each, dict) else []
        if [type(key) for key in keys] != [int, int, str] or not keys[2].strip():
            raise InputError(
                f"{location}: expected an entity with 'start' and 'end', whole numbers, and 'type', a "
                f"name, found {shorten(each)}."
            )
        start, end, kind = keys
        if not 0 <= start <= end <= len(text):
            raise InputError(
                f"{location}: expected an entity within the text's {len(text)} characters, found "
                f"{start} to {end}."
            )
        content = text[start:end]
        if not content.strip():
            raise InputError(
                f"{location}: expected text in the entity from {start} to {end}, found {content!r}."
            )
        start += len(content) - len(content.lstrip())
        entities.append(Entity(start, start + len(content.strip()), kind.strip()))
    entities.sort()
    for one, other in itertools.pairwise(entities):
        if other.start < one.end:
            raise InputError(
                f"{location}: expected entities that do not overlap, found "
                f"{shorten(text[one.start : one.end])} ({one.start} to {one.end}) and "
                f"{shorten(text[other.start : other.end])} ({other.start} to {other.end})."
            )
    return entities
