"""Whole checkpoints from one library's layout into another's, vocabulary and heads included."""

from bert_keras.checkpoints import google, huggingface, keras_hub, load
from bert_keras.config import read_json
from bert_keras.errors import InputError
from bert_keras.files import atomic_folder, expect_new_folder, resolve
from bert_keras.text.tokenizer import BertTokenizer

LAYOUTS = ("huggingface", "google", "keras_hub")

# What Hugging Face's config.json says of a classifier beside its numbers.
_OF_THE_TASK = ("id2label", "label2id", "problem_type")
_VOCABULARIES = ("vocab.txt", "tokenizer.json", keras_hub.VOCABULARY)


def convert(ref, folder, layout="huggingface"):
    """Writes a checkpoint in another layout, its weights bit for bit.

    Args:
        ref: the checkpoint, a folder or `pkg://package/path`.
        folder: where the new one goes; it appears whole or not at all.
        layout: "huggingface", "google" or "keras_hub".

    Returns:
        The `Contents` that were written.

    Raises:
        InputError: the checkpoint cannot be used or cannot be written so, or the folder is not
            empty.
    """
    contents, tokenizer, extra = read_all(ref)
    write_all(contents, tokenizer, extra, folder, layout)
    return contents


def read_all(ref):
    """Reads a checkpoint with what belongs to it.

    Args:
        ref: a folder or `pkg://package/path`.

    Returns:
        Its `Contents`, its `BertTokenizer` or None where it has no vocabulary, and a dict of what
        its config.json says of a classifier's labels.

    Raises:
        InputError: the checkpoint cannot be used, or its vocabulary belongs to another.
    """
    folder = resolve(ref)
    with load.open_checkpoint(ref) as checkpoint:
        contents = load.contents_of(checkpoint)
    tokenizer = None
    if any((folder / name).is_file() for name in _VOCABULARIES):
        tokenizer = BertTokenizer.from_pretrained(ref)
        load.check_vocabulary(tokenizer, contents.config, ref)
    extra = {}
    if checkpoint.layout == "huggingface" and contents.heads:
        values = read_json(folder / huggingface.CONFIG)
        extra = {name: values[name] for name in _OF_THE_TASK if name in values}
    return contents, tokenizer, extra


def write_all(contents, tokenizer, extra, folder, layout):
    """Writes what `read_all` returned.

    Args:
        contents: a `Contents`.
        tokenizer: its `BertTokenizer`, or None.
        extra: entries for Hugging Face's config.json.
        folder: where; it appears whole or not at all.
        layout: one of `LAYOUTS`.

    Raises:
        InputError: the layout cannot hold it, or the folder is not empty.
    """
    if layout not in LAYOUTS:
        raise InputError(f"layout is {layout!r}, expected one of {', '.join(LAYOUTS)}.")
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
