"""Tag schemes: the entities of a sentence written as one tag for each word.

Sources: Ramshaw and Marcus 1995 (IOB1); Tjong Kim Sang and Veenstra 1999 (IOB2). IOBES, BILOU and
BMES, which have tags of their own for the last word of an entity and for an entity of one word, are
one scheme with different letters.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

OUTSIDE = "O"

# For each scheme, the letters of an entity's first word, the words inside, the last word, and the
# only word. In IOB1 the first word has a "B" only directly after another entity of its type.
_LETTERS = {
    "iob1": ("B", "I", "I", "B"),
    "iob2": ("B", "I", "I", "B"),
    "iobes": ("B", "I", "E", "S"),
    "bilou": ("B", "I", "L", "U"),
    "bmes": ("B", "M", "E", "S"),
}
SCHEMES = tuple(_LETTERS)
_TAG = re.compile(r"([BIELMSU])-(.+)")

# A tag's letter and type; ("O", None) outside of entities.
_LetterAndType = tuple[str, str | None]


class Span(NamedTuple):
    """An entity as a range of words.

    Attributes:
        type: the name of its type.
        first: the index of its first word.
        last: the index of its last word.
    """

    type: str
    first: int
    last: int


class TagError(ValueError):
    """A tag is not in the scheme, or the scheme does not allow it at its position.

    Attributes:
        word: the index of the word.
    """

    def __init__(self, word: int, message: str):
        super().__init__(message)
        self.word = word


def infer_scheme(sentences: Iterable[Sequence[str]]) -> str:
    """Infers the scheme of tags from their letters.

    Args:
        sentences: the tags of each sentence, all of a file: more tags leave less undecided.

    Returns:
        One of `SCHEMES`. IOB1 and IOB2 have the same letters. The result is the one in which more
        of the entities start, because CoNLL-2003 itself has a few "B" that IOB1 does not require;
        `spans_of` rejects tags that the scheme does not allow. Without any entity it is "iob2".
    """
    letters, in_iob1, in_iob2 = set(), 0, 0
    for tags in sentences:
        before = OUTSIDE
        for tag in tags:
            letters.add(tag[0])
            if tag[0] in "BI":
                continues = before[1:] == tag[1:]  # directly after an entity of the same type
                in_iob1 += tag[0] == "I" and not continues
                in_iob2 += tag[0] == "B" and not continues
            before = tag
    if letters & set("LU"):
        return "bilou"
    if letters & set("ES"):
        return "bmes" if "M" in letters else "iobes"
    return "iob1" if in_iob1 > in_iob2 else "iob2"


def spans_of(tags: Sequence[str], scheme: str) -> list[Span]:
    """Reads the entities of a sentence from its tags.

    Args:
        tags: the tag of each word.
        scheme: one of `SCHEMES`.

    Returns:
        The entities in order.

    Raises:
        TagError: a tag is not in the scheme, or not allowed at its position.
    """
    pairs = [_split_tag(word, tag, scheme) for word, tag in enumerate(tags)]
    read = _read_without_ends if _LETTERS[scheme][1] == _LETTERS[scheme][2] else _read_with_ends
    return read(tags, pairs, scheme)


def tags_of(spans: Iterable[Span], words: int, scheme: str) -> list[str]:
    """Writes the entities of a sentence as tags.

    Args:
        spans: the entities in order; they do not overlap.
        words: the number of words of the sentence.
        scheme: one of `SCHEMES`.

    Returns:
        The tag of each word.
    """
    first, inside, last, single = _LETTERS[scheme]
    tags = [OUTSIDE] * words
    before: Span | None = None
    for span in spans:
        count = span.last - span.first + 1
        letters = [first, *[inside] * (count - 2), last] if count > 1 else [single]
        if scheme == "iob1" and (before is None or not _touch(before, span)):
            letters[0] = inside
        tags[span.first : span.last + 1] = [f"{letter}-{span.type}" for letter in letters]
        before = span
    return tags


def _touch(before: Span, span: Span) -> bool:
    return before.type == span.type and before.last + 1 == span.first


def _read_without_ends(
    tags: Sequence[str], pairs: Iterable[_LetterAndType], scheme: str
) -> list[Span]:
    """Reads IOB1 and IOB2, where an entity continues as long as there are "I" of its type."""
    spans: list[Span] = []
    type_before = None
    for word, (letter, kind) in enumerate(pairs):
        if letter == "I" and kind == type_before:
            spans[-1] = spans[-1]._replace(last=word)
        elif letter == "I" and scheme == "iob2":
            raise TagError(word, f"{_describe(tags, word)}, with no B-{kind} before it")
        elif kind is not None:
            spans.append(Span(kind, word, word))
        type_before = kind
    return spans


def _read_with_ends(
    tags: Sequence[str], pairs: Iterable[_LetterAndType], scheme: str
) -> list[Span]:
    """Reads IOBES and its relatives, where every entity of several words has a tag for its last."""
    first, inside, last, single = _LETTERS[scheme]
    spans: list[Span] = []
    opened: tuple[str, int] | None = None  # type and first word of an entity that has not ended
    for word, (letter, kind) in enumerate(pairs):
        if opened is None:
            if letter in (inside, last):
                raise TagError(word, f"{_describe(tags, word)}, with no {first}-{kind} before it")
            if kind is not None and letter == single:
                spans.append(Span(kind, word, word))
            elif kind is not None:
                opened = (kind, word)
        elif letter not in (inside, last) or kind != opened[0]:
            raise TagError(
                word, f"{_describe(tags, word)}, with no {last}-{opened[0]} between them"
            )
        elif letter == last:
            spans.append(Span(*opened, word))
            opened = None
    if opened is not None:
        raise TagError(len(tags) - 1, f"{tags[-1]} ends a sentence, with no {last}-{opened[0]}")
    return spans


def _describe(tags: Sequence[str], word: int) -> str:
    return f"{tags[word]} follows {tags[word - 1]}" if word else f"{tags[word]} starts a sentence"


def _split_tag(word: int, tag: str, scheme: str) -> _LetterAndType:
    """Returns the letter and the type of a tag."""
    if tag == OUTSIDE:
        return OUTSIDE, None
    match = _TAG.fullmatch(tag)
    if not match:
        raise TagError(word, f"expected a tag such as O or B-PER, found {tag!r}")
    if match[1] not in _LETTERS[scheme]:
        raise TagError(word, f"{tag} is no tag of {scheme.upper()}, the scheme of the file")
    return match[1], match[2]
