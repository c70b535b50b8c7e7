"""Tags of words, and the entities that they spell.

Ramshaw and Marcus 1995 (IOB1), Tjong Kim Sang and Veenstra 1999 (IOB2), and their relatives with
tags for an entity's last word and for an entity of one word, which go by several letters.
"""

import re
from typing import NamedTuple

OUTSIDE = "O"

# By scheme, the letters for an entity's first word, those inside, the last one, and a single one.
# In IOB1 a first word needs one of its own only right behind another entity of its type.
_LETTERS = {
    "iob1": ("B", "I", "I", "B"),
    "iob2": ("B", "I", "I", "B"),
    "iobes": ("B", "I", "E", "S"),
    "bilou": ("B", "I", "L", "U"),
    "bmes": ("B", "M", "E", "S"),
}
SCHEMES = tuple(_LETTERS)
_TAG = re.compile(r"([BIELMSU])-(.+)")


class Span(NamedTuple):
    """An entity in words.

    Attributes:
        type: its type's name.
        first: its first word.
        last: its last word.
    """

    type: str
    first: int
    last: int


class TagError(ValueError):
    """A tag that cannot stand where it does.

    Attributes:
        word: at which word.
    """

    def __init__(self, word, message):
        super().__init__(message)
        self.word = word


def find_scheme(sentences):
    """Tells the scheme of tags.

    Args:
        sentences: lists of tags, all of a file: the more there are, the less is left open.

    Returns:
        One of `SCHEMES`. Of IOB1 and IOB2, whose letters are the same, it is the one in which more
        entities begin, for CoNLL-2003 itself has a "B" or two that IOB1 has no need of; `spans_of`
        says where the others stand in the way. With no entity at all it is "iob2".
    """
    letters, in_iob1, in_iob2 = set(), 0, 0
    for tags in sentences:
        before = OUTSIDE
        for tag in tags:
            letters.add(tag[0])
            if tag[0] in "BI":
                continues = before[1:] == tag[1:]  # an entity of its type is right before it
                in_iob1 += tag[0] == "I" and not continues
                in_iob2 += tag[0] == "B" and not continues
            before = tag
    if letters & set("LU"):
        return "bilou"
    if letters & set("ES"):
        return "bmes" if "M" in letters else "iobes"
    return "iob1" if in_iob1 > in_iob2 else "iob2"


def spans_of(tags, scheme):
    """Reads the entities of a sentence.

    Args:
        tags: list of str, a tag a word.
        scheme: one of `SCHEMES`.

    Returns:
        List of `Span`, in order.

    Raises:
        TagError: a tag is none of the scheme, or not possible where it stands.
    """
    letters = [_take_apart(word, tag, scheme) for word, tag in enumerate(tags)]
    read = _read_without_ends if _LETTERS[scheme][1] == _LETTERS[scheme][2] else _read_with_ends
    return read(tags, letters, scheme)


def tags_of(spans, words, scheme):
    """Writes the entities of a sentence as tags.

    Args:
        spans: list of `Span`, in order, that share no word.
        words: how many words the sentence has.
        scheme: one of `SCHEMES`.

    Returns:
        List of str, a tag a word.
    """
    begin, inside, end, single = _LETTERS[scheme]
    tags = [OUTSIDE] * words
    before = None
    for span in spans:
        count = span.last - span.first + 1
        letters = [begin, *[inside] * (count - 2), end] if count > 1 else [single]
        if scheme == "iob1" and (before is None or not _touch(before, span)):
            letters[0] = inside
        tags[span.first : span.last + 1] = [f"{letter}-{span.type}" for letter in letters]
        before = span
    return tags


def _touch(before, span):
    return before.type == span.type and before.last + 1 == span.first


def _read_without_ends(tags, letters, scheme):
    """IOB1 and IOB2: an entity goes on as long as there are "I" of its type."""
    spans, kind_before = [], None
    for word, (letter, kind) in enumerate(letters):
        if letter == "I" and kind == kind_before:
            spans[-1] = spans[-1]._replace(last=word)
        elif letter == "I" and scheme == "iob2":
            raise TagError(word, f"{_where(tags, word)}, with no B-{kind} before it")
        elif letter != OUTSIDE:
            spans.append(Span(kind, word, word))
        kind_before = kind
    return spans


def _read_with_ends(tags, letters, scheme):
    """IOBES and its likes: what is begun is ended."""
    begin, inside, end, single = _LETTERS[scheme]
    spans, opened = [], None  # the type and first word of an entity that is not over
    for word, (letter, kind) in enumerate(letters):
        if opened is None:
            if letter in (inside, end):
                raise TagError(word, f"{_where(tags, word)}, with no {begin}-{kind} before it")
            if letter == single:
                spans.append(Span(kind, word, word))
            elif letter == begin:
                opened = (kind, word)
        elif letter not in (inside, end) or kind != opened[0]:
            raise TagError(word, f"{_where(tags, word)}, with no {end}-{opened[0]} between them")
        elif letter == end:
            spans.append(Span(*opened, word))
            opened = None
    if opened is not None:
        raise TagError(len(tags) - 1, f"{tags[-1]} ends a sentence, with no {end}-{opened[0]}")
    return spans


def _where(tags, word):
    return f"{tags[word]} follows {tags[word - 1]}" if word else f"{tags[word]} begins a sentence"


def _take_apart(word, tag, scheme):
    """A tag's letter and type."""
    if tag == OUTSIDE:
        return OUTSIDE, None
    match = _TAG.fullmatch(tag)
    if not match:
        raise TagError(word, f"expected a tag such as O or B-PER, found {tag!r}")
    if match[1] not in _LETTERS[scheme]:
        raise TagError(word, f"{tag} is no tag of {scheme.upper()}, the scheme of the file")
    return match[1], match[2]
