"""BERT's text normalisation as lookup tables over all Unicode code points.

The original algorithm (google-research/bert, tokenization.py) walks over strings. Each of its
decisions depends on one character alone, so a table of all code points can hold them: whether the
character is deleted, is white space or is a word by itself (punctuation, CJK), and what it becomes
after lower-casing and stripping accents. Two rules depend on neighbouring characters:

- `str.lower` turns a capital sigma into ς at the end of a word and into σ elsewhere. The table
  stores each character's role in that rule (its kind), and the normalizer applies the rule.
- NFD reorders adjacent combining marks. BERT then drops all marks of category Mn, so the order
  matters only where two of the 25 combining characters of other categories (Balinese, Hangul tone
  marks, musical stems) with different classes are adjacent and in the wrong order. The table
  ignores this case.
"""

import functools
import itertools
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

# Flags of an output character. White space is kept as a character until words are formed.
BREAK_BEFORE, BREAK_AFTER, SPACE = 1, 2, 4
FLAG_BITS = 3

# A character's role in the rule for the final sigma.
UNCASED, CASED, SKIPPED = 0, 1, 2
KIND_BITS = 2

PAGE = 256  # code points
# The characters of a protected special token are shifted by this, beyond the end of Unicode.
PROTECTED = 0x110000

_CJK = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)
_ASCII_PUNCTUATION = ((33, 47), (58, 64), (91, 96), (123, 126))
# All other code points are unassigned or private. Normalisation leaves those unchanged, and also
# the unassigned ones in these ranges that are not in a CJK block.
_ASSIGNED = (*range(0x40000), *range(0xE0000, 0xE1000))
_WIDTH = 3  # of the longest normalised form: a Hangul syllable becomes three letters


class CharacterTable(NamedTuple):
    """A two-level table from code points to the characters that they become.

    Attributes:
        pages: int32 [0x110100 >> 8], the index in `entries` at which each page of 256 code points
            starts.
        entries: int32, (row in `outputs`) << KIND_BITS | kind.
        outputs: int32 [rows, width], symbol << FLAG_BITS | flags, or -1 for no character. The
            symbol is the character's number in the vocabulary's alphabet, 0 if it is not in it.
    """

    pages: np.ndarray
    entries: np.ndarray
    outputs: np.ndarray


def character_table(lowercase: bool, symbols: Mapping[int, int]) -> CharacterTable:
    """Builds the table for a vocabulary's alphabet.

    Args:
        lowercase: whether to lower-case text and strip its accents.
        symbols: maps a code point to the character's number in the alphabet, from 1.

    Returns:
        The table.
    """
    codes, forms, flags, kinds = _unicode(lowercase)
    size = PROTECTED + PAGE
    symbol_of = np.zeros(size, np.int64)
    symbol_of[list(symbols)] = list(symbols.values())

    # Add the protected characters, and those of the planes that `_ASSIGNED` leaves out.
    described = np.zeros(size, bool)
    described[codes] = True
    others = np.flatnonzero((symbol_of > 0) & ~described)
    codes = np.concatenate([codes, others])
    forms = np.concatenate([forms, _unchanged(others)])
    flags = np.concatenate([flags, np.zeros([len(others), _WIDTH], np.int64)])
    flags[codes == PROTECTED + ord("["), 0] = BREAK_BEFORE
    flags[codes == PROTECTED + ord("]"), 0] = BREAK_AFTER
    kinds = np.concatenate([kinds, np.full(len(others), UNCASED)])

    # Pack each row of three outputs, plus one, into one integer.
    shifts = 21 * np.arange(_WIDTH)
    outputs = np.where(forms >= 0, symbol_of[forms] << FLAG_BITS | flags, -1)
    plain = 1  # the key of a character that is in a word and not in the alphabet
    keys, rows = np.unique(np.append(((outputs + 1) << shifts).sum(1), plain), return_inverse=True)
    entries = np.full(size, rows[-1] << KIND_BITS | UNCASED, np.int32)
    entries[codes] = rows[:-1] << KIND_BITS | kinds

    pages: dict[bytes, int] = {}
    page_of = [pages.setdefault(page.tobytes(), len(pages)) for page in entries.reshape(-1, PAGE)]
    return CharacterTable(
        pages=np.array(page_of, np.int32) * PAGE,
        entries=np.frombuffer(b"".join(pages), np.int32),
        outputs=((keys[:, np.newaxis] >> shifts & (1 << 21) - 1) - 1).astype(np.int32),
    )


@functools.cache
def _unicode(lowercase: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Computes the part of the table that does not depend on the vocabulary.

    Returns:
        codes: [codes], the code points described. All others are parts of words and unchanged.
        forms: [codes, width], the code points that each becomes, -1 for none.
        flags: [codes, width], the flags of the forms.
        kinds: [codes].
    """
    codes = np.array(_ASSIGNED)
    category = np.array([unicodedata.category(chr(code)) for code in _ASSIGNED])
    cjk = np.any([(codes >= first) & (codes <= last) for first, last in _CJK], 0)
    described = (category != "Cn") | cjk
    codes, category, cjk = codes[described], category[described], cjk[described]
    chars = [*map(chr, codes)]
    # NUL is deleted like any other control character. Below it serves as the separator.
    chars[0] = chars[1]
    space = np.isin(codes, [9, 10, 13]) | np.isin(category, ["Zs", "Zl", "Zp"])
    deleted = (np.isin(category, ["Cc", "Cf"]) & ~space) | (codes == 0xFFFD)
    punctuation = np.char.startswith(category, "P") | np.any(
        [(codes >= first) & (codes <= last) for first, last in _ASCII_PUNCTUATION], 0
    )

    forms, kinds = _unchanged(codes), np.full(len(codes), UNCASED)
    if lowercase:
        # One call for all characters is much faster. No rule reaches across a NUL.
        joined = unicodedata.normalize("NFD", "\0".join(chars).lower())
        marks = set(itertools.compress(chars, category == "Mn"))
        for index, (char, form) in enumerate(zip(chars, joined.split("\0"), strict=True)):
            if form != char or char in marks:
                kept = [ord(c) for c in form if c not in marks]
                forms[index] = kept + [-1] * (_WIDTH - len(kept))
        kinds = np.where(_sigma_is_final(chars, "a"), SKIPPED, UNCASED)
        kinds[_sigma_is_final(chars, "")] = CASED
        kinds[deleted] = SKIPPED
    forms[deleted] = -1

    both = BREAK_BEFORE | BREAK_AFTER
    flags_of = np.zeros(PROTECTED, np.int64)
    flags_of[codes] = both * punctuation
    flags = flags_of[forms]
    flags[cjk] = both
    flags[space] = both | SPACE

    return codes, forms, flags, kinds


def _unchanged(codes: np.ndarray) -> np.ndarray:
    """Returns the forms, [codes, width], of code points that stay as they are."""
    forms = np.full([len(codes), _WIDTH], -1)
    forms[:, 0] = codes
    return forms


def _sigma_is_final(chars: Sequence[str], before: str) -> np.ndarray:
    """Tests with `str.lower` whether a capital sigma after `before` + character becomes ς."""
    words = "\0".join([before + char + "Σ" for char in chars]).lower().split("\0")
    return np.array([word.endswith("ς") for word in words])
