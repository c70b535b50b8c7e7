"""The settings of an embedding, from which flags and the record of a run are made."""

from __future__ import annotations

import dataclasses
from typing import Literal

from bert_keras.errors import InputError
from bert_keras.options import option
from bert_keras.tasks.embedding.source import PairSource


@dataclasses.dataclass(frozen=True)
class EmbeddingSettings(PairSource):
    """The settings of `Embedding`, which describes them."""

    pooling: Literal["mean", "cls", "max"] | None = option(
        None, "If not as the weights' folder says.", of_model=True
    )
    normalize: bool | None = option(
        None, "Vectors of length 1, if not as the folder says.", of_model=True
    )
    layer: int = option(-1, "Whose output to pool: -1 the last, 0 the embeddings.", of_model=True)
    max_length: int = option(
        128, "Tokens read of a text; more are cut.", name="max_seq_length", minimum=3
    )
    query: str = option("", "When predicting: show the texts nearest to this one.", of_call=True)
    num_neighbors: int = option(10, "How many.", minimum=1, of_call=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.query.isspace():
            raise InputError("expected a text, found spaces.", field="query")
