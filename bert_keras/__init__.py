"""BERT in Keras: text in, a trained encoder and a served model out.

Importing this package is cheap: each public name loads its module when it is first asked for.
"""

import importlib
from typing import Any

_HOME = {
    "AdamW": "bert_keras.training.optimizer",
    "BertClassifier": "bert_keras.models.classifier",
    "BertConfig": "bert_keras.config",
    "BertEmbedder": "bert_keras.models.embedder",
    "BertEncoder": "bert_keras.models.encoder",
    "BertPretrainer": "bert_keras.models.pretrainer",
    "BertQuestionAnswering": "bert_keras.models.question_answering",
    "BertTokenClassifier": "bert_keras.models.token_classifier",
    "BertTokenizer": "bert_keras.text.tokenizer",
    "Classification": "bert_keras.tasks.classification.task",
    "Columns": "bert_keras.data.rows",
    "Embedding": "bert_keras.tasks.embedding.task",
    "InputError": "bert_keras.errors",
    "Interrupted": "bert_keras.errors",
    "Lamb": "bert_keras.training.optimizer",
    "Pretraining": "bert_keras.tasks.pretraining.task",
    "QuestionAnswering": "bert_keras.tasks.question_answering.task",
    "RelationExtraction": "bert_keras.tasks.classification.relation_extraction",
    "Run": "bert_keras.run",
    "Tagging": "bert_keras.tasks.tagging.task",
    "load_weights": "bert_keras.checkpoints.load",
    "pack": "bert_keras.data.packing",
    "train": "bert_keras.run",
    "unpack": "bert_keras.data.packing",
}

__all__ = sorted(_HOME)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
