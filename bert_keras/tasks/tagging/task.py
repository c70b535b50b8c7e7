"""Tagging: the entities of a text, each a range of it with a type."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import TYPE_CHECKING, ClassVar

from bert_keras.tasks.tagging.examples import check_types
from bert_keras.tasks.tagging.settings import TaggingSettings
from bert_keras.training.task import Prepared, Task

if TYPE_CHECKING:
    from bert_keras.tasks.tagging.bound import BoundTagging


@dataclasses.dataclass(frozen=True)
class Tagging(Task, TaggingSettings):
    """Entities in texts, such as persons and places.

    The model tags each word at its first token (Devlin et al. 2018, section 5.3); the other tokens
    have no loss. In training, and in texts whose file defines no words, words are the tokenizer's:
    each punctuation mark is a word. Thus the model learns the words that it is served. Where a file
    to evaluate or to predict defines its words, these are tagged and scored.

    Texts of any length are split into windows that overlap by half. Each word is learned and
    predicted in the window in which it has the most context.

    Attributes:
        max_length: the most tokens that a window may have, special tokens included.

    The other attributes say where the texts come from; see `TaggedSource`.

    Raises:
        InputError: a setting cannot be used.

    Example:
        task = Tagging(train="entities.conll")
        run = bert_keras.train(task, init_checkpoint=folder, output_dir="runs/entities")
        run.predict(["Ada Holm lives in Bergen."])
        # [[{"text": "Ada Holm", "type": "person", "start": 0, "end": 8, "score": ...}, ...]]
    """

    recorded_as: ClassVar[str] = "run_tagger"

    def prepare(self, reference: str | None, seed: int) -> Prepared:
        from bert_keras.tasks.shared.tokenizers import open_tokenizer
        from bert_keras.tasks.tagging.bound import BoundTagging, tags_of_types

        tokenizer = open_tokenizer(reference, self.max_length)
        train, dev = self.train_and_dev(seed)
        if dev:
            check_types(dev, train.types)
        bound = BoundTagging(self, tokenizer, tags_of_types(train.types), train.scheme)
        return Prepared(bound, bound.training_set(train), bound.encode(dev) if dev else None)

    def restore(self, folder: pathlib.Path) -> BoundTagging:
        from bert_keras.tasks.shared.tokenizers import open_tokenizer
        from bert_keras.tasks.tagging.bound import BoundTagging

        return BoundTagging.from_folder(self, open_tokenizer(folder, self.max_length), folder)
