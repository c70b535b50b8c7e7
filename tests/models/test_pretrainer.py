"""The pretrainer against Hugging Face's, and its life as a Keras model."""

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from small import SMALL, numbers, some_inputs

from bert_keras.checkpoints import mapping
from bert_keras.checkpoints.huggingface import write_huggingface
from bert_keras.checkpoints.load import load_weights
from bert_keras.models.classifier import BertClassifier
from bert_keras.models.encoder import BertEncoder
from bert_keras.models.pretrainer import BertPretrainer

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


def masked_inputs(batch):
    inputs = some_inputs(batch)
    return inputs | {"masked": (inputs["token_ids"] > 14).astype("int32")}


@pytest.fixture(scope="module")
def golden():
    return np.load(GOLDEN / "pretraining.npz")


@pytest.fixture(scope="module")
def model():
    return BertPretrainer.from_pretrained(GOLDEN / "pretraining")


def apart(golden):
    """The golden inputs under our names, one example a row."""
    mask = golden["attention_mask"].astype("int32")
    return {
        "token_ids": golden["input_ids"].astype("int32"),
        "segment_ids": golden["token_type_ids"].astype("int32"),
        "position_ids": np.tile(np.arange(mask.shape[1], dtype="int32"), (len(mask), 1)),
        "example_ids": mask,
        "masked": golden["masked"].astype("int32"),
    }


def in_one_row(inputs):
    """The same examples one after another in a single row."""
    real = inputs["example_ids"] > 0
    inputs = inputs | {"example_ids": real * np.arange(1, len(real) + 1)[:, None]}
    return {name: values[real][None].astype("int32") for name, values in inputs.items()}


def loss(model, inputs, golden):
    outputs = model(inputs)
    words = tf.nn.sparse_softmax_cross_entropy_with_logits(
        golden["labels"][golden["masked"] > 0], outputs["token_logits"]
    )
    sentences = tf.nn.sparse_softmax_cross_entropy_with_logits(
        golden["is_random"], outputs["sentence_logits"]
    )
    return tf.reduce_mean(words) + tf.reduce_mean(sentences)


@pytest.mark.parametrize("rows", [apart, lambda golden: in_one_row(apart(golden))])
def test_logits_equal_hugging_faces(model, golden, rows):
    outputs = model(rows(golden))
    assert len(set(golden["masked"].sum(1))) > 2  # ragged, and one example has none
    for name in ("token_logits", "sentence_logits"):
        found = numbers(outputs[name])
        assert found.shape == golden[name].shape
        assert np.abs(found - golden[name]).max() <= 1e-5 * np.abs(golden[name]).max()


@pytest.mark.parametrize("rows", [apart, lambda golden: in_one_row(apart(golden))])
def test_loss_and_gradients_equal_hugging_faces(model, golden, rows):
    weights = list(mapping.weights(model.config, model.heads))
    variables = [mapping.variable(model, weight).value for weight in weights]
    with tf.GradientTape() as tape:
        value = loss(model, rows(golden), golden)
    assert abs(value.numpy() / golden["loss"] - 1) <= 1e-5
    gradients = [tf.convert_to_tensor(g).numpy() for g in tape.gradient(value, variables)]
    largest = max(np.abs(gradient).max() for gradient in gradients)
    for weight, found in zip(weights, gradients, strict=True):
        names = [f"gradient/{name}" for name in weight.names_in("huggingface")]
        expected = golden[next(name for name in names if name in golden)]
        expected = expected.T if "huggingface" in weight.transposed_in else expected
        # That of a key's bias is zero but for rounding: a softmax does not see it.
        scale = largest if weight.ours.endswith("key/bias") else np.abs(expected).max()
        assert np.abs(found - expected).max() <= 1e-5 * scale, weight.ours


def test_the_output_embedding_is_the_word_embedding(model):
    words = [v for v in model.trainable_variables if v.shape[0] == model.config.vocab_size]
    assert [v.path for v in words] == ["embeddings/word/embeddings", "masked_lm/bias"]


def test_without_the_sentence_head():
    model = BertPretrainer(SMALL, sentence_head=False)
    assert set(model(masked_inputs(2))) == {"token_logits"}
    assert not any(v.path.startswith("pooler") for v in model.trainable_variables)
    assert model.heads == {"masked_lm": {}}


def test_no_masked_token_at_all():
    inputs = masked_inputs(2)
    outputs = BertPretrainer(SMALL)(inputs | {"masked": np.zeros_like(inputs["masked"])})
    assert outputs["token_logits"].shape == (0, 20)
    assert outputs["sentence_logits"].shape == (2, 2)


def test_logits_are_float32_under_bfloat16():
    model = BertPretrainer(SMALL, dtype="mixed_bfloat16")
    for output in model(masked_inputs(2)).values():
        assert keras.backend.standardize_dtype(output.dtype) == "float32"
    assert model.encoder.compute_dtype == "bfloat16"


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("sentence_head", [True, False])
def test_keras_file_round_trip(tmp_path, dtype, sentence_head):
    model = BertPretrainer(SMALL, sentence_head, dtype=dtype)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again) is BertPretrainer and type(again.encoder) is BertEncoder
    assert again.get_config() == model.get_config()
    ours, theirs = again(masked_inputs(3)), model(masked_inputs(3))
    for name in theirs:
        np.testing.assert_array_equal(numbers(ours[name]), numbers(theirs[name]))


def test_the_heads_of_an_encoders_folder_are_new(tmp_path, caplog):
    write_huggingface(BertEncoder(SMALL), tmp_path)
    assert not BertPretrainer.from_pretrained(tmp_path).sentence_head
    model = BertPretrainer.from_pretrained(tmp_path, sentence_head=True)
    assert model(masked_inputs(2))["sentence_logits"].shape == (2, 2)
    assert "Newly made: masked_lm/dense/kernel, " in caplog.text


def test_a_classifier_starts_from_a_pretrainers_folder(tmp_path):
    model = BertPretrainer(SMALL)
    write_huggingface(model, tmp_path)
    classifier = BertClassifier.from_pretrained(tmp_path, num_classes=3)
    for ours, theirs in zip(classifier.encoder.weights, model.encoder.weights, strict=True):
        np.testing.assert_array_equal(numbers(ours), numbers(theirs))
    report = load_weights(classifier, tmp_path)
    assert {name.split(".")[0] for name in report.left_over} == {"cls"}
