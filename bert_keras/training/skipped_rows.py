"""The rows with which a loss or gradients were not finite."""

import json
import logging

from bert_keras.errors import InputError
from bert_keras.files import write_whole

LIMIT = 10  # a training that has diverged does not come back; one outlier is a step or two
_log = logging.getLogger(__name__)


class SkippedRows:
    """Collects the rows of skipped steps, and gives up after ten steps in a row.

    Args:
        task: a `bert_keras.tasks.task.Task`, for its `describe`.
        path: the JSON-lines file to write them to.
    """

    def __init__(self, task, path):
        self._task, self._path = task, path
        self._rows = []

    def note(self, step, batch, in_a_row):
        """Takes note of a batch.

        Args:
            step: the step.
            batch: see `Task.training_set`.
            in_a_row: how many steps together were skipped, this one included.

        Raises:
            InputError: those are too many. The rows of these steps are in the file.
        """
        if in_a_row == 1:
            self._rows = []
        self._rows += [{"step": step, **row} for row in self._task.describe(batch)]
        _log.warning("step %d: loss or gradients are not finite; no weight was changed.", step)
        if in_a_row < LIMIT:
            return
        with write_whole(self._path) as file:
            for row in self._rows:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
        raise InputError(
            f"{in_a_row} steps in a row had a loss or gradients that are not finite; "
            f"their rows are in {self._path}. A lower --learning_rate or "
            "--precision=float32 may help, or a look at these rows."
        )
