import pytest

from bert_keras.errors import InputError
from bert_keras.tasks.shared.tokenizers import open_tokenizer


def test_a_tokenizer_fits_its_weights(tiny_checkpoint, tmp_path):
    assert open_tokenizer(tiny_checkpoint, 64).tokenize(["great"]).nrows() == 1
    with pytest.raises(InputError, match=r"expected at most 64, the positions .* found 65"):
        open_tokenizer(tiny_checkpoint, 65)
    for file in tiny_checkpoint.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with (tmp_path / "vocab.txt").open("a") as vocabulary:
        vocabulary.write("another\n")
    with pytest.raises(InputError, match="tokens and the word embedding"):
        open_tokenizer(tmp_path, 64)
