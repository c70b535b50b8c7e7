"""What is served: strings in, entities out, the same as predictions have."""

import json

import numpy as np
import pytest
import tensorflow as tf

from bert_keras.tasks.tagging import serving
from bert_keras.tasks.tagging.task import Tagging
from bert_keras.training.inference import Inference

LONG = "Mara Lindqvist (of Tarnby) sold 12 boats, and Größe 😀 x\u0301yz; " * 12
TEXTS = ["Tom Ashby lives in Kessel.", "", LONG, " \t", "😀 Greyling & Sons 😀", LONG[::-1]]


class Served:
    """A tagger with a head of random weights that answers all kinds of tags."""

    def __init__(self, checkpoint, samples, folder):
        self.folder = folder
        rows = folder / "rows.jsonl"
        rows.write_text("".join(json.dumps({"text": t}) + "\n" for t in TEXTS if t.strip()))
        self.rows = str(rows)
        task = Tagging(train=str(samples / "entities.jsonl"), max_length=16)
        self.task = task.prepare(checkpoint, 0).task
        self.model = self.task.build_model(checkpoint, "float32")
        kernel, _ = self.model.get_layer("token_classifier").weights
        kernel.assign(np.random.default_rng(1).normal(size=kernel.shape))
        self.find = self.task.functions(self.model)["entities"]
        self.serve = serving.rectangular(self.find)


@pytest.fixture(scope="module")
def served(tiny_checkpoint, samples, tmp_path_factory):
    return Served(tiny_checkpoint, samples, tmp_path_factory.mktemp("served"))


def as_lists(found):
    """Ragged columns to a list of entities for each text."""
    columns = [found[name].to_list() for name in ("text", "type", "start", "end", "score")]
    return [list(zip(*of_text, strict=True)) for of_text in zip(*columns, strict=True)]


def test_entities_are_stretches_of_their_texts(served):
    found = as_lists(served.find(tf.constant(TEXTS)))
    assert [bool(entities) for entities in found] == [True, False, True, False, True, True]
    for text, entities in zip(TEXTS, found, strict=True):
        end = 0
        for entity, kind, start, stop, score in entities:
            assert end <= start < stop and 0 < score <= 1
            assert text[start:stop] == entity.decode() and kind.decode() in served.task.types
            end = stop
    assert any(" " in entity[0].decode() for entity in found[2])  # else nothing was joined
    assert found[2][-1][2] > 500  # the last window had its say


def test_predictions_are_what_is_served(served):
    examples = served.task.read_examples(served.rows)
    predictions = Inference(served.model, served.task.predictions, batch_size=5)(
        examples, "predicting"
    )
    path, _ = served.task.write_predictions(examples, predictions, served.folder)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    found = as_lists(served.find(tf.constant(TEXTS)))
    for row in rows:
        entities = found[TEXTS.index(row["text"])]
        assert [(e["text"].encode(), e["type"].encode()) for e in row["entities"]] == [
            entity[:2] for entity in entities
        ]
        assert [[e["start"], e["end"]] for e in row["entities"]] == [list(e[2:4]) for e in entities]
        np.testing.assert_allclose(
            [e["score"] for e in row["entities"]], [e[4] for e in entities], atol=1e-4
        )


def test_the_rectangular_form_is_the_ragged_one_padded(served):
    found = as_lists(served.find(tf.constant(TEXTS)))
    answer = {
        name: values.numpy() for name, values in served.serve(text=tf.constant(TEXTS)).items()
    }
    assert set(answer) == {"text", "type", "start", "end", "score", "count"}
    most = max(map(len, found))
    assert answer["count"].tolist() == [len(entities) for entities in found]
    for index, entities in enumerate(found):
        columns = [answer[name][index] for name in ("text", "type", "start", "end")]
        assert list(zip(*columns, strict=True)) == [entity[:4] for entity in entities] + [
            (b"", b"", -1, -1)
        ] * (most - len(entities))
        assert answer["score"][index, len(entities) :].tolist() == [0] * (most - len(entities))


def test_any_batch(served):
    for texts, shape in (([], (0, 0)), ([""], (1, 0)), (["", " "], (2, 0))):
        answer = served.serve(text=tf.constant(texts, tf.string))
        assert answer["count"].numpy().tolist() == [0] * len(texts)
        assert all(answer[name].shape == shape for name in ("text", "type", "start", "score"))
        assert served.find(tf.constant(texts, tf.string))["start"].nrows() == len(texts)
    one_by_one = [served.serve(text=tf.constant([text]))["start"].numpy()[0] for text in TEXTS]
    together = served.serve(text=tf.constant(TEXTS))
    for one, row, count in zip(one_by_one, together["start"], together["count"], strict=True):
        assert one.tolist() == row[:count].numpy().tolist()


def test_bytes_that_are_no_text(served):
    texts = [b"Tom \xff\xfe Ashby \xe4 lives", b"\xff"]
    (entities, _) = as_lists(served.find(tf.constant(texts)))
    decoded = texts[0].decode("utf-8", "replace")
    assert entities
    assert all(decoded[e[2] : e[3]] == e[0].decode() for e in entities)


@pytest.mark.long
def test_rows_are_answered_some_at_a_time(served, monkeypatch):
    expected = as_lists(served.find(tf.constant([LONG * 10])))
    monkeypatch.setattr("bert_keras.tasks.tagging.serving._ROWS", 7)
    find = served.task.functions(served.model)["entities"]
    found = as_lists(find(tf.constant([LONG * 10])))
    assert [e[:4] for e in found[0]] == [e[:4] for e in expected[0]]
    assert len(found[0]) > 300
