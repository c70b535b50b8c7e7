"""The settings of a classification, from which flags and the record of a run are made."""

from __future__ import annotations

import dataclasses
from typing import Literal

from bert_keras.errors import InputError
from bert_keras.options import option
from bert_keras.tasks.classification.source import EntitySource


@dataclasses.dataclass(frozen=True)
class ClassificationSettings(EntitySource):
    """The settings of `Classification`, which describes them."""

    class_weights: Literal["", "balanced"] = option("", '"balanced": rare classes count as much.')
    pooling: Literal["cls", "mean"] | None = option(
        None, "Head on [CLS] (default) or on the mean of the tokens.", of_model=True
    )
    max_length: int = option(
        128, "Tokens read of a text; more are cut.", name="max_seq_length", minimum=3
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.class_weights and self.kind != "class":
            raise InputError(
                f"expected one label a text, found the kind {self.kind!r}.",
                field="class_weights",
            )
