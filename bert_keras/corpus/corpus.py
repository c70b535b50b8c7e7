"""A corpus: running text in files, or in a data set of the catalogue, as documents of sentences."""

import glob
import hashlib
import os
import pathlib

from bert_keras.corpus.documents import LAYOUTS, in_parts, read_documents, split_text
from bert_keras.data import tfds
from bert_keras.data.tables import what_is_in
from bert_keras.errors import InputError

_BLOCK = 1 << 20  # bytes read at a time


class Corpus:
    """Running text to learn a vocabulary from, or to pretrain on.

    It holds the names of its sources alone, so it is cheap to hand to another process, and reads a
    file block by block: a corpus may be larger than the memory.

    Args:
        sources: a path, or a list of them: files, folders (all files below that are not hidden) and
            globs; or `tfds:NAME[:SPLIT]` for a data set of the tensorflow-datasets catalogue, a
            document a row. A name that ends in .gz is a gzipped file.
        layout: how a file holds its documents:
            "sentences": a sentence a line and a blank line between documents, as the original
                (google-research/bert, create_pretraining_data.py) reads them;
            "files": a document a file, and a blank line between paragraphs;
            "jsonl": a document a line, as JSON;
            "wikitext": an article begins with a line " = Title = ", and a line is a paragraph;
                words that are left out, "<unk>", become [UNK];
            "auto": of each file, "jsonl" if its name says so, "wikitext" if its first line is such
                a title, "files" otherwise.
        text_column: the name of the text in a line of JSON or a row of the catalogue.
        language: the text's, for its sentences; see `sentences.split_sentences`.

    Attributes:
        shards: list of str, the pieces that can be read side by side, sorted: files that are not
            empty, or shards of data sets.

    Raises:
        InputError: a source is missing, or all files are empty.
    """

    def __init__(self, sources, layout="auto", text_column="text", language="en"):
        if layout not in ("auto", *LAYOUTS):
            raise InputError(
                f"the layout of a corpus: expected auto, {', '.join(LAYOUTS)}, found {layout!r}."
            )
        sources = [sources] if isinstance(sources, str | os.PathLike) else sources
        sources = [os.fspath(source) for source in sources]
        if not sources:
            raise InputError("expected the files of a corpus, found none.")
        self.layout = layout
        self.text_column = text_column
        self.language = language
        self.shards = sorted({shard for source in sources for shard in _shards(source)})
        files = [shard for shard in self.shards if not _is_catalogue(shard)]
        empty = {file for file in files if not os.path.getsize(file)}
        self.shards = [shard for shard in self.shards if shard not in empty]
        if not self.shards:
            raise InputError(f"{', '.join(sources)}: expected text, found empty files alone.")

    def documents(self, shard):
        """Reads one of the shards.

        Args:
            shard: one of `shards`.

        Yields:
            `documents.Document`s, in the order of the shard. One of more than four million
            characters comes in parts of the same location.

        Raises:
            InputError: the shard is not text, or not of the layout; the place is named.
        """
        if _is_catalogue(shard):
            for location, text in _rows(shard, self.text_column):
                yield from in_parts(location, split_text(text, self.language))
        else:
            yield from read_documents(shard, self.layout, self.text_column, self.language)

    def __iter__(self):
        """Reads all shards, one after the other.

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

    def fingerprint(self):
        """Returns what the documents depend on, as a dict that JSON can hold.

        Of each file its name, bytes, mtime_ns and the SHA-256 of its content; of each shard of the
        catalogue its name, the version, rows and bytes of its data set, and the SHA-256 of the
        files that hold the rows.
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


def _is_catalogue(source):
    return source.startswith(tfds.PREFIX)


def _shards(source):
    """Yields the shards that a source stands for."""
    if _is_catalogue(source):
        yield from _catalogue_shards(source)
        return
    path = os.path.expanduser(source)
    if os.path.isdir(path):
        found = _files_below(path)
    elif os.path.isfile(path):
        found = [path]
    else:
        found = glob.glob(path, recursive=True)
        found = [
            file
            for entry in found
            for file in (_files_below(entry) if os.path.isdir(entry) else [entry])
        ]
    if not found:
        parent = pathlib.Path(path).parent
        what = "files in the folder" if os.path.isdir(path) else "a file, a folder or a glob of one"
        raise InputError(f"{source}: expected {what}, found none; {what_is_in(parent)}.")
    yield from found


def _files_below(folder):
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.join(parent, name) for name in names if not name.startswith(".")]
    return found


def _describe_file(path):
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


def _catalogue_shards(reference):
    builder, name, split = tfds.open_catalogue(reference)
    rows = _split(reference, builder, split)
    if not rows.num_examples:
        raise InputError(f"{reference}: expected rows, found none.")
    if split not in builder.info.splits:
        yield f"{tfds.PREFIX}{name}:{split}"  # part of a split, such as train[:10%]
        return
    for shard in range(rows.num_shards):
        yield f"{tfds.PREFIX}{name}:{split}[{shard}shard]"


def _describe_rows(shard):
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


def _bytes_of(split, rows):
    """The share of a split's bytes that some of its rows take."""
    return split.num_bytes * rows.num_examples // max(split.num_examples, 1)


def _split(reference, builder, split):
    try:
        return builder.info.splits[split]
    except (ValueError, KeyError):
        splits = ", ".join(sorted(builder.info.splits))
        raise InputError(f"{reference}: there is no split {split!r}; there are {splits}.") from None


def _rows(shard, column):
    """Yields the place and the text of each row."""
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
