import functools
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import sample_tasks
import tensorflow as tf

from bert_keras import Classification, Columns
from bert_keras.serving.export import export
from bert_keras.serving.freezing import freeze

TEXTS = ["The soup was cold.", "", "A man is playing a guitar!", "Größe 😀"]
PAIRS = ["It was warm.", "Music.", "", "a b c d e f g h"]


class Served:
    """A task with a model of random weights, and its first export."""

    def __init__(self, checkpoint, folder, **rows):
        self.task = Classification(max_length=16, **rows).prepare(checkpoint, seed=0).task
        self.model = self.task.build_model(checkpoint, "float32")
        self.folder = folder

    @functools.cached_property
    def version(self):
        return self.export()

    def export(self):
        signatures = self.task.signatures(freeze(self.model))
        return export(signatures, self.task.tokenizer, self.folder)

    @functools.cached_property
    def signatures(self):
        return tf.saved_model.load(str(self.version)).signatures

    def outputs(self, texts, pairs=None):
        """The model's own, one text at a time and not packed."""
        inputs = [
            self.task.tokenizer([text], pair and [pair], max_length=16)
            for text, pair in zip(texts, pairs or [None] * len(texts), strict=True)
        ]
        return np.concatenate([self.model(each).numpy() for each in inputs])


@pytest.fixture(scope="module")
def topics(tiny_checkpoint, samples, tmp_path_factory):
    folder = tmp_path_factory.mktemp("topics") / "export"
    return Served(tiny_checkpoint, folder, train=str(samples / "topics"))


@pytest.fixture(scope="module")
def several(tiny_checkpoint, samples, tmp_path_factory):
    return Served(
        tiny_checkpoint,
        tmp_path_factory.mktemp("several"),
        train=str(samples / "multi.jsonl"),
        columns=Columns(label="labels"),
        label_kind="multi",
    )


@pytest.fixture(scope="module")
def similarity(tiny_checkpoint, samples, tmp_path_factory):
    return Served(
        tiny_checkpoint,
        tmp_path_factory.mktemp("similarity"),
        train=str(samples / "scores.tsv"),
        columns=Columns("sentence1", "sentence2", "score"),
        label_kind="number",
    )


def softmax(logits):
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def test_strings_get_the_models_own_predictions(topics):
    prediction = topics.signatures["serving_default"](text=tf.constant(TEXTS))
    probabilities = softmax(topics.outputs(TEXTS))
    assert set(prediction) == {"label", "score", "probabilities"}
    np.testing.assert_allclose(prediction["probabilities"], probabilities, atol=1e-5, rtol=0)
    np.testing.assert_allclose(prediction["score"], probabilities.max(axis=1), atol=1e-5, rtol=0)
    names = ["cooking", "sport", "weather"]
    labels = [label.decode() for label in prediction["label"].numpy()]
    assert labels == [names[i] for i in probabilities.argmax(axis=1)]
    assert np.ptp(probabilities, axis=0).max() > 1e-3  # else the comparison would prove nothing


def test_any_batch(topics):
    expected = np.tile(softmax(topics.outputs(TEXTS)), (75, 1))
    for count in (0, 1, 7, 300):
        texts = tf.constant((TEXTS * 75)[:count], tf.string)
        prediction = topics.signatures["serving_default"](text=texts)
        assert prediction["label"].shape == prediction["score"].shape == (count,)
        assert prediction["probabilities"].shape == (count, 3)
        np.testing.assert_allclose(prediction["probabilities"], expected[:count], atol=1e-5, rtol=0)


def test_ids_get_the_same_predictions(topics):
    signatures = topics.signatures
    inputs = topics.task.tokenizer(TEXTS, max_length=16)
    ids = {name: inputs[name] for name in ("token_ids", "segment_ids")}
    prediction = signatures["token_ids"](**ids)
    expected = signatures["serving_default"](text=tf.constant(TEXTS))
    np.testing.assert_allclose(prediction["probabilities"], expected["probabilities"], atol=1e-5)
    assert prediction["label"].numpy().tolist() == expected["label"].numpy().tolist()
    for shape in ((0, 5), (0, 0)):
        empty = signatures["token_ids"](
            token_ids=tf.zeros(shape, tf.int32), segment_ids=tf.zeros(shape, tf.int32)
        )
        assert empty["probabilities"].shape == (0, 3)
    padding = signatures["token_ids"](
        token_ids=tf.constant([[0, 0], [2, 3]]), segment_ids=tf.zeros((2, 2), tf.int32)
    )
    assert padding["label"].shape == (2,)


def test_several_labels(several):
    signature = several.task.signatures(several.model)["serving_default"]
    prediction = signature(tf.constant(TEXTS))
    probabilities = 1 / (1 + np.exp(-several.outputs(TEXTS)))
    np.testing.assert_allclose(prediction["probabilities"], probabilities, atol=1e-5, rtol=0)
    names = np.array(several.task.labels)
    assert [label.decode() for label in prediction["label"].numpy()] == [
        ",".join(names[row >= 0.5]) for row in probabilities
    ]
    assert signature(tf.constant([], tf.string))["label"].shape == (0,)


def test_pairs_and_numbers(similarity):
    signature = similarity.signatures["serving_default"]
    inputs = {"text": tf.constant(TEXTS), "text_pair": tf.constant(PAIRS)}
    prediction = signature(**inputs)
    assert set(prediction) == {"score"}
    expected = similarity.outputs(TEXTS, PAIRS)[:, 0]
    np.testing.assert_allclose(prediction["score"], expected, atol=1e-5, rtol=0)
    assert np.ptp(expected) > 1e-3
    empty = signature(text=tf.constant([], tf.string), text_pair=tf.constant([], tf.string))
    assert empty["score"].shape == (0,)


OTHERS = {
    "questions": {"question": ["who came", ""], "context": ["The soup was cold. " * 20, "a man"]},
    "entities": {"text": ["A man is playing a guitar in the rain!", ""]},
    "relations": {
        "text": ["The soup was cold and the waiter never came."] * 2,
        **{"head_start": [4, 4], "head_end": [8, 8], "tail_start": [26, 6], "tail_end": [32, 9]},
    },
    "embeddings": {"text": ["The soup was cold.", ""]},
    "fillings": {"text": ["The [MASK] was [MASK].", "none"]},
}


@pytest.fixture(scope="module")
def others(tiny_checkpoint, marking_checkpoint, samples, tmp_path_factory):
    """The other tasks by name: the export of each, and its predictions before that."""
    made = {}
    for name, inputs in OTHERS.items():
        checkpoint = marking_checkpoint if name == "relations" else tiny_checkpoint
        settings = sample_tasks.make(name, samples)
        if name == "fillings":  # has no rows here to prepare
            task = settings.restore(checkpoint)  # whose head is new, and random
        else:
            task = settings.prepare(checkpoint, seed=0).task
        functions = task.signatures(freeze(task.build_model(checkpoint, "float32")))
        version = export(functions, task.tokenizer, tmp_path_factory.mktemp(name))
        made[name] = version, functions["serving_default"](*map(tf.constant, inputs.values()))
    return made


# Runs in a process of its own, with TensorFlow alone.
ASK = """
import json, sys
import tensorflow as tf

predictions = []
for folder, inputs in json.loads(sys.argv[1]):
    tensors = {name: tf.constant(values) for name, values in inputs.items()}
    loaded = tf.saved_model.load(folder).signatures["serving_default"](**tensors)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta_graph = tf.compat.v1.saved_model.load(session, ["serve"], folder)
        signature = meta_graph.signature_def["serving_default"]
        fetched = session.run(
            {name: output.name for name, output in signature.outputs.items()},
            {signature.inputs[name].name: values for name, values in inputs.items()},
        )
    ends = [*signature.inputs.values(), *signature.outputs.values()]
    predictions.append({
        "load": {name: values.numpy().tolist() for name, values in loaded.items()},
        "session": {name: values.tolist() for name, values in fetched.items()},
        "batches": [end.tensor_shape.dim[0].size for end in ends],
    })

from tensorflow.python.tools import saved_model_cli

folder, inputs = json.loads(sys.argv[1])[0]
sys.argv = ["saved_model_cli", "run", "--dir", folder, "--tag_set", "serve",
            "--signature_def", "serving_default", "--input_exprs", f"text={inputs['text']!r}"]
try:
    saved_model_cli.main()
except SystemExit as end:
    assert not end.code
assert "bert_keras" not in sys.modules
print("\\n" + json.dumps(predictions, default=bytes.decode))
"""


@pytest.fixture(scope="module")
def asked(topics, others, tmp_path_factory):
    """What all exports predict there, by name, and what was printed of the topics."""
    exports = [(str(topics.version), {"text": TEXTS})]
    exports += [(str(version), OTHERS[name]) for name, (version, _) in others.items()]
    done = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(exports)],
        cwd=tmp_path_factory.mktemp("elsewhere"),  # where no package of ours lies
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    *printed, last = done.stdout.splitlines()
    predictions = dict(zip(["topics", *others], json.loads(last), strict=True))
    return predictions | {"printed": "\n".join(printed)}


@pytest.mark.long
def test_needs_tensorflow_alone(topics, asked):
    predictions, probabilities = asked["topics"], softmax(topics.outputs(TEXTS))
    for how in ("load", "session"):
        np.testing.assert_allclose(
            predictions[how]["probabilities"], probabilities, atol=1e-5, rtol=0
        )
    assert predictions["batches"] == [-1] * 4
    assert "Result for output key label:" in asked["printed"]
    assert all(f"b'{label}'" in asked["printed"] for label in predictions["session"]["label"])


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("how", ["load", "session"])
def test_other_tasks_need_tensorflow_alone(others, asked, name, how):
    expected, served = others[name][1], asked[name][how]
    assert served.keys() == expected.keys()
    for key, values in expected.items():
        if values.dtype == tf.string:
            assert served[key] == np.char.decode(values.numpy().astype(bytes), "utf-8").tolist()
        else:
            np.testing.assert_allclose(served[key], values, atol=1e-5, rtol=0)
    assert set(asked[name]["batches"]) == {-1}


def test_versions_are_counted_and_never_replaced(topics):
    for stranger in ("007", "notes"):
        (topics.folder / stranger).mkdir()
    before = (topics.version / "saved_model.pb").stat()
    version = topics.export()
    assert topics.version == topics.folder / "1"
    assert version == topics.folder / "8"
    assert (topics.version / "saved_model.pb").stat() == before
    assert version.stat().st_mode & 0o777 == 0o755
    names = {path.name for path in topics.folder.iterdir()}
    assert names == {"1", "007", "notes", "8"}


def test_a_version_that_came_in_between_stays(topics, tmp_path, monkeypatch):
    folder = tmp_path / "export"

    def save(module, path, signatures):
        (pathlib.Path(path) / "saved_model.pb").write_text("ours")
        if not (folder / "1").exists():
            (folder / "1").mkdir()
            (folder / "1" / "saved_model.pb").write_text("another's")

    monkeypatch.setattr(tf.saved_model, "save", save)
    assert export({}, topics.task.tokenizer, folder) == folder / "2"
    assert (folder / "1" / "saved_model.pb").read_text() == "another's"


def test_a_failure_leaves_nothing_behind(topics, tmp_path, monkeypatch):
    def save(module, path, signatures):
        (pathlib.Path(path) / "saved_model.pb").write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(tf.saved_model, "save", save)
    with pytest.raises(OSError, match="disk full"):
        export({}, topics.task.tokenizer, tmp_path / "export")
    assert list((tmp_path / "export").iterdir()) == []
