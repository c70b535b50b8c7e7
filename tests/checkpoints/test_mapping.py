"""The table of names against the model."""

import pytest

from bert_keras.checkpoints import mapping
from bert_keras.config import BertConfig
from bert_keras.models.classifier import BertClassifier
from bert_keras.models.pretrainer import BertPretrainer

CONFIG = {
    "vocab_size": 20,
    "hidden_size": 8,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 6,
}


@pytest.mark.parametrize("positions", ["absolute", "sinusoidal"])
@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_every_variable_is_in_the_table_once_with_its_shape(positions, pooling):
    config = BertConfig(**CONFIG, position_embedding_type=positions)
    model = BertClassifier(config, 5, pooling=pooling)
    model.trainable = model.encoder.get_layer("pooler").trainable = True
    weights = list(mapping.weights(config, model.heads))
    found = [mapping.variable(model, weight) for weight in weights]
    assert sorted(map(id, found)) == sorted(map(id, model.trainable_variables))
    assert [variable.path for variable in found] == [weight.ours for weight in weights]
    assert [tuple(variable.shape) for variable in found] == [weight.shape for weight in weights]


def test_a_pretrainers_variables_are_in_the_table_too():
    config = BertConfig(**CONFIG)
    model = BertPretrainer(config)
    weights = list(mapping.weights(config, model.heads))
    found = [mapping.variable(model, weight) for weight in weights]
    assert sorted(map(id, found)) == sorted(map(id, model.trainable_variables))
    assert [variable.path for variable in found] == [weight.ours for weight in weights]
    assert [tuple(variable.shape) for variable in found] == [weight.shape for weight in weights]


def test_names_are_told_apart():
    heads = {
        "classifier": {"num_classes": 5},
        "mean_classifier": {"num_classes": 5},
        "masked_lm": {},
        "next_sentence": {},
        "qa_outputs": {},
    }
    weights = list(mapping.weights(BertConfig(**CONFIG), heads))
    for layout in ("huggingface", "google", "keras_hub"):
        names = [name for weight in weights for name in weight.names_in(layout)]
        assert len(set(names)) == len(names)


def test_a_config_of_a_billion_layers_is_listed_lazily():
    weights = mapping.weights(BertConfig(num_hidden_layers=10**9))
    assert next(weights).ours == "embeddings/word/embeddings"
