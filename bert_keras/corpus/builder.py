"""The tensorflow-datasets builder that writes passages on one machine."""

import contextlib
import functools
import io
import math
import pathlib
import re
import struct
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from tensorflow_datasets.core import shuffle

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]  # mypy takes the name for a module

from bert_keras.corpus.passages import Passage, ahead
from bert_keras.corpus.recipe import COUNTS, TRAIN, VALIDATION, Recipe, Split, example_of
from bert_keras.errors import InputError
from bert_keras.progress import Progress

NAME = "bert_passages"
VERSION = "1.0.0"
_COUNTED_AT_ONCE = 1024
_HEAD = struct.Struct("<qqqq")
# The text of an error, inside the text of the error that wraps it.
_WRAPPED_ERROR = re.compile(
    r"(InputError|errors_impl\.\w+|\w+Error(?=: \[Errno)): (.+?)(?: \[while running|$)",
    re.MULTILINE,
)
_SHUFFLED_IN_MEMORY = 1 << 26  # bytes
_OPEN_FILES = 4096


# tensorflow-datasets has no types, so mypy does not know the argument of its classes.
class BertPassages(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Writes the passages of a corpus, in random order.

    Args:
        recipe: what the passages are made from; None to read a dataset that is prepared.
        **arguments: those of every builder of tensorflow-datasets.
    """

    name = NAME
    VERSION = tfds.core.Version(VERSION)

    def __init__(self, recipe: Recipe | None = None, **arguments: Any):
        super().__init__(**arguments)
        self._recipe: Any = recipe
        self._totals: dict[str, Any] = {}
        # By split: counting passages one by one would take a tenth of the time.
        self._uncounted: dict[str, list[Passage]] = {}

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """The `COUNTS` of each split, by name, after preparation."""
        for split in list(self._uncounted):
            self._count(split)
        return {
            split: dict(zip(COUNTS, map(int, totals), strict=True))
            for split, totals in self._totals.items()
        }

    @property
    def download_config(self) -> Any:
        """The `tfds.download.DownloadConfig` to prepare with."""
        return tfds.download.DownloadConfig(try_download_gcs=False)

    def _info(self) -> Any:
        integers = functools.partial(
            tfds.features.Tensor, shape=(None,), dtype=np.int32, encoding="bytes"
        )
        return tfds.core.DatasetInfo(
            builder=self,
            description="Runs of whole sentences of one document, as WordPiece token ids.",
            features=tfds.features.FeaturesDict(
                {
                    "tokens": integers(doc="Without special tokens."),
                    "sentences": integers(doc="Where in the tokens each sentence begins."),
                    "document": tfds.features.Scalar(np.int64, doc="Of which it is a passage."),
                }
            ),
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        # The corpus is tokenised once, by the first generator, which stores the second's passages.
        held_out_passages = _PassageFile(self.data_path)
        return {
            TRAIN: self._train(held_out_passages),
            VALIDATION: self._validation(held_out_passages),
        }

    def _generate_examples(self) -> None:
        raise NotImplementedError  # each split has a generator of its own

    def _train(self, held_out_passages: "_PassageFile") -> Iterator[tuple[str, dict[str, Any]]]:
        for passage in self._read():
            if self._recipe.split(passage) == VALIDATION:
                held_out_passages.append(passage)
            else:
                yield self._counted(TRAIN, passage)
        self._by_document = TRAIN in self.counts
        if not self._by_document:
            yield from self._from_file(held_out_passages, TRAIN)
        self._recipe.check({*self.counts, *([VALIDATION] if held_out_passages else [])})

    def _validation(
        self, held_out_passages: "_PassageFile"
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        yield from self._from_file(held_out_passages, VALIDATION)

    def _from_file(
        self, held_out_passages: "_PassageFile", split: Split
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        for passage in held_out_passages:
            if self._recipe.split(passage, self._by_document) == split:
                yield self._counted(split, passage)

    def _counted(self, split: Split, passage: Passage) -> tuple[str, dict[str, Any]]:
        uncounted = self._uncounted.setdefault(split, [])
        uncounted.append(passage)
        if len(uncounted) == _COUNTED_AT_ONCE:
            self._count(split)
        return example_of(passage)

    def _count(self, split: str) -> None:
        passages = self._uncounted.pop(split)
        self._totals[split] = self._totals.get(split, 0) + self._recipe.counts(passages)

    def _read(self) -> Iterator[Passage]:
        """Yields all passages, and shows the progress."""
        corpus = self._recipe.corpus
        # A compressed corpus has more text than bytes.
        progress = Progress("Preparing, MB", math.ceil(self._recipe.corpus_bytes / (1 << 20)))
        start, characters = time.monotonic(), 0
        for passages, size in ahead(self._recipe.passages(range(len(corpus.shards)))):
            yield from passages
            if not size:  # the end of the last text
                continue
            characters += size
            rate = characters / 1e6 / max(time.monotonic() - start, 1e-9)
            tokens = sum(len(passage.tokens) for passage in passages)
            progress.advance(len(passages), tokens, f"{rate:.1f} MB/s  ")
        progress.close()


def write_passages(builder: BertPassages) -> tuple[pathlib.Path, dict[str, dict[str, int]]]:
    """Writes a dataset.

    Args:
        builder: its builder, which has a recipe.

    Returns:
        (the dataset's folder, the `COUNTS` of each split by name).

    Raises:
        InputError: the corpus cannot be used.
        OSError: a file cannot be written.
    """
    tfds.disable_progress_bar()  # `Progress` shows one
    try:
        with contextlib.redirect_stdout(io.StringIO()), _sorting_on_disk():
            builder.download_and_prepare(download_config=builder.download_config)
    except Exception as error:
        known = _unwrapped(error)
        if known is None:
            raise
        raise known from error
    return pathlib.Path(builder.data_dir), builder.counts


def _unwrapped(error: BaseException | None) -> InputError | OSError | None:
    """Returns the `InputError` or `OSError` that an error wraps; None for any other error."""
    # Beam's workers send only the text of an error, and Beam adds text of its own.
    wrapped = _WRAPPED_ERROR.search(f"{type(error).__name__}: {error}")
    if wrapped:
        return (InputError if wrapped[1] == "InputError" else OSError)(wrapped[2])
    while error and not isinstance(error, OSError | tf.errors.OpError):
        error = error.__cause__
    return OSError(getattr(error, "message", error)) if error else None


@contextlib.contextmanager
def _sorting_on_disk() -> Iterator[None]:
    """Makes tensorflow-datasets shuffle in files from 64 MB on, instead of using a gigabyte.

    It opens a thousand files at a time, so the limit on open files is raised if it is lower.
    """
    default = shuffle.MAX_MEM_BUFFER_SIZE
    shuffle.MAX_MEM_BUFFER_SIZE = _SHUFFLED_IN_MEMORY
    if resource:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        enough = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < enough:
            resource.setrlimit(resource.RLIMIT_NOFILE, (enough, hard))
    try:
        yield
    finally:
        shuffle.MAX_MEM_BUFFER_SIZE = default


class _PassageFile:
    """Passages in a temporary file.

    Args:
        folder: a folder on a disk with enough space.
    """

    def __init__(self, folder: Any):
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115, closed with the object

    def __bool__(self) -> bool:
        return self._file.tell() > 0

    def append(self, passage: Passage) -> None:
        sizes = len(passage.tokens), len(passage.sentences)
        self._file.write(_HEAD.pack(passage.document, passage.number, *sizes))
        self._file.write(passage.tokens.tobytes() + passage.sentences.tobytes())

    def __iter__(self) -> Iterator[Passage]:
        self._file.seek(0)
        while head := self._file.read(_HEAD.size):
            document, number, *sizes = _HEAD.unpack(head)
            arrays = (np.frombuffer(self._file.read(4 * size), np.int32) for size in sizes)
            yield Passage(document, number, *arrays)
