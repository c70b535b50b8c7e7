"""Reading and checking a WordPiece vocabulary, one token a line."""

import os
import pathlib
from collections.abc import Sequence

from bert_keras.errors import InputError

PAD, UNK, CLS, SEP, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
SPECIAL_TOKENS = (PAD, UNK, CLS, SEP, MASK)
CONTINUATION = "##"  # prefix of a piece that continues a word
MOST_UNKNOWN = 0.05  # share of [UNK] words beyond which a vocabulary does not fit a text

_MAX_BYTES = 64 << 20  # about fifty times the largest vocabulary in use


def read_vocabulary(path: str | os.PathLike[str]) -> list[str]:
    """Reads a vocab.txt.

    Args:
        path: a UTF-8 file with one token a line. CRLF line ends, a byte order mark, a missing last
            line end, and spaces and tabs around a token are accepted.

    Returns:
        The tokens; the id of a token is its index.

    Raises:
        InputError: the file does not exist, is too large or is not UTF-8, or its tokens are not a
            valid vocabulary (see `check_vocabulary`).
    """
    return check_vocabulary(read_lines(path), os.fspath(path))


def read_lines(path: str | os.PathLike[str]) -> list[str]:
    """Reads the lines of a vocab.txt without checking them; see `read_vocabulary`."""
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"{path}: expected a vocabulary file, found none.")
    if path.stat().st_size > _MAX_BYTES:
        raise InputError(
            f"{path}: expected a vocabulary of at most {_MAX_BYTES >> 20} MB, "
            f"found {path.stat().st_size >> 20} MB."
        )
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}: expected UTF-8, found other bytes.") from None
    # Only "\n" ends a line: Google's Chinese vocabulary contains U+2028 as a token.
    lines = text.removesuffix("\n").split("\n")
    return [line.strip(" \t\r") for line in lines]


def check_vocabulary(tokens: Sequence[str], location: str = "vocabulary") -> list[str]:
    """Checks that the tokens are a valid vocabulary.

    Args:
        tokens: the tokens in the order of their ids.
        location: where they come from, for error messages, such as a file's path.

    Returns:
        The tokens as a list.

    Raises:
        InputError: a token is empty, is not a str or occurs twice (the message names both lines),
            or one of [PAD], [UNK], [CLS], [SEP] and [MASK] is missing.
    """
    lines: dict[str, int] = {}
    for line, token in enumerate(tokens, 1):
        if not isinstance(token, str):
            raise InputError(f"{location}:{line}: expected a token as a str, found {token!r}.")
        if not token:
            raise InputError(f"{location}:{line}: expected a token, found an empty line.")
        first = lines.setdefault(token, line)
        if first != line:
            raise InputError(f"{location}:{line}: the token {token!r} is already on line {first}.")
    missing = [token for token in SPECIAL_TOKENS if token not in lines]
    if missing:
        raise InputError(
            f"{location}: expected the tokens {', '.join(SPECIAL_TOKENS)} in the vocabulary, "
            f"found no {', '.join(missing)}."
        )
    return list(tokens)


def looks_cased(tokens: Sequence[str]) -> bool:
    """Guesses whether a vocabulary was learned from text that was not lower-cased.

    Args:
        tokens: the vocabulary.

    Returns:
        True if a token that consists of letters alone has a capital. Neither [CLS] nor the <S> of
        Google's Chinese vocabulary, an uncased one, consists of letters alone.
    """
    words = (token.removeprefix(CONTINUATION) for token in tokens)
    return any(word.isalpha() and word != word.lower() for word in words)
