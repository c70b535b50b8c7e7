"""Hugging Face's layout: what is read, what is written, what is refused."""

import json
import pathlib
import shutil
import struct

import keras
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from bert_keras.checkpoints.contents import from_model
from bert_keras.checkpoints.huggingface import write_huggingface
from bert_keras.checkpoints.load import contents_of, load_weights, open_checkpoint
from bert_keras.config import BertConfig
from bert_keras.errors import InputError
from bert_keras.models.classifier import BertClassifier
from bert_keras.models.encoder import BertEncoder
from bert_keras.models.pretrainer import BertPretrainer

GOLDEN = pathlib.Path(__file__).parents[1] / "golden/huggingface"


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(GOLDEN, tmp_path / "golden")
    return tmp_path / "golden"


def tensors_of(folder):
    return safetensors.numpy.load_file(folder / "model.safetensors")


def write(folder, tensors):
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")


def weights_of(model):
    return [keras.ops.convert_to_numpy(weight) for weight in model.trainable_weights]


def test_what_was_read_is_written_again_bit_for_bit(tmp_path):
    write_huggingface(BertClassifier.from_pretrained(GOLDEN), tmp_path)
    ours, theirs = tensors_of(tmp_path), tensors_of(GOLDEN)
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        np.testing.assert_array_equal(ours[name], tensor)


def test_an_encoder_is_written_as_a_bare_bert_model(tmp_path):
    write_huggingface(BertEncoder.from_pretrained(GOLDEN), tmp_path)
    expected = {name.removeprefix("bert.") for name in tensors_of(GOLDEN) if "bert." in name}
    assert tensors_of(tmp_path).keys() == expected
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["architectures"] == ["BertModel"] and "id2label" not in config


def test_names_of_2019_are_read(folder):
    def old(name):
        name = name.removeprefix("bert.")
        if "LayerNorm" in name:
            name = name.replace(".weight", ".gamma").replace(".bias", ".beta")
        return name

    write(folder, {old(name): tensor for name, tensor in tensors_of(folder).items()})
    assert any(name.endswith("LayerNorm.gamma") for name in open_checkpoint(folder).shapes)
    for ours, theirs in zip(
        weights_of(BertClassifier.from_pretrained(folder)),
        weights_of(BertClassifier.from_pretrained(GOLDEN)),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_is_read_as_float32(folder, dtype):
    write(folder, {name: tensor.astype(dtype) for name, tensor in tensors_of(folder).items()})
    for ours, theirs in zip(
        weights_of(BertEncoder.from_pretrained(folder)),
        weights_of(BertEncoder.from_pretrained(GOLDEN)),
        strict=True,
    ):
        assert ours.dtype == np.float32
        np.testing.assert_array_equal(ours, theirs.astype(dtype).astype(np.float32))


@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_other_dtypes_are_refused_by_name(folder, dtype):
    tensors = tensors_of(folder)
    tensors["bert.pooler.dense.bias"] = np.zeros(32, dtype)
    write(folder, tensors)
    with pytest.raises(InputError, match=r"bert\.pooler\.dense\.bias is [FI]64, expected one of"):
        BertEncoder.from_pretrained(folder)


def test_a_pickle_is_not_read(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"pytorch_model\.bin: not read, because it is a pickle"):
        open_checkpoint(folder)


def test_no_weights_at_all(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"model\.safetensors: expected the weights here"):
        open_checkpoint(folder)


def tensor(shape, start, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def file_of(header, data, length=None):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


BAD_FILES = {
    "empty": b"",
    "shorter than a header's length": b"abc",
    "no header": struct.pack("<Q", 100),
    "header beyond the file": file_of({"a": tensor([2], 0, 8)}, bytes(8), 4096),
    "header over 100 MB": file_of({"a": tensor([2], 0, 8)}, bytes(8), 100_000_001),
    "header of 2^63 bytes": file_of({"a": tensor([2], 0, 8)}, bytes(8), 1 << 63),
    "no JSON": file_of(b"not json", bytes(8)),
    "no UTF-8": file_of(b'{"\xff": 1}', bytes(8)),
    "no object": file_of(b"[1, 2]", b""),
    "nested without end": file_of(b'{"a":' * 100_000, b""),
    "a number for a tensor": file_of({"a": 5}, b""),
    "data cut short": file_of({"a": tensor([2], 0, 8)}, bytes(4)),
    "data left over": file_of({"a": tensor([2], 0, 8)}, bytes(12)),
    "overlap": file_of({"a": tensor([2], 0, 8), "b": tensor([2], 4, 12)}, bytes(12)),
    "the same bytes twice": file_of({"a": tensor([2], 0, 8), "b": tensor([2], 0, 8)}, bytes(8)),
    "a hole": file_of({"a": tensor([2], 0, 8), "b": tensor([2], 12, 20)}, bytes(20)),
    "starts outside": file_of({"a": tensor([2], 1 << 40, (1 << 40) + 8)}, bytes(8)),
    "ends before it starts": file_of({"a": tensor([2], 8, 0)}, bytes(8)),
    "more shape than bytes": file_of({"a": tensor([3], 0, 8)}, bytes(8)),
    "less shape than bytes": file_of({"a": tensor([1], 0, 8)}, bytes(8)),
    "wider dtype than bytes": file_of({"a": tensor([2], 0, 8, "F64")}, bytes(8)),
    "unknown dtype": file_of({"a": tensor([2], 0, 8, "F99")}, bytes(8)),
    "negative size": file_of({"a": tensor([-2], 0, 8)}, bytes(8)),
    "negative offset": file_of({"a": tensor([2], -8, 0)}, bytes(8)),
    "more elements than a number holds": file_of({"a": tensor([1 << 40] * 3, 0, 8)}, bytes(8)),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_header_is_refused_before_a_tensor_is_read(folder, kind):
    path = folder / "model.safetensors"
    path.write_bytes(BAD_FILES[kind])
    with pytest.raises(InputError) as caught:
        open_checkpoint(folder)
    assert str(caught.value).startswith(f"{path}: expected a safetensors file")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_refused_wherever_it_ends(folder, share):
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"model\.safetensors: expected a safetensors file"):
        BertClassifier.from_pretrained(folder)


def test_a_config_of_other_shapes_takes_no_memory(folder):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"vocab_size": 10**13}))  # a petabyte, were it made
    with pytest.raises(InputError, match=r"word_embeddings.*\[100, 32\].*\[10000000000000, 32\]"):
        BertEncoder.from_pretrained(folder)
    path.write_text(json.dumps(config | {"num_hidden_layers": 10**9}))
    with pytest.raises(InputError, match=r"expected a tensor encoder\.layer\.2\."):
        BertEncoder.from_pretrained(folder)


def test_sinusoidal_positions_cannot_be_written(tmp_path):
    config = BertConfig.from_size("tiny", vocab_size=9, position_embedding_type="sinusoidal")
    with pytest.raises(InputError, match="no sinusoidal positions"):
        write_huggingface(BertEncoder(config), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_an_interrupted_write_leaves_what_was_there(folder, monkeypatch):
    before = (folder / "model.safetensors").read_bytes()
    model = BertEncoder.from_pretrained(folder)

    def full(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="disk full"):
        write_huggingface(model, folder)
    assert (folder / "model.safetensors").read_bytes() == before
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors"}


def test_transformers_loads_what_we_write(tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    config = BertConfig.from_size("tiny", vocab_size=50, initializer_range=0.2)
    tokens = np.random.default_rng(1).integers(0, 50, (3, 7)).astype("int32")
    ours = {
        "token_ids": tokens,
        "segment_ids": np.zeros_like(tokens),
        "position_ids": np.tile(np.arange(7, dtype="int32"), (3, 1)),
        "example_ids": np.ones_like(tokens),
    }
    model = BertClassifier(config, 3)
    write_huggingface(model, tmp_path / "classifier", labels=["a", "b", "c"])
    write_huggingface(model.encoder, tmp_path / "encoder")
    with torch.no_grad():
        classifier = transformers.BertForSequenceClassification.from_pretrained(
            tmp_path / "classifier"
        )
        logits = classifier.eval()(torch.tensor(tokens, dtype=torch.long)).logits
        encoder = transformers.BertModel.from_pretrained(tmp_path / "encoder")
        pooled = encoder.eval()(torch.tensor(tokens, dtype=torch.long)).pooler_output
    assert classifier.config.id2label == {0: "a", 1: "b", 2: "c"}
    our_logits = keras.ops.convert_to_numpy(model(ours))
    assert np.abs(our_logits - logits.numpy()).max() <= 1e-5
    our_pooled = keras.ops.convert_to_numpy(model.encoder(ours)["pooled_output"])
    assert np.abs(our_pooled - pooled.numpy()).max() <= 1e-5


def test_load_weights_takes_a_string_too(folder):
    model = BertEncoder(BertConfig.from_file(folder / "config.json"))
    assert len(load_weights(model, str(folder)).loaded) == 5 + 2 * 16 + 2


@pytest.mark.parametrize("sentence_head", [True, False])
def test_transformers_loads_a_pretrainer(tmp_path, sentence_head):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    config = BertConfig.from_size("tiny", vocab_size=50, initializer_range=0.2)
    random = np.random.default_rng(1)
    lengths = np.array([9, 3, 6])
    real = (np.arange(9) < lengths[:, None]).astype("int32")
    ours = {
        "token_ids": random.integers(0, 50, real.shape).astype("int32") * real,
        "segment_ids": (random.random(real.shape) < 0.5).astype("int32") * real,
        "position_ids": np.tile(np.arange(9, dtype="int32"), (3, 1)),
        "example_ids": real,
        "masked": (random.random(real.shape) < 0.5).astype("int32") * real,
    }
    model = BertPretrainer(config, sentence_head)
    model.get_layer("masked_lm").bias.assign(random.normal(size=50))
    write_huggingface(model, tmp_path)
    kind = transformers.BertForPreTraining if sentence_head else transformers.BertForMaskedLM
    theirs, info = kind.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"]
    with torch.no_grad():
        outputs = theirs.eval()(
            input_ids=torch.tensor(ours["token_ids"]).long(),
            token_type_ids=torch.tensor(ours["segment_ids"]).long(),
            attention_mask=torch.tensor(real).long(),
        )
    our_outputs = {name: keras.ops.convert_to_numpy(v) for name, v in model(ours).items()}
    words = (outputs.prediction_logits if sentence_head else outputs.logits).numpy()
    assert np.abs(our_outputs["token_logits"] - words[ours["masked"] > 0]).max() <= 1e-5
    if sentence_head:
        sentences = outputs.seq_relationship_logits.numpy()
        assert np.abs(our_outputs["sentence_logits"] - sentences).max() <= 1e-5
    theirs.save_pretrained(tmp_path / "again")
    with open_checkpoint(tmp_path / "again") as checkpoint:
        again = contents_of(checkpoint)
    assert again.heads == model.heads
    for weight, value in from_model(model).weights():
        if sentence_head or weight.part != "pooler":  # BertForMaskedLM has none
            np.testing.assert_array_equal(again.values[weight.ours], value)


def test_a_pretrainer_is_written_under_transformers_names(tmp_path):
    golden = GOLDEN.parent / "pretraining"
    write_huggingface(BertPretrainer.from_pretrained(golden), tmp_path)
    ours, theirs = tensors_of(tmp_path), tensors_of(golden)
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        np.testing.assert_array_equal(ours[name], tensor)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["architectures"] == ["BertForPreTraining"]


def test_a_second_copy_of_the_word_embedding_must_be_the_same(tmp_path):
    shutil.copytree(GOLDEN.parent / "pretraining", tmp_path / "golden")
    tensors = tensors_of(tmp_path / "golden")
    words = "bert.embeddings.word_embeddings.weight"
    twice = {
        "cls.predictions.decoder.weight": tensors[words],
        "cls.predictions.decoder.bias": tensors["cls.predictions.bias"],
    }
    write(tmp_path / "golden", tensors | twice)
    model = BertPretrainer.from_pretrained(tmp_path / "golden")
    assert load_weights(model, tmp_path / "golden").left_over == ()
    twice["cls.predictions.decoder.weight"] = tensors[words] + 1
    write(tmp_path / "golden", tensors | twice)
    with pytest.raises(InputError, match=r"decoder\.weight differs from bert\.embeddings\.word"):
        BertPretrainer.from_pretrained(tmp_path / "golden")
    assert len(load_weights(BertEncoder(model.config), tmp_path / "golden").loaded) == 5 + 16 + 2
