"""Learns a WordPiece vocabulary from text."""

import collections
import dataclasses
import logging
import string

import numpy as np
import tensorflow as tf

from bert_keras.errors import InputError
from bert_keras.text.normalizer import Normalizer
from bert_keras.text.vocabulary import CONTINUATION, SPECIAL_TOKENS, check_vocabulary
from bert_keras.text.wordpiece import MAX_WORD

_DESCRIBED = 0x40000  # code points below this are in the alphabet; above are none but private ones
_BATCH = 1 << 16  # strings normalised at a time
_BATCH_CHARACTERS = 1 << 24  # and their characters, at most
_MOST_CHUNKS = 1 << 20  # distinct ones kept before they are normalised
_MOST_CHARACTERS = 1 << 28  # of text read before that is done
_MOST_WORDS = 1 << 21  # distinct ones kept
_MOST_OCCURRENCES = 20_000_000  # of all words, as they are told to the trainer
_CHARACTER_COVERAGE = 0.99999  # of the text's characters, those that get a token
_LEAST_COUNT = 2  # of a pair of pieces that is joined to one

logger = logging.getLogger(__name__)


def count_words(strings, lowercase=True):
    """Counts the words that `BertTokenizer` would cut into pieces.

    Memory does not grow with the text: beyond two million distinct words, the rarest are
    forgotten.

    Args:
        strings: iterable of str.
        lowercase: as the tokenizer's.

    Returns:
        `collections.Counter` of normalised words, punctuation signs among them. Left out are those
        that are [UNK] under any vocabulary, longer than 200 characters.
    """
    split = _splitter(lowercase)
    words, chunks, characters = collections.Counter(), collections.Counter(), 0
    for text in strings:
        # Normalising a text is normalising what its spaces divide, and most of that is repeated.
        chunks.update(text.split(" "))
        characters += len(text)
        if len(chunks) >= _MOST_CHUNKS or characters >= _MOST_CHARACTERS:
            characters = 0
            _add_words(chunks, words, split)
            chunks.clear()
            words = _most_frequent(words)
    _add_words(chunks, words, split)
    return words


def learn_vocabulary(words, size):
    """Learns the pieces of which words are made.

    As Hugging Face's `tokenizers` learns WordPiece: from single characters on, the most frequent
    pair of neighbouring pieces becomes a piece, until there are enough. (The original's learner was
    never published.) The same words give the same vocabulary.

    Args:
        words: dict from word to its count, of `count_words`. Those of a large corpus are scaled
            down to 20 million occurrences in all, so learning takes no longer than for 100 MB.
        size: how many tokens to learn, [PAD], [UNK], [CLS], [SEP] and [MASK], which come first and
            have the ids 0 to 4, among them.

    Returns:
        The tokens, a list of str: the special ones, the characters, and the pieces in the order in
        which they were found. Fewer than `size`, which is logged, if the words have no more pieces
        that occur twice.

    Raises:
        InputError: there are no words, or `size` is too small for the characters they are made of;
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
    # The trainer numbers characters inside words in an order that changes from run to run, and
    # settles ties by number. As special tokens they get theirs beforehand.
    first = [*SPECIAL_TOKENS, *alphabet]
    if size < len(first):
        raise InputError(
            f"size of the vocabulary: expected at least {len(first):,} tokens, for the special "
            f"ones and the characters of the text, found {size:,}."
        )
    model = tokenizers.Tokenizer(tokenizers.models.WordPiece())
    model.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    trainer = tokenizers.trainers.WordPieceTrainer(
        vocab_size=size, min_frequency=_LEAST_COUNT, show_progress=False, special_tokens=first
    )
    model.train_from_iterator(_repeated(words, alphabet), trainer)
    ids = model.get_vocab()
    tokens = check_vocabulary(sorted(ids, key=ids.get))
    if len(tokens) < size:
        logger.warning(
            "The text has %s pieces that occur twice, so there are not %s tokens.",
            f"{len(tokens):,}",
            f"{size:,}",
        )
    return tokens


@dataclasses.dataclass(frozen=True)
class Coverage:
    """How a vocabulary fits a text.

    Attributes:
        words: how many words the text has, punctuation signs among them.
        tokens: into how many tokens they are cut.
        unknown: how many of the words are [UNK].
    """

    words: int
    tokens: int
    unknown: int

    @property
    def unknown_share(self):
        """The fraction of words that are [UNK], 0 if there are no words."""
        return self.unknown / max(self.words, 1)

    @property
    def tokens_per_word(self):
        """1 if every word is a token of its own."""
        return self.tokens / max(self.words, 1)


def measure_coverage(tokenizer, strings):
    """Tokenises a text to see how the vocabulary fits it.

    Args:
        tokenizer: a `BertTokenizer`.
        strings: iterable of str.

    Returns:
        `Coverage`.
    """
    counts = np.zeros(len(tokenizer.vocabulary), np.int64)
    for batch in _batches(strings, 1024):
        counts += np.bincount(tokenizer.tokenize(batch).values, minlength=len(counts))
    goes_on = [
        token.startswith(CONTINUATION) and token != CONTINUATION for token in tokenizer.vocabulary
    ]
    return Coverage(
        words=int(counts.sum() - counts[goes_on].sum()),
        tokens=int(counts.sum()),
        unknown=int(counts[tokenizer.unk_id]),
    )


def _splitter(lowercase):
    """Returns the function from strings to words, in TensorFlow's ops."""
    with tf.device("cpu"):
        # In this alphabet a character's number is its code point.
        normalizer = Normalizer({code: code for code in range(1, _DESCRIBED)}, lowercase, False)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def split(strings):
        with tf.device("cpu"):
            codes = tf.strings.unicode_decode(strings, "UTF-8")  # [strings, (codes)]
            symbols, begins, spaces, locations = normalizer(codes.values, codes.row_splits)
            starts = tf.where(begins)[:, 0]  # [words]
            ends = tf.size(symbols, tf.int64)[tf.newaxis]
            words = tf.RaggedTensor.from_row_splits(
                symbols, tf.concat([starts, ends], 0), validate=False
            )  # [words, (characters)]
            kept = ~tf.gather(spaces, starts) & (words.row_lengths() <= MAX_WORD)
            kept &= tf.reduce_all(words > 0, 1)  # 0 is in no alphabet
            owners = tf.searchsorted(codes.row_splits, tf.gather(locations, starts), "right") - 1
            return (
                tf.strings.unicode_encode(tf.ragged.boolean_mask(words, kept), "UTF-8"),
                tf.boolean_mask(owners, kept),
            )

    return split


def _add_words(chunks, words, split):
    for batch in _batches(chunks, _BATCH):
        found, owners = split(batch)
        counts = [chunks[chunk] for chunk in batch]
        for word, owner in zip(found.numpy().tolist(), owners.numpy().tolist(), strict=True):
            words[word.decode()] += counts[owner]


def _most_frequent(words):
    floor = 0
    while len(words) > _MOST_WORDS:
        floor += 1
        words = collections.Counter({word: n for word, n in words.items() if n > floor})
    return words


def _alphabet(words):
    """The characters of the words, and again with "##" those that stand inside a word.

    Digits and the signs of ASCII are among them, met or not.
    """
    counts = collections.Counter()
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


def _repeated(words, alphabet):
    """Yields each word as many times as it occurs: the trainer takes text, not counts."""
    known = set(alphabet)
    scale = min(1.0, _MOST_OCCURRENCES / sum(words.values()))
    for word, count in words.items():
        if known.issuperset(word):  # the others are [UNK]
            yield f"{word} " * round(count * scale)


def _batches(strings, size):
    batch, characters = [], 0
    for text in strings:
        batch.append(text)
        characters += len(text)
        if len(batch) == size or characters >= _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch
