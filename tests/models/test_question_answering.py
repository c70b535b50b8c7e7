"""The model for questions: its head, and its life in other people's files."""

import json

import keras
import numpy as np
import pytest
from small import SMALL, numbers, some_inputs

from bert_keras.checkpoints.google import write_google
from bert_keras.checkpoints.huggingface import write_huggingface
from bert_keras.checkpoints.load import open_checkpoint
from bert_keras.models.encoder import BertEncoder
from bert_keras.models.question_answering import BertQuestionAnswering


def test_each_token_has_two_logits():
    model = BertQuestionAnswering(SMALL)
    vectors = numbers(model.encoder(some_inputs(2))["sequence_output"])
    kernel, bias = (numbers(weight) for weight in model.get_layer("qa_outputs").weights)
    np.testing.assert_allclose(numbers(model(some_inputs(2))), vectors @ kernel + bias, atol=1e-6)


def test_nothing_trains_the_pooler():
    model = BertQuestionAnswering(SMALL)
    assert not any("pooler" in weight.path for weight in model.trainable_variables)


def test_logits_are_float32_under_bfloat16():
    model = BertQuestionAnswering(SMALL, dtype="mixed_bfloat16")
    assert keras.backend.standardize_dtype(model(some_inputs(2)).dtype) == "float32"
    assert model.encoder.compute_dtype == "bfloat16"


def test_keras_file_round_trip(tmp_path):
    model = BertQuestionAnswering(SMALL)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    np.testing.assert_array_equal(numbers(again(some_inputs(3))), numbers(model(some_inputs(3))))


@pytest.mark.parametrize("write", [write_huggingface, write_google])
def test_a_folder_brings_its_head(tmp_path, write, caplog):
    model = BertQuestionAnswering(SMALL)
    write(model, tmp_path)
    again = BertQuestionAnswering.from_pretrained(tmp_path)
    assert "Newly made" not in caplog.text
    tolerance = 0 if write is write_huggingface else 2e-2  # Google's GELU is another
    difference = numbers(again(some_inputs(2))) - numbers(model(some_inputs(2)))
    assert np.abs(difference).max() <= tolerance
    with open_checkpoint(tmp_path) as checkpoint:
        shapes = checkpoint.shapes
    if write is write_google:
        assert shapes["cls/squad/output_weights"] == (2, 8)
        assert shapes["cls/squad/output_bias"] == (2,)
    else:
        config = json.loads((tmp_path / "config.json").read_text())
        assert config["architectures"] == ["BertForQuestionAnswering"]
        assert shapes["qa_outputs.weight"] == (2, 8) and shapes["qa_outputs.bias"] == (2,)


def test_the_head_of_an_encoders_folder_is_new(tmp_path, caplog):
    write_huggingface(BertEncoder(SMALL), tmp_path)
    BertQuestionAnswering.from_pretrained(tmp_path)
    assert "Newly made: qa_outputs/kernel, qa_outputs/bias." in caplog.text


def test_transformers_loads_it_with_equal_logits(tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    model = BertQuestionAnswering(SMALL)
    write_huggingface(model, tmp_path)
    inputs = some_inputs(3)
    inputs["segment_ids"][:, 3:] = 1
    theirs = transformers.BertForQuestionAnswering.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        found = theirs(
            torch.tensor(inputs["token_ids"], dtype=torch.long),
            token_type_ids=torch.tensor(inputs["segment_ids"], dtype=torch.long),
        )
    ours = numbers(model(inputs))
    assert np.abs(ours[:, :, 0] - found.start_logits.numpy()).max() <= 1e-5
    assert np.abs(ours[:, :, 1] - found.end_logits.numpy()).max() <= 1e-5
