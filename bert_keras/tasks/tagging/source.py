"""Where texts with entities come from: CoNLL or JSON lines files."""

import dataclasses
from typing import Literal

from bert_keras.data.source import Source, Split
from bert_keras.data.splits import hold_out, unseen
from bert_keras.errors import InputError
from bert_keras.options import option
from bert_keras.tasks.tagging.examples import TaggedTexts, read_tagged


@dataclasses.dataclass(frozen=True)
class TaggedSource(Source[TaggedTexts]):
    """Texts with their entities.

    Attributes:
        train: the file to train on, whatever `read_tagged` reads.
        dev: the file to evaluate on, likewise.
        scheme: the tag scheme of CoNLL files; "auto" infers that of each file from its tags.
    """

    train: str = option(
        "", "A word and its tag a line (CoNLL), or .jsonl with entities.", name="train_file"
    )
    dev: str = option("", "Texts to evaluate on, in either form.", name="dev_file")
    dev_fraction: float = option(0.1, "Share of training texts held out if there is no `dev`.")
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
