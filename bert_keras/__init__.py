"""BERT in Keras: text in, a trained encoder and a served model out.

Importing this package is cheap: each public name loads its module when it is first asked for.
"""

import importlib

_HOME = {
    "BertClassifier": "bert_keras.models.classifier",
    "BertConfig": "bert_keras.config",
    "BertEmbedder": "bert_keras.models.embedder",
    "BertEncoder": "bert_keras.models.encoder",
    "BertPretrainer": "bert_keras.models.pretrainer",
    "BertQuestionAnswering": "bert_keras.models.question_answering",
    "BertTokenClassifier": "bert_keras.models.token_classifier",
    "BertTokenizer": "bert_keras.text.tokenizer",
    "InputError": "bert_keras.errors",
}

__all__ = sorted(_HOME)
__version__ = "0.1.0"


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__():
    return sorted([*globals(), *_HOME])
