import pytest

from bert_keras.errors import InputError
from bert_keras.tasks.shared.tokenizers import open_tokenizer


def test_a_tokenizer_fits_its_weights(tiny_checkpoint, tmp_path):
    assert open_tokenizer(tiny_checkpoint, 64).tokenize(["great"]).nrows() == 1
    with pytest.raises(InputError, match=r"at most 64, the number of positions .* found 65") as e:
        open_tokenizer(tiny_checkpoint, 65)
    assert e.value.field == "max_length"
    with pytest.raises(InputError, match="expected a folder of weights") as e:
        open_tokenizer(None, 64)
    assert e.value.field == "init_checkpoint"
    for file in tiny_checkpoint.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with (tmp_path / "vocab.txt").open("a") as vocabulary:
        vocabulary.write("another\n")
    with pytest.raises(InputError, match="tokens and the word embedding"):
        open_tokenizer(tmp_path, 64)
