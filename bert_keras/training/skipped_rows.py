"""The rows with which a loss or gradients were not finite."""

import json
import logging
import pathlib
from collections.abc import Callable
from typing import Any

from bert_keras.errors import InputError
from bert_keras.files import atomic_write
from bert_keras.training.task import Batch

LIMIT = 10  # an outlier causes a step or two; a training that has diverged does not recover
_log = logging.getLogger(__name__)


class SkippedRows:
    """Records the rows of consecutive steps that were skipped; raises an error after ten.

    Args:
        describe: the training set's; it describes the rows of a batch.
        path: the JSON-lines file to write the rows to.
        writes: whether this process writes it.
    """

    def __init__(
        self,
        describe: Callable[[Batch], list[dict[str, Any]]],
        path: pathlib.Path,
        writes: bool = True,
    ):
        self._describe, self._path, self._writes = describe, path, writes

    def record(self, step: int, batch: Batch, in_a_row: int) -> None:
        """Records the rows of a batch.

        Args:
            step: the step.
            batch: its batch.
            in_a_row: how many consecutive steps were skipped, this one included.

        Raises:
            InputError: those are too many. Their rows are in the file.
            OSError: it could not be written.
        """
        _log.warning("step %d: loss or gradients are not finite; no weight was changed.", step)
        if self._writes:
            self._write(step, batch, step - in_a_row + 1)
        if in_a_row >= LIMIT:
            raise InputError(
                f"{in_a_row} steps in a row had a loss or gradients that are not finite; "
                f"their rows are in {self._path}. A lower `learning_rate` or "
                "`precision`=float32 may help, or a look at these rows."
            )

    def _write(self, step: int, batch: Batch, first: int) -> None:
        # The rows of the steps before are in the file, also if another process recorded them.
        rows = [row for row in self._read() if first <= row["step"] < step]
        rows += [{"step": step, **row} for row in self._describe(batch)]
        with atomic_write(self._path) as file:
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def _read(self) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        with open(self._path, encoding="utf-8") as file:
            return [json.loads(line) for line in file]
