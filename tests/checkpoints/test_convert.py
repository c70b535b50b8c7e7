"""Whole checkpoints between layouts."""

import json
import types

import numpy as np
import pytest
import safetensors.numpy

from bert_keras.checkpoints.convert import convert, read_all
from bert_keras.checkpoints.huggingface import write_huggingface
from bert_keras.config import BertConfig
from bert_keras.errors import InputError
from bert_keras.models.encoder import BertEncoder
from bert_keras.models.pretrainer import BertPretrainer
from bert_keras.text.tokenizer import BertTokenizer

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcde"]
CONFIG = BertConfig(
    vocab_size=10,
    hidden_size=8,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=16,
    max_position_embeddings=12,
    hidden_act="gelu_new",
)


@pytest.fixture
def folder(tmp_path):
    write_huggingface(BertPretrainer(CONFIG), tmp_path / "old")
    BertTokenizer(VOCABULARY, lowercase=False, max_length=12).save(tmp_path / "old")
    return tmp_path / "old"


def change_config(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize("layout", ["huggingface", "google"])
def test_there_and_back_is_bit_equal(folder, tmp_path, layout):
    convert(folder, tmp_path / "there", layout)
    convert(tmp_path / "there", tmp_path / "back")
    (old, words, _), (new, words_too, _) = read_all(folder), read_all(tmp_path / "back")
    assert old.config == new.config and old.heads == new.heads
    assert old.values.keys() == new.values.keys()
    for name, value in old.values.items():
        np.testing.assert_array_equal(new.values[name], value)
    assert words.vocabulary == words_too.vocabulary
    assert not words_too.lowercase and words_too.max_length == 12
    assert {path.name for path in tmp_path.iterdir()} == {"old", "there", "back"}


def test_what_does_not_come_back(folder, tmp_path, caplog):
    """The exact GELU from neither, and the head for sentence pairs not from KerasHub's layout."""
    pytest.importorskip("keras_hub")
    change_config(folder, hidden_act="gelu")
    old = read_all(folder)[0]
    for layout in ("google", "keras_hub"):
        caplog.clear()
        convert(folder, tmp_path / layout, layout)
        convert(tmp_path / layout, tmp_path / f"from_{layout}")
        new, words, _ = read_all(tmp_path / f"from_{layout}")
        assert (old.config.hidden_act, new.config) == ("gelu", CONFIG)
        assert "The model has the exact GELU" in caplog.text
        lost = {"next_sentence"} if layout == "keras_hub" else set()
        assert old.heads.keys() - new.heads.keys() == lost
        assert ("left out: next_sentence" in caplog.text) == bool(lost)
        kept = [name for name in old.values if name.partition("/")[0] not in lost]
        assert list(new.values) == kept
        for name in kept:
            np.testing.assert_array_equal(new.values[name], old.values[name])
        assert words.vocabulary == VOCABULARY
        assert not words.lowercase and words.max_length == 12


def without_pooler(folder):
    path = folder / "model.safetensors"
    tensors = safetensors.numpy.load_file(path)
    kept = {name: value for name, value in tensors.items() if "pooler" not in name}
    safetensors.numpy.save_file(kept, path)


def test_a_pooler_that_is_not_there_is_not_made(folder, tmp_path):
    without_pooler(folder)
    assert "pooler/dense/kernel" not in convert(folder, tmp_path / "new", "google").values
    assert "pooler/dense/kernel" not in read_all(tmp_path / "new")[0].values


def test_a_pooler_that_keras_hub_makes_is_reported(folder, tmp_path, caplog):
    pytest.importorskip("keras_hub")
    without_pooler(folder)
    convert(folder, tmp_path / "new", "keras_hub")
    assert (
        "no pooler: the preset's is random, and will be read as if it were trained." in caplog.text
    )
    assert np.any(read_all(tmp_path / "new")[0].values["pooler/dense/kernel"])


def test_a_folder_with_content_is_left_alone(folder, tmp_path):
    (tmp_path / "new").mkdir()
    convert(folder, tmp_path / "new")  # an empty one will do
    before = sorted((tmp_path / "new").iterdir())
    with pytest.raises(InputError, match="new: expected a new folder, found a folder with content"):
        convert(folder, tmp_path / "new", "google")
    assert sorted((tmp_path / "new").iterdir()) == before


def test_a_write_that_fails_leaves_nothing(folder, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="disk full"):
        convert(folder, tmp_path / "new")
    assert {path.name for path in tmp_path.iterdir()} == {"old"}


def test_keras_hub_s_layout_on_a_full_disk(folder, tmp_path, monkeypatch):
    pytest.importorskip("keras_hub")
    free = types.SimpleNamespace(free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: free)
    with pytest.raises(OSError, match=f"No space left on device: '{tmp_path / 'new'}'"):
        convert(folder, tmp_path / "new", "keras_hub")
    assert {path.name for path in tmp_path.iterdir()} == {"old"}


def test_a_vocabulary_of_another_model_is_refused(folder, tmp_path):
    BertTokenizer([*VOCABULARY, "f"]).save(folder)
    with pytest.raises(InputError, match="the vocabulary has 11 tokens and the word embedding 10"):
        convert(folder, tmp_path / "new")


def test_an_unknown_layout_and_a_preset_without_vocabulary(tmp_path):
    write_huggingface(BertEncoder(CONFIG), tmp_path / "old")
    with pytest.raises(
        InputError, match="layout: expected huggingface, google or keras_hub, found 'onnx'"
    ):
        convert(tmp_path / "old", tmp_path / "new", "onnx")
    with pytest.raises(InputError, match="KerasHub's layout holds a vocabulary"):
        convert(tmp_path / "old", tmp_path / "new", "keras_hub")
    assert not (tmp_path / "new").exists()
