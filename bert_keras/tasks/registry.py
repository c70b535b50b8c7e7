"""Which task a run is of, by what the run has recorded."""

import importlib
from collections.abc import Mapping
from typing import Any

from bert_keras.errors import InputError
from bert_keras.training.task import Task

# In a run's flags.json: which script, or which task's, it is.
SCRIPT = "script"
_TASKS = {
    "run_classifier": "classification.task.Classification",
    "run_tagger": "tagging.task.Tagging",
    "run_qa": "question_answering.task.QuestionAnswering",
    "run_embeddings": "embedding.task.Embedding",
    "run_pretraining": "pretraining.task.Pretraining",
}
# The same where the run has recorded a setting: a classifier of texts with two marked entities.
_VARIANTS = {
    ("run_classifier", "entity_columns"): "classification.relation_extraction.RelationExtraction"
}


def task_class(record: Mapping[str, Any]) -> type[Task]:
    """Finds the class of a run's task.

    Args:
        record: the run's settings by recorded name.

    Raises:
        InputError: there is no such task.
    """
    script = record.get(SCRIPT)
    if script not in _TASKS:
        raise InputError(f"expected a run of one of {', '.join(_TASKS)}, found one of {script!r}.")
    path = _TASKS[script]
    for (of_script, setting), variant in _VARIANTS.items():
        if script == of_script and record.get(setting):
            path = variant
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(f"bert_keras.tasks.{module}"), name)
