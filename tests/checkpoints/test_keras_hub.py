"""KerasHub's layout: read from files made here, and written for KerasHub to load."""

import json

import h5py
import keras
import numpy as np
import pytest

from bert_keras.checkpoints import mapping
from bert_keras.checkpoints.contents import Contents, from_model
from bert_keras.checkpoints.convert import read_all
from bert_keras.checkpoints.keras_hub import write_keras_hub
from bert_keras.checkpoints.load import contents_of, load_weights, open_checkpoint
from bert_keras.config import BertConfig
from bert_keras.errors import InputError
from bert_keras.models.classifier import BertClassifier
from bert_keras.models.encoder import BertEncoder
from bert_keras.models.pretrainer import BertPretrainer
from bert_keras.text.tokenizer import BertTokenizer

CONFIG = BertConfig(
    vocab_size=20,
    hidden_size=8,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=16,
    max_position_embeddings=12,
    hidden_act="gelu_new",
)
PRESET = {
    "registered_name": "keras_hub>BertBackbone",
    "config": {
        "vocabulary_size": 20,
        "num_layers": 2,
        "num_heads": 2,
        "hidden_dim": 8,
        "intermediate_dim": 16,
        "dropout": 0.1,
        "max_sequence_length": 12,
        "num_segments": 2,
    },
}
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmno"]
INPUTS = {
    "token_ids": np.array([[2, 7, 8, 9, 4, 3], [2, 10, 4, 3, 0, 0]], "int32"),
    "segment_ids": np.array([[0, 0, 0, 1, 1, 1], [0, 1, 1, 1, 0, 0]], "int32"),
    "position_ids": np.tile(np.arange(6, dtype="int32"), (2, 1)),
    "example_ids": np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]], "int32"),
}


def to_numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def random_contents(config=CONFIG, heads=()):
    random = np.random.default_rng(1)
    heads = {head: {"num_classes": 3} if head == "classifier" else {} for head in heads}
    return Contents(
        config,
        heads,
        {
            weight.ours: (random.normal(size=weight.shape) * 0.3).astype("float32")
            for weight in mapping.weights(config, heads)
        },
    )


@pytest.fixture
def folder(tmp_path):
    """A preset of a masked language model as Keras 3.15 lays its files out."""
    (tmp_path / "config.json").write_text(json.dumps(PRESET))
    for name in ("model.weights.h5", "task.weights.h5"):
        with h5py.File(tmp_path / name, "w") as file:
            for weight, value in random_contents(heads=["masked_lm"]).weights():
                if weight.keras_hub.startswith(name):
                    location = weight.keras_hub.removeprefix(f"{name}/")
                    location = location.replace("transformer_encoder_0", "transformer_encoder")
                    if "/query_dense/" in location or "/key_dense/" in location:
                        value = value.reshape((*value.shape[:-1], 2, 4))
                    file[location] = value
    return tmp_path


def test_each_variable_takes_its_values(folder, caplog):
    model = BertPretrainer.from_pretrained(folder)
    assert [record.message for record in caplog.records if "exact GELU" in record.message] == [
        "The head of KerasHub's BertMaskedLM has the exact GELU and a LayerNorm epsilon of 1e-5, "
        "and ours both as the rest of the model: logits will differ by a few thousandths."
    ]
    caplog.clear()
    assert model.config == CONFIG and model.heads == {"masked_lm": {}}
    expected = random_contents(heads=["masked_lm"]).values
    for weight, found in from_model(model).weights():
        np.testing.assert_array_equal(found, expected[weight.ours])
    report = load_weights(model.encoder, folder)
    assert report.left_over[0] == "task.weights.h5/layers/masked_lm_head/_intermediate_dense/vars/0"
    assert not caplog.records  # that head is not read here


def test_a_preset_of_something_else_is_refused(folder):
    (folder / "config.json").write_text(json.dumps({"registered_name": "keras_hub>GemmaBackbone"}))
    with pytest.raises(InputError, match="preset of a BertBackbone, found 'keras_hub>GemmaBackbon"):
        open_checkpoint(folder)
    (folder / "config.json").write_text(json.dumps(PRESET | {"config": {"num_layers": 2}}))
    with pytest.raises(InputError, match="expected vocabulary_size in its config"):
        open_checkpoint(folder)


@pytest.mark.parametrize("content", [b"", b"garbage" * 99])
def test_a_file_that_is_no_hdf5(folder, content):
    (folder / "model.weights.h5").write_bytes(content)
    with pytest.raises(InputError, match=r"model\.weights\.h5: cannot be read as HDF5"):
        open_checkpoint(folder)


def test_a_file_cut_short(folder):
    path = folder / "model.weights.h5"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"model\.weights\.h5: "):
        BertEncoder.from_pretrained(folder)


def test_a_dataset_in_another_file_is_not_followed(folder, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"1234" * 8)
    with h5py.File(folder / "model.weights.h5", "r+") as file:
        del file["layers/dense/vars/1"]
        file.create_dataset("layers/dense/vars/1", (8,), "float32", external=[(str(secret), 0, 32)])
    with pytest.raises(InputError, match="layers/dense/vars/1 is in another file"):
        open_checkpoint(folder)


def test_a_dataset_that_claims_more_than_the_file_holds(folder):
    with h5py.File(folder / "model.weights.h5", "r+") as file:
        del file["layers/reversible_embedding/vars/0"]
        file.create_dataset(
            "layers/reversible_embedding/vars/0", (10**9, 8), "float32", chunks=(1024, 8)
        )
    with pytest.raises(InputError, match="its datasets claim 32000"):
        open_checkpoint(folder)


@pytest.mark.parametrize(
    "heads", [[], ["classifier"], ["masked_lm"], ["masked_lm", "next_sentence"]], ids=str
)
def test_what_is_written_is_read_again_bit_for_bit(tmp_path, heads, caplog):
    pytest.importorskip("keras_hub")
    contents = random_contents(heads=heads)
    write_keras_hub(contents, BertTokenizer(VOCABULARY, max_length=12), tmp_path)
    with open_checkpoint(tmp_path) as checkpoint:
        again = contents_of(checkpoint)
    kept = {head: sizes for head, sizes in contents.heads.items() if head != "next_sentence"}
    assert again.heads == kept and again.config == CONFIG
    assert again.values.keys() == {weight.ours for weight in mapping.weights(CONFIG, kept)}
    for name, value in again.values.items():
        np.testing.assert_array_equal(value, contents.values[name])
    assert ("left out: next_sentence" in caplog.text) == ("next_sentence" in heads)
    tokenizer = read_all(tmp_path)[1]
    assert tokenizer.vocabulary == VOCABULARY
    assert tokenizer.lowercase and tokenizer.max_length == 12


def test_keras_hub_computes_the_same(tmp_path):
    keras_hub = pytest.importorskip("keras_hub")
    tokenizer = BertTokenizer(VOCABULARY, max_length=12)
    theirs = {name: INPUTS[name] for name in ("token_ids", "segment_ids")}
    theirs["padding_mask"] = INPUTS["example_ids"]

    write_keras_hub(random_contents(), tokenizer, tmp_path / "encoder")
    expected = to_numpy(BertEncoder.from_pretrained(tmp_path / "encoder")(INPUTS)["pooled_output"])
    backbone = keras_hub.models.BertBackbone.from_preset(str(tmp_path / "encoder"))
    assert np.abs(to_numpy(backbone(theirs)["pooled_output"]) - expected).max() <= 1e-5

    write_keras_hub(random_contents(heads=["classifier"]), tokenizer, tmp_path / "classifier")
    expected = to_numpy(BertClassifier.from_pretrained(tmp_path / "classifier")(INPUTS))
    classifier = keras_hub.models.BertTextClassifier.from_preset(str(tmp_path / "classifier"))
    assert np.abs(to_numpy(classifier(theirs)) - expected).max() <= 1e-5
    assert to_numpy(classifier.preprocessor("É a")["token_ids"])[:4].tolist() == [2, 9, 5, 3]

    write_keras_hub(random_contents(heads=["masked_lm"]), tokenizer, tmp_path / "masked_lm")
    masked = (INPUTS["token_ids"] == 4).astype("int32")
    model = BertPretrainer.from_pretrained(tmp_path / "masked_lm")
    expected = to_numpy(model(INPUTS | {"masked": masked})["token_logits"])
    masked_lm = keras_hub.models.BertMaskedLM.from_preset(str(tmp_path / "masked_lm"))
    logits = to_numpy(masked_lm(theirs | {"mask_positions": np.array([[4], [2]], "int32")}))[:, 0]
    assert np.abs(logits - expected).max() <= 3e-3  # its head has the exact GELU


def test_what_keras_hub_cannot_compute(tmp_path, caplog):
    tokenizer = BertTokenizer(VOCABULARY)
    for values in ({"hidden_act": "relu"}, {"position_embedding_type": "sinusoidal"}):
        config = BertConfig.from_dict(CONFIG.to_dict() | values)
        with pytest.raises(InputError, match="KerasHub's BERT has learned positions and GELU"):
            write_keras_hub(random_contents(config), tokenizer, tmp_path / "new")
    pytest.importorskip("keras_hub")
    config = BertConfig.from_dict(CONFIG.to_dict() | {"hidden_act": "gelu"})
    write_keras_hub(random_contents(config), tokenizer, tmp_path)
    assert "exact GELU" in caplog.text
