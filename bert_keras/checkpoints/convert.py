"""Converts checkpoints from one library's layout to another's, vocabulary and heads included."""

import os
from collections.abc import Mapping
from typing import Any

from bert_keras.checkpoints import google, huggingface, keras_hub, load
from bert_keras.checkpoints.contents import Contents
from bert_keras.config import read_json
from bert_keras.errors import InputError
from bert_keras.files import atomic_folder, expect_new_folder, resolve
from bert_keras.text.tokenizer import BertTokenizer

LAYOUTS = ("huggingface", "google", "keras_hub")

# Entries of Hugging Face's config.json that describe a classifier's labels.
_LABEL_ENTRIES = ("id2label", "label2id", "problem_type")
_VOCABULARIES = ("vocab.txt", "tokenizer.json", keras_hub.VOCABULARY)


def convert(
    ref: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    layout: str = "huggingface",
) -> Contents:
    """Writes a checkpoint in another layout. The weights are bit-equal.

    Args:
        ref: the checkpoint, a folder or `pkg://package/path`.
        folder: the folder to create, which is written atomically; it may exist if it is empty.
        layout: "huggingface", "google" or "keras_hub".

    Returns:
        The contents that were written.

    Raises:
        InputError: the checkpoint cannot be read, the layout does not support it, or the folder is
            not empty.
        OSError: a file cannot be written.
    """
    contents, tokenizer, extra = read_all(ref)
    write_all(contents, tokenizer, extra, folder, layout)
    return contents


def read_all(
    ref: str | os.PathLike[str],
) -> tuple[Contents, BertTokenizer | None, dict[str, Any]]:
    """Reads a checkpoint with its tokenizer and its labels.

    Args:
        ref: a folder or `pkg://package/path`.

    Returns:
        The contents; the tokenizer, or None if there is no vocabulary; the entries of config.json
        that describe a classifier's labels.

    Raises:
        InputError: the checkpoint cannot be read, or the vocabulary has another size than the word
            embedding.
    """
    folder = resolve(ref)
    with load.open_checkpoint(ref) as checkpoint:
        contents = load.contents_of(checkpoint)
    tokenizer = None
    if any((folder / name).is_file() for name in _VOCABULARIES):
        tokenizer = BertTokenizer.from_pretrained(ref)
        load.check_vocabulary(tokenizer, contents.config, ref)
    extra: dict[str, Any] = {}
    if checkpoint.layout == "huggingface" and contents.heads:
        values = read_json(folder / huggingface.CONFIG)
        extra = {name: values[name] for name in _LABEL_ENTRIES if name in values}
    return contents, tokenizer, extra


def write_all(
    contents: Contents,
    tokenizer: BertTokenizer | None,
    extra: Mapping[str, Any],
    folder: str | os.PathLike[str],
    layout: str,
) -> None:
    """Writes what `read_all` returned.

    Args:
        contents: the contents.
        tokenizer: the tokenizer, or None.
        extra: entries for Hugging Face's config.json.
        folder: the folder to create, which is written atomically; it may exist if it is empty.
        layout: one of `LAYOUTS`.

    Raises:
        InputError: the layout does not support the contents, or the folder is not empty.
        OSError: a file cannot be written.
    """
    if layout not in LAYOUTS:
        raise InputError(
            f"expected {', '.join(LAYOUTS[:-1])} or {LAYOUTS[-1]}, found {layout!r}.",
            field="layout",
        )
    with atomic_folder(expect_new_folder(folder)) as temporary:
        if layout == "keras_hub":
            if tokenizer is None:
                raise InputError("KerasHub's layout holds a vocabulary, and there is none.")
            keras_hub.write_keras_hub(contents, tokenizer, temporary)
            return
        if layout == "google":
            google.write_google(contents, temporary)
        else:
            huggingface.write_huggingface(contents, temporary, extra=extra)
        if tokenizer is not None:
            tokenizer.save(temporary)
