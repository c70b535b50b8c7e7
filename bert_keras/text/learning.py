"""Learns a WordPiece vocabulary from text."""

import collections
import dataclasses
import logging
import string
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import tensorflow as tf

from bert_keras.errors import InputError
from bert_keras.text.normalizer import Normalizer
from bert_keras.text.tokenizer import BertTokenizer
from bert_keras.text.vocabulary import CONTINUATION, SPECIAL_TOKENS, check_vocabulary
from bert_keras.text.wordpiece import MAX_WORD

_ALPHABET_END = 0x40000  # the alphabet's code points are below; those above are private ones
_BATCH = 1 << 16  # strings normalised in one call, at most
_BATCH_CHARACTERS = 1 << 24  # characters normalised in one call, at most
_MAX_CHUNKS = 1 << 20  # distinct chunks collected before they are normalised
_MAX_CHARACTERS = 1 << 28  # characters of text read before the chunks are normalised
_MAX_WORDS = 1 << 21  # distinct words counted
_MAX_OCCURRENCES = 20_000_000  # of all words together, in the trainer's input
_CHARACTER_COVERAGE = 0.99999  # share of the text's characters that get a token
_MIN_FREQUENCY = 2  # of a pair of pieces that is merged

logger = logging.getLogger(__name__)


def count_words(strings: Iterable[str], lowercase: bool = True) -> collections.Counter[str]:
    """Counts the normalised words of a text, as `BertTokenizer` splits it.

    Memory does not grow with the text: beyond two million distinct words, the rarest are dropped.

    Args:
        strings: the text in pieces of any size.
        lowercase: whether to lower-case the text and strip its accents, as in `BertTokenizer`.

    Returns:
        How often each word occurs; a punctuation sign is a word. Words of more than 200 characters
        are left out, because any vocabulary maps them to [UNK].
    """
    split = _splitter(lowercase)
    words: collections.Counter[str] = collections.Counter()
    chunks: collections.Counter[str] = collections.Counter()
    characters = 0
    for text in strings:
        # Chunks between spaces are normalised independently, and most of them repeat.
        chunks.update(text.split(" "))
        characters += len(text)
        if len(chunks) >= _MAX_CHUNKS or characters >= _MAX_CHARACTERS:
            characters = 0
            _add_words(chunks, words, split)
            chunks.clear()
            words = _most_frequent(words)
    _add_words(chunks, words, split)
    return words


def learn_vocabulary(words: Mapping[str, int], vocab_size: int) -> list[str]:
    """Learns a WordPiece vocabulary from word counts.

    It uses the trainer of Hugging Face's `tokenizers` (byte-pair merges, Sennrich et al. 2016,
    arXiv 1508.07909, with WordPiece's "##"): starting from single characters, the most frequent
    pair of adjacent pieces is merged into a new piece until the vocabulary is full. Google's own
    trainer was never published. The same words always give the same vocabulary.

    Args:
        words: how often each word occurs, from `count_words`. The counts of a large corpus are
            scaled down to 20 million occurrences, so that learning takes no longer than for a
            corpus of 100 MB.
        vocab_size: the number of tokens to learn. It includes [PAD], [UNK], [CLS], [SEP] and
            [MASK], which come first and have the ids 0 to 4.

    Returns:
        The tokens: the special ones, the characters, and the pieces in the order in which they were
        merged. There are fewer than `vocab_size` if no pair of pieces is left that occurs twice; a
        warning is logged then.

    Raises:
        InputError: there are no words, `vocab_size` is too small for the characters of the words,
            or the package tokenizers is not installed.
    """
    try:
        import tokenizers
    except ImportError as error:
        raise InputError(
            f"Learning a vocabulary needs the package tokenizers ({error}); "
            "pip install 'bert_keras[pretraining]' has it."
        ) from None
    if not words:
        raise InputError("expected words to learn a vocabulary from, found none.")
    alphabet = _alphabet(words)
    # The trainer assigns ids to the characters inside words in an order that changes from run to
    # run, and breaks ties by id. Declared as special tokens, they have fixed ids.
    first = [*SPECIAL_TOKENS, *alphabet]
    if vocab_size < len(first):
        raise InputError(
            f"expected at least {len(first):,} tokens, for the special ones and the characters of "
            f"the text, found {vocab_size:,}.",
            field="vocab_size",
        )
    model = tokenizers.Tokenizer(tokenizers.models.WordPiece())
    model.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    trainer = tokenizers.trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        min_frequency=_MIN_FREQUENCY,
        show_progress=False,
        special_tokens=first,
    )
    model.train_from_iterator(_repeated(words, alphabet), trainer)
    ids = model.get_vocab()
    tokens = check_vocabulary(sorted(ids, key=lambda token: ids[token]))
    if len(tokens) < vocab_size:
        logger.warning(
            "The vocabulary has %s tokens instead of %s: no other pair of pieces occurs twice in "
            "the text.",
            f"{len(tokens):,}",
            f"{vocab_size:,}",
        )
    return tokens


@dataclasses.dataclass(frozen=True)
class Coverage:
    """How well a vocabulary fits a text.

    Attributes:
        words: the number of words in the text; a punctuation sign is a word.
        tokens: the number of tokens that the words are split into.
        unknown: the number of words that are [UNK].
    """

    words: int
    tokens: int
    unknown: int

    @property
    def unknown_share(self) -> float:
        """The fraction of words that are [UNK], 0 if there are no words."""
        return self.unknown / max(self.words, 1)

    @property
    def tokens_per_word(self) -> float:
        """The mean number of tokens per word, 1 if every word is in the vocabulary."""
        return self.tokens / max(self.words, 1)


def measure_coverage(tokenizer: BertTokenizer, strings: Iterable[str]) -> Coverage:
    """Tokenizes a text and counts how well the vocabulary fits it.

    Args:
        tokenizer: the tokenizer.
        strings: the text in pieces of any size.

    Returns:
        The counts.
    """
    counts = np.zeros(len(tokenizer.vocabulary), np.int64)
    for batch in _batches(strings, 1024):
        counts += np.bincount(tokenizer.tokenize(batch).values, minlength=len(counts))
    continues = [
        token.startswith(CONTINUATION) and token != CONTINUATION for token in tokenizer.vocabulary
    ]
    return Coverage(
        words=int(counts.sum() - counts[continues].sum()),
        tokens=int(counts.sum()),
        unknown=int(counts[tokenizer.unk_id]),
    )


def _splitter(lowercase: bool) -> Callable[[list[str]], tuple[tf.Tensor, tf.Tensor]]:
    """Returns a function from strings to their words and the index of each word's string."""
    with tf.device("cpu"):
        # In this alphabet a character's number is its code point.
        normalizer = Normalizer({code: code for code in range(1, _ALPHABET_END)}, lowercase, False)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def split(strings: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.device("cpu"):
            codes = tf.strings.unicode_decode(strings, "UTF-8")  # [strings, (codes)]
            symbols, is_start, is_space, origins = normalizer(codes.values, codes.row_splits)
            starts = tf.where(is_start)[:, 0]  # [words]
            ends = tf.size(symbols, tf.int64)[tf.newaxis]
            words = tf.RaggedTensor.from_row_splits(
                symbols, tf.concat([starts, ends], 0), validate=False
            )  # [words, (characters)]
            kept = ~tf.gather(is_space, starts) & (words.row_lengths() <= MAX_WORD)
            kept &= tf.reduce_all(words > 0, 1)  # 0 marks a character outside the alphabet
            string_ids = tf.searchsorted(codes.row_splits, tf.gather(origins, starts), "right") - 1
            return (
                tf.strings.unicode_encode(tf.ragged.boolean_mask(words, kept), "UTF-8"),
                tf.boolean_mask(string_ids, kept),
            )

    return split


def _add_words(
    chunks: Mapping[str, int],
    words: collections.Counter[str],
    split: Callable[[list[str]], tuple[tf.Tensor, tf.Tensor]],
) -> None:
    """Adds the words of chunks, given with their counts, to the counts of words."""
    for batch in _batches(chunks, _BATCH):
        batch_words, chunk_ids = (part.numpy().tolist() for part in split(batch))
        counts = [chunks[chunk] for chunk in batch]
        for word, chunk_id in zip(batch_words, chunk_ids, strict=True):
            words[word.decode()] += counts[chunk_id]


def _most_frequent(words: collections.Counter[str]) -> collections.Counter[str]:
    """Drops the rarest words until few enough are left."""
    floor = 0
    while len(words) > _MAX_WORDS:
        floor += 1
        words = collections.Counter({word: n for word, n in words.items() if n > floor})
    return words


def _alphabet(words: Mapping[str, int]) -> list[str]:
    """Returns the characters of the words, then those inside a word again with "##".

    ASCII digits and punctuation are always included.
    """
    counts: collections.Counter[str] = collections.Counter()
    inside = set(string.digits)
    for word, count in words.items():
        inside.update(word[1:])
        for character in word:
            counts[character] += count
    left = counts.total() * (1 - _CHARACTER_COVERAGE)
    kept = set(counts)
    for character in sorted(counts, key=lambda character: (counts[character], character)):
        left -= counts[character]
        if left < 0:
            break
        kept.remove(character)
    kept.update(string.digits + string.punctuation)
    return sorted(kept) + [CONTINUATION + character for character in sorted(kept & inside)]


def _repeated(words: Mapping[str, int], alphabet: Iterable[str]) -> Iterator[str]:
    """Yields each word as often as it occurs, since the trainer takes text and not counts."""
    known = set(alphabet)
    scale = min(1.0, _MAX_OCCURRENCES / sum(words.values()))
    for word, count in words.items():
        if known.issuperset(word):  # all others will be [UNK]
            yield f"{word} " * round(count * scale)


def _batches(strings: Iterable[str], size: int) -> Iterator[list[str]]:
    """Yields the strings in batches that are limited in strings and in characters."""
    batch: list[str] = []
    characters = 0
    for text in strings:
        batch.append(text)
        characters += len(text)
        if len(batch) == size or characters >= _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch
