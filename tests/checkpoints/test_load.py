"""What loading reports and what it refuses."""

import pathlib
import shutil

import keras
import numpy as np
import pytest
import safetensors.numpy

import bert_keras
from bert_keras.checkpoints.huggingface import write_huggingface
from bert_keras.checkpoints.load import check_vocabulary, load_weights, open_checkpoint
from bert_keras.config import BertConfig
from bert_keras.errors import InputError
from bert_keras.models.classifier import BertClassifier
from bert_keras.models.encoder import BertEncoder

GOLDEN = pathlib.Path(__file__).parents[1] / "golden/huggingface"
CONFIG = BertConfig.from_file(GOLDEN / "config.json")


@pytest.fixture
def change(tmp_path):
    """Copies the golden folder with other tensors; a value of None leaves one out."""

    def changed(**tensors):
        folder = tmp_path / "changed"
        shutil.copytree(GOLDEN, folder)
        kept = safetensors.numpy.load_file(folder / "model.safetensors")
        kept |= {name.replace("__", "."): value for name, value in tensors.items()}
        kept = {name: value for name, value in kept.items() if value is not None}
        safetensors.numpy.save_file(kept, folder / "model.safetensors")
        return folder

    return changed


def test_the_report_names_everything(change):
    folder = change(
        embeddings__position_ids=np.arange(48),
        bert__pooler__dense__weight=None,
        bert__pooler__dense__bias=None,
    )
    encoder = BertEncoder(CONFIG)
    report = load_weights(encoder, folder)
    paths = {weight.path for weight in encoder.trainable_weights}
    assert set(report.loaded) == {path for path in paths if not path.startswith("pooler/")}
    assert report.left_over == ("classifier.bias", "classifier.weight", "embeddings.position_ids")
    assert report.newly_made == ("pooler/dense/kernel", "pooler/dense/bias")
    assert str(report).splitlines() == [
        f"{folder / 'model.safetensors'}: 37 tensors loaded.",
        "  Left over in the file: classifier.bias, classifier.weight, embeddings.position_ids.",
        "  Newly made: pooler/dense/kernel, pooler/dense/bias.",
    ]


def test_a_missing_tensor_of_the_encoder_is_no_secret(change):
    folder = change(bert__encoder__layer__1__output__dense__bias=None)
    with pytest.raises(InputError, match=r"expected a tensor encoder\.layer\.1\.output\.dense\."):
        BertEncoder.from_pretrained(folder)


def test_half_a_pooler_is_refused(change):
    folder = change(bert__pooler__dense__bias=None)
    with pytest.raises(InputError, match=r"pooler\.dense\.weight and not the rest of the pooler"):
        BertEncoder.from_pretrained(folder)


def test_a_shape_that_does_not_fit_changes_nothing(change):
    folder = change(bert__encoder__layer__1__output__dense__bias=np.zeros(33, "float32"))
    model = BertClassifier(CONFIG, 3)
    before = [keras.ops.convert_to_numpy(weight) for weight in model.weights]
    with pytest.raises(InputError, match=r"layer\.1\.output\.dense\.bias.*\[33\].*\[32\]"):
        load_weights(model, folder)
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, keras.ops.convert_to_numpy(new))


def test_a_model_of_other_numbers_is_refused():
    other = BertEncoder(BertConfig.from_dict(CONFIG.to_dict() | {"intermediate_size": 48}))
    with pytest.raises(InputError, match=r"intermediate\.dense\.weight.*\[64, 32\].*\[48, 32\]"):
        load_weights(other, GOLDEN)


@pytest.mark.parametrize("name", ["BertClassifier", "BertTokenClassifier"])
def test_the_advice_for_another_number_of_classes_can_be_followed(tmp_path, name):
    model = getattr(bert_keras, name)(CONFIG, 3)
    write_huggingface(model, tmp_path)
    with pytest.raises(InputError, match="has 3 classes and 5 were requested") as caught:
        getattr(bert_keras, name).from_pretrained(tmp_path, num_classes=5)
    _, advice = str(caught.value).split("To load the encoder without the classifier: ")
    lines, config = advice.removesuffix(".").split("; where ")
    scope = {"bert_keras": bert_keras}
    exec("\n".join([config, *lines.split("; ")]), scope)
    new = scope["model"]
    assert new.num_classes == 5
    for ours, theirs in zip(new.encoder.weights, model.encoder.weights, strict=True):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(ours), keras.ops.convert_to_numpy(theirs)
        )


def test_the_layout_is_that_of_the_weights(tmp_path):
    """Folders of Google's weights sometimes bring Hugging Face's config along."""
    shutil.copy(GOLDEN / "config.json", tmp_path / "config.json")
    shutil.copy(GOLDEN / "config.json", tmp_path / "bert_config.json")
    with pytest.raises(InputError, match=r"bert_model\.ckpt\.index: expected a checkpoint"):
        open_checkpoint(tmp_path)
    shutil.copy(GOLDEN / "model.safetensors", tmp_path / "model.safetensors")
    assert open_checkpoint(tmp_path).layout == "huggingface"


def test_a_folder_of_neither_layout(tmp_path):
    with pytest.raises(InputError, match=r"expected config\.json .* or bert_config\.json"):
        open_checkpoint(tmp_path)
    with pytest.raises(InputError, match="nowhere: expected a folder, found nothing"):
        open_checkpoint(tmp_path / "nowhere")


def test_a_vocabulary_of_another_size_is_refused():
    class Tokenizer:
        vocabulary = ("a",) * 99

    check_vocabulary(["a"] * 100, CONFIG, "here")
    with pytest.raises(InputError, match=r"here: the vocabulary has 101 tokens and .* 100"):
        check_vocabulary(["a"] * 101, CONFIG, "here")
    with pytest.raises(InputError, match=r"here: the vocabulary has 99 tokens and .* 100"):
        check_vocabulary(Tokenizer(), CONFIG, "here")
