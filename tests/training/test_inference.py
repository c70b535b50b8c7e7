import numpy as np
import pytest
import tensorflow as tf
from toys import encoded_of

from bert_keras.config import BertConfig
from bert_keras.data.packing import unpack
from bert_keras.models.classifier import BertClassifier
from bert_keras.models.token_classifier import BertTokenClassifier
from bert_keras.training.inference import Inference


def test_predicts_every_example_once_and_in_order(tiny_checkpoint, capsys):
    model = BertClassifier.from_pretrained(tiny_checkpoint, num_classes=2)
    random = np.random.default_rng(0)
    ids = [random.integers(1, 50, n).tolist() for n in random.integers(2, 30, 11)]
    examples = encoded_of(ids)
    capsys.readouterr()
    predictions = Inference(model, lambda outputs, batch: outputs, batch_size=4)(examples, "rows")
    assert capsys.readouterr().err.startswith("rows 3/3  ")

    for prediction, tokens in zip(predictions, ids, strict=True):
        inputs = {
            "token_ids": tf.constant([tokens]),
            "segment_ids": tf.zeros([1, len(tokens)], tf.int32),
            "position_ids": tf.range(len(tokens))[tf.newaxis],
            "example_ids": tf.ones([1, len(tokens)], tf.int32),
        }
        np.testing.assert_allclose(prediction, model(inputs)[0], atol=1e-5, rtol=0)
    assert predictions == pytest.approx(
        Inference(model, lambda outputs, batch: outputs, 99)(examples, ""), abs=1e-5
    )


def per_token(outputs, batch):
    """Outputs for each token, a row for each example, padded with zeros."""
    by_example = unpack(outputs, batch["inputs"]["example_ids"])
    return by_example.to_tensor(shape=[None, outputs.shape[1], *outputs.shape[2:]])


def test_predictions_per_token_stack_whatever_batch_they_are_of():
    lengths = [3, 130, 5]
    examples = encoded_of([[number] * n for number, n in enumerate(lengths, 1)])

    def tokens(inputs, training):
        return inputs["token_ids"]

    predictions = Inference(tokens, per_token, batch_size=1)(examples, "")
    for number, (prediction, n) in enumerate(zip(predictions, lengths, strict=True), 1):
        assert prediction.tolist() == [number] * n + [0] * (len(prediction) - n)


def test_predictions_per_token_of_short_and_of_long_texts():
    """Batches of short texts alone, of both and of long ones alone; each text as on its own."""
    config = BertConfig(
        vocab_size=20,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=256,
        initializer_range=0.5,
    )
    model = BertTokenClassifier(config, num_classes=3)
    random = np.random.default_rng(0)
    lengths = [10, 9, 10, 120, 200, 137, 10]
    ids = [random.integers(1, 20, n).tolist() for n in lengths]
    predictions = Inference(model, per_token, batch_size=2)(encoded_of(ids), "")
    assert predictions.shape == (7, 256, 3)
    for prediction, tokens, n in zip(predictions, ids, lengths, strict=True):
        inputs = {
            "token_ids": tf.constant([tokens]),
            "segment_ids": tf.zeros([1, n], tf.int32),
            "position_ids": tf.range(n)[tf.newaxis],
            "example_ids": tf.ones([1, n], tf.int32),
        }
        alone = model(inputs)  # [1, n, 3], or [n, 3] by token
        np.testing.assert_allclose(prediction[:n], np.reshape(alone, [n, 3]), atol=1e-4, rtol=0)
        assert not prediction[n:].any()
