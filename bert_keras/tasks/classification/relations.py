"""Rows with two entities of a text each, whose relation is the label."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from bert_keras.data.rows import Rows
from bert_keras.data.tables import shorten
from bert_keras.errors import InputError


def mark_entities(rows: Rows, names: Sequence[str]) -> Rows:
    """Marks the two entities in the text of each row, see `entity_markers.mark`.

    In a row's record an entity is an object with `start` and `end`, in code points of the text,
    `end` exclusive, and, in all rows or in none, a `type`.

    Args:
        rows: `Rows` read from JSON lines.
        names: the columns of the head and of the tail.

    Returns:
        `Rows` with the marked texts; everything else is unchanged.

    Raises:
        InputError: the rows are no JSON lines, or an entity cannot be used; the row is named.
    """
    from bert_keras.tasks.classification.entity_markers import mark

    if rows.layout != "jsonl":
        raise InputError(
            f"{rows.locations[0]}: expected JSON lines, which hold the entities' positions, found "
            f"{rows.layout.upper()}."
        )
    typed = have_types(rows, names)
    spans, types = [], []
    for record, text, location in zip(rows.records, rows.texts, rows.locations, strict=True):
        entities = [_entity(record, name, text, typed, location) for name in names]
        (start, end, _), (other_start, other_end, _) = entities
        if start < other_end and other_start < end:
            raise InputError(
                f"{location}: expected entities that do not overlap, found {names[0]!r} from "
                f"{start} to {end} and {names[1]!r} from {other_start} to {other_end}."
            )
        spans.append([start, end, other_start, other_end])
        types.append([kind for *_, kind in entities])
    marked, _ = mark(rows.texts, spans, types if typed else None)
    return dataclasses.replace(rows, texts=[text.decode() for text in marked.numpy()])


def have_types(rows: Rows, names: Sequence[str]) -> bool:
    """Whether the entities of rows have types: whether the first one has."""
    entity = rows.records[0].get(names[0])
    return isinstance(entity, dict) and "type" in entity


def _entity(
    record: dict[str, Any], name: str, text: str, typed: bool, location: str
) -> tuple[int, int, str]:
    """An entity's start, end and type ("" where there are none), checked."""
    entity = record.get(name)
    if not isinstance(entity, dict):
        found = shorten(entity) if name in record else "none"
        raise InputError(
            f"{location}: expected an entity {name!r} with 'start' and 'end', found {found}."
        )
    start, end = entity.get("start"), entity.get("end")
    if type(start) is not int or type(end) is not int or not 0 <= start < end <= len(text):
        raise InputError(
            f"{location}: expected {name!r} to start and end at code points from 0 to "
            f"{len(text)} of the text, found {shorten(entity)}."
        )
    if ("type" in entity) != typed:
        expected = "a type, as in the first row" if typed else "no type, as in the first row"
        raise InputError(f"{location}: expected {name!r} with {expected}, found {shorten(entity)}.")
    kind = entity.get("type", "")
    if typed and not (isinstance(kind, str) and kind.strip()):
        raise InputError(
            f"{location}: expected the type of {name!r} as text, found {shorten(kind)}."
        )
    return start, end, kind
