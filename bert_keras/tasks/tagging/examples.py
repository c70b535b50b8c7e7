"""Texts with their entities: `TaggedTexts`, and `read_tagged`, which reads them from files."""

import dataclasses
import itertools
import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self

from bert_keras.data.tables import read_json_lines, shorten
from bert_keras.errors import InputError
from bert_keras.tasks.tagging.conll import read_conll


class Entity(NamedTuple):
    """An entity as a range of a text, in code points.

    Attributes:
        start: the index of its first code point.
        end: the index after its last code point.
        type: the name of its type.
    """

    start: int
    end: int
    type: str


@dataclasses.dataclass(frozen=True)
class TaggedTexts:
    """Texts with their entities. All lists but `lines` have one entry for each text.

    Attributes:
        texts: the texts.
        entities: the entities of each text, in order; None for texts without labels.
        words: the words of each text, (start, end) in code points, where the file defines them;
            None where the tokenizer does.
        locations: where each text was read, such as "train.conll:17", for messages.
        records: each text as it was read: the JSON object, or the indices of the words' lines.
        layout: "conll" or "jsonl".
        lines: all lines of a CoNLL file; None for other texts.
        scheme: the tag scheme of a CoNLL file; None where there are no tags.
    """

    texts: Sequence[str]
    entities: list[list[Entity]] | None
    words: list[list[tuple[int, int]]] | None
    locations: Sequence[str]
    records: Sequence[Any]
    layout: str
    lines: list[str] | None = None
    scheme: str | None = None

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def types(self) -> list[str]:
        """The types of all entities, sorted."""
        return sorted({entity.type for entities in self.entities or () for entity in entities})

    def contents(self) -> Sequence[str]:
        """Returns the text of each row; see `SplittableRows`."""
        return self.texts

    def select(self, indices: Iterable[int]) -> Self:
        """Returns the texts at `indices`, in that order."""
        indices = list(indices)
        chosen: dict[str, Any] = {}
        for name in ("texts", "entities", "words", "locations", "records"):
            entries = getattr(self, name)
            chosen[name] = entries and [entries[i] for i in indices]
        return dataclasses.replace(self, **chosen)


def read_tagged(
    path: str | os.PathLike[str], scheme: str = "auto", labelled: bool = True
) -> TaggedTexts:
    """Reads texts with their entities.

    Args:
        path: a JSON lines file, if its name ends in .jsonl; otherwise a CoNLL file, see
            `read_conll`.
        scheme: the tag scheme of a CoNLL file, one of `tag_schemes.SCHEMES`, or "auto".
        labelled: False for texts to predict: entities may be missing and are not read.

    Returns:
        The texts in the file's order.

    Raises:
        InputError: the file cannot be used; the message names the file and the line.
    """
    if os.fspath(path).lower().endswith(".jsonl"):
        return _read_json_lines(path, labelled)
    sentences = read_conll(path, scheme, labelled)
    words = [_offsets_of(sentence) for sentence in sentences.words]
    entities = None
    if sentences.spans is not None:
        entities = [
            [Entity(of_words[s.first][0], of_words[s.last][1], s.type) for s in spans]
            for of_words, spans in zip(words, sentences.spans, strict=True)
        ]
    return TaggedTexts(
        [" ".join(sentence) for sentence in sentences.words],
        entities,
        words,
        [f"{path}:{indices[0] + 1}" for indices in sentences.line_indices],
        sentences.line_indices,
        "conll",
        sentences.lines,
        sentences.scheme,
    )


def _offsets_of(sentence: Sequence[str]) -> list[tuple[int, int]]:
    """Returns (start, end) of each word in the text of the words with a space between them."""
    offsets, end = [], -1
    for word in sentence:
        start, end = end + 1, end + 1 + len(word)
        offsets.append((start, end))
    return offsets


def check_types(texts: TaggedTexts, types: Sequence[str]) -> None:
    """Checks that all entities of texts have known types.

    Args:
        texts: labelled texts.
        types: the names of the known types, those of the training texts.

    Raises:
        InputError: the type of an entity is not among them.
    """
    assert texts.entities is not None
    known = set(types)
    listed = ", ".join(types[:20]) + (" …" if types[20:] else "")
    for entities, location in zip(texts.entities, texts.locations, strict=True):
        for entity in entities:
            if entity.type not in known:
                raise InputError(
                    f"{location}: the type {shorten(entity.type)} is none of the {len(types)} "
                    f"types of the training texts: {listed}."
                )


def _read_json_lines(path: str | os.PathLike[str], labelled: bool) -> TaggedTexts:
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


def _entities_of(text: str, value: Any, location: str) -> list[Entity]:
    """Reads the entities of a JSON object, without the white space at their ends."""
    if not isinstance(value, list):
        raise InputError(f"{location}: expected a list in 'entities', found {shorten(value)}.")
    entities = sorted(_entity_of(text, each, location) for each in value)
    for one, other in itertools.pairwise(entities):
        if other.start < one.end:
            raise InputError(
                f"{location}: expected entities that do not overlap, found "
                f"{shorten(text[one.start : one.end])} ({one.start} to {one.end}) and "
                f"{shorten(text[other.start : other.end])} ({other.start} to {other.end})."
            )
    return entities


def _entity_of(text: str, value: Any, location: str) -> Entity:
    keys: list[Any] = []
    if isinstance(value, dict):
        keys = [value.get(key) for key in ("start", "end", "type")]
    if [type(key) for key in keys] != [int, int, str] or not keys[2].strip():
        raise InputError(
            f"{location}: expected an entity with 'start' and 'end', whole numbers, and 'type', a "
            f"name, found {shorten(value)}."
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
    return Entity(start, start + len(content.strip()), kind.strip())
