import json

import pytest

from bert_keras.errors import InputError
from bert_keras.tasks.tagging.examples import Entity, read_tagged


def write_rows(folder, *rows):
    path = folder / "some.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def row(text, *entities, **more):
    keys = ("start", "end", "type")
    entities = [dict(zip(keys, entity, strict=True)) for entity in entities]
    return {"text": text, "entities": entities} | more


def test_words_become_text_and_entities_its_characters(tmp_path):
    path = tmp_path / "some.conll"
    path.write_text("Ada\tB-PER\nLovelace\tI-PER\n!\tO\n\nin\tO\nKöln\tB-LOC\nBonn\tB-LOC\n")
    texts = read_tagged(path)
    assert texts.texts == ["Ada Lovelace !", "in Köln Bonn"]
    assert texts.words == [[(0, 3), (4, 12), (13, 14)], [(0, 2), (3, 7), (8, 12)]]
    assert texts.entities == [[Entity(0, 12, "PER")], [Entity(3, 7, "LOC"), Entity(8, 12, "LOC")]]
    assert texts.locations == [f"{path}:1", f"{path}:5"]
    assert (texts.layout, texts.scheme, texts.types) == ("conll", "iob2", ["LOC", "PER"])
    some = texts.select([1])
    assert (len(some), some.texts, some.records) == (1, ["in Köln Bonn"], [[4, 5, 6]])


def test_rows_of_json(tmp_path):
    path = write_rows(
        tmp_path, row("Köln, Bonn", (6, 10, "b"), (0, 4, "a"), id=7), row("nothing here")
    )
    texts = read_tagged(path)
    assert texts.entities == [[Entity(0, 4, "a"), Entity(6, 10, "b")], []]
    assert texts.words is None and texts.layout == "jsonl"
    assert texts.records[0]["id"] == 7
    assert read_tagged(path, labelled=False).entities is None


def test_white_space_at_the_ends_is_no_part_of_an_entity(tmp_path):
    texts = read_tagged(write_rows(tmp_path, row(" Ada  went", (0, 6, "a"), (6, 10, " b"))))
    assert texts.entities == [[Entity(1, 4, "a"), Entity(6, 10, "b")]]


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ({"text": " ", "entities": []}, "expected text in 'text', found ' '."),
        ({"entities": []}, "expected text in 'text', found no such key."),
        ({"text": "a"}, "expected a list in 'entities', found 'null'."),
        (
            row("soup", (0, "4", "a")),
            "expected an entity with 'start' and 'end', whole numbers, and 'type', a name, found "
            '\'{"start": 0, "end": "4", "type": "a"}\'.',
        ),
        (
            row("soup", (0, True, "a")),
            "expected an entity with 'start' and 'end', whole numbers, and 'type', a name, found "
            '\'{"start": 0, "end": true, "type": "a"}\'.',
        ),
        (
            {"text": "soup", "entities": [[0, 4]]},
            "expected an entity with 'start' and 'end', whole numbers, and 'type', a name, found "
            "'[0, 4]'.",
        ),
        (
            row("soup", (1, 5, "a")),
            "expected an entity within the text's 4 characters, found 1 to 5.",
        ),
        (
            row("soup", (3, 1, "a")),
            "expected an entity within the text's 4 characters, found 3 to 1.",
        ),
        (row("soup", (2, 2, "a")), "expected text in the entity from 2 to 2, found ''."),
        (row("a soup", (1, 2, "a")), "expected text in the entity from 1 to 2, found ' '."),
        (
            row("hot soup", (4, 8, "a"), (0, 5, "b")),
            "expected entities that do not overlap, found 'hot s' (0 to 5) and 'soup' (4 to 8).",
        ),
        (
            row("soup", (0, 4, "a"), (0, 4, "a")),
            "expected entities that do not overlap, found 'soup' (0 to 4) and 'soup' (0 to 4).",
        ),
    ],
)
def test_rows_that_cannot_be_used(tmp_path, found, sentence):
    path = write_rows(tmp_path, row("good", (0, 4, "a")), found)
    with pytest.raises(InputError) as caught:
        read_tagged(path)
    assert str(caught.value) == f"{path}:2: {sentence}"


def test_samples_are_read(samples):
    for name in ("entities.conll", "entities.jsonl"):
        assert read_tagged(samples / name).types == ["organisation", "person", "place"]
