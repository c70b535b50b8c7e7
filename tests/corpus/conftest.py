"""What the tests of preparing a corpus share: a small one, and a tokenizer for it."""

import numpy as np
import preparing
import pytest

from bert_keras.text.tokenizer import BertTokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return BertTokenizer(preparing.VOCABULARY, max_length=64)


@pytest.fixture
def texts(tmp_path):
    """A folder of 30 documents in two files; one has a sentence longer than any passage."""
    folder = tmp_path / "texts"
    folder.mkdir()
    random = np.random.default_rng(0)
    documents = []
    for _ in range(30):
        lengths = random.integers(1, 9, random.integers(1, 12))
        documents.append([" ".join(random.choice(list("abcdefgh"), n)) + " ." for n in lengths])
    documents[5][1] = "a b c d e f g h i j " * 4
    documents[7][0] = "\u200b"  # a sentence without a token
    for name, part in (("one.txt", documents[:17]), ("two.txt", documents[17:])):
        (folder / name).write_text("\n\n".join("\n".join(lines) for lines in part) + "\n")
    return folder
