"""The config: published sizes, what is read, what is refused."""

import json

import pytest

from bert_keras.config import HIDDEN_ACTS, BertConfig, read_json
from bert_keras.errors import InputError


@pytest.mark.parametrize(
    ("size", "layers", "width", "heads", "intermediate"),
    [
        ("tiny", 2, 128, 2, 512),
        ("mini", 4, 256, 4, 1024),
        ("small", 4, 512, 8, 2048),
        ("medium", 8, 512, 8, 2048),
        ("base", 12, 768, 12, 3072),
        ("large", 24, 1024, 16, 4096),
    ],
)
def test_published_sizes(size, layers, width, heads, intermediate):
    config = BertConfig.from_size(size, vocab_size=21128)
    assert config == BertConfig(
        vocab_size=21128,
        num_hidden_layers=layers,
        hidden_size=width,
        num_attention_heads=heads,
        intermediate_size=intermediate,
    )


def test_the_defaults_are_bert_base():
    assert BertConfig() == BertConfig.from_size("base")


def test_a_size_that_nobody_published_is_refused():
    with pytest.raises(InputError, match="'huge', expected one of tiny, mini"):
        BertConfig.from_size("huge")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"hidden_size": 30, "num_attention_heads": 4}, "num_attention_heads is 4.*30"),
        ({"hidden_act": "gelo"}, "hidden_act is 'gelo'.*gelu"),
        ({"hidden_act": ["gelu"]}, "hidden_act"),
        ({"vocab_size": 0}, "vocab_size is 0"),
        ({"vocab_size": -3}, "vocab_size is -3"),
        ({"num_hidden_layers": 2.0}, "num_hidden_layers is 2.0"),
        ({"num_hidden_layers": True}, "num_hidden_layers is True"),
        ({"num_hidden_layers": None}, "num_hidden_layers is None"),
        ({"type_vocab_size": "2"}, "type_vocab_size is '2'"),
        ({"hidden_dropout_prob": 1.0}, "hidden_dropout_prob is 1.0"),
        ({"attention_probs_dropout_prob": -0.1}, "attention_probs_dropout_prob is -0.1"),
        ({"layer_norm_eps": float("nan")}, "layer_norm_eps is nan"),
        ({"initializer_range": float("inf")}, "initializer_range is inf"),
        ({"position_embedding_type": "relative_key"}, "'relative_key'.*absolute, sinusoidal"),
        (
            {
                "position_embedding_type": "sinusoidal",
                "hidden_size": 9,
                "num_attention_heads": 3,
            },
            "hidden_size is 9",
        ),
        ({"is_decoder": True}, "is_decoder is True"),
        ({"add_cross_attention": True}, "add_cross_attention is True"),
        ({"model_type": "roberta"}, "model_type is 'roberta'"),
        ({"pruned_heads": {"1": [0]}}, "pruned_heads"),
        ({"embedding_size": 128}, "embedding_size is 128"),
    ],
)
def test_what_cannot_be_is_refused_by_name_and_value(values, said):
    with pytest.raises(InputError, match=said):
        BertConfig.from_dict(values)


def test_other_libraries_keys_are_ignored():
    values = {
        "hidden_size": 24,
        "num_attention_heads": 3,
        "model_type": "bert",
        "is_decoder": False,
        "pruned_heads": {},
        "id2label": {"0": "no"},
        "pooler_type": "first_token_transform",
        "directionality": "bidi",
    }
    assert BertConfig.from_dict(values) == BertConfig(hidden_size=24, num_attention_heads=3)


def test_to_dict_and_back_through_json():
    config = BertConfig.from_size("mini", hidden_act="relu", position_embedding_type="sinusoidal")
    assert BertConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_every_activation_is_known_to_the_layers():
    from bert_keras.layers.feed_forward import ACTIVATIONS

    assert set(HIDDEN_ACTS) == set(ACTIVATIONS)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"vocab_size": 7}', encoding="utf-8-sig")
    assert BertConfig.from_file(path).vocab_size == 7


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "expected JSON"),
        (b"{", "expected JSON"),
        (b"\xff\xfe\x00", "expected JSON"),
        (b"[1]", "a list"),
        (b"[" * 100_000, "expected JSON"),
        (b'{"vocab_size": 0}', "vocab_size is 0"),
        (b" " * (1 << 20) + b"{}", "over 1 MB"),
    ],
)
def test_a_bad_file_is_named(tmp_path, content, said):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        BertConfig.from_file(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.json: cannot be read"):
        read_json(tmp_path / "nowhere.json")
