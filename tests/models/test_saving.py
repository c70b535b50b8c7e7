"""Clones, copies and `.keras` files of all models: what they keep and what they leave."""

import copy
import dataclasses
import pathlib
import warnings

import keras
import numpy as np
import pytest
from small import SMALL, numbers, some_inputs

import bert_keras
from bert_keras.layers.execution import Execution
from bert_keras.models.classifier import BertClassifier
from bert_keras.models.embedder import BertEmbedder
from bert_keras.models.encoder import BertEncoder
from bert_keras.models.pretrainer import BertPretrainer
from bert_keras.models.question_answering import BertQuestionAnswering
from bert_keras.models.token_classifier import BertTokenClassifier

MODELS = {
    "encoder": lambda **kwargs: BertEncoder(SMALL, **kwargs),
    "encoder of first tokens": lambda **kwargs: BertEncoder(SMALL, output_tokens="first", **kwargs),
    "encoder of masked": lambda **kwargs: BertEncoder(SMALL, output_tokens="masked", **kwargs),
    "classifier": lambda **kwargs: BertClassifier(SMALL, 3, **kwargs),
    "classifier of means": lambda **kwargs: BertClassifier(SMALL, 3, pooling="mean", **kwargs),
    "token classifier": lambda **kwargs: BertTokenClassifier(SMALL, 3, **kwargs),
    "question answering": lambda **kwargs: BertQuestionAnswering(SMALL, **kwargs),
    "embedder": lambda **kwargs: BertEmbedder(SMALL, **kwargs),
    "embedder of maxima": lambda **kwargs: BertEmbedder(SMALL, "max", False, **kwargs),
    "pretrainer": lambda **kwargs: BertPretrainer(SMALL, **kwargs),
    "pretrainer of words": lambda **kwargs: BertPretrainer(SMALL, sentence_head=False, **kwargs),
}
EXECUTION = Execution(
    recompute=True,
    shared_block=lambda *_: None,
    compile_activation=lambda function: function,
    replica=lambda: 3,
)


def inputs_of(model):
    inputs = some_inputs(2)
    inputs["masked"] = (inputs["token_ids"] > 14).astype("int32")
    return {name: inputs[name] for name in model.input}


def assert_equal_outputs(one, other):
    expected, actual = one(inputs_of(one)), other(inputs_of(one))
    keras.tree.map_structure(
        lambda x, y: np.testing.assert_array_equal(numbers(y), numbers(x)), expected, actual
    )


def test_these_are_the_public_models():
    public = {getattr(bert_keras, n) for n in bert_keras.__all__ if n.startswith("Bert")}
    public = {each for each in public if isinstance(each, type) and issubclass(each, keras.Model)}
    assert {type(make()) for make in MODELS.values()} == public


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_a_clone_computes_the_same_on_the_same_weights(name, dtype):
    model = MODELS[name](dtype=dtype)
    model.execution = EXECUTION
    clone = keras.models.clone_model(model)
    shared = {id(weight) for weight in model.weights} & {id(weight) for weight in clone.weights}
    assert not shared
    assert [w.shape for w in clone.weights] == [w.shape for w in model.weights]
    clone.set_weights(model.get_weights())
    assert_equal_outputs(model, clone)


@pytest.mark.parametrize("name", MODELS)
def test_a_copy_has_weights_of_its_own_and_the_default_execution(name):
    model = MODELS[name]()
    model.execution = EXECUTION
    again = copy.deepcopy(model)
    assert type(again) is type(model) and again.execution == Execution()
    assert_equal_outputs(model, again)
    before = numbers(model.weights[0])
    again.weights[0].assign(before + 1)
    np.testing.assert_array_equal(numbers(model.weights[0]), before)


def freeze_encoder(model):
    model.encoder.trainable = False


def freeze_block(model):
    model.encoder.get_layer("layer_0").trainable = False


def freeze_all_but_a_sublayer(model):
    model.encoder.get_layer("layer_0").trainable = False
    model.encoder.get_layer("layer_0").feed_forward.trainable = True
    model.encoder.get_layer("embeddings").word.trainable = False


def thaw_the_pooler(model):
    model.encoder.get_layer("pooler").trainable = True


def nothing(model):
    pass


@pytest.mark.parametrize(
    ("name", "change", "trainable"),
    [
        ("classifier", nothing, 25),
        ("classifier", freeze_encoder, 2),
        ("classifier", freeze_block, 9),
        ("classifier", freeze_all_but_a_sublayer, 12),
        ("classifier of means", nothing, 23),
        ("classifier of means", thaw_the_pooler, 25),
        ("token classifier", freeze_block, 7),
        ("question answering", freeze_encoder, 2),
        ("pretrainer", freeze_encoder, 7),
        ("embedder", freeze_block, 5),
    ],
)
def test_a_keras_file_keeps_which_layers_are_trainable(tmp_path, name, change, trainable):
    model = MODELS[name]()
    change(model)
    paths = [variable.path for variable in model.trainable_variables]
    assert len(paths) == trainable
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert [variable.path for variable in again.trainable_variables] == paths
    flags = [[layer.trainable for layer in each._flatten_layers()] for each in (model, again)]
    assert flags[0] == flags[1]
    assert_equal_outputs(model, again)


def test_a_frozen_encoder_by_itself(tmp_path):
    model = BertEncoder(SMALL, trainable=False)
    model.get_layer("pooler").trainable = True
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert not again.trainable and again.get_layer("pooler").trainable
    assert again.trainable_variables == []  # as Keras has it: the model is not


@pytest.mark.parametrize("change", [nothing, freeze_encoder, freeze_block])
def test_training_goes_on_from_a_keras_file(tmp_path, change):
    keras.utils.set_random_seed(1)
    # Keras keeps no state of random generators.
    without = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    model = BertClassifier(dataclasses.replace(SMALL, **without), 2)
    change(model)
    inputs = some_inputs(16)
    labels = (inputs["token_ids"][:, 0] > 9).astype("int32")
    model.compile(
        keras.optimizers.AdamW(1e-2), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    model.fit(inputs, labels, batch_size=4, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Keras warns of an optimizer's state that does not fit
        again = keras.saving.load_model(tmp_path / "model.keras")
    assert int(again.optimizer.iterations) == 4
    ours, theirs = (each.optimizer.variables for each in (model, again))
    assert len(ours) == len(theirs) > 2
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(numbers(other), numbers(one))
    frozen = {v.path: numbers(v) for v in again.encoder.non_trainable_variables}
    losses = [
        each.fit(inputs, labels, batch_size=4, shuffle=False, verbose=0).history["loss"]
        for each in (model, again)
    ]
    assert losses[0] == losses[1]
    for one, other in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(numbers(other), numbers(one))
    for variable in again.encoder.weights:
        if variable.path in frozen:
            np.testing.assert_array_equal(numbers(variable), frozen[variable.path])


def test_a_file_from_before_trainable_layers_and_output_tokens():
    config = BertEncoder(SMALL, output_tokens="first").get_config()
    old = {name: value for name, value in config.items() if name != "trainable_layers"}
    old["reads"] = old.pop("output_tokens")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert BertEncoder.from_config(old).get_config() == config


def test_the_old_name_of_output_tokens_warns():
    with pytest.warns(DeprecationWarning, match="reads is now output_tokens"):
        encoder = BertEncoder(SMALL, reads="masked")
    assert encoder.output_tokens == "masked"
    with pytest.raises(bert_keras.InputError, match="output_tokens: expected one of all, first, "):
        BertEncoder(SMALL, output_tokens="last")


# Models of SMALL, written by the version before `trainable_layers` and `output_tokens`, and their
# outputs for `inputs_of` in the order of `keras.tree.flatten`.
OLD = pathlib.Path(__file__).parents[1] / "golden" / "keras_files"


@pytest.mark.parametrize("name", ["encoder", "pretrainer"])
def test_files_of_an_earlier_version_load(name):
    model = keras.saving.load_model(OLD / f"{name}.keras")
    outputs = keras.tree.flatten(model(inputs_of(model)))
    expected = np.load(OLD / f"{name}.npz")
    for output, key in zip(outputs, sorted(expected), strict=True):
        np.testing.assert_allclose(numbers(output), expected[key], atol=1e-5)
        assert np.ptp(expected[key]) > 0.1
