"""Paragraphs to sentences."""

from bert_keras.errors import InputError

_PIECE = 1 << 14  # characters looked at together: a sentence is never longer


def split_sentences(paragraph, language="en"):
    """Finds the sentences of a paragraph.

    Where a sentence ends is decided by the library sentencex (rules for some 300 languages), which
    keeps a quotation in one piece. It is shown 16,384 characters at a time, for on strange text it
    takes the square of that in time; what is longer without an end is cut at white space.

    Args:
        paragraph: a str, its line ends white space like any other.
        language: a code of ISO 639, whose abbreviations are known. One that has no rules takes
            those of a language near to it, or English's, which know the full stops of all scripts.

    Returns:
        A list of str, none empty, white space collapsed to single spaces.

    Raises:
        InputError: sentencex is not installed.
    """
    try:
        import sentencex
    except ImportError as error:
        raise InputError(
            f"Finding sentences needs the package sentencex ({error}); "
            "pip install 'bert_keras[pretraining]' has it."
        ) from None

    # Not for looks alone: with wide white space after an initial, the library fails.
    text = " ".join(paragraph.split())
    sentences = []
    start = 0
    while len(text) - start > _PIECE:
        piece = text[start : start + _PIECE]
        found = sentencex.segment(language, piece)[:-1]  # the last goes on in the next piece
        if not found:
            found = [piece[: piece.rfind(" ") + 1] or piece]
        sentences += found
        start += sum(map(len, found))
    sentences += sentencex.segment(language, text[start:])
    return [sentence for sentence in map(str.strip, sentences) if sentence]
