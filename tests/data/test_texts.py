import pytest

from bert_keras.data.texts import on_one_line, read_texts, write_texts
from bert_keras.errors import InputError


def test_a_text_a_line(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_bytes(b'\xef\xbb\xbfa "quoted\ttext\r\n  two \r\n\r\n')
    assert read_texts(path) == ['a "quoted\ttext', "  two "]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("texts.tsv", "id\ttext\n1\tone\n2\ttwo\n"),
        ("texts.csv", 'id,text\n1,one\n2,"two"\n'),
        ("texts.jsonl", '{"text": "one"}\n{"text": "two"}\n'),
    ],
)
def test_columns(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    assert read_texts(tmp_path / name) == ["one", "two"]
    with pytest.raises(InputError, match="body"):
        read_texts(tmp_path / name, "body")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "expected a text on each line, found an empty file"),
        (b"\n\n", "expected a text on each line, found an empty file"),
        (b"one\n\ntwo\n", "texts.txt:2: expected text in the line, found nothing"),
        (b"one\n \ntwo\n", "texts.txt:2: expected text in the line, found nothing"),
        (b"one\nl\xe1mp\n", "texts.txt:2: expected UTF-8, found the byte 0xe1"),
        (b"one\0\n", "texts.txt:1: expected text, found a NUL byte"),
    ],
)
def test_what_cannot_be_read(tmp_path, content, sentence):
    (tmp_path / "texts.txt").write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        read_texts(tmp_path / "texts.txt")


def test_a_line_each_whatever_is_in_it(tmp_path):
    texts = ["two\nlines", "a\ttab", "\u2028odd\x85ends\r\n", "plain  text"]
    write_texts(tmp_path / "texts.tsv", texts)
    lines = (tmp_path / "texts.tsv").read_text(encoding="utf-8").splitlines()
    assert lines == ["two lines", "a tab", "odd ends", "plain  text"]
    assert lines == [on_one_line(text) for text in texts]
