"""Rows that say where two entities of their text are."""

import dataclasses

from bert_keras.data.rows import Rows
from bert_keras.data.source import RowSource, Split
from bert_keras.errors import InputError
from bert_keras.options import option
from bert_keras.tasks.classification.relations import mark_entities


@dataclasses.dataclass(frozen=True)
class EntitySource(RowSource):
    """Labelled texts in which two entities are marked, see `mark_entities`.

    Attributes:
        entities: the columns of the head and of the tail; empty for texts as they are.
    """

    entities: tuple[str, ...] = option(
        (), "Two entities in the text, head,tail: their relation.", name="entity_columns"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.entities and len(self.entities) != 2:
            raise InputError(
                f"expected two names, such as head,tail, found {','.join(self.entities)!r}.",
                field="entities",
            )
        if self.entities and (self.task_name or (self.columns and self.columns.pair)):
            raise InputError("expected own rows of one text each, not of two.", field="entities")

    def _read(self, split: Split, file: str) -> Rows:
        rows = super()._read(split, file)
        return mark_entities(rows, self.entities) if self.entities else rows
