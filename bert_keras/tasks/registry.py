"""Which task a run is of: tasks by the name that runs record."""

import importlib

from bert_keras.errors import InputError
from bert_keras.training.task import Task

# The name stands in a run's flags.json under "script".
_TASKS = {
    "run_classifier": ("classification", "Classification"),
    "run_tagger": ("tagging", "Tagging"),
    "run_qa": ("question_answering", "QuestionAnswering"),
    "run_embeddings": ("embedding", "Embedding"),
    "run_pretraining": ("pretraining", "Pretraining"),
}


def task_class(recorded_name: str) -> type[Task]:
    """Finds a task's class by the name that runs record.

    Raises:
        InputError: there is no such task.
    """
    if recorded_name not in _TASKS:
        raise InputError(
            f"expected a run of one of {', '.join(_TASKS)}, found one of {recorded_name!r}."
        )
    folder, name = _TASKS[recorded_name]
    return getattr(importlib.import_module(f"bert_keras.tasks.{folder}.task"), name)
