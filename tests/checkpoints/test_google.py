"""Google's layout, from a checkpoint made here as TensorFlow 1 makes them."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_keras.checkpoints import mapping
from bert_keras.checkpoints.contents import from_model
from bert_keras.checkpoints.google import GoogleCheckpoint, write_google
from bert_keras.checkpoints.load import contents_of, load_weights, open_checkpoint
from bert_keras.config import BertConfig
from bert_keras.errors import InputError
from bert_keras.models.classifier import BertClassifier
from bert_keras.models.encoder import BertEncoder
from bert_keras.models.pretrainer import BertPretrainer

VALUES = {
    "vocab_size": 20,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 12,
    "type_vocab_size": 2,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "initializer_range": 0.02,
}


def write(folder, arrays):
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
        for name, value in arrays.items():
            tf.compat.v1.get_variable(name, initializer=value)
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver().save(
            session, str(folder / "bert_model.ckpt"), write_meta_graph=False
        )


CLASSIFIER = {"classifier": {"num_classes": 3}}


def random_arrays(heads=None):
    random = np.random.default_rng(1)
    return {
        weight.google: random.normal(size=weight.shape_in("google")).astype("float32")
        for weight in mapping.weights(BertConfig.from_dict(VALUES), heads)
    }


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "bert_config.json").write_text(json.dumps(VALUES))
    return tmp_path


def test_the_names_are_googles(folder):
    """A few, spelt out from google-research/bert's modeling.py and run_classifier.py."""
    names = random_arrays(CLASSIFIER)
    for name, shape in {
        "bert/embeddings/word_embeddings": (20, 8),
        "bert/embeddings/position_embeddings": (12, 8),
        "bert/embeddings/token_type_embeddings": (2, 8),
        "bert/embeddings/LayerNorm/gamma": (8,),
        "bert/encoder/layer_1/attention/self/query/kernel": (8, 8),
        "bert/encoder/layer_1/attention/output/dense/bias": (8,),
        "bert/encoder/layer_1/attention/output/LayerNorm/beta": (8,),
        "bert/encoder/layer_0/intermediate/dense/kernel": (8, 16),
        "bert/encoder/layer_0/output/dense/kernel": (16, 8),
        "bert/encoder/layer_0/output/LayerNorm/gamma": (8,),
        "bert/pooler/dense/kernel": (8, 8),
        "output_weights": (3, 8),
        "output_bias": (3,),
    }.items():
        assert names[name].shape == shape


def test_each_variable_takes_its_values(folder):
    arrays = random_arrays(CLASSIFIER)
    write(folder, arrays)
    model = BertClassifier.from_pretrained(folder)
    for weight in mapping.weights(model.config, CLASSIFIER):
        value = keras.ops.convert_to_numpy(mapping.variable(model, weight))
        expected = arrays[weight.google]
        np.testing.assert_array_equal(
            value, expected.T if weight.google == "output_weights" else expected
        )


def test_gelu_is_the_tanh_form(folder):
    write(folder, random_arrays())
    assert open_checkpoint(folder).config.hidden_act == "gelu_new"
    (folder / "bert_config.json").write_text(json.dumps(VALUES | {"hidden_act": "relu"}))
    assert open_checkpoint(folder).config.hidden_act == "relu"


def test_what_is_left_over_is_reported_without_the_optimizers_slots(folder):
    arrays = random_arrays()
    arrays["cls/predictions/output_bias"] = np.zeros(20, "float32")
    arrays["bert/pooler/dense/bias/adam_m"] = np.zeros(8, "float32")
    arrays["global_step"] = np.array(7, "int64")
    write(folder, arrays)
    with GoogleCheckpoint(folder) as checkpoint:
        report = load_weights(BertEncoder(checkpoint.config), folder)
    assert report.left_over == ("cls/predictions/output_bias",)
    assert report.newly_made == ()
    assert len(report.loaded) == 5 + 2 * 16 + 2


def test_a_shape_that_does_not_fit_names_both(folder):
    write(folder, random_arrays())
    (folder / "bert_config.json").write_text(json.dumps(VALUES | {"intermediate_size": 24}))
    with pytest.raises(InputError, match=r"intermediate/dense/kernel.*\[8, 16\].*\[8, 24\]"):
        BertEncoder.from_pretrained(folder)


def test_a_variable_of_no_float_type_is_refused(folder):
    write(folder, random_arrays() | {"bert/pooler/dense/bias": np.zeros(8, "int32")})
    with pytest.raises(InputError, match="variable bert/pooler/dense/bias is int32"):
        BertEncoder.from_pretrained(folder)


def test_a_missing_index(folder):
    with pytest.raises(InputError, match=r"bert_model\.ckpt\.index: expected a checkpoint"):
        open_checkpoint(folder)


@pytest.mark.parametrize("content", [b"", b"garbage" * 99])
def test_a_damaged_index(folder, content):
    write(folder, random_arrays())
    (folder / "bert_model.ckpt.index").write_bytes(content)
    with pytest.raises(InputError, match=r"bert_model\.ckpt: .* cannot be read"):
        open_checkpoint(folder)


@pytest.mark.parametrize("damage", ["cut", "flip", "remove"])
def test_damaged_data(folder, damage):
    write(folder, random_arrays())
    path = folder / "bert_model.ckpt.data-00000-of-00001"
    data = bytearray(path.read_bytes())
    if damage == "remove":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    else:
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    message = "variable .* cannot be read" if damage == "flip" else "expected .* bytes of data"
    with pytest.raises(InputError, match=rf"bert_model\.ckpt: {message}"):
        BertEncoder.from_pretrained(folder)


@pytest.mark.parametrize(
    "make",
    [BertEncoder, BertPretrainer, lambda config: BertClassifier(config, 3)],
    ids=["encoder", "pretrainer", "classifier"],
)
def test_what_is_written_is_read_again_bit_for_bit(tmp_path, make):
    model = make(BertConfig.from_dict(VALUES | {"hidden_act": "gelu_new"}))
    write_google(model, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    data = {"bert_model.ckpt.index", "bert_model.ckpt.data-00000-of-00001"}
    assert names == {"bert_config.json", *data}
    assert json.loads((tmp_path / "bert_config.json").read_text())["hidden_act"] == "gelu"
    with open_checkpoint(tmp_path) as checkpoint:
        again = contents_of(checkpoint)
    assert again.config == model.config and again.heads == model.heads
    for weight, value in from_model(model).weights():
        np.testing.assert_array_equal(again.values[weight.ours], value)


def test_a_pretrainers_names_are_googles(tmp_path):
    """As run_pretraining.py's get_masked_lm_output and get_next_sentence_output spell them."""
    model = BertPretrainer(BertConfig.from_dict(VALUES | {"hidden_act": "relu"}))
    write_google(model, tmp_path)
    reader = tf.train.load_checkpoint(str(tmp_path / "bert_model.ckpt"))
    shapes = reader.get_variable_to_shape_map()
    heads = {name: shape for name, shape in shapes.items() if name.startswith("cls/")}
    assert heads == {
        "cls/predictions/transform/dense/kernel": [8, 8],
        "cls/predictions/transform/dense/bias": [8],
        "cls/predictions/transform/LayerNorm/gamma": [8],
        "cls/predictions/transform/LayerNorm/beta": [8],
        "cls/predictions/output_bias": [20],
        "cls/seq_relationship/output_weights": [2, 8],
        "cls/seq_relationship/output_bias": [2],
    }
    kernel = keras.ops.convert_to_numpy(model.get_layer("next_sentence").kernel)
    np.testing.assert_array_equal(
        reader.get_tensor("cls/seq_relationship/output_weights").T, kernel
    )


def test_what_google_cannot_compute_is_reported(tmp_path, caplog):
    write_google(BertEncoder(BertConfig.from_dict(VALUES)), tmp_path)
    assert "exact GELU" in caplog.text
    silu = BertEncoder(BertConfig.from_dict(VALUES | {"hidden_act": "silu"}))
    with pytest.raises(InputError, match="no activation 'silu'"):
        write_google(silu, tmp_path / "new")
    sinusoidal = BertConfig.from_dict(VALUES | {"position_embedding_type": "sinusoidal"})
    with pytest.raises(InputError, match="no sinusoidal positions"):
        write_google(BertEncoder(sinusoidal), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_an_interrupted_write_leaves_nothing_beside(folder, monkeypatch):
    def full(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="disk full"):
        write_google(BertEncoder(BertConfig.from_dict(VALUES)), folder)
    assert {path.name for path in folder.iterdir()} == {"bert_config.json"}
