"""A corpus: running text in files, or in tensorflow-datasets, as documents of sentences."""

import glob
import hashlib
import os
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

from bert_keras.corpus.documents import (
    LAYOUTS,
    Document,
    in_sections,
    read_documents,
    split_text,
)
from bert_keras.data import tfds
from bert_keras.data.tables import what_is_in
from bert_keras.errors import InputError

_BLOCK = 1 << 20  # bytes read at a time


class Corpus:
    """Running text to learn a vocabulary from, or to pretrain on.

    It holds only the names of its sources, so it can be sent to another process at little cost. It
    reads a file block by block, so a corpus may be larger than the memory.

    Args:
        sources: a path, or several: files, folders (with all files in them that are not hidden) and
            globs; or `tfds:NAME[:SPLIT]` for a data set of tensorflow-datasets, in which a row is a
            document. A name that ends in .gz is a gzipped file.
        layout: how a file holds its documents:
            "sentences": a sentence on each line and a blank line between documents, as in the
                original (google-research/bert, create_pretraining_data.py);
            "files": a file is a document, with blank lines between paragraphs;
            "jsonl": a line is a document, as JSON;
            "wikitext": an article starts with a line " = Title = ", and a line is a paragraph;
                left-out words, "<unk>", become [UNK];
            "auto": for each file "jsonl" by its name, "wikitext" if its first line is such a
                title, else "files".
        text_column: the name of the text in a line of JSON or a row of tensorflow-datasets.
        language: the language of the text, see `sentences.split_sentences`.

    Attributes:
        shards: what can be read in parallel, sorted: files that are not empty, or shards of data
            sets.

    Raises:
        InputError: a source is missing, or all files are empty.
    """

    shards: list[str]

    def __init__(
        self,
        sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        layout: str = "auto",
        text_column: str = "text",
        language: str = "en",
    ):
        if layout not in ("auto", *LAYOUTS):
            raise InputError(
                f"expected auto, {', '.join(LAYOUTS)}, found {layout!r}.", field="layout"
            )
        paths = [sources] if isinstance(sources, str | os.PathLike) else sources
        names = [os.fspath(path) for path in paths]
        if not names:
            raise InputError("expected the files of a corpus, found none.")
        self.layout = layout
        self.text_column = text_column
        self.language = language
        shards = sorted({shard for name in names for shard in _shards(name)})
        self.shards = [s for s in shards if _is_catalogue(s) or os.path.getsize(s)]
        if not self.shards:
            raise InputError(f"{', '.join(names)}: expected text, found empty files alone.")

    def documents(self, shard: str) -> Iterator[Document]:
        """Reads one of the shards.

        Args:
            shard: one of `shards`.

        Yields:
            The documents, in the order of the shard. One of more than four million characters is
            divided into sections of the same location.

        Raises:
            InputError: the shard is not text, or not of the layout; the message names the location.
        """
        if _is_catalogue(shard):
            for location, text in _rows(shard, self.text_column):
                yield from in_sections(location, split_text(text, self.language))
        else:
            yield from read_documents(shard, self.layout, self.text_column, self.language)

    def __iter__(self) -> Iterator[Document]:
        """Reads all shards in order.

        Raises:
            InputError: as `documents`; or there is no document in the whole corpus.
        """
        empty = True
        for shard in self.shards:
            for document in self.documents(shard):
                empty = False
                yield document
        if empty:
            raise InputError(f"{', '.join(self.shards[:3])}: expected text, found white space.")

    def fingerprint(self) -> dict[str, Any]:
        """Returns what the documents depend on, as a dict that JSON can hold.

        For each file: its name, bytes, mtime_ns and the SHA-256 of its content. For each shard of
        tensorflow-datasets: its name, the data set's version, its rows and bytes, and the SHA-256
        of the files that hold the rows.
        """
        return {
            "layout": self.layout,
            "text_column": self.text_column,
            "language": self.language,
            "shards": [
                _describe_rows(shard) if _is_catalogue(shard) else _describe_file(shard)
                for shard in self.shards
            ],
        }


def _is_catalogue(source: str) -> bool:
    return source.startswith(tfds.PREFIX)


def _shards(source: str) -> Iterator[str]:
    """Yields the shards of a source."""
    if _is_catalogue(source):
        yield from _catalogue_shards(source)
        return
    path = os.path.expanduser(source)
    if os.path.isdir(path):
        files = _files_below(path)
    elif os.path.isfile(path):
        files = [path]
    else:
        files = [
            file
            for entry in glob.glob(path, recursive=True)
            for file in (_files_below(entry) if os.path.isdir(entry) else [entry])
        ]
    if not files:
        parent = pathlib.Path(path).parent
        what = "files in the folder" if os.path.isdir(path) else "a file, a folder or a glob of one"
        raise InputError(f"{source}: expected {what}, found none; {what_is_in(parent)}.")
    yield from files


def _files_below(folder: str) -> list[str]:
    files: list[str] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [os.path.join(parent, name) for name in names if not name.startswith(".")]
    return files


def _describe_file(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            status = os.fstat(file.fileno())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from None
    return {
        "name": path,
        "bytes": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "sha256": digest,
    }


def _catalogue_shards(reference: str) -> Iterator[str]:
    builder, name, split = tfds.open_catalogue(reference)
    rows = _split(reference, builder, split)
    if not rows.num_examples:
        raise InputError(f"{reference}: expected rows, found none.")
    if split not in builder.info.splits:
        yield f"{tfds.PREFIX}{name}:{split}"  # part of a split, such as train[:10%]
        return
    for shard in range(rows.num_shards):
        yield f"{tfds.PREFIX}{name}:{split}[{shard}shard]"


def _describe_rows(shard: str) -> dict[str, Any]:
    builder, _, split = tfds.open_catalogue(shard)
    rows = _split(shard, builder, split)
    digest = hashlib.sha256()
    for path in rows.filepaths:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return {
        "name": shard,
        "data_set": builder.info.full_name,
        "rows": rows.num_examples,
        "bytes": _bytes_of(builder.info.splits[split.partition("[")[0]], rows),
        "sha256": digest.hexdigest(),
    }


def _bytes_of(split: Any, rows: Any) -> int:
    """The share of a split's bytes that some of its rows take."""
    return split.num_bytes * rows.num_examples // max(split.num_examples, 1)


def _split(reference: str, builder: Any, split: str) -> Any:
    try:
        return builder.info.splits[split]
    except (ValueError, KeyError):
        splits = ", ".join(sorted(builder.info.splits))
        raise InputError(f"{reference}: there is no split {split!r}; there are {splits}.") from None


def _rows(shard: str, column: str) -> Iterator[tuple[str, str]]:
    """Yields the location and the text of each row."""
    from tensorflow_datasets import features as types

    builder, _, split = tfds.open_catalogue(shard)
    features = builder.info.features
    if column not in features or not isinstance(features[column], types.Text):
        names = ", ".join(f"{name} ({type(kind).__name__})" for name, kind in features.items())
        raise InputError(f"{shard}: expected a Text in the column {column!r}; there are {names}.")
    rows = builder.as_dataset(split=split).map(lambda row: row[column])
    for number, text in enumerate(rows.as_numpy_iterator(), 1):
        location = f"{shard}:{number}"
        try:
            yield location, text.decode()
        except UnicodeDecodeError:
            raise InputError(f"{location}: expected UTF-8, found other bytes.") from None
