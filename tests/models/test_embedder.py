"""The embedder: its poolings, its layers, its folder and its life as a Keras model."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from small import SMALL, numbers, some_inputs

from bert_keras.checkpoints.huggingface import write_huggingface
from bert_keras.checkpoints.sentence_transformers import pooling_entry, write_modules
from bert_keras.config import BertConfig
from bert_keras.errors import InputError
from bert_keras.models.embedder import BertEmbedder
from bert_keras.models.encoder import BertEncoder

DEEP = dataclasses.replace(SMALL, num_hidden_layers=3)
PACKED = some_inputs(2) | {"example_ids": np.array([[1, 1, 2, 2, 2, 0], [1] * 6], "int32")}


@pytest.mark.parametrize(
    ("pooling", "pool"),
    [
        ("mean", lambda tokens: tokens.mean(0)),
        ("cls", lambda tokens: tokens[0]),
        ("max", lambda tokens: tokens.max(0)),
    ],
)
@pytest.mark.parametrize("normalize", [True, False])
def test_one_vector_an_example_in_packed_rows(pooling, pool, normalize):
    model = BertEmbedder(SMALL, pooling, normalize)
    tokens = numbers(model.encoder(PACKED)["sequence_output"])
    expected = np.stack([pool(tokens[0, :2]), pool(tokens[0, 2:5]), pool(tokens[1])])
    if normalize:
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(numbers(model(PACKED)), expected, atol=1e-6)
    assert not any("pooler" in weight.path for weight in model.trainable_variables)


def test_vectors_are_float32_under_bfloat16():
    model = BertEmbedder(SMALL, dtype="mixed_bfloat16")
    vectors = model(some_inputs(2))
    assert keras.backend.standardize_dtype(vectors.dtype) == "float32"
    assert model.encoder.compute_dtype == model.compute_dtype == "bfloat16"
    np.testing.assert_allclose(np.linalg.norm(numbers(vectors), axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize(("layer", "blocks"), [(-1, 3), (3, 3), (-2, 2), (1, 1), (0, 0), (-4, 0)])
def test_a_layer_costs_nothing_above_it(tmp_path, layer, blocks):
    encoder = BertEncoder(DEEP)
    write_huggingface(encoder, tmp_path)
    model = BertEmbedder.from_pretrained(tmp_path, normalize=False, layer=layer)
    inputs = some_inputs(2)
    states, _ = encoder.get_layer("embeddings")(*(inputs[n] for n in list(inputs)[:3]))
    mask = encoder.get_layer("attention_mask")(inputs["example_ids"])
    for index in range(blocks):
        states = encoder.get_layer(f"layer_{index}")(states, mask)
    np.testing.assert_allclose(numbers(model(inputs)), numbers(states).mean(1), atol=1e-6)
    assert model.config.num_hidden_layers == blocks
    assert not any(f"layer_{blocks}/" in weight.path for weight in model.weights)
    # What is written is the shallower model, for whoever reads it.
    write_huggingface(model, tmp_path / "cut")
    assert BertConfig.from_file(tmp_path / "cut" / "config.json") == model.config
    again = BertEmbedder.from_pretrained(tmp_path / "cut", normalize=False)
    np.testing.assert_array_equal(numbers(again(inputs)), numbers(model(inputs)))


def test_what_there_is_not():
    with pytest.raises(InputError, match="pooling: expected one of mean, cls, max, found 'sum'"):
        BertEmbedder(SMALL, "sum")
    for layer in (4, -5):
        with pytest.raises(InputError, match=f"layer: .* -4 to 3 .* 3 blocks, found {layer}"):
            BertEmbedder(DEEP, layer=layer)


@pytest.mark.parametrize("files", ["config", "modules", "both"])
def test_a_folder_says_how_to_pool(tmp_path, files):
    model = BertEmbedder(SMALL, "max", normalize=False)
    write_huggingface(model, tmp_path, extra=pooling_entry(model) if files != "modules" else None)
    if files != "config":
        write_modules(model, tmp_path, 12)
    again = BertEmbedder.from_pretrained(tmp_path)
    assert (again.pooling, again.normalize) == ("max", False)
    np.testing.assert_array_equal(numbers(again(PACKED)), numbers(model(PACKED)))
    other = BertEmbedder.from_pretrained(tmp_path, pooling="cls", normalize=True)
    assert (other.pooling, other.normalize) == ("cls", True)
    assert json.loads((tmp_path / "config.json").read_text())["architectures"] == ["BertModel"]


def test_a_folder_that_says_nothing(tmp_path):
    write_huggingface(BertEncoder(SMALL), tmp_path)
    model = BertEmbedder.from_pretrained(tmp_path)
    assert (model.pooling, model.normalize) == ("mean", True)


def test_keras_file_round_trip(tmp_path):
    model = BertEmbedder(DEEP, "cls", normalize=False, layer=1, dtype="mixed_bfloat16")
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again) is BertEmbedder
    assert again.get_config() == model.get_config()
    np.testing.assert_array_equal(numbers(again(PACKED)), numbers(model(PACKED)))
