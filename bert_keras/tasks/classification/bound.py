"""Classification, bound to a tokenizer and to the labels: model, losses, scores, answers."""

from __future__ import annotations

import dataclasses
import logging
import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import tensorflow as tf

from bert_keras.config import read_json
from bert_keras.data.batches import LabelledExamples, encode
from bert_keras.data.predictions import write_predictions
from bert_keras.data.rows import Rows, check_labels
from bert_keras.errors import InputError
from bert_keras.tasks.classification.settings import ClassificationSettings
from bert_keras.tasks.shared import scores, serving
from bert_keras.tasks.shared.examples import RowExamples, rows_of_texts
from bert_keras.text.tokenizer import BertTokenizer
from bert_keras.training.task import (
    Batch,
    BoundTask,
    Evaluation,
    NumericOutputs,
    PredictionFiles,
    Predicts,
    Serves,
    Table,
)

if TYPE_CHECKING:
    from bert_keras.models.classifier import BertClassifier

_log = logging.getLogger(__name__)
_MOST_WRONG = 50
# What Hugging Face's config.json calls the kinds of labels.
_PROBLEM_TYPES = {
    "class": "single_label_classification",
    "multi": "multi_label_classification",
    "number": "regression",
}
_DEFAULT_METRICS = {"class": "accuracy", "multi": "f1_micro", "number": "spearman"}


@dataclasses.dataclass(frozen=True, eq=False)
class BoundClassification(BoundTask, Predicts, Serves, NumericOutputs):
    """Labels for texts.

    Attributes:
        task: the settings.
        tokenizer: reads the texts.
        labels: the classes' names, in the order of the model's outputs; () for numbers.
        takes_pairs: whether an example is two texts.
    """

    task: ClassificationSettings
    tokenizer: BertTokenizer
    labels: tuple[str, ...]
    takes_pairs: bool

    @classmethod
    def from_folder(
        cls, task: ClassificationSettings, tokenizer: BertTokenizer, folder: pathlib.Path
    ) -> Self:
        """Binds a task to what a run's folder has kept.

        Raises:
            InputError: its model is for another kind of labels.
        """
        config = read_json(folder / "config.json")
        if config.get("problem_type") != _PROBLEM_TYPES[task.kind]:
            raise InputError(
                f"{folder}: expected a model for the kind {task.kind!r}, found one for "
                f"{config.get('problem_type')}."
            )
        names = config["id2label"] if task.kind != "number" else {}
        labels = tuple(names[str(index)] for index in range(len(names)))
        return cls(task, tokenizer, labels, **cls._kept_in(config, folder))

    @classmethod
    def _kept_in(cls, config: dict[str, Any], folder: pathlib.Path) -> dict[str, Any]:
        """The further arguments of the class, from a run's config.json."""
        return {"takes_pairs": config["takes_pairs"]}

    @property
    def kind(self) -> str:
        """What a label is: "class", "multi" or "number"."""
        return self.task.kind

    @property
    def metric(self) -> str:
        """The score that is named first."""
        return self.task.metric or _DEFAULT_METRICS[self.kind]

    def build_model(self, reference: str | pathlib.Path | None, dtype: str) -> BertClassifier:
        from bert_keras.models.classifier import BertClassifier

        assert reference is not None  # a classifier starts from weights
        return BertClassifier.from_pretrained(
            reference,
            num_classes=max(1, len(self.labels)),
            pooling=self.task.pooling,
            dtype=dtype,
        )

    @property
    def saved_labels(self) -> Sequence[str]:
        return self.labels or ["score"]

    def write_extras(self, model: Any, folder: pathlib.Path) -> dict[str, Any]:
        return {"problem_type": _PROBLEM_TYPES[self.kind], "takes_pairs": self.takes_pairs}

    def training_set(self, rows: Rows) -> LabelledExamples:
        """Returns labelled rows as examples to train on."""
        targets = {"labels": self._targets(rows)}
        weights = np.ones(len(rows), np.float32)
        if self.task.class_weights == "balanced":
            counts = np.bincount(targets["labels"], minlength=len(self.labels))
            weights = (len(weights) / (len(counts) * np.maximum(counts, 1)))[targets["labels"]]
        targets["weights"] = weights.astype(np.float32)

        def describe(batch: Batch) -> list[dict[str, Any]]:
            return [
                {"place": rows.locations[i], "text": rows.texts[i]}
                | ({"text_pair": rows.pairs[i]} if rows.pairs else {})
                | {"label": rows.labels[i] if rows.labels else None}
                for i in batch["example"].numpy()
            ]

        encoded = self.encode(rows).encoded
        return LabelledExamples(encoded, targets, names=self.labels, describe=describe)

    def loss_weights(self, batch: Batch) -> dict[str, tf.Tensor]:
        return {self.kind: batch["weights"]}

    def losses(self, outputs: tf.Tensor, batch: Batch) -> dict[str, tf.Tensor]:
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

    def evaluation_set(self, seed: int) -> RowExamples | None:
        rows = self.task.dev_rows(seed)
        if not rows:
            return None
        if self.labels:
            check_labels(rows, self.labels)
        return self.encode(rows)

    def score_names(self, examples: Any) -> list[str]:
        if self.kind == "class":
            names = scores.class_scores(self.labels, [0], [0])
        elif self.kind == "multi":
            names = scores.multi_scores([[True]], [[1.0]])
        else:
            names = scores.number_scores([0.0], [0.0])
        return list(self._metric_first(names))

    def evaluate(self, examples: RowExamples, predictions: np.ndarray) -> Evaluation:
        evaluate = {
            "class": self._evaluate_classes,
            "multi": self._evaluate_several,
            "number": self._evaluate_numbers,
        }[self.kind]
        rows = examples.rows
        return evaluate(rows, self._targets(rows), self._arrays(predictions))

    def _evaluate_classes(
        self, rows: Rows, truth: np.ndarray, answer: dict[str, np.ndarray]
    ) -> Evaluation:
        from bert_keras.tensorboard.pictures import picture_of_confusion

        probabilities = answer["probabilities"]
        predicted = probabilities.argmax(axis=1)
        matrix = scores.confusion_matrix(self.labels, truth, predicted)
        worst = scores.most_wrong(self.labels, truth, probabilities, _MOST_WRONG)
        of_truth = probabilities[np.arange(len(truth)), truth]
        return Evaluation(
            self._metric_first(scores.class_scores(self.labels, truth, predicted)),
            tables={
                "per class": scores.per_class_table(self.labels, truth, predicted),
                "most wrong": self._most_wrong(rows, worst, of_truth, predicted),
            },
            images={"confusion matrix": picture_of_confusion(self.labels, matrix)},
            curves={
                label: (truth == index, probabilities[:, index])
                for index, label in enumerate(self.labels)
            },
        )

    def _evaluate_several(
        self, rows: Rows, truth: np.ndarray, answer: dict[str, np.ndarray]
    ) -> Evaluation:
        truth, probabilities = truth.astype(bool), answer["probabilities"]
        of_truth = np.where(truth, probabilities, 1 - probabilities).min(axis=1)
        return Evaluation(
            self._metric_first(scores.multi_scores(truth, probabilities)),
            tables={
                "per class": scores.per_class_table(self.labels, truth, probabilities >= 0.5),
                "most wrong": self._most_wrong(rows, np.argsort(of_truth), of_truth),
            },
            curves={
                label: (truth[:, index], probabilities[:, index])
                for index, label in enumerate(self.labels)
            },
        )

    def _evaluate_numbers(
        self, rows: Rows, truth: np.ndarray, answer: dict[str, np.ndarray]
    ) -> Evaluation:
        errors = np.abs(truth - answer["score"])
        table = self._most_wrong(rows, np.argsort(-errors), answer["score"])
        return Evaluation(
            self._metric_first(scores.number_scores(truth, answer["score"])),
            tables={"most wrong": table},
        )

    def read_examples(self, file: str) -> RowExamples:
        return self.encode(self.task.unlabelled(file))

    def examples_of(self, inputs: Sequence[Any]) -> RowExamples:
        return self.encode(rows_of_texts(inputs, self.takes_pairs))

    def answers(self, examples: RowExamples, predictions: np.ndarray) -> list[dict[str, Any]]:
        """Returns a dict for each input.

        It holds `score`, a float; for classes also `label` (a list of labels where there may be
        several) and `probabilities`, a float by label.
        """
        answer = self._arrays(predictions)
        rows = []
        for index, score in enumerate(answer["score"].tolist()):
            row: dict[str, Any] = {"score": score}
            if self.labels:
                probabilities = answer["probabilities"][index].tolist()
                row["probabilities"] = dict(zip(self.labels, probabilities, strict=True))
                label = answer["label"][index].decode()
                row = {"label": label} | row
            if self.kind == "multi":
                row["label"] = [n for n, p in row["probabilities"].items() if p >= 0.5]
            rows.append(row)
        return rows

    def write_predictions(
        self, examples: RowExamples, predictions: np.ndarray, folder: pathlib.Path
    ) -> PredictionFiles:
        answer = self._arrays(predictions)
        columns: dict[str, list[Any]] = {}
        if "label" in answer:
            columns["label"] = [label.decode() for label in answer["label"]]
        columns["score"] = answer["score"].tolist()
        if "probabilities" in answer:
            for label, column in zip(self.labels, answer["probabilities"].T, strict=True):
                columns[f"p({label})"] = column.tolist()
        path = folder / f"predictions.{examples.rows.layout}"
        write_predictions(path, examples.rows, columns)
        return PredictionFiles(path)

    def signatures(self, model: Callable[..., Any]) -> dict[str, Any]:
        return {
            "serving_default": serving.of_text(
                model, self.tokenizer, self._answer, self.task.max_length, self.takes_pairs
            ),
            "token_ids": serving.of_token_ids(model, self.tokenizer, self._answer),
        }

    def numeric_outputs(self, outputs: tf.Tensor) -> dict[str, tf.Tensor]:
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

    def _answer(self, outputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """From logits [examples, classes] to what a server answers, in graph operations."""
        answer = self.numeric_outputs(outputs)
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

    def _arrays(self, predictions: np.ndarray) -> dict[str, np.ndarray]:
        answer = self._answer(tf.constant(predictions))
        return {name: tensor.numpy() for name, tensor in answer.items()}

    def encode(self, rows: Rows) -> RowExamples:
        """Tokenizes rows.

        Raises:
            InputError: they have one text where the model takes two, or the other way round.
        """
        if (rows.pairs is not None) != self.takes_pairs:
            expected = "two texts a row" if self.takes_pairs else "one text a row"
            raise InputError(f"{rows.locations[0]}: expected {expected}, as trained on.")
        encoded = encode(self.tokenizer, rows.texts, rows.pairs, self.task.max_length)
        if encoded.truncated:
            _log.info(
                "%s of %s texts are longer than %s tokens and were cut (`max_length`).",
                *(f"{n:,}" for n in (encoded.truncated, len(encoded), self.task.max_length)),
            )
        return RowExamples(rows, encoded)

    def _targets(self, rows: Rows) -> np.ndarray:
        """The rows' labels as the loss wants them."""
        assert rows.labels is not None
        if self.kind == "number":
            return np.array(rows.labels, np.float32)  # [rows]
        index = {label: i for i, label in enumerate(self.labels)}
        if self.kind == "class":
            return np.array([index[label] for label in rows.labels], np.int32)  # [rows]
        targets = np.zeros((len(rows), len(self.labels)), np.float32)  # [rows, classes]
        for target, labels in zip(targets, rows.labels, strict=True):
            target[[index[label] for label in labels]] = 1
        return targets

    def _metric_first(self, values: dict[str, float]) -> dict[str, float]:
        return {self.metric: values[self.metric]} | values

    def _most_wrong(
        self,
        rows: Rows,
        order: np.ndarray,
        values: np.ndarray,
        predicted: np.ndarray | None = None,
    ) -> Table:
        """The rows with the worst predictions, for a person to read."""
        assert rows.labels is not None
        lines = []
        for i in order[:_MOST_WRONG]:
            text = rows.texts[i] + (f" ⟷ {rows.pairs[i]}" if rows.pairs else "")
            truth = rows.labels[i]
            truth = ", ".join(truth) if self.kind == "multi" else str(truth)
            answer = [] if predicted is None else [self.labels[predicted[i]]]
            lines.append([text, truth, *answer, f"{values[i]:.4f}"])
        header = [] if predicted is None else ["answer"]
        of = "answer" if self.kind == "number" else "probability of truth"
        return Table(["text", "truth", *header, of], lines)
