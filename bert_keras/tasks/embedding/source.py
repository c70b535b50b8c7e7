"""Where an embedding's pairs of texts come from: GLUE's STS-B, or files of the user's own."""

import dataclasses

from bert_keras.data.columns import Columns
from bert_keras.data.rows import Rows, read_rows
from bert_keras.data.source import GlueSource, Split
from bert_keras.errors import InputError

_COLUMNS = Columns("text", "pair", "")
_SCORE = "score"  # the column that is read as the score if no other is named


@dataclasses.dataclass(frozen=True)
class PairSource(GlueSource):
    """Pairs of texts, with scores or without.

    Attributes:
        task_name: "STS-B", the one task of GLUE whose labels are scores; "" for own files.
        columns: the columns of the texts and of the score. If no column is named for the score,
            "score" is read as the score where a file has it.
    """

    columns: Columns = _COLUMNS

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.glue_task and self.glue_task.kind != "number":
            raise InputError(f"expected STS-B, found {self.task_name}.", field="task_name")

    def _read_file(self, split: Split, file: str) -> Rows:
        columns = self.glue_task.columns if self.glue_task else self.columns
        columns = dataclasses.replace(columns, label=columns.label or _SCORE)
        labelled = True if self.columns.label else None
        return read_rows(file, columns=columns, kind="number", labelled=labelled)
