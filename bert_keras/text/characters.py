"""What BERT's normalisation does to each Unicode character, worked out once into arrays.

The original algorithm (google-research/bert, tokenization.py) walks over strings. All that it asks
about a character depends on that character alone, so a table of all code points holds the answers:
deleted, white space, a word by itself (punctuation, CJK), and what it becomes lower-cased and
without accents. Two things depend on the neighbours:

- A capital sigma at the end of a word becomes ς and elsewhere σ (`str.lower`). The table says how
  each character counts in that rule, and the tokenizer applies it.
- NFD sorts neighbouring combining marks. BERT then drops all marks of category Mn, so this shows
  only where two of the 25 combining characters of other categories (Balinese, Hangul tone marks,
  musical stems) of different classes stand side by side in the wrong order. It is left undone.
"""

import functools
import itertools
import unicodedata
from typing import NamedTuple

import numpy as np

# Bits of an output character. White space stays as a character until words are formed.
BREAK_BEFORE, BREAK_AFTER, SPACE = 1, 2, 4
FLAG_BITS = 3

# How a character counts when a capital sigma looks for the end of its word.
UNCASED, CASED, SKIPPED = 0, 1, 2
KIND_BITS = 2

PAGE = 256  # code points
# A character of a special token that is kept whole is moved up here, out of Unicode.
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
# Beyond these, code points are unassigned or private: they stay as they are, as do the unassigned
# among these, where they are not in a CJK block.
_ASSIGNED = (*range(0x40000), *range(0xE0000, 0xE1000))
_WIDTH = 3  # of the longest form: a Hangul syllable becomes three letters


class CharacterTable(NamedTuple):
    """Arrays from code points to the characters that they become.

    Attributes:
        pages: int32 [0x110100 >> 8], where the page of 256 code points begins in `entries`.
        entries: int32, (row in `outputs`) << KIND_BITS | kind.
        outputs: int32 [rows, width], symbol << FLAG_BITS | flags, or -1 for nothing. The symbol is
            the character's number in the vocabulary's alphabet, 0 if it is not in it.
    """

    pages: np.ndarray
    entries: np.ndarray
    outputs: np.ndarray


def character_table(lowercase, symbols):
    """Builds the table for a vocabulary's alphabet.

    Args:
        lowercase: whether text is lower-cased and loses its accents.
        symbols: dict from code point to the character's number in the alphabet, from 1.

    Returns:
        A `CharacterTable`.
    """
    codes, forms, flags, kinds = _unicode(lowercase)
    size = PROTECTED + PAGE
    symbol_of = np.zeros(size, np.int64)
    symbol_of[list(symbols)] = list(symbols.values())

    # Protected characters, and those of the planes that are left out.
    described = np.zeros(size, bool)
    described[codes] = True
    others = np.flatnonzero((symbol_of > 0) & ~described)
    codes = np.concatenate([codes, others])
    forms = np.concatenate([forms, _unchanged(others)])
    flags = np.concatenate([flags, np.zeros([len(others), _WIDTH], np.int64)])
    flags[codes == PROTECTED + ord("["), 0] = BREAK_BEFORE
    flags[codes == PROTECTED + ord("]"), 0] = BREAK_AFTER
    kinds = np.concatenate([kinds, np.full(len(others), UNCASED)])

    # Three outputs, plus one, in a number.
    shifts = 21 * np.arange(_WIDTH)
    outputs = np.where(forms >= 0, symbol_of[forms] << FLAG_BITS | flags, -1)
    plain = 1  # a character unknown to the vocabulary, in a word
    keys, row = np.unique(np.append(((outputs + 1) << shifts).sum(1), plain), return_inverse=True)
    row, plain = row[:-1], row[-1]
    entries = np.full(size, plain << KIND_BITS | UNCASED, np.int32)
    entries[codes] = row << KIND_BITS | kinds

    pages = {}
    page_of = [pages.setdefault(page.tobytes(), len(pages)) for page in entries.reshape(-1, PAGE)]
    return CharacterTable(
        pages=np.array(page_of, np.int32) * PAGE,
        entries=np.frombuffer(b"".join(pages), np.int32),
        outputs=((keys[:, np.newaxis] >> shifts & (1 << 21) - 1) - 1).astype(np.int32),
    )


@functools.cache
def _unicode(lowercase):
    """Works out what does not depend on the vocabulary.

    Returns:
        codes: [codes], the code points described; the others stay as they are, in words.
        forms: [codes, width], the code points that each becomes, -1 for none.
        flags: [codes, width], the bits of the forms.
        kinds: [codes].
    """
    codes = np.array(_ASSIGNED)
    category = np.array([unicodedata.category(chr(code)) for code in _ASSIGNED])
    cjk = np.any([(codes >= first) & (codes <= last) for first, last in _CJK], 0)
    described = (category != "Cn") | cjk
    codes, category, cjk = codes[described], category[described], cjk[described]
    chars = [*map(chr, codes)]
    chars[0] = chars[1]  # NUL is deleted as the other control characters are, and separates below
    space = np.isin(codes, [9, 10, 13]) | np.isin(category, ["Zs", "Zl", "Zp"])
    deleted = (np.isin(category, ["Cc", "Cf"]) & ~space) | (codes == 0xFFFD)
    punctuation = np.char.startswith(category, "P") | np.any(
        [(codes >= first) & (codes <= last) for first, last in _ASCII_PUNCTUATION], 0
    )

    forms, kinds = _unchanged(codes), np.full(len(codes), UNCASED)
    if lowercase:
        # All in one string, which is much faster; nothing acts across a NUL.
        whole = unicodedata.normalize("NFD", "\0".join(chars).lower())
        marks = set(itertools.compress(chars, category == "Mn"))
        for index, (char, form) in enumerate(zip(chars, whole.split("\0"), strict=True)):
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


def _unchanged(codes):
    forms = np.full([len(codes), _WIDTH], -1)
    forms[:, 0] = codes
    return forms


def _sigma_is_final(chars, before):
    """Asks `str.lower` whether a capital sigma after `before` and each character becomes ς."""
    words = "\0".join([before + char + "Σ" for char in chars]).lower().split("\0")
    return np.array([word.endswith("ς") for word in words])
