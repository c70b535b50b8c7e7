"""The declarations of the heads, against the models and other libraries."""

import keras
import pytest

from bert_keras.checkpoints.heads import HEADS, architecture
from bert_keras.config import BertConfig
from bert_keras.models.classifier import BertClassifier
from bert_keras.models.encoder import BertEncoder
from bert_keras.models.pretrainer import BertPretrainer
from bert_keras.models.question_answering import BertQuestionAnswering
from bert_keras.models.token_classifier import BertTokenClassifier

CONFIG = BertConfig(
    vocab_size=20,
    hidden_size=8,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=12,
    max_position_embeddings=6,
)
MODELS = [
    (BertEncoder(CONFIG), {}, "BertModel"),
    (
        BertClassifier(CONFIG, 5),
        {"classifier": {"num_classes": 5}},
        "BertForSequenceClassification",
    ),
    (
        BertClassifier(CONFIG, 5, pooling="mean"),
        {"mean_classifier": {"num_classes": 5}},
        "BertModel",
    ),
    (
        BertTokenClassifier(CONFIG, 4),
        {"token_classifier": {"num_classes": 4}},
        "BertForTokenClassification",
    ),
    (BertQuestionAnswering(CONFIG), {"qa_outputs": {}}, "BertForQuestionAnswering"),
    (BertPretrainer(CONFIG), {"masked_lm": {}, "next_sentence": {}}, "BertForPreTraining"),
    (BertPretrainer(CONFIG, sentence_head=False), {"masked_lm": {}}, "BertForMaskedLM"),
]


@pytest.mark.parametrize(("model", "heads", "expected"), MODELS)
def test_a_model_has_the_heads_that_are_declared(model, heads, expected):
    assert model.heads == heads
    assert architecture(model.heads) == expected
    outside_of_encoder = {layer.name for layer in model.layers if layer.weights} - {"encoder"}
    if heads:
        assert outside_of_encoder == set(heads)


def test_every_head_is_in_a_model():
    assert {name for model, _, _ in MODELS for name in model.heads} == set(HEADS)


def test_which_heads_have_classes_and_a_place_in_keras_hub():
    has_classes = {name for name, head in HEADS.items() if head.has_classes}
    assert has_classes == {"classifier", "mean_classifier", "token_classifier"}
    in_keras_hub = {name for name, head in HEADS.items() if head.in_keras_hub}
    assert in_keras_hub == {"classifier", "masked_lm"}


@pytest.mark.parametrize("name", HEADS)
def test_the_architecture_of_a_head_is_transformers_class(name):
    transformers = pytest.importorskip("transformers")
    assert hasattr(transformers, architecture([name]))


def test_a_combination_that_no_library_knows_is_an_encoder():
    assert architecture(["classifier", "masked_lm"]) == "BertModel"
    assert architecture(["next_sentence"]) == "BertForNextSentencePrediction"


def test_the_layers_of_a_head_are_called_after_it():
    for model, heads, _ in MODELS:
        for name in heads:
            assert isinstance(model.get_layer(name), keras.layers.Layer)
            assert all(row.ours.startswith(f"{name}/") for row in HEADS[name].rows)
