"""A tokenizer's settings in the files of a pretrained model."""

import json

from bert_keras import files
from bert_keras.errors import InputError
from bert_keras.text.vocabulary import (
    CLS,
    MASK,
    PAD,
    SEP,
    UNK,
    check_vocabulary,
    looks_cased,
    read_vocabulary,
)

_VOCABULARY_FILE = "vocab.txt"
_RUST_FILE = "tokenizer.json"
_CONFIG_FILE = "tokenizer_config.json"
_KERAS_HUB_FILE = "assets/tokenizer/vocabulary.txt"  # in a preset, whose settings are in _RUST_FILE
_MODEL_CONFIG_FILES = ("config.json", "bert_config.json")
_DEFAULT_LENGTH = 512
# Hugging Face writes 1e30 for "no limit".
_NO_LIMIT = 1 << 20
_NAMES = {
    "unk_token": UNK,
    "sep_token": SEP,
    "pad_token": PAD,
    "cls_token": CLS,
    "mask_token": MASK,
}


def read_tokens(folder):
    """Reads the vocabulary of a model's folder.

    It is vocab.txt, or the one inside tokenizer.json, which is all that transformers 5 writes, or
    that of a KerasHub preset.

    Args:
        folder: a `pathlib.Path`.

    Returns:
        The tokens, a list of str.

    Raises:
        InputError: there is none, or it is no WordPiece vocabulary.
    """
    if (folder / _KERAS_HUB_FILE).is_file():
        return read_vocabulary(folder / _KERAS_HUB_FILE)
    path = folder / _RUST_FILE
    if (folder / _VOCABULARY_FILE).is_file() or not path.is_file():
        return read_vocabulary(folder / _VOCABULARY_FILE)
    content = _read_object(path)
    model = content.get("model")
    ids = model.get("vocab") if isinstance(model, dict) else None
    if not isinstance(ids, dict) or model.get("type") != "WordPiece":
        raise InputError(f"{path}: expected a WordPiece model with its vocabulary.")
    added = [entry.get("content") for entry in content.get("added_tokens") or ()]
    strangers = [token for token in added if token not in ids]
    if strangers:
        raise InputError(f"{path}: expected no tokens beside the model's, found {strangers[0]!r}.")
    tokens = sorted(ids, key=lambda token: str(ids[token]).zfill(10))
    if [ids[token] for token in tokens] != list(range(len(tokens))):
        raise InputError(f"{path}: expected the ids 0 to {len(tokens) - 1}, each once.")
    return check_vocabulary(tokens, str(path))


def read(folder, tokens):
    """Reads the constructor arguments of `BertTokenizer` from a model's folder.

    Args:
        folder: a `pathlib.Path`.
        tokens: the vocabulary, from which casing is guessed if no file gives it.

    Returns:
        dict of `lowercase`, `max_length` and `protect_special_tokens`.

    Raises:
        InputError: a file is no JSON object, or asks for what the tokenizer does not do.
    """
    path = folder / _CONFIG_FILE
    config = _read_object(path)
    lowercase = config.get("do_lower_case")
    if (folder / _KERAS_HUB_FILE).is_file():
        # Whether it keeps accents is not asked: KerasHub's own presets say that they do, of
        # vocabularies that were made without.
        path = folder / _RUST_FILE
        lowercase = _settings_of(_read_object(path)).get("lowercase")
    if lowercase is None:
        lowercase = not looks_cased(tokens)
    _expect(path, "do_lower_case", lowercase, (True, False))
    _expect(path, "strip_accents", config.get("strip_accents"), (None, lowercase))
    _expect(path, "tokenize_chinese_chars", config.get("tokenize_chinese_chars"), (None, True))
    protect = config.get("protect_special_tokens", False)
    _expect(path, "protect_special_tokens", protect, (True, False))
    for name, token in _NAMES.items():
        value = config.get(name, token)
        _expect(path, name, value.get("content") if isinstance(value, dict) else value, (token,))
    return {
        "lowercase": lowercase,
        "max_length": _length(folder, config.get("model_max_length")),
        "protect_special_tokens": protect,
    }


def write(folder, tokenizer):
    """Writes a tokenizer's vocabulary and settings.

    Args:
        folder: a `pathlib.Path`, made if it is not there.
        tokenizer: a `BertTokenizer`.
    """
    config = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": tokenizer.lowercase,
        "strip_accents": None,
        "tokenize_chinese_chars": True,
        "model_max_length": tokenizer.max_length,
        "protect_special_tokens": tokenizer.protect_special_tokens,
        **_NAMES,
    }
    folder.mkdir(parents=True, exist_ok=True)
    with files.atomic_write(folder / _VOCABULARY_FILE) as file:
        file.writelines(f"{token}\n" for token in tokenizer.vocabulary)
    with files.atomic_write(folder / _CONFIG_FILE) as file:
        json.dump(config, file, indent=2)
        file.write("\n")


def _length(folder, limit):
    configs = [_read_object(folder / name) for name in _MODEL_CONFIG_FILES]
    limits = [limit, *(config.get("max_position_embeddings") for config in configs)]
    limits += [_settings_of(config).get("max_sequence_length") for config in configs]
    known = [int(n) for n in limits if isinstance(n, int | float) and 0 < n < _NO_LIMIT]
    return min(known, default=_DEFAULT_LENGTH)


def _settings_of(content):
    """The arguments in what Keras serialized, nothing if it is something else."""
    values = content.get("config")
    return values if "registered_name" in content and isinstance(values, dict) else {}


def _read_object(path):
    """Returns a JSON file's object, an empty one if there is no such file."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise InputError(f"{path}: expected JSON: {error}.") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(content).__name__}.")
    return content


def _expect(path, name, value, allowed):
    if not any(value is item or (value == item and type(value) is type(item)) for item in allowed):
        expected = " or ".join(map(json.dumps, allowed))
        raise InputError(f"{path}: expected {name} to be {expected}, found {json.dumps(value)}.")
