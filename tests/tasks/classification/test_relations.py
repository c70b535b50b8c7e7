import collections
import json

import pytest

from bert_keras.data.rows import read_rows
from bert_keras.data.source import Columns
from bert_keras.errors import InputError
from bert_keras.tasks.classification.relations import have_types, mark_entities
from bert_keras.tasks.classification.source import EntitySource

ROW = {
    "text": "Ada lives in Rome.",
    "head": {"start": 0, "end": 3},
    "tail": {"start": 13, "end": 17},
    "label": "lives_in",
}
NAMES = "head", "tail"


@pytest.fixture
def read(tmp_path):
    def read(*rows, names=NAMES):
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return mark_entities(read_rows(path), names)

    return read


def change(**changes):
    row = ROW | changes
    return {name: value for name, value in row.items() if value is not None}


def entity(start, end, **more):
    return {"start": start, "end": end, **more}


def test_texts_are_marked_and_rows_are_kept(read):
    swapped = {"text": "漢字 and 🎈", "head": entity(7, 8), "tail": entity(0, 2), "label": "x"}
    rows = read(ROW, swapped)
    assert rows.texts == [" @ Ada @  lives in  # Rome # .", " # 漢字 #  and  @ 🎈 @ "]
    assert rows.records == [ROW, swapped]
    assert rows.labels == ["lives_in", "x"] and rows.layout == "jsonl"


def test_types_and_names(read):
    names = "from", "to"
    typed = {
        "text": "Ada lives in Rome.",
        "from": entity(0, 3, type="person"),
        "to": entity(13, 17, type="place"),
        "label": "lives_in",
    }
    rows = read(typed, names=names)
    assert rows.texts == [" @ * person * Ada @  lives in  # ^ place ^ Rome # ."]
    assert have_types(rows, names) and not have_types(read(ROW), NAMES)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (change(head=None), "expected an entity 'head' with 'start' and 'end', found none."),
        (change(tail="Rome"), "expected an entity 'tail' with 'start' and 'end', found 'Rome'."),
        (
            change(tail={"start": 13}),
            "expected 'tail' to start and end at code points from 0 to 18",
        ),
        (change(tail=entity(13, 19)), "'tail' to start and end at code points from 0 to 18 of the"),
        (change(tail=entity(-1, 2)), "code points from 0 to 18"),
        (change(tail=entity(5, 5)), "code points from 0 to 18"),
        (change(tail=entity(13, 17.0)), "code points from 0 to 18"),
        (change(tail=entity(True, 17)), "code points from 0 to 18"),
        (
            change(tail=entity(2, 6)),
            "expected entities that do not overlap, found 'head' from 0 to 3 and 'tail' from 2 to "
            "6.",
        ),
        (change(tail=entity(1, 2)), "expected entities that do not overlap"),
        (change(head=entity(0, 3, type="person")), "expected 'head' with no type, as in the first"),
        (change(text=None), "expected the key 'text', found"),
        (change(label=None), "expected the key 'label', found"),
    ],
)
def test_what_cannot_be_is_named(read, tmp_path, row, sentence):
    with pytest.raises(InputError) as caught:
        read(ROW, row)
    assert str(caught.value).startswith(f"{tmp_path}/rows.jsonl:2: ")
    assert sentence in str(caught.value)


def test_types_are_in_all_rows_or_in_none(read):
    typed = change(head=entity(0, 3, type="person"), tail=entity(13, 17, type="place"))
    for row, sentence in (
        (ROW, "rows.jsonl:2: expected 'head' with a type, as in the first row"),
        (change(head=entity(0, 3, type=" "), tail=typed["tail"]), "expected the type of 'head' as"),
        (change(head=entity(0, 3, type=1), tail=typed["tail"]), "expected the type of 'head' as"),
    ):
        with pytest.raises(InputError, match=sentence):
            read(typed, row)


def test_a_source_of_relations(tmp_path):
    table = tmp_path / "rows.tsv"
    table.write_text("text\tlabel\nAda\tx\n")
    with pytest.raises(InputError, match=r"rows\.tsv:2: expected JSON lines, .* found TSV"):
        EntitySource(train=str(table), entities=NAMES).train_and_dev(0)
    with pytest.raises(InputError, match=r"entities: expected two names, .* found 'head'"):
        EntitySource(train=str(table), entities=("head",))
    for more in ({"columns": Columns(pair="b")}, {"task_name": "MRPC", "data_dir": "x"}):
        with pytest.raises(InputError, match="entities: expected own rows of one text"):
            EntitySource(entities=NAMES, **more)


def test_the_sample(samples):
    source = EntitySource(train=str(samples / "relations.jsonl"), entities=NAMES, dev_fraction=0.0)
    rows, _ = source.train_and_dev(0)
    assert len(rows) == 114
    counts = collections.Counter(rows.labels)
    assert set(counts) == {"born_in", "founded", "lives_in", "works_for"}
    assert min(counts.values()) >= 15
    assert all(text.count("@") == text.count("#") == 2 for text in rows.texts)
    # Some sentences tell two relations, so that the marks have to be read.
    assert len({record["text"] for record in rows.records}) < len(set(rows.texts)) == 114
