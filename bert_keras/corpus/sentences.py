"""Paragraphs to sentences."""

from bert_keras.errors import InputError

_PIECE = 1 << 14  # characters split at a time: a sentence is never longer


def split_sentences(paragraph: str, language: str = "en") -> list[str]:
    """Splits a paragraph into sentences.

    The library sentencex (rules for some 300 languages) decides where a sentence ends; it keeps a
    quotation in one piece. It gets 16,384 characters at a time, because its time is quadratic on
    unusual text. Longer text without a sentence end is cut at white space.

    Args:
        paragraph: the text. A line end is white space like any other.
        language: an ISO 639 code, which selects the rules. A language without rules uses those of a
            related language, or those of English, which know the full stops of all scripts.

    Returns:
        The sentences, none empty, with single spaces in place of white space.

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

    # The library fails on wide white space after an initial.
    text = " ".join(paragraph.split())
    sentences = []
    start = 0
    while len(text) - start > _PIECE:
        piece = text[start : start + _PIECE]
        complete = sentencex.segment(language, piece)[:-1]  # the last continues in the next piece
        if not complete:
            complete = [piece[: piece.rfind(" ") + 1] or piece]
        sentences += complete
        start += sum(map(len, complete))
    sentences += sentencex.segment(language, text[start:])
    return [sentence for sentence in map(str.strip, sentences) if sentence]
