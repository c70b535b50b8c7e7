import json

import pytest

from bert_keras.errors import InputError
from bert_keras.text.tokenizer import BertTokenizer

UNCASED = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "word", "##s"]
CASED = [*UNCASED, "Word"]


def folder_of(path, tokens=UNCASED, **configs):
    (path / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8")
    for name, config in configs.items():
        text = config if isinstance(config, str) else json.dumps(config)
        (path / f"{name}.json").write_text(text, encoding="utf-8")
    return path


def test_google_layout_guesses_casing_and_takes_the_models_length(tmp_path):
    folder_of(tmp_path, bert_config={"max_position_embeddings": 16})
    tokenizer = BertTokenizer.from_pretrained(tmp_path)
    assert (tokenizer.lowercase, tokenizer.max_length) == (True, 16)
    assert not BertTokenizer.from_pretrained(folder_of(tmp_path, CASED)).lowercase


def test_hugging_face_layout(tmp_path):
    config = {
        "do_lower_case": True,
        "strip_accents": None,
        "tokenize_chinese_chars": True,
        "model_max_length": 128,
        "mask_token": {"content": "[MASK]", "lstrip": False},
        "tokenizer_class": "BertTokenizer",
    }
    folder_of(tmp_path, CASED, tokenizer_config=config, config={"max_position_embeddings": 512})
    tokenizer = BertTokenizer.from_pretrained(str(tmp_path))
    assert (tokenizer.lowercase, tokenizer.max_length) == (True, 128)
    assert not tokenizer.protect_special_tokens


def test_arguments_take_precedence(tmp_path):
    tokenizer = BertTokenizer.from_pretrained(
        folder_of(tmp_path), lowercase=False, protect_special_tokens=True
    )
    assert not tokenizer.lowercase and tokenizer.protect_special_tokens


@pytest.mark.parametrize("limit", [1e30, int(1e30), None])
def test_no_limit_is_512(tmp_path, limit):
    folder_of(tmp_path, tokenizer_config={"model_max_length": limit})
    assert BertTokenizer.from_pretrained(tmp_path).max_length == 512


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"do_lower_case": True, "strip_accents": False}, "strip_accents to be null or true"),
        ({"do_lower_case": False, "strip_accents": True}, "strip_accents to be null or false"),
        ({"tokenize_chinese_chars": False}, "tokenize_chinese_chars to be null or true"),
        ({"unk_token": "<unk>"}, r'unk_token to be "\[UNK\]", found "<unk>"'),
        ({"do_lower_case": "yes"}, 'do_lower_case to be true or false, found "yes"'),
        ("{", "tokenizer_config.json: expected JSON"),
        ("[]", "tokenizer_config.json: expected a JSON object, found list"),
    ],
)
def test_what_is_not_supported_is_named(tmp_path, config, message):
    with pytest.raises(InputError, match=message):
        BertTokenizer.from_pretrained(folder_of(tmp_path, tokenizer_config=config))


def test_missing_vocabulary(tmp_path):
    with pytest.raises(InputError, match=r"vocab\.txt: expected a vocabulary file"):
        BertTokenizer.from_pretrained(tmp_path)


def test_save_and_load(tmp_path):
    tokens = [*CASED, "\u2028", "é"]
    BertTokenizer(tokens, False, 77, protect_special_tokens=True).save(tmp_path / "new" / "folder")
    again = BertTokenizer.from_pretrained(tmp_path / "new" / "folder")
    assert again.vocabulary == tokens
    assert (again.lowercase, again.max_length, again.protect_special_tokens) == (False, 77, True)


def rust(ids, kind="WordPiece", added=("[PAD]",)):
    added = [{"id": ids.get(token, 99), "content": token} for token in added]
    return {"added_tokens": added, "model": {"type": kind, "vocab": ids}}


def test_tokenizer_json_stands_in_for_vocab_txt(tmp_path):
    ids = {token: index for index, token in reversed(list(enumerate(CASED)))}
    (tmp_path / "tokenizer.json").write_text(json.dumps(rust(ids)))
    tokenizer = BertTokenizer.from_pretrained(tmp_path)
    assert tokenizer.vocabulary == CASED and not tokenizer.lowercase


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (rust({"a": 0}, kind="BPE"), "expected a WordPiece model"),
        ({"model": None}, "expected a WordPiece model"),
        (rust({"[PAD]": 0, "a": 2}), "expected the ids 0 to 1, each once"),
        (rust({"[PAD]": 0, "a": "1"}), "expected the ids 0 to 1, each once"),
        (rust({"[PAD]": 0}, added=("[NEW]",)), r"found '\[NEW\]'"),
        (rust({"[PAD]": 0}), r"found no \[UNK\]"),
    ],
)
def test_tokenizer_json_that_cannot_be_used(tmp_path, content, message):
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        BertTokenizer.from_pretrained(tmp_path)


def test_the_preset_of_keras_hub(tmp_path):
    (tmp_path / "assets/tokenizer").mkdir(parents=True)
    path = tmp_path / "assets/tokenizer/vocabulary.txt"
    path.write_text("".join(f"{token}\n" for token in CASED))
    for name, values in {
        "tokenizer.json": {"lowercase": False, "strip_accents": False},
        "config.json": {"max_sequence_length": 64},
    }.items():
        content = {"registered_name": "keras_hub>Bert", "config": values}
        (tmp_path / name).write_text(json.dumps(content))
    tokenizer = BertTokenizer.from_pretrained(tmp_path)
    assert tokenizer.vocabulary == CASED
    assert not tokenizer.lowercase and tokenizer.max_length == 64
