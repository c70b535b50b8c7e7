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
import unicodedata
from typing import NamedTuple

import numpy as np

# Bits of an output character. White space stays as a character until words are formed.
BREAK_BEFORE, BREAK_AFTER, SPACE = 1, 2, 4
FLAG_BITS = 3

# How a character counts when a capital sigma looks for the end of its word.
UNCASED, CASED, SKIPPED = 0, 1, 2
KIND_BITS = 2

PAGE_BITS = 8
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
# Beyond these, code points are unassigned or private: they stay as they are.
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


def is_punctuation(char):
    """Punctuation as BERT has it: category P, and every ASCII sign that is no letter or digit."""
    code = ord(char)
    if code < 128:
        return 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return unicodedata.category(char).startswith("P")


def is_cjk(char):
    """Whether BERT sets the character apart as a Chinese one."""
    code = ord(char)
    return code >= 0x3400 and any(first <= code <= last for first, last in _CJK)


def is_space(char):
    """White space: what BERT turns into a space, and the two separators that `str.split` knows."""
    return char in " \t\n\r" or unicodedata.category(char) in ("Zs", "Zl", "Zp")


def is_deleted(char):
    """Characters that are dropped from the text: NUL, U+FFFD, control and format characters."""
    return char == "\ufffd" or (unicodedata.category(char) in ("Cc", "Cf") and char not in "\t\n\r")


def normalise(char, lowercase):
    """Returns the characters that stay of one that is neither deleted nor white space."""
    if not lowercase:
        return char
    decomposed = unicodedata.normalize("NFD", char.lower())
    return "".join(c for c in decomposed if unicodedata.category(c) != "Mn")


def character_table(lowercase, symbols):
    """Builds the table for a vocabulary's alphabet.

    Args:
        lowercase: whether text is lower-cased and loses its accents.
        symbols: dict from code point to the character's number in the alphabet, from 1.

    Returns:
        A `CharacterTable`.
    """
    codes, forms, flags, kinds = _unicode(lowercase)
    size = PROTECTED + (1 << PAGE_BITS)
    symbol_of = np.zeros(size, np.int64)
    symbol_of[list(symbols)] = list(symbols.values())

    outputs = np.where(forms >= 0, symbol_of[forms] << FLAG_BITS | flags, -1)
    keys = ((outputs + 1) << 20 * np.arange(_WIDTH)).sum(1)
    _, index, row = np.unique(keys, return_index=True, return_inverse=True)
    plain = row[np.flatnonzero(keys == 1)[0]]  # a character unknown to the vocabulary, in a word
    entries = np.full(size, plain << KIND_BITS | UNCASED, np.int32)
    entries[codes] = row << KIND_BITS | kinds
    pages, page_of = np.unique(entries.reshape(-1, 1 << PAGE_BITS), axis=0, return_inverse=True)
    return CharacterTable(
        pages=(page_of.reshape(-1) << PAGE_BITS).astype(np.int32),
        entries=pages.reshape(-1),
        outputs=outputs[index].astype(np.int32),
    )


@functools.cache
def _unicode(lowercase):
    """Returns code points, their forms and the forms' flags [codes, width], and their kinds."""
    codes = np.array([*_ASSIGNED, *range(PROTECTED, PROTECTED + (1 << PAGE_BITS))])
    forms = np.full([len(codes), _WIDTH], -1, np.int32)
    flags = np.zeros([len(codes), _WIDTH], np.int32)
    kinds = np.zeros(len(codes), np.int32)
    forms[:, 0] = codes
    for index, code in enumerate(_ASSIGNED):
        char = chr(code)
        category = unicodedata.category(char)
        if category == "Cn":
            continue
        if lowercase:
            kinds[index] = _sigma_kind(char)
        if is_space(char):
            flags[index, 0] = SPACE | BREAK_BEFORE | BREAK_AFTER
        elif is_deleted(char):
            forms[index] = -1
        elif is_cjk(char):
            forms[index, 0] = ord(normalise(char, lowercase))
            flags[index, 0] = BREAK_BEFORE | BREAK_AFTER
        else:
            form = normalise(char, lowercase)
            forms[index] = -1
            forms[index, : len(form)] = [ord(c) for c in form]
            flags[index, : len(form)] = [
                (BREAK_BEFORE | BREAK_AFTER) * is_punctuation(c) for c in form
            ]
    flags[codes == PROTECTED + ord("["), 0] = BREAK_BEFORE
    flags[codes == PROTECTED + ord("]"), 0] = BREAK_AFTER
    return codes, forms, flags, kinds


def _sigma_kind(char):
    """How `str.lower` counts a character beside a capital sigma, found out by asking it."""
    if is_deleted(char):
        return SKIPPED
    if (char + "Σ").lower().endswith("ς"):
        return CASED
    return SKIPPED if ("a" + char + "Σ").lower().endswith("ς") else UNCASED
