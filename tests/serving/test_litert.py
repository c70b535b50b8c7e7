"""The export for LiteRT."""

import json

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from bert_keras.data.rows import Columns
from bert_keras.serving.litert import export_litert
from bert_keras.tasks.classification.task import Classification
from bert_keras.tasks.embedding.task import Embedding
from bert_keras.text.tokenizer import BertTokenizer

TEXTS = ["The soup was cold.", "", "A man is playing a guitar!", "Größe 😀"]


class Exported:
    """A task, a packed model with its own weights, and an export."""

    def __init__(self, task, checkpoint, folder):
        self.task = task = task.prepare(checkpoint, seed=0).task
        self.packed = task.build_model(checkpoint, "float32")
        model = task.build_model(checkpoint, "float32")
        model.set_weights(self.packed.get_weights())  # heads are new, and random
        self.model, self.folder = model, folder
        self.version = export_litert(model, task, folder)

    def expected(self, inputs):
        return self.task.signatures(self.packed)["token_ids"](**inputs)

    def inputs(self, texts):
        tokenizer = BertTokenizer.from_pretrained(self.version)
        encoded = tokenizer(texts, max_length=16)
        return {name: encoded[name] for name in ("token_ids", "segment_ids")}


def interpreter(version):
    return Interpreter(str(version / "model.tflite"))


@pytest.fixture(scope="module")
def topics(tiny_checkpoint, samples, tmp_path_factory):
    task = Classification(train=str(samples / "topics"), max_length=16)
    return Exported(task, tiny_checkpoint, tmp_path_factory.mktemp("topics") / "export_litert")


def test_ragged_rows_get_what_the_saved_model_answers(topics):
    ask = interpreter(topics.version).get_signature_runner()
    inputs = topics.inputs(TEXTS)
    lengths = (inputs["token_ids"].numpy() != topics.task.tokenizer.pad_id).sum(1)
    assert len(set(lengths)) == len(TEXTS)
    answer, expected = ask(**inputs), topics.expected(inputs)
    for name in ("probabilities", "score"):
        np.testing.assert_allclose(answer[name], expected[name], atol=1e-5)
    assert np.ptp(answer["probabilities"], axis=0).max() > 1e-3
    labels = json.loads((topics.version / "labels.json").read_text(encoding="utf-8"))
    assert labels == ["cooking", "sport", "weather"]
    assert [labels[i].encode() for i in answer["label"]] == expected["label"].numpy().tolist()


def test_any_batch_and_length(topics):
    ask = interpreter(topics.version).get_signature_runner()
    rng = np.random.default_rng(0)
    for shape in ((1, 1), (2, 9), (7, 16), (2, 9), (0, 5)):
        inputs = {"token_ids": rng.integers(0, 40, shape, "int32")}  # [PAD] here and there
        inputs["segment_ids"] = rng.integers(0, 2, shape, "int32")
        answer = ask(**inputs)["probabilities"]
        assert answer.shape == (shape[0], 3)
        np.testing.assert_allclose(answer, topics.expected(inputs)["probabilities"], atol=1e-5)
    padding = ask(**{name: np.zeros((2, 4), "int32") for name in inputs})
    np.testing.assert_allclose(padding["probabilities"].sum(1), 1, atol=1e-5)


def test_nothing_but_operations_that_every_interpreter_has(topics):
    names = {op["op_name"] for op in interpreter(topics.version)._get_ops_details()}
    assert {"FULLY_CONNECTED", "GELU", "SOFTMAX"} <= names
    assert not any(name.startswith(("Flex", "CUSTOM")) for name in names)


def test_int8_is_close(topics):
    version = export_litert(topics.model, topics.task, topics.folder, int8=True)
    inputs = topics.inputs(TEXTS)
    exact = topics.expected(inputs)["probabilities"]
    answer = interpreter(version).get_signature_runner()(**inputs)["probabilities"]
    np.testing.assert_allclose(answer, exact, atol=0.02)
    assert np.abs(answer - exact).max() > 1e-6
    assert version.name == "2"  # beside the fixture's
    before, after = ((v / "model.tflite").stat().st_size for v in (topics.version, version))
    assert after < 0.8 * before


@pytest.mark.parametrize("pooling", ["cls", "mean", "max"])
def test_embeddings(tiny_checkpoint, samples, tmp_path, pooling):
    columns = Columns("sentence1", "sentence2", "score")
    task = Embedding(
        train=str(samples / "scores.tsv"), columns=columns, max_length=16, pooling=pooling
    )
    exported = Exported(task, tiny_checkpoint, tmp_path)
    inputs = exported.inputs(TEXTS)
    found = interpreter(exported.version).get_signature_runner()(**inputs)["embedding"]
    np.testing.assert_allclose(found, exported.expected(inputs)["embedding"], atol=1e-5)
    assert np.ptp(found, axis=0).max() > 1e-3
    assert not (exported.version / "labels.json").exists()
