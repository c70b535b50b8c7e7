import socket
import sys
import time

import numpy as np
import pytest

from bert_keras.data.rows import Columns, read_rows
from bert_keras.errors import InputError

tfds = pytest.importorskip("tensorflow_datasets")


class TinyNotes(tfds.core.GeneratorBasedBuilder):
    """Made up: single texts with one label, several labels and a number."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        classes = tfds.features.ClassLabel(names=["calm", "cross"])
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {
                    "idx": np.int32,
                    "note": tfds.features.Text(),
                    "mood": classes,
                    "moods": tfds.features.Sequence(classes),
                    "mark": np.float32,
                }
            ),
        )

    def _split_generators(self, manager):
        return {"train": self._generate_examples(6), "test": self._generate_examples(2)}

    def _generate_examples(self, count):
        for i in range(count):
            yield (
                i,
                {
                    "idx": i,
                    "note": f"nöte {i}",
                    "mood": -1 if count == 2 else i % 2,
                    "moods": ["calm", "cross"][: i % 3],
                    "mark": i / 2,
                },
            )


class TinyPairs(tfds.core.GeneratorBasedBuilder):
    """Made up: two texts, the later name first."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        text = tfds.features.Text()
        label = tfds.features.ClassLabel(num_classes=2)
        features = {"premise": text, "hypothesis": text, "answer": label}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        yield 0, {"premise": "one", "hypothesis": "two", "answer": 1}


class TinyBroken(tfds.core.GeneratorBasedBuilder):
    """Made up: fails while it is prepared."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = tfds.features.FeaturesDict({"text": tfds.features.Text()})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, manager):
        manager.extract({})
        raise OSError("no such bucket")

    def _generate_examples(self):
        yield 0, {"text": "never"}


@pytest.fixture(autouse=True)
def no_network(tmp_path_factory, monkeypatch):
    def refuse(*_, **__):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(autouse=True, scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tensorflow_datasets.core.constants.DATA_DIR", str(folder))
        yield folder


def test_the_obvious_features_are_taken(data_dir):
    rows = read_rows("tfds:tiny_notes")
    assert sorted(rows.texts) == [f"nöte {i}" for i in range(6)]
    assert set(zip(rows.texts, rows.labels, strict=True)) >= {
        ("nöte 0", "calm"),
        ("nöte 1", "cross"),
    }
    assert rows.pairs is None and rows.layout == "jsonl"
    assert rows.locations[0] == "tfds:tiny_notes:train:1"
    assert rows.records[0] == {"note": rows.texts[0], "mood": rows.labels[0]}
    assert (data_dir / "tiny_notes").is_dir()


def test_two_texts_are_a_pair():
    rows = read_rows("tfds:tiny_pairs")
    assert (rows.texts, rows.pairs, rows.labels) == (["one"], ["two"], ["1"])
    rows = read_rows("tfds:tiny_pairs:train", columns=Columns("hypothesis"))
    assert rows.texts == ["two"] and rows.pairs is None


def test_other_kinds_of_label():
    marks = read_rows("tfds:tiny_notes", kind="number")
    assert sorted(marks.labels) == [0, 0.5, 1, 1.5, 2, 2.5]
    several = read_rows("tfds:tiny_notes", kind="multi")
    expected = [[], ["calm"], ["calm", "cross"]]
    assert sorted(several.labels) == sorted(expected * 2)
    index = read_rows("tfds:tiny_notes", columns=Columns(label="idx"))
    assert sorted(index.labels) == list("012345")


def test_versions_and_parts_of_splits():
    assert len(read_rows("tfds:tiny_notes:1.0.0")) == 6
    assert len(read_rows("tfds:tiny_notes:1.0.0:train[:2]")) == 2
    assert len(read_rows("tfds:tiny_notes:train[:50%]")) == 3


def test_rows_without_labels():
    rows = read_rows("tfds:tiny_notes:test", labelled=False)
    assert len(rows) == 2 and rows.labels is None
    with pytest.raises(InputError, match="the feature 'mood' is -1, which is not a class"):
        read_rows("tfds:tiny_notes:test")


@pytest.mark.parametrize(
    ("reference", "columns", "message"),
    [
        ("tfds:tiny_notes:dev", None, "no split 'dev'; there are test, train"),
        ("tfds:tiny_notes", Columns("body"), "no feature 'body'; there are .*note"),
        ("tfds:tiny_notes", Columns(label="tone"), "no feature 'tone'; there are .*mood"),
        ("tfds:no_such_set", None, "no_such_set"),
        ("tfds:tiny_notes/no_such_config", None, "no_such_config"),
        ("tfds:tiny_notes:7.7.7", None, "7.7.7"),
    ],
)
def test_what_is_not_there(reference, columns, message):
    with pytest.raises(InputError, match=message) as error:
        read_rows(reference, columns=columns)
    assert str(error.value).startswith(reference) and "\n" not in str(error.value)


def test_nothing_is_left_of_a_data_set_that_fails(data_dir):
    before = {path.name for path in data_dir.iterdir()}
    with pytest.raises(InputError, match="tiny_broken: cannot be prepared: no such bucket"):
        read_rows("tfds:tiny_broken")
    assert {path.name for path in data_dir.iterdir()} == before - {"downloads"}  # it was empty


def test_an_unclear_label_is_asked_for():
    with pytest.raises(InputError, match=r"say which feature is the label; there are .*premise"):
        read_rows("tfds:tiny_pairs", kind="number")


def test_without_network_it_fails_at_once():
    start = time.monotonic()
    with pytest.raises(InputError, match=r"glue.* is not in .*, and its host .* does not resp"):
        read_rows("tfds:glue/sst2")
    assert time.monotonic() - start < 10


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(InputError, match="needs the package tensorflow-datasets"):
        read_rows("tfds:tiny_notes")
