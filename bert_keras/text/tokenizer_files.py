"""Reads and writes a tokenizer's files in the folder of a pretrained model."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Sequence
from typing import Any, TypedDict

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
_TOKENIZER_FILE = "tokenizer.json"  # of Hugging Face's tokenizers, or of a KerasHub preset
_CONFIG_FILE = "tokenizer_config.json"
_KERAS_HUB_FILE = "assets/tokenizer/vocabulary.txt"
_MODEL_CONFIG_FILES = ("config.json", "bert_config.json")
_DEFAULT_LENGTH = 512
# Hugging Face writes 1e30 for "no limit".
_NO_LIMIT = 1 << 20
_SPECIAL_TOKEN_KEYS = {
    "unk_token": UNK,
    "sep_token": SEP,
    "pad_token": PAD,
    "cls_token": CLS,
    "mask_token": MASK,
}


class TokenizerSettings(TypedDict):
    """The arguments of `BertTokenizer` beside the vocabulary."""

    lowercase: bool
    max_length: int
    protect_special_tokens: bool


def read_tokens(folder: pathlib.Path) -> list[str]:
    """Reads the vocabulary from a model's folder.

    It is in the vocabulary file of a KerasHub preset, in vocab.txt, or in tokenizer.json, the only
    file that transformers 5 writes.

    Args:
        folder: the folder.

    Returns:
        The tokens in the order of their ids.

    Raises:
        InputError: the folder has no vocabulary, or it is not a WordPiece vocabulary.
    """
    if (folder / _KERAS_HUB_FILE).is_file():
        return read_vocabulary(folder / _KERAS_HUB_FILE)
    path = folder / _TOKENIZER_FILE
    if (folder / _VOCABULARY_FILE).is_file() or not path.is_file():
        return read_vocabulary(folder / _VOCABULARY_FILE)
    content = _read_object(path)
    model = content.get("model")
    model = model if isinstance(model, dict) else {}
    ids = model.get("vocab")
    if not isinstance(ids, dict) or model.get("type") != "WordPiece":
        raise InputError(f"{path}: expected a WordPiece model with its vocabulary.")
    added = [entry.get("content") for entry in content.get("added_tokens") or ()]
    extra = [token for token in added if token not in ids]
    if extra:
        raise InputError(f"{path}: expected no tokens beside the model's, found {extra[0]!r}.")
    tokens = sorted(ids, key=lambda token: str(ids[token]).zfill(10))
    if [ids[token] for token in tokens] != list(range(len(tokens))):
        raise InputError(f"{path}: expected the ids 0 to {len(tokens) - 1}, each once.")
    return check_vocabulary(tokens, str(path))


def read_settings(folder: pathlib.Path, tokens: Sequence[str]) -> TokenizerSettings:
    """Reads the settings of `BertTokenizer` from a model's folder.

    Args:
        folder: the folder.
        tokens: the vocabulary. Where no file gives the casing, it is guessed from the vocabulary.

    Returns:
        The settings.

    Raises:
        InputError: a file is not a JSON object, or asks for something that the tokenizer does not
            support.
    """
    path = folder / _CONFIG_FILE
    config = _read_object(path)
    lowercase = config.get("do_lower_case")
    if (folder / _KERAS_HUB_FILE).is_file():
        # Its strip_accents is ignored: KerasHub's own presets have false there although their
        # vocabularies were learned from text without accents.
        path = folder / _TOKENIZER_FILE
        lowercase = _keras_config(_read_object(path)).get("lowercase")
    if lowercase is None:
        lowercase = not looks_cased(tokens)
    _expect(path, "do_lower_case", lowercase, (True, False))
    _expect(path, "strip_accents", config.get("strip_accents"), (None, lowercase))
    _expect(path, "tokenize_chinese_chars", config.get("tokenize_chinese_chars"), (None, True))
    protect = config.get("protect_special_tokens", False)
    _expect(path, "protect_special_tokens", protect, (True, False))
    for name, token in _SPECIAL_TOKEN_KEYS.items():
        value = config.get(name, token)
        _expect(path, name, value.get("content") if isinstance(value, dict) else value, (token,))
    return {
        "lowercase": lowercase,
        "max_length": _read_max_length(folder, config.get("model_max_length")),
        "protect_special_tokens": protect,
    }


def write(folder: pathlib.Path, vocabulary: Sequence[str], settings: TokenizerSettings) -> None:
    """Writes a tokenizer's vocabulary and settings.

    Args:
        folder: the folder; created if it does not exist.
        vocabulary: the tokens.
        settings: the tokenizer's.

    Raises:
        OSError: a file cannot be written.
    """
    config = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": settings["lowercase"],
        "strip_accents": None,
        "tokenize_chinese_chars": True,
        "model_max_length": settings["max_length"],
        "protect_special_tokens": settings["protect_special_tokens"],
        **_SPECIAL_TOKEN_KEYS,
    }
    folder.mkdir(parents=True, exist_ok=True)
    with files.atomic_write(folder / _VOCABULARY_FILE) as file:
        file.writelines(f"{token}\n" for token in vocabulary)
    with files.atomic_write(folder / _CONFIG_FILE) as file:
        json.dump(config, file, indent=2)
        file.write("\n")


def _read_max_length(folder: pathlib.Path, limit: object) -> int:
    """Returns the smallest of the tokenizer's limit and those of the model's config files."""
    configs = [_read_object(folder / name) for name in _MODEL_CONFIG_FILES]
    limits = [limit, *(config.get("max_position_embeddings") for config in configs)]
    limits += [_keras_config(config).get("max_sequence_length") for config in configs]
    known = [int(n) for n in limits if isinstance(n, int | float) and 0 < n < _NO_LIMIT]
    return min(known, default=_DEFAULT_LENGTH)


def _keras_config(content: dict[str, Any]) -> dict[str, Any]:
    """Returns the constructor arguments in an object that Keras serialized, {} for any other."""
    values = content.get("config")
    return values if "registered_name" in content and isinstance(values, dict) else {}


def _read_object(path: pathlib.Path) -> dict[str, Any]:
    """Returns a JSON file's object, {} if the file does not exist."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise InputError(f"{path}: expected JSON: {error}.") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(content).__name__}.")
    return content


def _expect(path: pathlib.Path, name: str, value: object, allowed: Sequence[object]) -> None:
    """Raises an `InputError` if a file's value is none of the allowed ones, types included."""
    if not any(value is item or (value == item and type(value) is type(item)) for item in allowed):
        expected = " or ".join(map(json.dumps, allowed))
        raise InputError(f"{path}: expected {name} to be {expected}, found {json.dumps(value)}.")
