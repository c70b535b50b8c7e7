import numpy as np
import pytest
import tensorflow as tf

from bert_keras.data.batches import EncodedExamples
from bert_keras.data.packing import unpack
from bert_keras.models.classifier import BertClassifier
from bert_keras.training.inference import Inference


def test_answers_every_example_once_and_in_order(tiny_checkpoint, capsys):
    model = BertClassifier.from_pretrained(tiny_checkpoint, num_classes=2)
    random = np.random.default_rng(0)
    ids = [random.integers(1, 50, n).tolist() for n in random.integers(2, 30, 11)]
    token_ids = tf.ragged.constant(ids, tf.int32)
    examples = EncodedExamples(token_ids, token_ids * 0, truncated=0)
    capsys.readouterr()
    found = Inference(model, lambda outputs, batch: outputs, batch_size=4)(examples, "answering")
    assert capsys.readouterr().err.startswith("answering 3/3  ")

    for answer, tokens in zip(found, ids, strict=True):
        inputs = {
            "token_ids": tf.constant([tokens]),
            "segment_ids": tf.zeros([1, len(tokens)], tf.int32),
            "position_ids": tf.range(len(tokens))[tf.newaxis],
            "example_ids": tf.ones([1, len(tokens)], tf.int32),
        }
        np.testing.assert_allclose(answer, model(inputs)[0], atol=1e-5, rtol=0)
    assert found == pytest.approx(
        Inference(model, lambda outputs, batch: outputs, 99)(examples, ""), abs=1e-5
    )


def test_answers_for_each_token_stack_whatever_batch_they_are_of():
    lengths = [3, 130, 5]
    token_ids = tf.ragged.constant([[i] * n for i, n in enumerate(lengths, 1)], tf.int32)
    examples = EncodedExamples(token_ids, token_ids * 0, truncated=0)

    def tokens(inputs, training):
        return inputs["token_ids"]

    def of_tokens(outputs, batch):
        found = unpack(outputs, batch["inputs"]["example_ids"])
        return found.to_tensor(shape=[None, outputs.shape[1]])

    found = Inference(tokens, of_tokens, batch_size=1)(examples, "")
    for number, (answer, length) in enumerate(zip(found, lengths, strict=True), 1):
        assert answer.tolist() == [number] * length + [0] * (len(answer) - length)
