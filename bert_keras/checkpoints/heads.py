"""The heads of the models, each declared once: its variables, its names elsewhere, its classes.

To add a head, add a `Head` here and use its name for the layer in a file of `models/`. Loading,
writing and converting follow from the declaration.
"""

import dataclasses
from collections.abc import Collection, Mapping
from typing import TypeAlias

from bert_keras.checkpoints.names import HUB_TASK, TRANSPOSED_IN_BOTH, Row, dense, layer_norm

# The heads of a model: for the name of each, its sizes that are not in the config, such as
# {"classifier": {"num_classes": 3}}.
Heads: TypeAlias = Mapping[str, Mapping[str, int]]

_ENCODER = "BertModel"  # transformers' class for an encoder without a head that it knows
_PRETRAINER = "BertForPreTraining"


@dataclasses.dataclass(frozen=True)
class Head:
    """A layer on the encoder's output, as it is called in our models and in other libraries.

    Attributes:
        name: the name of the layer in our models.
        rows: its variables.
        architecture: transformers' class for a model with this head alone; None if there is none.
    """

    name: str
    rows: tuple[Row, ...]
    architecture: str | None = None

    @property
    def has_classes(self) -> bool:
        """Whether its width is a number of classes, `num_classes`, that the user chooses."""
        return any("num_classes" in row.shape for row in self.rows)

    @property
    def in_keras_hub(self) -> bool:
        """Whether KerasHub has such a head."""
        return all(row.keras_hub is not None for row in self.rows)

    def of(self, num_classes: int | None = None) -> Heads:
        """Returns the `Heads` of a model with this head alone."""
        return {self.name: {} if num_classes is None else {"num_classes": num_classes}}


# Google's run_classifier.py puts its variables at the top level.
CLASSIFIER = Head(
    "classifier",
    dense(
        "classifier",
        "classifier",
        "",
        f"{HUB_TASK}/dense",
        "hidden_size",
        "num_classes",
        TRANSPOSED_IN_BOTH,
    ),
    "BertForSequenceClassification",
)

# A classifier on the mean of the tokens. No other library knows its name, so none takes it for a
# classifier on the pooler's output.
MEAN_CLASSIFIER = Head(
    "mean_classifier",
    dense(
        "mean_classifier", "mean_classifier", "mean_classifier/", None, "hidden_size", "num_classes"
    ),
)

# Hugging Face gives it the names of `CLASSIFIER`; `architectures` in config.json distinguishes the
# two.
TOKEN_CLASSIFIER = Head(
    "token_classifier",
    dense(
        "token_classifier", "classifier", "token_classifier/", None, "hidden_size", "num_classes"
    ),
    "BertForTokenClassification",
)

MASKED_LM = Head(
    "masked_lm",
    (
        *dense(
            "masked_lm/dense",
            "cls.predictions.transform.dense",
            "cls/predictions/transform/dense/",
            f"{HUB_TASK}/masked_lm_head/_intermediate_dense",
            "hidden_size",
            "hidden_size",
        ),
        *layer_norm(
            "masked_lm/layer_norm",
            "cls.predictions.transform",
            "cls/predictions/transform",
            f"{HUB_TASK}/masked_lm_head/_intermediate_layer_norm",
        ),
        Row(
            "masked_lm/bias",
            "cls.predictions.bias",
            "cls/predictions/output_bias",
            f"{HUB_TASK}/masked_lm_head/vars/0",
            ("vocab_size",),
        ),
    ),
    "BertForMaskedLM",
)

NEXT_SENTENCE = Head(
    "next_sentence",
    dense(
        "next_sentence",
        "cls.seq_relationship",
        "cls/seq_relationship/",
        None,
        "hidden_size",
        2,
        TRANSPOSED_IN_BOTH,
    ),
    "BertForNextSentencePrediction",
)

QUESTION_ANSWERING = Head(
    "qa_outputs",
    dense("qa_outputs", "qa_outputs", "cls/squad/", None, "hidden_size", 2, TRANSPOSED_IN_BOTH),
    "BertForQuestionAnswering",
)

HEADS = {
    head.name: head
    for head in (
        CLASSIFIER,
        MEAN_CLASSIFIER,
        TOKEN_CLASSIFIER,
        MASKED_LM,
        NEXT_SENTENCE,
        QUESTION_ANSWERING,
    )
}


def architecture(heads: Collection[str]) -> str:
    """Returns transformers' class for a model with these heads.

    It is the encoder's class for a combination that transformers does not know: it leaves heads
    without a place unread and reports them.
    """
    if set(heads) == {MASKED_LM.name, NEXT_SENTENCE.name}:
        return _PRETRAINER
    known = HEADS[next(iter(heads))].architecture if len(heads) == 1 else None
    return known or _ENCODER
