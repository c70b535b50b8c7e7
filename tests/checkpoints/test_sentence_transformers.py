import json

import pytest

from bert_keras.checkpoints.sentence_transformers import read_pooling, write_modules
from bert_keras.config import BertConfig
from bert_keras.errors import InputError
from bert_keras.models.embedder import BertEmbedder

CONFIG = BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=0, num_attention_heads=2)


@pytest.fixture
def write(tmp_path):
    """Writes modules.json and the pooling's settings."""

    def write(modules, settings, location="1_Pooling"):
        (tmp_path / location).mkdir(exist_ok=True)
        (tmp_path / location / "config.json").write_text(json.dumps(settings))
        paths = ["", location, "2_Normalize"]
        listed = [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.{module}"}
            for i, (module, path) in enumerate(zip(modules, paths, strict=False))
        ]
        (tmp_path / "modules.json").write_text(json.dumps(listed))
        return tmp_path

    return write


ALL = ["models.Transformer", "models.Pooling", "models.Normalize"]
NEW = ["base.modules.transformer.Transformer", "sentence_transformer.modules.pooling.Pooling"]


@pytest.mark.parametrize(
    ("modules", "settings", "expected"),
    [
        (
            ALL,
            {
                "word_embedding_dimension": 384,
                "pooling_mode_cls_token": False,
                "pooling_mode_mean_tokens": True,
                "pooling_mode_max_tokens": False,
                "pooling_mode_mean_sqrt_len_tokens": False,
                "include_prompt": True,
            },
            ("mean", True),
        ),
        (ALL[:2], {"pooling_mode_cls_token": True}, ("cls", False)),
        (NEW, {"embedding_dimension": 384, "pooling_mode": "max"}, ("max", False)),
        (NEW, {"pooling_mode": ["mean"]}, ("mean", False)),
    ],
)
def test_what_their_versions_write(write, modules, settings, expected):
    assert tuple(read_pooling(write(modules, settings)).values()) == expected


@pytest.mark.parametrize(
    ("modules", "settings", "pattern"),
    [
        (
            ALL[:2],
            {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True},
            r"1_Pooling/config\.json: expected one pooling of mean, cls and max, found \['cls', 'm",
        ),
        (ALL[:2], {"pooling_mode_lasttoken": True}, "found .'lasttoken'"),
        (ALL[:2], {}, r"found \[\]"),
        (NEW, {"pooling_mode": "lasttoken"}, "found .'lasttoken'"),
        (
            [*ALL[:2], "models.Dense"],
            {},
            "modules.json: expected the modules Transformer, Pooling and perhaps Normalize, found "
            "Transformer, Pooling, Dense",
        ),
    ],
)
def test_what_is_not_done(write, modules, settings, pattern):
    with pytest.raises(InputError, match=pattern):
        read_pooling(write(modules, settings))


def test_a_path_that_leads_out(write):
    with pytest.raises(InputError, match="the path of Pooling leads out of the folder"):
        read_pooling(write(ALL, {"pooling_mode": "mean"}, location="../1_Pooling"))


@pytest.mark.parametrize("content", ["", "{}x", "[1]", '[{"type": 3}]', "[" * 100_000])
def test_a_list_that_is_none(tmp_path, content):
    (tmp_path / "modules.json").write_text(content)
    with pytest.raises(InputError, match=r"modules\.json: expected the modules of sentence-trans"):
        read_pooling(tmp_path)


def test_what_is_written_is_what_they_read(tmp_path):
    write_modules(BertEmbedder(CONFIG, "cls"), tmp_path, 77)
    modules = json.loads((tmp_path / "modules.json").read_text())
    assert [module["type"].rpartition(".")[2] for module in modules] == [
        *("Transformer", "Pooling", "Normalize")
    ]
    assert [module["path"] for module in modules] == ["", "1_Pooling", "2_Normalize"]
    assert json.loads((tmp_path / "1_Pooling" / "config.json").read_text()) == {
        "word_embedding_dimension": 8,
        "pooling_mode_cls_token": True,
        "pooling_mode_mean_tokens": False,
        "pooling_mode_max_tokens": False,
    }
    settings = json.loads((tmp_path / "sentence_bert_config.json").read_text())
    assert settings["max_seq_length"] == 77
    assert read_pooling(tmp_path) == {"pooling": "cls", "normalize": True}


def test_an_entry_that_is_another_programs(tmp_path):
    (tmp_path / "config.json").write_text('{"embedding": "rotary"}')
    assert read_pooling(tmp_path) == {}
