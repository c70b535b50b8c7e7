"""Reading and checking a WordPiece vocabulary, one token a line."""

import os
import pathlib

from bert_keras.errors import InputError

PAD, UNK, CLS, SEP, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
SPECIAL_TOKENS = (PAD, UNK, CLS, SEP, MASK)
CONTINUATION = "##"  # before a piece that goes on a word
MOST_UNKNOWN = 0.05  # of the words; where more are [UNK], a vocabulary does not fit the text

_MAX_BYTES = 64 << 20  # some fifty times the largest vocabulary in use


def read_vocabulary(path):
    """Reads a vocab.txt.

    Args:
        path: a UTF-8 file with one token a line. CRLF line ends, a byte order mark and a missing
            last line end are tolerated, and so are spaces and tabs around a token.

    Returns:
        The tokens, a list of str; a token's place in it is its id.

    Raises:
        InputError: no such file, not UTF-8, or the tokens are no vocabulary (`check_vocabulary`).
    """
    return check_vocabulary(read_lines(path), os.fspath(path))


def read_lines(path):
    """Reads the lines of a vocab.txt, whatever they are; see `read_vocabulary`."""
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
    # Only "\n" ends a line: Google's Chinese vocabulary has U+2028 for a token.
    lines = text.removesuffix("\n").split("\n")
    return [line.strip(" \t\r") for line in lines]


def check_vocabulary(tokens, location="vocabulary"):
    """Checks that the tokens can serve as a vocabulary.

    Args:
        tokens: a sequence of str.
        location: what the message calls them, a file's path for instance.

    Returns:
        The tokens as a list.

    Raises:
        InputError: a token is empty or there twice (both lines are named), or one of [PAD], [UNK],
            [CLS], [SEP] and [MASK] is missing.
    """
    lines = {}
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


def looks_cased(tokens):
    """Whether a vocabulary was made from text whose capitals were kept.

    It was if a token made of letters alone has a capital: [CLS] is no such token, nor is the <S> of
    Google's Chinese vocabulary, which is an uncased one.
    """
    words = (token.removeprefix(CONTINUATION) for token in tokens)
    return any(word.isalpha() and word != word.lower() for word in words)
