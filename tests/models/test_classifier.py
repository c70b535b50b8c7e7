"""The classifier: its head, its training, its life as a Keras model."""

import dataclasses
import json
import pathlib

import keras
import numpy as np
import pytest
from small import SMALL, numbers, some_inputs

from bert_keras.checkpoints.huggingface import write_huggingface
from bert_keras.checkpoints.load import load_weights
from bert_keras.config import BertConfig
from bert_keras.errors import InputError
from bert_keras.models.classifier import BertClassifier
from bert_keras.models.encoder import BertEncoder

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


def test_logits_equal_hugging_faces():
    golden = np.load(GOLDEN / "outputs.npz")
    mask = golden["attention_mask"].astype("int32")
    model = BertClassifier.from_pretrained(GOLDEN / "huggingface")
    logits = model(
        {
            "token_ids": golden["input_ids"].astype("int32"),
            "segment_ids": golden["token_type_ids"].astype("int32"),
            "position_ids": np.tile(np.arange(mask.shape[1], dtype="int32"), (len(mask), 1)),
            "example_ids": mask,
        }
    )
    assert logits.shape == (4, 3)
    assert np.abs(numbers(logits) - golden["logits"]).max() <= 1e-5


def test_logits_are_float32_under_bfloat16():
    model = BertClassifier(SMALL, 3, dtype="mixed_bfloat16")
    assert keras.backend.standardize_dtype(model(some_inputs(2)).dtype) == "float32"
    assert model.encoder.compute_dtype == "bfloat16"


def test_dropout_is_the_configs_unless_given():
    assert BertClassifier(SMALL, 2).get_layer("dropout").rate == 0.1
    assert BertClassifier(SMALL, 2, dropout=0.0).get_layer("dropout").rate == 0
    model = BertClassifier(
        dataclasses.replace(SMALL, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0),
        2,
        dropout=0.5,
    )
    inputs = some_inputs(3)
    assert np.abs(numbers(model(inputs, training=True)) - numbers(model(inputs))).max() > 1e-4


def test_compile_and_fit_learn_with_sparse_labels():
    keras.utils.set_random_seed(1)
    inputs = some_inputs(64)
    labels = (inputs["token_ids"][:, 0] > 9).astype("int32")
    model = BertClassifier(SMALL, 2)
    model.compile(
        keras.optimizers.RMSprop(3e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    model.fit(inputs, labels, epochs=12, batch_size=16, verbose=0)
    logits = model.predict(inputs, batch_size=16, verbose=0)
    assert logits.shape == (64, 2)
    assert (logits.argmax(-1) == labels).mean() > 0.9


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_keras_file_round_trip(tmp_path, dtype, pooling):
    model = BertClassifier(SMALL, 4, dropout=0.3, pooling=pooling, dtype=dtype)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again) is BertClassifier and type(again.encoder) is BertEncoder
    assert again.get_config() == model.get_config()
    np.testing.assert_array_equal(numbers(again(some_inputs(3))), numbers(model(some_inputs(3))))


def test_the_head_of_an_encoders_folder_is_new(tmp_path, caplog):
    write_huggingface(BertEncoder(SMALL), tmp_path)
    model = BertClassifier.from_pretrained(tmp_path, num_classes=5)
    assert model(some_inputs(2)).shape == (2, 5)
    told = caplog.text
    assert "Newly made: classifier/kernel, classifier/bias." in told and "loaded" in told
    with pytest.raises(InputError, match="holds no head of a BertClassifier, so num_classes must"):
        BertClassifier.from_pretrained(tmp_path)


def test_a_classifiers_folder_brings_its_head(tmp_path):
    model = BertClassifier(SMALL, 3)
    write_huggingface(model, tmp_path)
    for num_classes in (None, 3):
        again = BertClassifier.from_pretrained(tmp_path, num_classes=num_classes)
        np.testing.assert_array_equal(
            numbers(again(some_inputs(2))), numbers(model(some_inputs(2)))
        )


def test_a_head_of_another_width_is_refused_and_its_encoder_still_of_use(tmp_path):
    write_huggingface(BertClassifier(SMALL, 3), tmp_path)
    with pytest.raises(InputError, match="has 3 classes and 2 were requested"):
        BertClassifier.from_pretrained(tmp_path, num_classes=2)
    model = BertClassifier(SMALL, 2)
    report = load_weights(model.encoder, tmp_path)
    assert report.left_over == ("classifier.bias", "classifier.weight")
    with pytest.raises(InputError, match=r"classifier\.weight.*\[3, 8\].*\[2, 8\]"):
        load_weights(model, tmp_path)


def test_labels_and_extra_entries_reach_the_config(tmp_path):
    write_huggingface(
        BertClassifier(SMALL, 2),
        tmp_path / "new",
        labels=["schlecht", "gut ✓"],
        extra={"problem_type": "single_label_classification"},
    )
    config = json.loads((tmp_path / "new/config.json").read_text(encoding="utf-8"))
    assert config["id2label"] == {"0": "schlecht", "1": "gut ✓"}
    assert config["label2id"] == {"schlecht": 0, "gut ✓": 1}
    assert config["problem_type"] == "single_label_classification"
    assert config["architectures"] == ["BertForSequenceClassification"]
    assert BertConfig.from_file(tmp_path / "new/config.json") == SMALL


def test_the_head_may_be_on_the_mean_of_the_tokens():
    inputs = some_inputs(2) | {"example_ids": np.array([[1, 1, 2, 2, 2, 0], [1] * 6], "int32")}
    model = BertClassifier(SMALL, 3, pooling="mean")
    vectors = numbers(model.encoder(inputs)["sequence_output"])
    means = np.stack([vectors[0, :2].mean(0), vectors[0, 2:5].mean(0), vectors[1].mean(0)])
    kernel, bias = (numbers(weight) for weight in model.get_layer("mean_classifier").weights)
    np.testing.assert_allclose(numbers(model(inputs)), means @ kernel + bias, atol=1e-5)
    assert not any("pooler" in weight.path for weight in model.trainable_variables)
    with pytest.raises(InputError, match="pooling: expected one of cls, mean, found 'max'"):
        BertClassifier(SMALL, 3, pooling="max")


def test_a_head_on_the_mean_is_not_taken_for_one_on_cls(tmp_path):
    model = BertClassifier(SMALL, 3, pooling="mean")
    write_huggingface(model, tmp_path)
    again = BertClassifier.from_pretrained(tmp_path)
    assert again.pooling == "mean"
    np.testing.assert_array_equal(numbers(again(some_inputs(2))), numbers(model(some_inputs(2))))
    with pytest.raises(InputError, match="is on the pooling 'mean' and 'cls' was requested"):
        BertClassifier.from_pretrained(tmp_path, pooling="cls")
    # No library that knows one kind of head alone finds it here.
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["BertModel"]
    report = load_weights(BertClassifier(SMALL, 3), tmp_path)
    assert report.newly_made == ("classifier/kernel", "classifier/bias")
    assert report.left_over == ("mean_classifier.bias", "mean_classifier.weight")
