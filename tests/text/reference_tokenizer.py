"""The original tokenization of BERT in plain Python, one word at a time.

Written from how google-research/bert's tokenization.py behaves, as an oracle for the tests. Like
the original it walks over strings. It shares no code with the tokenizer under test.
"""

import unicodedata

MAX_WORD = 200


def is_cjk(char):
    code = ord(char)
    return (
        0x4E00 <= code <= 0x9FFF
        or 0x3400 <= code <= 0x4DBF
        or 0x20000 <= code <= 0x2A6DF
        or 0x2A700 <= code <= 0x2B73F
        or 0x2B740 <= code <= 0x2B81F
        or 0x2B820 <= code <= 0x2CEAF
        or 0xF900 <= code <= 0xFAFF
        or 0x2F800 <= code <= 0x2FA1F
    )


def is_punctuation(char):
    is_ascii_sign = char.isascii() and char.isprintable() and not char.isalnum() and char != " "
    return is_ascii_sign or unicodedata.category(char)[0] == "P"


def clean(text):
    kept = []
    for char in text:
        category = unicodedata.category(char)
        if char in "\t\n\r" or category == "Zs":
            kept.append(" ")
        elif char not in "\0\ufffd" and category not in ("Cc", "Cf"):
            kept.append(char)
    return "".join(kept)


def split_at_punctuation(word):
    parts = []
    starts_new = True
    for char in word:
        if is_punctuation(char):
            parts.append(char)
            starts_new = True
        elif starts_new:
            parts.append(char)
            starts_new = False
        else:
            parts[-1] += char
    return parts


def words(text, lowercase):
    """Returns the words that are looked up in the vocabulary."""
    spaced = "".join(f" {char} " if is_cjk(char) else char for char in clean(text))
    result = []
    for word in spaced.split():
        if lowercase:
            decomposed = unicodedata.normalize("NFD", word.lower())
            word = "".join(char for char in decomposed if unicodedata.category(char) != "Mn")
        result += split_at_punctuation(word)
    return " ".join(result).split()


def pieces(word, vocabulary):
    """Cuts a word from the left into the longest pieces, or returns None."""
    if len(word) > MAX_WORD:
        return None
    cut, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in vocabulary:
                cut.append(piece)
                start = end
                break
        else:
            return None
    return cut


class ReferenceTokenizer:
    def __init__(self, vocabulary, lowercase):
        self.ids = {token: index for index, token in enumerate(vocabulary)}
        self.lowercase = lowercase

    def tokenize(self, text):
        """Returns the ids of one str, or of bytes of which invalid ones are left out."""
        if isinstance(text, bytes):
            text = text.decode("utf-8", "ignore")
        cut = []
        for word in words(text, self.lowercase):
            cut += pieces(word, self.ids) or ["[UNK]"]
        return [self.ids[piece] for piece in cut]


def truncate_pair(first, second, max_tokens):
    """Drops tokens of two lists in place, as the original's `_truncate_seq_pair` does."""
    while len(first) + len(second) > max_tokens:
        (first if len(first) > len(second) else second).pop()
