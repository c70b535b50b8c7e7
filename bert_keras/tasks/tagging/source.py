"""Where a tagger's texts come from."""

import dataclasses
from typing import Literal

from bert_keras.data.source import Source, Split
from bert_keras.data.splits import hold_out, unseen
from bert_keras.errors import InputError
from bert_keras.options import option
from bert_keras.tasks.tagging.examples import TaggedTexts, read_tagged


@dataclasses.dataclass(frozen=True)
class TaggedSource(Source[TaggedTexts]):
    """Texts with the entities in them.

    Attributes:
        train, dev: whatever `read_tagged` reads.
        scheme: the tag scheme of files of words; "auto" infers that of each file from its tags.
    """

    scheme: Literal["auto", "iob1", "iob2", "iobes", "bilou", "bmes"] = option(
        "auto", "How words are tagged."
    )

    def _read(self, split: Split, file: str) -> TaggedTexts:
        texts = read_tagged(file, self.scheme, labelled=split != "test")
        if split == "train" and not texts.types:
            raise InputError(f"{file}: expected entities to learn, found none.")
        return texts

    def _hold_out(self, train: TaggedTexts, seed: int) -> tuple[TaggedTexts, TaggedTexts]:
        train, others = hold_out(train, self.dev_fraction, seed)
        return train, unseen(others, train)
