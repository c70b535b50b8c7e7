"""The token classifier: its head, and whose head a folder holds."""

import json

import keras
import numpy as np
import pytest
from small import SMALL, numbers, some_inputs

from bert_keras.checkpoints.convert import convert
from bert_keras.checkpoints.huggingface import write_huggingface
from bert_keras.checkpoints.load import load_weights
from bert_keras.errors import InputError
from bert_keras.models.classifier import BertClassifier
from bert_keras.models.encoder import BertEncoder
from bert_keras.models.token_classifier import BertTokenClassifier


def edit_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_each_token_has_its_logits():
    model = BertTokenClassifier(SMALL, 5)
    inputs = some_inputs(2)
    vectors = numbers(model.encoder(inputs)["sequence_output"])
    kernel, bias = (numbers(weight) for weight in model.get_layer("token_classifier").weights)
    np.testing.assert_allclose(numbers(model(inputs)), vectors @ kernel + bias, atol=1e-5)
    assert not any("pooler" in weight.path for weight in model.trainable_variables)


def test_logits_are_float32_under_bfloat16():
    model = BertTokenClassifier(SMALL, 3, dtype="mixed_bfloat16")
    assert keras.backend.standardize_dtype(model(some_inputs(2)).dtype) == "float32"
    assert model.encoder.compute_dtype == "bfloat16"


def test_dropout_is_the_configs_unless_given():
    assert BertTokenClassifier(SMALL, 2).get_layer("dropout").rate == 0.1
    assert BertTokenClassifier(SMALL, 2, dropout=0.0).get_layer("dropout").rate == 0


def test_keras_file_round_trip(tmp_path):
    model = BertTokenClassifier(SMALL, 4, dropout=0.3, dtype="mixed_bfloat16")
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again) is BertTokenClassifier
    assert again.get_config() == model.get_config()
    np.testing.assert_array_equal(numbers(again(some_inputs(3))), numbers(model(some_inputs(3))))


@pytest.mark.parametrize("layout", ["huggingface", "google"])
def test_a_folder_brings_its_head_in_every_layout(tmp_path, layout):
    model = BertTokenClassifier(SMALL, 3)
    write_huggingface(model, tmp_path / "one", labels=["O", "B-x", "I-x"])
    convert(tmp_path / "one", tmp_path / "two", layout)
    convert(tmp_path / "two", tmp_path / "three")
    for folder in ("one", "two", "three"):
        again = BertTokenClassifier.from_pretrained(tmp_path / folder)
        np.testing.assert_allclose(
            numbers(again(some_inputs(2))), numbers(model(some_inputs(2))), atol=3e-3
        )  # Google's layout has another GELU
    config = json.loads((tmp_path / "three" / "config.json").read_text())
    assert config["architectures"] == ["BertForTokenClassification"]


def test_a_classifier_of_texts_does_not_take_it_for_its_own(tmp_path, caplog):
    write_huggingface(BertTokenClassifier(SMALL, 3), tmp_path)
    with pytest.raises(InputError, match="holds no head of a BertClassifier, so num_classes must"):
        BertClassifier.from_pretrained(tmp_path)
    BertClassifier.from_pretrained(tmp_path, num_classes=3)
    told = caplog.text
    assert "Left over in the file: classifier.bias, classifier.weight." in told
    assert "Newly made: classifier/kernel, classifier/bias." in told


@pytest.mark.parametrize("architectures", [["BertForSequenceClassification"], None])
def test_nor_does_it_take_another_ones(tmp_path, architectures):
    write_huggingface(BertClassifier(SMALL, 3), tmp_path)
    edit_config(tmp_path, architectures=architectures)
    with pytest.raises(
        InputError, match="holds no head of a BertTokenClassifier, so num_classes must"
    ):
        BertTokenClassifier.from_pretrained(tmp_path)
    report = load_weights(BertTokenClassifier(SMALL, 3), tmp_path)
    assert report.left_over == ("classifier.bias", "classifier.weight")
    assert report.newly_made == ("token_classifier/kernel", "token_classifier/bias")


def test_a_head_of_another_width_is_refused(tmp_path):
    write_huggingface(BertTokenClassifier(SMALL, 3), tmp_path)
    with pytest.raises(InputError, match="its classifier has 3 classes and 5 were requested"):
        BertTokenClassifier.from_pretrained(tmp_path, num_classes=5)
    write_huggingface(BertEncoder(SMALL), tmp_path)
    assert BertTokenClassifier.from_pretrained(tmp_path, 5).num_classes == 5


def test_transformers_gives_the_same_logits(tmp_path):
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    model = BertTokenClassifier(SMALL, 3)
    labels = ["O", "B-x", "I-x"]
    write_huggingface(model, tmp_path, labels=labels)
    theirs = transformers.AutoModelForTokenClassification.from_pretrained(tmp_path)
    assert type(theirs).__name__ == "BertForTokenClassification"
    assert [theirs.config.id2label[i] for i in range(3)] == labels
    inputs = some_inputs(2)
    with torch.no_grad():
        logits = theirs(torch.tensor(inputs["token_ids"]).long()).logits.numpy()
    np.testing.assert_allclose(numbers(model(inputs)), logits, atol=1e-5)

    theirs.save_pretrained(tmp_path / "theirs")
    again = BertTokenClassifier.from_pretrained(tmp_path / "theirs")
    np.testing.assert_allclose(numbers(again(inputs)), logits, atol=1e-5)
