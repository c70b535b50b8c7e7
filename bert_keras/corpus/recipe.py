"""How passages are made from a corpus: what the builders of datasets have in common."""

import functools
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np

from bert_keras.corpus.corpus import Corpus
from bert_keras.corpus.passages import Passage, is_held_out, read_passages
from bert_keras.errors import InputError
from bert_keras.text.tokenizer import BertTokenizer
from bert_keras.text.vocabulary import CONTINUATION

Split = Literal["train", "validation"]
TRAIN: Split = "train"
VALIDATION: Split = "validation"
COUNTS = ("passages", "documents", "tokens", "words", "unknown")
_FRAME = 3  # [CLS], and [SEP] twice


class Recipe:
    """What passages are made from, and how. It can be pickled, so Beam sends it to its workers.

    Args:
        corpus: the texts.
        tokenizer: turns texts into token ids.
        max_length: tokens that a passage may have, with [CLS], [SEP] and [SEP].
        dev_fraction: share of the documents that are held out.
        corpus_bytes: the size of the corpus, to show the progress.
    """

    def __init__(
        self,
        corpus: Corpus,
        tokenizer: BertTokenizer,
        max_length: int,
        dev_fraction: float,
        corpus_bytes: int,
    ):
        self.corpus, self._tokenizer = corpus, tokenizer
        self.max_length, self._dev_fraction = max_length, dev_fraction
        self.corpus_bytes = corpus_bytes
        continued = [token.startswith(CONTINUATION) for token in tokenizer.vocabulary]
        self._starts_word = ~np.array(continued)  # [vocabulary]

    def __reduce__(self) -> tuple[Any, ...]:
        tokenizer = self._tokenizer
        settings = (
            tuple(tokenizer.vocabulary),
            tokenizer.lowercase,
            tokenizer.max_length,
            tokenizer.protect_special_tokens,
        )
        rest = self.max_length, self._dev_fraction, self.corpus_bytes
        return _recipe, (self.corpus, settings, *rest)

    def passages(self, shards: Iterable[int]) -> Iterator[tuple[list[Passage], int]]:
        """See `passages.read_passages`."""
        return read_passages(self.corpus, shards, self._tokenizer, self.max_length - _FRAME)

    def counts(self, passages: Sequence[Passage]) -> np.ndarray:
        """Returns the `COUNTS` of passages, int64 [5]. Those of several lists can be added."""
        tokens = np.concatenate([passage.tokens for passage in passages])
        words = np.count_nonzero(self._starts_word[tokens])
        unknown = np.count_nonzero(tokens == self._tokenizer.unk_id)
        documents = sum(passage.number == 0 for passage in passages)
        return np.array([len(passages), documents, len(tokens), words, unknown])

    def check(self, splits: Collection[str]) -> None:
        """Checks that there are passages to train on and to evaluate on.

        Args:
            splits: the names of the splits that have passages.

        Raises:
            InputError: a split has none.
        """
        if TRAIN not in splits:
            raise InputError(
                f"{self.corpus.shards[0]}: expected text for at least two passages of "
                f"{self.max_length} tokens, found less."
            )
        if VALIDATION not in splits:
            raise InputError(
                f"{self.corpus.shards[0]}: expected text in the first document, which is held out, "
                "found none."
            )

    def split(self, passage: Passage, by_document: bool = True) -> Split:
        """Returns the split that a passage belongs to.

        Args:
            passage: the passage.
            by_document: False where this would leave nothing to train on, as in a corpus of one
                document; then passages are held out at regular intervals in each document.
        """
        if by_document:
            held_out = is_held_out(passage.document, self._dev_fraction)
        else:
            held_out = passage.number % max(round(1 / self._dev_fraction), 2) == 0
        return VALIDATION if held_out else TRAIN


def example_of(passage: Passage) -> tuple[str, dict[str, Any]]:
    """Returns a passage's key and example for tensorflow-datasets."""
    return f"{passage.document}:{passage.number}", {
        "tokens": passage.tokens,
        "sentences": passage.sentences,
        "document": passage.document,
    }


@functools.lru_cache(maxsize=1)
def _tokenizer(*settings: Any) -> BertTokenizer:
    return BertTokenizer(*settings)


def _recipe(corpus: Corpus, settings: tuple, *rest: Any) -> Recipe:
    return Recipe(corpus, _tokenizer(*settings), *rest)
