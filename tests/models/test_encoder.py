"""The encoder against Hugging Face's, and its life as a Keras model."""

import pathlib

import keras
import numpy as np
import pytest

from bert_keras.checkpoints.load import load_weights
from bert_keras.config import BertConfig
from bert_keras.models.encoder import BertEncoder

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
SMALL = BertConfig(
    vocab_size=20,
    hidden_size=8,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=16,
    max_position_embeddings=12,
    initializer_range=0.3,
)


def numbers(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def apart(arrays):
    """The golden inputs under our names: one example a row, padded."""
    mask = arrays["attention_mask"].astype("int32")
    return {
        "token_ids": arrays["input_ids"].astype("int32"),
        "segment_ids": arrays["token_type_ids"].astype("int32"),
        "position_ids": np.tile(np.arange(mask.shape[1], dtype="int32"), (len(mask), 1)),
        "example_ids": mask,
    }


def packed(inputs, rows, length):
    """The same examples with several to a row; `rows` says which go into each."""
    out = {name: np.zeros((len(rows), length), "int32") for name in inputs}
    for row, examples in enumerate(rows):
        end = 0
        for number, example in enumerate(examples, 1):
            real = inputs["example_ids"][example] > 0
            here = slice(end, end + real.sum())
            for name, values in inputs.items():
                out[name][row, here] = values[example, real]
            out["example_ids"][row, here] = number
            end = here.stop
    return out


@pytest.fixture(scope="module")
def golden():
    return np.load(GOLDEN / "outputs.npz")


@pytest.fixture(scope="module")
def encoder():
    encoder = BertEncoder(BertConfig.from_file(GOLDEN / "huggingface/config.json"))
    load_weights(encoder, GOLDEN / "huggingface")
    return encoder


def test_outputs_equal_hugging_faces(encoder, golden):
    outputs = encoder(apart(golden))
    real = golden["attention_mask"] > 0
    difference = np.abs(numbers(outputs["sequence_output"]) - golden["sequence_output"])
    assert difference[real].max() <= 1e-5
    assert np.abs(numbers(outputs["pooled_output"]) - golden["pooled_output"]).max() <= 1e-5


def test_the_golden_arrays_notice_segments_masks_and_positions(encoder, golden):
    """They would be no proof of what they do not depend on."""
    real = golden["attention_mask"] > 0
    for name, values in (
        ("segment_ids", np.zeros_like(real, "int32")),
        ("position_ids", np.zeros_like(real, "int32")),
        ("example_ids", np.ones_like(real, "int32")),
    ):
        outputs = encoder(apart(golden) | {name: values})
        difference = np.abs(numbers(outputs["sequence_output"]) - golden["sequence_output"])
        assert difference[real].max() > 0.01, name


def test_tanh_gelu_equals_hugging_faces(golden):
    config = BertConfig.from_file(GOLDEN / "huggingface/config.json").to_dict()
    encoder = BertEncoder(BertConfig.from_dict(config | {"hidden_act": "gelu_new"}))
    load_weights(encoder, GOLDEN / "huggingface")
    outputs = encoder(apart(golden))
    real = golden["attention_mask"] > 0
    difference = np.abs(numbers(outputs["sequence_output"]) - golden["tanh_sequence_output"])
    assert difference[real].max() <= 1e-5
    assert np.abs(golden["tanh_sequence_output"] - golden["sequence_output"])[real].max() > 1e-4


@pytest.mark.parametrize("rows", [[[0, 1, 2, 3]], [[2, 0], [], [3, 1]], [[3], [2], [1], [0]]])
def test_packed_rows_equal_the_same_examples_run_apart(encoder, golden, rows):
    inputs = packed(apart(golden), rows, length=25)
    outputs = encoder(inputs)
    order = [example for row in rows for example in row]
    pooled = numbers(outputs["pooled_output"])
    assert pooled.shape == (4, 32)
    assert np.abs(pooled - golden["pooled_output"][order]).max() <= 1e-5
    sequence = numbers(outputs["sequence_output"])[inputs["example_ids"] > 0]
    expected = [
        golden["sequence_output"][example][golden["attention_mask"][example] > 0]
        for example in order
    ]
    assert np.abs(sequence - np.concatenate(expected)).max() <= 1e-5


def test_bfloat16_is_near(golden):
    mixed = BertEncoder.from_pretrained(GOLDEN / "huggingface", dtype="mixed_bfloat16")
    outputs = mixed(apart(golden))
    dtypes = [outputs[name].dtype for name in ("sequence_output", "pooled_output")]
    assert dtypes == ["float32", "bfloat16"]
    assert {weight.dtype for weight in mixed.trainable_weights} == {"float32"}
    real = golden["attention_mask"] > 0
    difference = np.abs(numbers(outputs["sequence_output"]) - golden["sequence_output"])[real]
    assert difference.max() < 0.15 and difference.mean() < 0.02


def test_what_padding_holds_changes_nothing(encoder, golden):
    inputs = apart(golden)
    real = inputs["example_ids"] > 0
    other = {
        name: np.where(real, values, 1 if name != "example_ids" else 0).astype("int32")
        for name, values in inputs.items()
    }
    for name in ("sequence_output", "pooled_output"):
        where = real if name == "sequence_output" else slice(None)
        np.testing.assert_allclose(
            numbers(encoder(inputs)[name])[where], numbers(encoder(other)[name])[where], atol=1e-6
        )


def test_equal_outputs_as_transformers_live(tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    config = BertConfig.from_size("tiny", vocab_size=50, max_position_embeddings=16)
    torch.manual_seed(1)
    theirs = transformers.BertModel(
        transformers.BertConfig(**config.to_dict(), attn_implementation="eager")
    ).eval()
    with torch.no_grad():
        for weight in theirs.parameters():
            weight.add_(0.1 * torch.randn(weight.shape))
    random = np.random.default_rng(1)
    mask = (np.arange(9) < np.array([9, 3, 6])[:, None]).astype("int64")
    inputs = {
        "input_ids": random.integers(0, 50, mask.shape),
        "attention_mask": mask,
        "token_type_ids": random.integers(0, 2, mask.shape),
    }
    with torch.no_grad():
        expected = theirs(**{name: torch.tensor(value) for name, value in inputs.items()})
    theirs.save_pretrained(tmp_path)
    outputs = BertEncoder.from_pretrained(tmp_path)(apart(inputs))
    difference = numbers(outputs["sequence_output"]) - expected.last_hidden_state.numpy()
    assert np.abs(difference)[mask > 0].max() <= 1e-5
    difference = numbers(outputs["pooled_output"]) - expected.pooler_output.numpy()
    assert np.abs(difference).max() <= 1e-5


@pytest.mark.parametrize("positions", ["absolute", "sinusoidal"])
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_keras_file_round_trip(tmp_path, golden, positions, dtype):
    config = BertConfig.from_dict(SMALL.to_dict() | {"position_embedding_type": positions})
    encoder = BertEncoder(config, dtype=dtype)
    encoder.save(tmp_path / "encoder.keras")
    again = keras.saving.load_model(tmp_path / "encoder.keras")
    assert type(again) is BertEncoder
    assert again.config == config and again.dtype_policy.name == dtype
    inputs = apart(golden)
    inputs["token_ids"] %= 20
    for name, found in again(inputs).items():
        np.testing.assert_array_equal(numbers(found), numbers(encoder(inputs)[name]))


def test_config_round_trip():
    encoder = BertEncoder(SMALL, dtype="mixed_bfloat16", name="mine", trainable=False)
    again = BertEncoder.from_config(encoder.get_config())
    assert again.get_config() == encoder.get_config()
    assert again.trainable_weights == []


def test_a_seed_repeats_weights_and_dropout(golden):
    inputs = apart(golden)
    inputs["token_ids"] %= 20
    runs = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        encoder = BertEncoder(SMALL)
        runs.append(numbers(encoder(inputs, training=True)["sequence_output"]))
    np.testing.assert_array_equal(runs[0], runs[1])
    assert np.abs(runs[0] - runs[2]).max() > 0.1


def test_an_empty_batch(encoder):
    nothing = {name: np.zeros((0, 5), "int32") for name in encoder.input}
    outputs = encoder(nothing)
    assert outputs["sequence_output"].shape == (0, 5, 32)
    assert outputs["pooled_output"].shape == (0, 32)
