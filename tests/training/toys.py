"""A small model, some rows and a task, to train in a moment."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from bert_keras.config import BertConfig
from bert_keras.data.batches import EncodedExamples, LabelledExamples
from bert_keras.models.classifier import BertClassifier
from bert_keras.training.settings import Schedule
from bert_keras.training.task import BoundTask, Evaluation

SCHEDULE = Schedule(
    learning_rate=0.01,
    epochs=2.0,
    batch_size=4,
    warmup_proportion=0.0,
    evaluations_per_epoch=1.0,
    seed=0,
)


def encoded_of(token_ids):
    """Examples of lists of token ids."""
    token_ids = tf.ragged.constant(token_ids, tf.int32)
    return EncodedExamples(token_ids, token_ids * 0, truncated=0)


def make_examples(count=10):
    random = np.random.default_rng(1)
    ids = [random.integers(1, 20, n).tolist() for n in random.integers(2, 12, count)]
    targets = {
        "labels": random.integers(0, 2, count).astype(np.int32),
        "weights": random.uniform(0.5, 2, count).astype(np.float32),
    }
    return LabelledExamples(encoded_of(ids), targets, describe=describe)


def describe(batch):
    return [{"text": f"row {number}"} for number in batch["example"].numpy()]


def make_model(layers=1, dtype="float32"):
    keras.utils.set_random_seed(2)
    config = BertConfig(
        vocab_size=20,
        hidden_size=8,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=16,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        max_position_embeddings=16,
        initializer_range=0.5,
    )
    return BertClassifier(config, num_classes=2, dtype=dtype)


class Toy(BoundTask):
    """Two classes, each row with a weight."""

    labels = ()

    def build_model(self, reference, dtype):
        return make_model(dtype=dtype)

    def loss_weights(self, batch):
        return {"toy": batch["weights"]}

    def losses(self, outputs, batch):
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(batch["labels"], outputs)
        return {"toy": losses}

    def evaluation_set(self, seed):
        return make_examples()

    def score_names(self, examples):
        return ["accuracy"]

    def evaluate(self, examples, predictions):
        right = predictions.argmax(axis=1) == examples.targets["labels"]
        return Evaluation({"accuracy": float(right.mean())})


class TwoTerms(Toy):
    """Likewise, with a second term of the loss."""

    def loss_weights(self, batch):
        return super().loss_weights(batch) | {"length": tf.ones_like(batch["weights"])}

    def losses(self, outputs, batch):
        return super().losses(outputs, batch) | {"length": tf.reduce_sum(outputs**2, axis=1)}


def replace(**changes):
    return dataclasses.replace(SCHEDULE, **changes)
