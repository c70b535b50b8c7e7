"""Which running text to read: the settings that every script over a corpus has."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

from bert_keras.errors import InputError
from bert_keras.options import check_options, option

if TYPE_CHECKING:
    from bert_keras.corpus.corpus import Corpus


@dataclasses.dataclass(frozen=True)
class CorpusSettings:
    """The texts of a corpus and how to read them; see `Corpus`.

    Attributes:
        input_files: files, folders, globs or `tfds:NAME[:SPLIT]`.
        layout: how a file holds its documents.
        text_column: the name of the text in JSON lines or in a tensorflow-datasets data set.
        language: of the text, a code such as "en", for its sentences.
        dev_fraction: the share of the documents that is held out.
    """

    input_files: tuple[str, ...] = option(
        (), "Files, folders, globs or tfds:NAME[:SPLIT], commas between.", name="input_file"
    )
    layout: Literal["auto", "sentences", "files", "jsonl", "wikitext"] = option(
        "auto", "How files hold documents."
    )
    text_column: str = option("text", "Name of the text in JSON lines or a tfds data set.")
    language: str = option("en", "Of the text, a code such as en: how its sentences end.")
    dev_fraction: float = option(
        0.02, "Share of the documents held out to measure on.", minimum=0, maximum=1
    )

    def __post_init__(self) -> None:
        check_options(self)

    def open_corpus(self) -> Corpus:
        """Opens the corpus.

        Raises:
            InputError: there are no texts, or they cannot be read.
        """
        from bert_keras.corpus.corpus import Corpus

        if not self.input_files:
            raise InputError("expected texts to read, found none.", field="input_files")
        return Corpus(list(self.input_files), self.layout, self.text_column, self.language)
