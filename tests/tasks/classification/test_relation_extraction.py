import json

import numpy as np
import pytest
import tensorflow as tf

from bert_keras.errors import InputError
from bert_keras.serving.export import export
from bert_keras.serving.freezing import freeze
from bert_keras.tasks.classification.relation_extraction import RelationExtraction
from bert_keras.tasks.classification.task import Classification
from bert_keras.training.inference import Inference

NAMES = "head", "tail"
TEXT = "The soup was cold and the waiter never came."


def row(label, head=(4, 8), tail=(26, 32), types=None):
    entities = [dict(zip(("start", "end"), span, strict=True)) for span in (head, tail)]
    for entity, kind in zip(entities, types or [], strict=False):
        entity["type"] = kind
    return {"text": TEXT, **dict(zip(NAMES, entities, strict=True)), "label": label}


ROWS = [row("a"), row("b", (26, 32), (4, 8)), row("a", (13, 17)), row("b", (0, 3), (39, 43))]


@pytest.fixture
def make_task(tmp_path):
    def make(*rows, max_length=64, kind=RelationExtraction):
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(each) + "\n" for each in rows))
        return kind(train=str(path), dev=str(path), max_length=max_length)

    return make


@pytest.mark.parametrize("typed", [pytest.param(False, marks=pytest.mark.long), True])
def test_what_is_served_is_what_is_predicted(make_task, marking_checkpoint, tmp_path, typed):
    types = [["soup", "waiter"], ["a b", "soup"]]
    kinds = (types * 2) if typed else [None] * 4
    spans = [(each["head"], each["tail"]) for each in ROWS]
    rows = [
        row(label, *((e["start"], e["end"]) for e in pair), types=kind)
        for label, pair, kind in zip("abab", spans, kinds, strict=True)
    ]
    task = make_task(*rows, max_length=20)  # so that texts are cut
    trained = task.prepare(str(marking_checkpoint), seed=0).task
    trained.save(trained.build_model(marking_checkpoint, "float32"), tmp_path / "run")

    task = task.restore(tmp_path / "run")
    examples = task.read_examples(task.task.train)
    model = task.build_model(tmp_path / "run", "float32")
    predictions = Inference(model, task.predictions, 3)(examples, "")
    path = task.write_predictions(examples, predictions, tmp_path).path
    predicted = [json.loads(line) for line in path.read_text().splitlines()]
    assert [{k: one[k] for k in rows[0]} for one in predicted] == rows
    assert len({one["score"] for one in predicted}) == 4  # the marks alone tell the rows apart

    version = export(task.signatures(freeze(model)), task.tokenizer, tmp_path / "export")
    served = tf.saved_model.load(str(version)).signatures
    assert set(served) == {"serving_default", "marked_text", "token_ids"}
    inputs = {
        f"{name}_{end}": tf.constant([each[name][end] for each in rows])
        for name in NAMES
        for end in ("start", "end")
    }
    if typed:
        inputs |= {f"{n}_type": tf.constant([each[n]["type"] for each in rows]) for n in NAMES}
    texts = tf.constant([TEXT] * 4)
    found = served["serving_default"](text=texts, **inputs)
    assert [label.decode() for label in found["label"].numpy()] == [
        one["predicted_label"] for one in predicted
    ]
    expected = [[one["p(a)"], one["p(b)"]] for one in predicted]
    np.testing.assert_allclose(found["probabilities"], expected, atol=2e-6)

    # The same rows in memory.
    inputs_of = [{key: one[key] for key in ("text", *NAMES)} for one in rows]
    in_memory = task.examples_of(inputs_of)
    assert in_memory.rows.texts == examples.rows.texts
    with pytest.raises(InputError, match=r"inputs: \[1\]: expected a dict with 'text'"):
        task.examples_of([inputs_of[0], "text"])

    # Texts that the caller has marked.
    marked = served["marked_text"](text=tf.constant(examples.rows.texts))
    np.testing.assert_allclose(marked["probabilities"], expected, atol=2e-6)

    # A row that cannot be answered does not keep the others from it.
    wrong = {name: tf.concat([values[:1], values[:3]], 0) for name, values in inputs.items()}
    wrong["head_end"] = tf.constant([99, *wrong["head_end"].numpy()[1:]])
    found = served["serving_default"](text=texts, **wrong)
    assert found["label"].numpy()[0] == b"" and found["score"].numpy()[0] == 0
    assert not found["probabilities"].numpy()[0].any()
    np.testing.assert_allclose(found["probabilities"][1:], expected[:3], atol=2e-6)
    nothing = {name: values[:0] for name, values in inputs.items()}
    assert all(len(v) == 0 for v in served["serving_default"](text=texts[:0], **nothing).values())


def test_entities_far_apart_are_not_cut_away(make_task, marking_checkpoint, caplog):
    caplog.set_level("INFO")
    text = "x yz " + "a b c " * 300 + "d"
    end = len(text)
    long = {"text": text, "head": {"start": 0, "end": 1}, "tail": {"start": end - 1, "end": end}}
    short = {"text": "a b", "head": {"start": 0, "end": 1}, "tail": {"start": 2, "end": 3}}
    task = make_task(long | {"label": "a"}, short | {"label": "b"}, max_length=16)
    task, training_set, _ = task.prepare(str(marking_checkpoint), seed=0)
    examples = training_set.examples
    (found, *_) = task.tokenizer.detokenize(examples.token_ids).numpy()
    assert found.decode() == "@ x @ yz a b c a b c # d #"
    assert "1 of 2 texts are longer than 16 tokens and were cut" in caplog.text


def test_types_as_trained_on(make_task, marking_checkpoint, tmp_path):
    task = make_task(*ROWS).prepare(str(marking_checkpoint), seed=0).task
    task.save(task.build_model(marking_checkpoint, "float32"), tmp_path / "run")
    typed = make_task(*(row("a", types=["x", "y"]) for _ in "12"))
    typed = typed.restore(tmp_path / "run")
    with pytest.raises(InputError, match=r"rows\.jsonl:1: expected entities with no types, as tr"):
        typed.evaluation_set(seed=0)


def test_a_model_of_texts_alone_tells_no_relations(make_task, marking_checkpoint, tmp_path):
    task = make_task(*ROWS, kind=Classification).prepare(str(marking_checkpoint), seed=0).task
    task.save(task.build_model(marking_checkpoint, "float32"), tmp_path / "run")
    with pytest.raises(InputError, match="run: expected a model of entities, found one of texts"):
        make_task(*ROWS).restore(tmp_path / "run")
