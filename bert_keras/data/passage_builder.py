"""The tensorflow-datasets builders that write passages: on one machine, and on Apache Beam."""

import functools
import struct
import tempfile
import time

import numpy as np
import tensorflow_datasets as tfds

from bert_keras.data.tokenizing import Passage, ahead, is_held_out, read_passages
from bert_keras.errors import InputError
from bert_keras.text.tokenizer import BertTokenizer
from bert_keras.text.vocabulary import CONTINUATION
from bert_keras.training.progress import Progress

NAME = "bert_passages"
VERSION = "1.0.0"
TRAIN, VALIDATION = "train", "validation"
COUNTS = ("passages", "tokens", "words", "unknown")
_HEAD = struct.Struct("<qqqq")
_FRAME = 3  # [CLS], and [SEP] twice


class Recipe:
    """What passages are made from, and how. It can be pickled, the tokenizer by its settings.

    Args:
        corpus: a `Corpus`.
        tokenizer: a `BertTokenizer`.
        max_length: tokens a passage may have, with [CLS], [SEP] and [SEP].
        dev_fraction: share of the documents that are held out.
        corpus_bytes: how large the corpus is, to say how far the work is.
    """

    def __init__(self, corpus, tokenizer, max_length, dev_fraction, corpus_bytes):
        self.corpus, self._tokenizer = corpus, tokenizer
        self.max_length, self._dev_fraction = max_length, dev_fraction
        self.corpus_bytes = corpus_bytes
        continued = [token.startswith(CONTINUATION) for token in tokenizer.vocabulary]
        self._begins_word = ~np.array(continued)  # [vocabulary]

    def __reduce__(self):
        tokenizer = self._tokenizer
        settings = (
            tuple(tokenizer.vocabulary),
            tokenizer.lowercase,
            tokenizer.max_length,
            tokenizer.protect_special_tokens,
        )
        rest = self.max_length, self._dev_fraction, self.corpus_bytes
        return _recipe, (self.corpus, settings, *rest)

    def passages(self, shards):
        """As `tokenizing.read_passages`."""
        return read_passages(self.corpus, shards, self._tokenizer, self.max_length - _FRAME)

    def counts(self, passage):
        """Returns a passage's `COUNTS`, int64 [4], to be added to others'."""
        tokens = passage.tokens
        words = np.count_nonzero(self._begins_word[tokens])
        unknown = np.count_nonzero(tokens == self._tokenizer.unk_id)
        return np.array([1, len(tokens), words, unknown])

    def split(self, passage, by_document=True):
        """The name of the split that a passage belongs to.

        Args:
            passage: a `Passage`.
            by_document: False where this would leave nothing to train on, as in a corpus of one
                document; then every so many-th passage of each document is held out.
        """
        if by_document:
            held_out = is_held_out(passage.document, self._dev_fraction)
        else:
            held_out = passage.number % max(round(1 / self._dev_fraction), 2) == 0
        return VALIDATION if held_out else TRAIN


class BertPassages(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Writes the passages of a corpus, in random order.

    Args:
        recipe: a `Recipe`; None to read what is prepared.
        **arguments: those of every builder of tensorflow-datasets.
    """

    name = NAME
    VERSION = tfds.core.Version(VERSION)

    def __init__(self, recipe=None, **arguments):
        super().__init__(**arguments)
        self._recipe = recipe
        self._totals = {}

    @property
    def counts(self):
        """Of each split its `COUNTS`, a dict of dicts, when it is prepared."""
        return {
            split: dict(zip(COUNTS, map(int, totals), strict=True))
            for split, totals in self._totals.items()
        }

    def _info(self):
        numbers = functools.partial(tfds.features.Tensor, shape=(None,), dtype=np.int32)
        return tfds.core.DatasetInfo(
            builder=self,
            description="Runs of whole sentences of one document, as WordPiece token ids.",
            features=tfds.features.FeaturesDict(
                {
                    "tokens": numbers(doc="Without special tokens."),
                    "sentences": numbers(doc="Where in the tokens each sentence begins."),
                    "document": tfds.features.Scalar(np.int64, doc="Of which it is a passage."),
                }
            ),
        )

    def _split_generators(self, dl_manager):
        # The corpus is tokenised once, by the first, which lays the second's passages by.
        aside = _Aside(self.data_path)
        return {TRAIN: self._train(aside), VALIDATION: self._validation(aside)}

    def _generate_examples(self):
        raise NotImplementedError  # there is one generator for each split

    def _train(self, aside):
        for passage in self._read():
            if self._recipe.split(passage) == VALIDATION:
                aside.append(passage)
            else:
                yield self._counted(TRAIN, passage)
        self._by_document = TRAIN in self._totals
        if not self._by_document:
            yield from self._from_aside(aside, TRAIN)
        if TRAIN not in self._totals:
            raise InputError(
                f"{self._recipe.corpus.shards[0]}: expected text for two passages of "
                f"{self._recipe.max_length} tokens at least, found less."
            )

    def _validation(self, aside):
        yield from self._from_aside(aside, VALIDATION)

    def _from_aside(self, aside, split):
        for passage in aside:
            if self._recipe.split(passage, self._by_document) == split:
                yield self._counted(split, passage)

    def _counted(self, split, passage):
        self._totals[split] = self._totals.get(split, 0) + self._recipe.counts(passage)
        return example_of(passage)

    def _read(self):
        """Yields all passages, and shows how far it is."""
        corpus = self._recipe.corpus
        progress = Progress("Preparing, MB", max(self._recipe.corpus_bytes >> 20, 1))
        begun, characters = time.monotonic(), 0
        for passages, size in ahead(self._recipe.passages(range(len(corpus.shards)))):
            yield from passages
            characters += size
            rate = characters / 1e6 / max(time.monotonic() - begun, 1e-9)
            tokens = sum(len(passage.tokens) for passage in passages)
            progress.advance(len(passages), tokens, f"{rate:.1f} MB/s  ")
        progress.close()


def example_of(passage):
    """A passage's key and example, as tensorflow-datasets wants them."""
    return f"{passage.document}:{passage.number}", {
        "tokens": passage.tokens,
        "sentences": passage.sentences,
        "document": passage.document,
    }


class _Aside:
    """Passages laid by in a file without a name.

    Args:
        folder: where there is room for it.
    """

    def __init__(self, folder):
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115, closed with the object

    def append(self, passage):
        sizes = len(passage.tokens), len(passage.sentences)
        self._file.write(_HEAD.pack(passage.document, passage.number, *sizes))
        self._file.write(passage.tokens.tobytes() + passage.sentences.tobytes())

    def __iter__(self):
        self._file.seek(0)
        while head := self._file.read(_HEAD.size):
            document, number, *sizes = _HEAD.unpack(head)
            arrays = (np.frombuffer(self._file.read(4 * size), np.int32) for size in sizes)
            yield Passage(document, number, *arrays)


@functools.lru_cache(maxsize=1)
def _tokenizer(*settings):
    return BertTokenizer(*settings)


def _recipe(corpus, settings, *rest):
    return Recipe(corpus, _tokenizer(*settings), *rest)
