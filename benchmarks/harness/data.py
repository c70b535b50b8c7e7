"""GLUE's files, and models with new weights."""

import dataclasses
import pathlib


def read_columns(path, *names):
    """Columns of a tab-separated file with a header, a list of strings for each name.

    Quote marks are text in GLUE, often without a partner, so a line is split at its tabs alone.
    """
    text = pathlib.Path(path).read_text(encoding="utf-8-sig").rstrip("\n")
    header, *rows = [line.split("\t") for line in text.split("\n")]
    return [[row[header.index(name)] for row in rows] for name in names]


def write_new_weights(folder, words, size=None, **config):
    """Writes a BERT with new weights and a vocabulary of made-up words, in Hugging Face's layout.

    Args:
        folder: where.
        words: how many made-up words there are, w0, w1 and so on.
        size: a published size, such as "tiny".
        **config: settings of `BertConfig` beside it.

    Returns:
        How many weights the encoder has.
    """
    import keras

    from bert_keras import BertConfig, BertEncoder, BertTokenizer
    from bert_keras.checkpoints.huggingface import write_huggingface

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = special + [f"w{number}" for number in range(words)]
    shape = BertConfig.from_size(size) if size else BertConfig()
    keras.utils.set_random_seed(0)
    encoder = BertEncoder(dataclasses.replace(shape, vocab_size=len(vocabulary), **config))
    write_huggingface(encoder, folder)
    BertTokenizer(vocabulary).save(folder)
    return encoder.count_params()
