"""Relations: how one entity of a text relates to another, as a label of the marked text."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import TYPE_CHECKING, Any

from bert_keras.data.rows import Rows
from bert_keras.options import option
from bert_keras.tasks.classification.task import Classification

if TYPE_CHECKING:
    from bert_keras.tasks.classification.bound_relations import BoundRelationExtraction


@dataclasses.dataclass(frozen=True)
class RelationExtraction(Classification):
    """Labels for two entities of a text, which are marked in it; see `mark_entities`.

    The attributes are those of `Classification`.

    Attributes:
        entities: the columns of the head and of the tail.

    Example:
        task = RelationExtraction(train="relations.jsonl", entities=("head", "tail"))
    """

    entities: tuple[str, ...] = option(
        ("head", "tail"), "Two entities in the text: their relation.", name="entity_columns"
    )

    def restore(self, folder: pathlib.Path) -> BoundRelationExtraction:
        from bert_keras.tasks.classification.bound_relations import BoundRelationExtraction

        return BoundRelationExtraction.from_folder(self, self._open_tokenizer(folder), folder)

    def _open_tokenizer(self, reference: str | pathlib.Path | None) -> Any:
        from bert_keras.tasks.classification.entity_markers import EntityTokenizer
        from bert_keras.tasks.shared.tokenizers import open_tokenizer

        return open_tokenizer(reference, self.max_length, EntityTokenizer)

    def _bind(self, tokenizer: Any, labels: tuple[str, ...], train: Rows) -> Any:
        from bert_keras.tasks.classification.bound_relations import BoundRelationExtraction
        from bert_keras.tasks.classification.relations import have_types

        return BoundRelationExtraction(
            self,
            tokenizer,
            labels,
            takes_pairs=False,
            takes_types=have_types(train, self.entities),
        )
