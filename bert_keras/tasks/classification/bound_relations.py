"""Relation extraction, bound to a tokenizer and to the labels."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from bert_keras.data.rows import Rows
from bert_keras.errors import InputError
from bert_keras.tasks.classification.bound import BoundClassification
from bert_keras.tasks.classification.relations import have_types, mark_entities
from bert_keras.tasks.classification.serving import of_entities
from bert_keras.tasks.shared.examples import RowExamples


@dataclasses.dataclass(frozen=True, eq=False)
class BoundRelationExtraction(BoundClassification):
    """Labels for two entities of a text.

    Attributes:
        takes_types: whether the entities have types.
    """

    takes_types: bool

    @classmethod
    def _kept_in(cls, config: dict[str, Any], folder: pathlib.Path) -> dict[str, Any]:
        if "takes_types" not in config:
            raise InputError(f"{folder}: expected a model of entities, found one of texts alone.")
        return super()._kept_in(config, folder) | {"takes_types": config["takes_types"]}

    def write_extras(self, model: Any, folder: pathlib.Path) -> dict[str, Any]:
        return super().write_extras(model, folder) | {"takes_types": self.takes_types}

    def encode(self, rows: Rows) -> RowExamples:
        if have_types(rows, self.task.entities) != self.takes_types:
            expected = "types" if self.takes_types else "no types"
            raise InputError(
                f"{rows.locations[0]}: expected entities with {expected}, as trained on."
            )
        return super().encode(rows)

    def examples_of(self, inputs: Sequence[Any]) -> RowExamples:
        """Makes examples of dicts such as {"text": ..., "head": {"start": 0, "end": 3}, ...}."""
        for index, row in enumerate(inputs):
            if not isinstance(row, dict) or not isinstance(row.get("text"), str):
                raise InputError(
                    f"[{index}]: expected a dict with 'text' and the two entities, found "
                    f"{str(row)[:40]!r}.",
                    field="inputs",
                )
        rows = Rows(
            texts=[row["text"] for row in inputs],
            pairs=None,
            labels=None,
            locations=[f"inputs[{index}]" for index in range(len(inputs))],
            records=[dict(row) for row in inputs],
            layout="jsonl",
        )
        return self.encode(mark_entities(rows, self.task.entities))

    def signatures(self, model: Callable[..., Any]) -> dict[str, Any]:
        signatures = super().signatures(model)
        marked = signatures.pop("serving_default")
        spans = of_entities(marked, self.takes_types)
        return {"serving_default": spans, "marked_text": marked, **signatures}
