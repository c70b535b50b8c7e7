import pytest

from bert_keras.errors import InputError
from bert_keras.text.vocabulary import (
    SPECIAL_TOKENS,
    check_vocabulary,
    looks_cased,
    read_vocabulary,
)


def write(folder, content):
    path = folder / "vocab.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


SPECIAL = "\n".join(SPECIAL_TOKENS) + "\n"


@pytest.mark.parametrize(
    "content",
    [
        SPECIAL + "a\n##b\n",
        SPECIAL + "a\n##b",
        (SPECIAL + "a\n##b\n").replace("\n", "\r\n"),
        "\ufeff" + SPECIAL + "a \n\t##b\n",
    ],
    ids=["plain", "no last line end", "CRLF", "byte order mark and blanks"],
)
def test_reads_one_token_a_line(tmp_path, content):
    assert read_vocabulary(write(tmp_path, content)) == [*SPECIAL_TOKENS, "a", "##b"]


def test_other_line_separators_are_characters(tmp_path):
    tokens = read_vocabulary(write(tmp_path, SPECIAL + "\u2028\n##\u2028\n\x85\n"))
    assert tokens[5:] == ["\u2028", "##\u2028", "\x85"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (SPECIAL + "a\nb\na\n", r"vocab.txt:8: the token 'a' is already on line 6"),
        (SPECIAL + "a\n\nb\n", r"vocab.txt:7: expected a token, found an empty line"),
        (SPECIAL + "a\n \t\nb\n", r"vocab.txt:7: expected a token, found an empty line"),
        (SPECIAL + "a\n\n", r"vocab.txt:7: expected a token, found an empty line"),
        ("", r"vocab.txt:1: expected a token, found an empty line"),
        ("[PAD]\n[CLS]\n[SEP]\n[MASK]\n", r"vocab.txt: .*found no \[UNK\]"),
        ("[UNK]\nthe\n", r"vocab.txt: .*found no \[PAD\], \[CLS\], \[SEP\], \[MASK\]"),
        (SPECIAL.encode() + b"a\nb\xff\n", r"vocab.txt:7: expected UTF-8"),
    ],
)
def test_names_what_is_wrong(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read_vocabulary(write(tmp_path, content))


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.txt: expected a vocabulary file"):
        read_vocabulary(tmp_path / "none.txt")


def test_a_file_too_large_to_be_a_vocabulary_is_not_read(tmp_path):
    path = tmp_path / "vocab.txt"
    with open(path, "wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(InputError, match="at most 64 MB, found 1024 MB"):
        read_vocabulary(path)


def test_a_list_is_checked_too():
    with pytest.raises(InputError, match="vocabulary:7: the token 'a' is already on line 6"):
        check_vocabulary([*SPECIAL_TOKENS, "a", "a"])
    with pytest.raises(InputError, match="vocabulary:6: expected a token as a str, found b'a'"):
        check_vocabulary([*SPECIAL_TOKENS, b"a"])


def test_casing_is_seen_in_the_words():
    assert not looks_cased([*SPECIAL_TOKENS, "the", "##ing", "<S>", "你", "[unused1]"])
    assert looks_cased([*SPECIAL_TOKENS, "the", "The"])
    assert looks_cased([*SPECIAL_TOKENS, "the", "##ING"])
