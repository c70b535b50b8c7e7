"""The settings of a question answering, from which flags and the record of a run are made."""

from __future__ import annotations

import dataclasses
from typing import Literal

from bert_keras.errors import InputError
from bert_keras.options import option
from bert_keras.tasks.question_answering.sizes import WindowSizes
from bert_keras.tasks.question_answering.source import QuestionSource


@dataclasses.dataclass(frozen=True)
class QuestionAnsweringSettings(QuestionSource):
    """The settings of `QuestionAnswering`, which describes them."""

    doc_stride: int = option(128, "Tokens between the starts of windows.", minimum=1)
    max_query_length: int = option(64, "Tokens of a question; longer ones are cut.", minimum=1)
    max_answer_length: int = option(30, "Tokens an answer may have.", minimum=1)
    n_best: int = option(20, "Answers weighed against each other.", name="n_best_size", minimum=1)
    null_score_diff_threshold: float | None = option(
        None, "No answer if it is better by more; else found on dev."
    )
    scoring: Literal["squad", "cmrc"] = option("squad", '"cmrc": by character, for Chinese.')
    max_length: int = option(
        384, "Tokens of a question with a window.", name="max_seq_length", minimum=3
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.doc_stride > self.sizes.max_stride:
            raise InputError(
                f"expected at most {max(self.sizes.max_stride, 0)}, the tokens of a context that "
                f"`max_length`={self.max_length} leaves beside a question of "
                f"`max_query_length`={self.max_query_length}, found {self.doc_stride}.",
                field="doc_stride",
            )

    @property
    def sizes(self) -> WindowSizes:
        """The sizes of an example."""
        return WindowSizes(self.max_length, self.max_query_length, self.doc_stride)
