"""The tensorflow-datasets builders that write passages: on one machine, and on Apache Beam."""

import contextlib
import functools
import io
import math
import pathlib
import re
import struct
import tempfile
import time

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from tensorflow_datasets.core import shuffle

try:
    import resource
except ImportError:  # not on Windows
    resource = None

from bert_keras.corpus.passages import Passage, ahead, is_held_out, read_passages
from bert_keras.errors import InputError
from bert_keras.progress import Progress
from bert_keras.text.tokenizer import BertTokenizer
from bert_keras.text.vocabulary import CONTINUATION

NAME = "bert_passages"
VERSION = "1.0.0"
_COUNTED_AT_ONCE = 1024
TRAIN, VALIDATION = "train", "validation"
COUNTS = ("passages", "documents", "tokens", "words", "unknown")
_HEAD = struct.Struct("<qqqq")
_TOLD = re.compile(
    r"(InputError|errors_impl\.\w+|\w+Error(?=: \[Errno)): (.+?)(?: \[while running|$)",
    re.MULTILINE,
)
_SHUFFLED_IN_MEMORY = 1 << 26  # bytes
_OPEN_FILES = 4096
_FRAME = 3  # [CLS], and [SEP] twice


class Recipe:
    """What passages are made from, and how. Beam sends it to its workers.

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

    def counts(self, passages):
        """Returns the `COUNTS` of a list of passages, int64 [5], to be added to others'."""
        tokens = np.concatenate([passage.tokens for passage in passages])
        words = np.count_nonzero(self._begins_word[tokens])
        unknown = np.count_nonzero(tokens == self._tokenizer.unk_id)
        documents = sum(passage.number == 0 for passage in passages)
        return np.array([len(passages), documents, len(tokens), words, unknown])

    def check(self, splits):
        """Raises an `InputError` if there is nothing to train or to evaluate on.

        Args:
            splits: the names of those that have passages.
        """
        if TRAIN not in splits:
            raise InputError(
                f"{self.corpus.shards[0]}: expected text for two passages of {self.max_length} "
                "tokens at least, found less."
            )
        if VALIDATION not in splits:
            raise InputError(
                f"{self.corpus.shards[0]}: expected text in the first document, which is held out, "
                "found none."
            )

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


def write_passages(recipe, folder, beam_options=None):
    """Writes the dataset.

    Args:
        recipe: a `Recipe`.
        folder: a `pathlib.Path`; the dataset comes into a folder below it.
        beam_options: Apache Beam's flags, a list of str; None does without Beam.

    Returns:
        (the dataset's folder; of each split its `COUNTS`, a dict of dicts).

    Raises:
        InputError: the corpus cannot be used, or Beam is not installed.
        OSError: a file cannot be written.
    """
    tfds.disable_progress_bar()  # there is one of our own
    config = tfds.download.DownloadConfig(try_download_gcs=False)
    builder_class = BertPassages
    if beam_options:
        try:
            from bert_keras.corpus.beam import BeamBertPassages, options
        except ImportError as error:
            raise InputError(f"Apache Beam: needs bert_keras[beam] installed ({error}).") from None
        builder_class = BeamBertPassages
        config = config.replace(beam_options=options(beam_options))
    builder = builder_class(recipe, data_dir=folder)
    try:
        with contextlib.redirect_stdout(io.StringIO()), _sorting_on_disk():
            builder.download_and_prepare(download_config=config)
    except Exception as error:
        known = _unwrapped(error)
        if known is None:
            raise
        raise known from error
    return pathlib.Path(builder.data_dir), builder.counts


def _unwrapped(error):
    """The `InputError` or `OSError` that others have wrapped; None if it was something else."""
    # From Beam's workers comes no more than an error's text, and Beam's own added to it.
    found = _TOLD.search(f"{type(error).__name__}: {error}")
    if found:
        return (InputError if found[1] == "InputError" else OSError)(found[2])
    while error and not isinstance(error, OSError | tf.errors.OpError):
        error = error.__cause__
    return error and OSError(getattr(error, "message", error))


@contextlib.contextmanager
def _sorting_on_disk():
    """Lets tensorflow-datasets shuffle in files from 64 MB on, where it would take a gigabyte.

    That is a thousand files at a time, which many systems allow only those who ask.
    """
    kept = shuffle.MAX_MEM_BUFFER_SIZE
    shuffle.MAX_MEM_BUFFER_SIZE = _SHUFFLED_IN_MEMORY
    if resource:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        enough = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < enough:
            resource.setrlimit(resource.RLIMIT_NOFILE, (enough, hard))
    try:
        yield
    finally:
        shuffle.MAX_MEM_BUFFER_SIZE = kept


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
        self._uncounted = {}  # by split: counting many at a time costs a tenth

    @property
    def counts(self):
        """Of each split its `COUNTS`, a dict of dicts, when it is prepared."""
        for split in list(self._uncounted):
            self._count(split)
        return {
            split: dict(zip(COUNTS, map(int, totals), strict=True))
            for split, totals in self._totals.items()
        }

    def _info(self):
        numbers = functools.partial(
            tfds.features.Tensor, shape=(None,), dtype=np.int32, encoding="bytes"
        )
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
        held_out_passages = _PassageFile(self.data_path)
        return {
            TRAIN: self._train(held_out_passages),
            VALIDATION: self._validation(held_out_passages),
        }

    def _generate_examples(self):
        raise NotImplementedError  # there is one generator for each split

    def _train(self, held_out_passages):
        for passage in self._read():
            if self._recipe.split(passage) == VALIDATION:
                held_out_passages.append(passage)
            else:
                yield self._counted(TRAIN, passage)
        self._by_document = TRAIN in self.counts
        if not self._by_document:
            yield from self._from_file(held_out_passages, TRAIN)
        self._recipe.check(
            {**self.counts, **({VALIDATION: held_out_passages} if held_out_passages else {})}
        )

    def _validation(self, held_out_passages):
        yield from self._from_file(held_out_passages, VALIDATION)

    def _from_file(self, held_out_passages, split):
        for passage in held_out_passages:
            if self._recipe.split(passage, self._by_document) == split:
                yield self._counted(split, passage)

    def _counted(self, split, passage):
        uncounted = self._uncounted.setdefault(split, [])
        uncounted.append(passage)
        if len(uncounted) == _COUNTED_AT_ONCE:
            self._count(split)
        return example_of(passage)

    def _count(self, split):
        passages = self._uncounted.pop(split)
        self._totals[split] = self._totals.get(split, 0) + self._recipe.counts(passages)

    def _read(self):
        """Yields all passages, and shows how far it is."""
        corpus = self._recipe.corpus
        # Of a compressed corpus there will be more.
        progress = Progress("Preparing, MB", math.ceil(self._recipe.corpus_bytes / (1 << 20)))
        begun, characters = time.monotonic(), 0
        for passages, size in ahead(self._recipe.passages(range(len(corpus.shards)))):
            yield from passages
            if not size:  # what the last text left for the end
                continue
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


class _PassageFile:
    """Passages laid by in a file without a name.

    Args:
        folder: where there is room for it.
    """

    def __init__(self, folder):
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115, closed with the object

    def __bool__(self):
        return self._file.tell() > 0

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
