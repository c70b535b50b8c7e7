"""Classification: a text, or two, gets one label, several labels, or a number."""

import logging

import numpy as np
import tensorflow as tf

from bert_keras.config import read_json
from bert_keras.data import rows as row_reading
from bert_keras.data.batches import TrainingSet, encode
from bert_keras.data.predictions import write_predictions
from bert_keras.errors import InputError
from bert_keras.tasks.shared import scores, serving
from bert_keras.tasks.shared.tokenizers import open_tokenizer
from bert_keras.training.task import Evaluation, Table, Task

_log = logging.getLogger(__name__)
_MOST_WRONG = 50
# What Hugging Face's config.json calls the kinds of labels.
_PROBLEM_TYPES = {
    "class": "single_label_classification",
    "multi": "multi_label_classification",
    "number": "regression",
}
_DEFAULT_METRICS = {"class": "accuracy", "multi": "f1_micro", "number": "spearman"}


class Classification(Task):
    """Labels for texts.

    Args:
        source: a `bert_keras.data.source.Source`, where the rows come from.
        max_length: tokens that an example may have, special tokens included; longer ones are cut.
        class_weights: "balanced" weighs each class by the inverse of its share of the training
            rows, so that rare ones count as much; None weighs all rows alike.
        pooling: "cls" or "mean", see `BertClassifier`; None takes that of the weights' own head.

    Raises:
        InputError: there are no classes to weigh.
    """

    answers_numbers = True

    def __init__(self, source, max_length=128, class_weights=None, pooling=None):
        if class_weights and source.kind != "class":
            raise InputError(
                f"--class_weights: expected one label a text, found the kind {source.kind!r}."
            )
        self._source = source
        self._max_length = max_length
        self._class_weights = class_weights
        self._pooling = pooling
        self.kind = source.kind
        self.metric = source.metric or _DEFAULT_METRICS[source.kind]
        self.labels = []
        self._takes_pairs = False
        self._train = self._dev = self._predict = None

    @property
    def tokenizer_class(self):
        """What reads the texts, a `BertTokenizer`."""
        from bert_keras.text.tokenizer import BertTokenizer

        return BertTokenizer

    def prepare(self, reference):
        self.tokenizer = open_tokenizer(reference, self._max_length, self.tokenizer_class)
        self._train, self._dev = self._source.train_and_dev()
        if self.kind != "number":
            self.labels = row_reading.find_labels(self._train)
        self._check(self._dev)
        self._takes_pairs = self._train.pairs is not None

    def restore(self, folder):
        self.tokenizer = open_tokenizer(folder, self._max_length, self.tokenizer_class)
        config = read_json(folder / "config.json")
        if config.get("problem_type") != _PROBLEM_TYPES[self.kind]:
            raise InputError(
                f"{folder}: expected a model for the kind {self.kind!r}, found one for "
                f"{config.get('problem_type')}."
            )
        self._takes_pairs = config["takes_pairs"]
        if self.kind != "number":
            names = config["id2label"]
            self.labels = [names[str(index)] for index in range(len(names))]

    def build_model(self, reference, dtype):
        from bert_keras.models.classifier import BertClassifier

        return BertClassifier.from_pretrained(
            reference,
            num_classes=max(1, len(self.labels)),
            pooling=self._pooling,
            dtype=dtype,
        )

    def save(self, model, folder):
        from bert_keras.checkpoints.huggingface import write_huggingface

        write_huggingface(
            model,
            folder,
            labels=self.labels or ["score"],
            extra=self._particulars(),
        )
        self.tokenizer.save(folder)

    def training_set(self):
        targets = {"labels": self._targets(self._train)}
        weights = np.ones(len(self._train), np.float32)
        if self._class_weights == "balanced":
            counts = np.bincount(targets["labels"], minlength=len(self.labels))
            weights = (len(weights) / (len(counts) * np.maximum(counts, 1)))[targets["labels"]]
        targets["weights"] = weights.astype(np.float32)
        return TrainingSet(self._encode(self._train), targets, names=tuple(self.labels))

    def weights(self, batch):
        return {self.kind: batch["weights"]}

    def losses(self, outputs, batch):
        labels = batch["labels"]
        if self.kind == "class":
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=outputs)
        elif self.kind == "multi":
            losses = tf.reduce_mean(
                tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=outputs), axis=1
            )
        else:
            losses = tf.square(outputs[:, 0] - labels)
        return {self.kind: losses}

    def describe(self, batch):
        rows = self._train
        return [
            {"place": rows.locations[i], "text": rows.texts[i]}
            | ({"text_pair": rows.pairs[i]} if rows.pairs else {})
            | {"label": rows.labels[i]}
            for i in batch["example"].numpy()
        ]

    def evaluation_set(self):
        if self._train is None:  # else `prepare` has looked for them
            self._dev = self._source.dev()
            self._check(self._dev)
        return self._encode(self._dev) if self._dev else None

    @property
    def score_names(self):
        if self.kind == "class":
            found = scores.class_scores(self.labels, [0], [0])
        elif self.kind == "multi":
            found = scores.multi_scores([[True]], [[1.0]])
        else:
            found = scores.number_scores([0.0], [0.0])
        return list(self._metric_first(found))

    def evaluate(self, answers):
        answer = self._answer_arrays(answers)
        truth = self._targets(self._dev)
        if self.kind == "number":
            found = scores.number_scores(truth, answer["score"])
            errors = np.abs(truth - answer["score"])
            return Evaluation(
                self._metric_first(found),
                tables={"most wrong": self._wrong(np.argsort(-errors), answer["score"])},
            )
        probabilities = answer["probabilities"]
        if self.kind == "multi":
            truth = truth.astype(bool)
            found = scores.multi_scores(truth, probabilities)
            table = scores.per_class_table(self.labels, truth, probabilities >= 0.5)
            curves = {
                label: (truth[:, index], probabilities[:, index])
                for index, label in enumerate(self.labels)
            }
            of_truth = np.where(truth, probabilities, 1 - probabilities).min(axis=1)
            wrong = self._wrong(np.argsort(of_truth), of_truth)
            return Evaluation(
                self._metric_first(found), {"per class": table, "most wrong": wrong}, curves=curves
            )
        from bert_keras.tensorboard.pictures import picture_of_confusion

        predicted = probabilities.argmax(axis=1)
        found = scores.class_scores(self.labels, truth, predicted)
        matrix = scores.confusion_matrix(self.labels, truth, predicted)
        worst = scores.most_wrong(self.labels, truth, probabilities, _MOST_WRONG)
        of_truth = probabilities[np.arange(len(truth)), truth]
        return Evaluation(
            self._metric_first(found),
            tables={
                "per class": scores.per_class_table(self.labels, truth, predicted),
                "most wrong": self._wrong(worst, of_truth, predicted),
            },
            images={"confusion matrix": picture_of_confusion(self.labels, matrix)},
            curves={
                label: (truth == index, probabilities[:, index])
                for index, label in enumerate(self.labels)
            },
        )

    def prediction_set(self):
        self._predict = self._source.unlabelled()
        return self._encode(self._predict)

    def write_predictions(self, answers, folder):
        answer = self._answer_arrays(answers)
        columns = {}
        if "label" in answer:
            columns["label"] = [label.decode() for label in answer["label"]]
        columns["score"] = answer["score"].tolist()
        if "probabilities" in answer:
            for label, column in zip(self.labels, answer["probabilities"].T, strict=True):
                columns[f"p({label})"] = column.tolist()
        path = folder / f"predictions.{self._predict.layout}"
        write_predictions(path, self._predict, columns)
        return path

    def signatures(self, model):
        return {
            "serving_default": serving.of_text(
                model, self.tokenizer, self._answer, self._max_length, self._takes_pairs
            ),
            "token_ids": serving.of_token_ids(model, self.tokenizer, self._answer),
        }

    def numbers(self, outputs):
        if self.kind == "number":
            return {"score": outputs[:, 0]}
        if self.kind == "multi":
            probabilities = tf.nn.sigmoid(outputs)  # [examples, classes]
            return {"score": tf.reduce_max(probabilities, axis=1), "probabilities": probabilities}
        probabilities = tf.nn.softmax(outputs)  # [examples, classes]
        return {
            "label": tf.argmax(outputs, axis=1, output_type=tf.int32),
            "score": tf.reduce_max(probabilities, axis=1),
            "probabilities": probabilities,
        }

    def _answer(self, outputs):
        """From logits [examples, classes] to what a person asked for, in graph operations."""
        answer = self.numbers(outputs)
        names = tf.constant(self.labels)
        if self.kind == "class":
            answer["label"] = tf.gather(names, answer["label"])
        elif self.kind == "multi":
            probabilities = answer["probabilities"]
            chosen = tf.ragged.boolean_mask(
                tf.broadcast_to(names, tf.shape(probabilities)), probabilities >= 0.5
            )  # [examples, (labels)]
            answer["label"] = tf.strings.reduce_join(chosen, axis=1, separator=",")
        return answer

    def _answer_arrays(self, outputs):
        answer = self._answer(tf.constant(outputs))
        return {name: tensor.numpy() for name, tensor in answer.items()}

    def _particulars(self):
        """What else the run's config says of the task, for `restore`."""
        return {"problem_type": _PROBLEM_TYPES[self.kind], "takes_pairs": self._takes_pairs}

    def _encode(self, rows):
        if (rows.pairs is not None) != self._takes_pairs:
            expected = "two texts a row" if self._takes_pairs else "one text a row"
            raise InputError(f"{rows.locations[0]}: expected {expected}, as trained on.")
        encoded = encode(self.tokenizer, rows.texts, rows.pairs, self._max_length)
        if encoded.truncated:
            _log.info(
                "%s of %s texts are longer than %s tokens and were cut (--max_seq_length).",
                *(f"{n:,}" for n in (encoded.truncated, len(encoded), self._max_length)),
            )
        return encoded

    def _check(self, rows):
        if rows and self.kind != "number":
            row_reading.check_labels(rows, self.labels)

    def _targets(self, rows):
        """The rows' labels as the loss wants them."""
        if self.kind == "number":
            return np.array(rows.labels, np.float32)  # [rows]
        index = {label: i for i, label in enumerate(self.labels)}
        if self.kind == "class":
            return np.array([index[label] for label in rows.labels], np.int32)  # [rows]
        targets = np.zeros((len(rows), len(self.labels)), np.float32)  # [rows, classes]
        for target, labels in zip(targets, rows.labels, strict=True):
            target[[index[label] for label in labels]] = 1
        return targets

    def _metric_first(self, found):
        return {self.metric: found[self.metric]} | found

    def _wrong(self, order, number, predicted=None):
        """The rows that were answered worst, for a person to read."""
        rows = []
        for i in order[:_MOST_WRONG]:
            text = self._dev.texts[i] + (f" ⟷ {self._dev.pairs[i]}" if self._dev.pairs else "")
            truth = self._dev.labels[i]
            truth = ", ".join(truth) if self.kind == "multi" else str(truth)
            answer = [] if predicted is None else [self.labels[predicted[i]]]
            rows.append([text, truth, *answer, f"{number[i]:.4f}"])
        answer = [] if predicted is None else ["answer"]
        of = "answer" if self.kind == "number" else "probability of truth"
        return Table(["text", "truth", *answer, of], rows)
