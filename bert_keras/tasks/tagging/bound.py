"""Tagging, bound to a tokenizer and to the types of entities: model, loss, scores, predictions."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from bert_keras.checkpoints.heads import TOKEN_CLASSIFIER
from bert_keras.checkpoints.load import announce, heads_in, load_weights, open_checkpoint
from bert_keras.config import read_json
from bert_keras.data.batches import LabelledExamples
from bert_keras.data.packing import unpack
from bert_keras.data.predictions import write_json_lines
from bert_keras.errors import InputError
from bert_keras.files import resolve
from bert_keras.tasks.shared.examples import rows_of_texts
from bert_keras.tasks.shared.scores import confusion_matrix
from bert_keras.tasks.tagging import scores, serving, tag_schemes
from bert_keras.tasks.tagging.conll import write_conll
from bert_keras.tasks.tagging.decoding import find_entities
from bert_keras.tasks.tagging.encoding import TaggedExamples, encode_texts, labels_of_tokens
from bert_keras.tasks.tagging.examples import TaggedTexts, check_types
from bert_keras.tasks.tagging.settings import TaggingSettings
from bert_keras.tasks.tagging.windows import merge
from bert_keras.text.tokenizer import BertTokenizer
from bert_keras.training.task import (
    Batch,
    BoundTask,
    Evaluation,
    PredictionFiles,
    Predicts,
    Serves,
)

if TYPE_CHECKING:
    from bert_keras.models.token_classifier import BertTokenClassifier

_DEFAULT_SCHEME = "iob2"
_SCHEME = "tag_scheme"  # in config.json


def tags_of_types(types: Sequence[str]) -> tuple[str, ...]:
    """Returns the tags of types, in the order of the model's classes; see `decoding`."""
    return (tag_schemes.OUTSIDE, *(f"{letter}-{name}" for name in types for letter in "BI"))


class _Decoded(NamedTuple):
    """The predictions for texts.

    Attributes:
        log_probs: float32 [words, tags], the logarithms of the tags' probabilities.
        tags: int32 [words], the predicted tags.
        entities: the predicted entities, (text, start, end, index of the type) each.
        scores: the score of each entity.
    """

    log_probs: np.ndarray
    tags: np.ndarray
    entities: list[tuple[int, int, int, int]]
    scores: list[float]


@dataclasses.dataclass(frozen=True, eq=False)
class BoundTagging(BoundTask, Predicts, Serves):
    """Entities in texts.

    Attributes:
        task: the settings.
        tokenizer: reads the texts.
        labels: the tags, see `tags_of_types`.
        scheme: the tag scheme of the file that was trained on, in which predictions for CoNLL files
            are written; None if it was not a CoNLL file.
    """

    task: TaggingSettings
    tokenizer: BertTokenizer
    labels: tuple[str, ...]
    scheme: str | None

    @classmethod
    def from_folder(
        cls, task: TaggingSettings, tokenizer: BertTokenizer, folder: pathlib.Path
    ) -> BoundTagging:
        """Binds a task to what a run's folder has kept.

        Raises:
            InputError: its model is for another task.
        """
        config = read_json(folder / "config.json")
        if _SCHEME not in config:
            raise InputError(f"{folder}: expected a model that tags entities, found another.")
        names = config["id2label"]
        labels = tuple(names[str(index)] for index in range(len(names)))
        return cls(task, tokenizer, labels, config[_SCHEME])

    @property
    def types(self) -> tuple[str, ...]:
        """The names of the types."""
        return tuple(tag.removeprefix("B-") for tag in self.labels[1::2])

    def build_model(self, reference: str | pathlib.Path | None, dtype: str) -> BertTokenClassifier:
        from bert_keras.models.token_classifier import BertTokenClassifier

        assert reference is not None  # a tagger starts from weights
        if self._has_other_head(reference):  # its encoder alone can be used
            with open_checkpoint(reference) as checkpoint:
                model = BertTokenClassifier(checkpoint.config, len(self.labels), dtype=dtype)
            announce(load_weights(model.encoder, reference))
            return model
        return BertTokenClassifier.from_pretrained(reference, len(self.labels), dtype=dtype)

    def _has_other_head(self, reference: str | pathlib.Path) -> bool:
        """Whether the weights have a head for other tags, or for tags that the folder lacks."""
        with open_checkpoint(reference) as checkpoint:
            if TOKEN_CLASSIFIER.name not in heads_in(checkpoint):
                return False
            if checkpoint.layout != "huggingface":
                return True
        names = read_json(resolve(reference) / "config.json").get("id2label")
        return names != {str(index): label for index, label in enumerate(self.labels)}

    def write_extras(self, model: Any, folder: pathlib.Path) -> dict[str, Any]:
        return {_SCHEME: self.scheme}

    def training_set(self, texts: TaggedTexts) -> LabelledExamples:
        """Returns labelled texts as examples to train on."""
        examples = encode_texts(
            self.tokenizer, texts, self.types, self.task.max_length, own_words=False
        )
        windowed = examples.windowed

        def describe(batch: Batch) -> list[dict[str, Any]]:
            return [
                {"place": texts.locations[i], "text": texts.texts[i]}
                for i in tf.gather(windowed.windows.text, batch["example"]).numpy()
            ]

        labels = {"labels": labels_of_tokens(examples)}
        return LabelledExamples(windowed.examples, labels, names=self.types, describe=describe)

    def encode(self, texts: TaggedTexts) -> TaggedExamples:
        """Returns texts as examples to evaluate or to predict."""
        return encode_texts(self.tokenizer, texts, self.types, self.task.max_length)

    def loss_weights(self, batch: Batch) -> dict[str, tf.Tensor]:
        return {"tags": tf.ones([tf.math.count_nonzero(batch["labels"] >= 0, dtype=tf.int32)])}

    def losses(self, outputs: tf.Tensor, batch: Batch) -> dict[str, tf.Tensor]:
        logits = unpack(outputs, batch["inputs"]["example_ids"])  # [examples, (tokens), tags]
        labelled = tf.where(batch["labels"] >= 0)  # [labelled, 2]
        indices = tf.gather(logits.row_starts(), labelled[:, 0]) + labelled[:, 1]
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=tf.gather_nd(batch["labels"], labelled),
            logits=tf.gather(logits.values, indices),
        )
        return {"tags": losses}

    def predictions(self, outputs: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns the logarithms of the tags' probabilities, float32 [examples, length, tags]."""
        log_probs = unpack(tf.nn.log_softmax(outputs), batch["inputs"]["example_ids"])
        return log_probs.to_tensor(shape=[None, outputs.shape[1], outputs.shape[2]])

    def evaluation_set(self, seed: int) -> TaggedExamples | None:
        texts = self.task.dev_rows(seed)
        if not texts:
            return None
        check_types(texts, self.types)
        return self.encode(texts)

    def score_names(self, examples: Any) -> list[str]:
        return list(_all_scores({"": (0, 0, 0)}, 0.0))

    def evaluate(self, examples: TaggedExamples, predictions: np.ndarray) -> Evaluation:
        from bert_keras.tensorboard.pictures import picture_of_confusion

        truth = examples.truth
        assert truth is not None
        log_probs, tags, entities, _ = self._decode(examples, predictions)
        counts = scores.count(self.types, truth.spans, entities)
        is_right = tags == truth.tags  # [words]
        names = [tag_schemes.OUTSIDE, *self.types]
        matrix = confusion_matrix(names, (truth.tags + 1) // 2, (tags + 1) // 2)
        return Evaluation(
            _all_scores(counts, float(is_right.mean())),
            tables={
                "per type": scores.table(counts),
                "most wrong": scores.most_wrong(
                    examples.texts.texts, self.types, examples.words, truth, entities, log_probs
                ),
            },
            images={"types of words": picture_of_confusion(names, matrix)},
        )

    def read_examples(self, file: str) -> TaggedExamples:
        return self.encode(self.task.unlabelled(file))

    def examples_of(self, inputs: Sequence[Any]) -> TaggedExamples:
        rows = rows_of_texts(inputs)
        return self.encode(
            TaggedTexts(rows.texts, None, None, rows.locations, rows.records, "jsonl")
        )

    def answers(
        self, examples: TaggedExamples, predictions: np.ndarray
    ) -> list[list[dict[str, Any]]]:
        """Returns the entities of each text, in order.

        An entity is a dict of `text`, `type`, `start` and `end` in code points, the end exclusive,
        and `score`, the mean of the probabilities of its words' tags.
        """
        decoded = self._decode(examples, predictions)
        texts, types = examples.texts.texts, self.types
        entities: list[list[dict[str, Any]]] = [[] for _ in texts]
        for (index, start, end, kind), score in zip(decoded.entities, decoded.scores, strict=True):
            entities[index].append(
                {
                    "text": texts[index][start:end],
                    "type": types[kind],
                    "start": start,
                    "end": end,
                    "score": score,
                }
            )
        return entities

    def write_predictions(
        self, examples: TaggedExamples, predictions: np.ndarray, folder: pathlib.Path
    ) -> PredictionFiles:
        texts = examples.texts
        entities = self.answers(examples, predictions)
        path = folder / f"predictions.{texts.layout}"
        if texts.words is not None and texts.lines is not None:
            tags = [
                self._tags_of_file(of_text, words)
                for of_text, words in zip(entities, texts.words, strict=True)
            ]
            write_conll(path, texts.lines, texts.records, tags)
        else:
            column = [
                [entity | {"score": float(f"{entity['score']:.6g}")} for entity in of_text]
                for of_text in entities
            ]
            write_json_lines(path, texts.records, {"entities": column})
        return PredictionFiles(path)

    def signatures(self, model: Callable[..., Any]) -> dict[str, Any]:
        return {"serving_default": serving.rectangular(self._find_in(model))}

    def functions(self, model: Callable[..., Any]) -> dict[str, Any]:
        return {"entities": self._find_in(model)}

    def _find_in(self, model: Callable[..., Any]) -> Callable[..., Any]:
        return serving.ragged(model, self.tokenizer, self.types, self.task.max_length)

    def _decode(self, examples: TaggedExamples, predictions: np.ndarray) -> _Decoded:
        """Decodes what `predictions` made of each window."""
        windowed, words = examples.windowed, examples.words
        lengths = windowed.examples.token_ids.row_lengths()
        log_probs = merge(tf.RaggedTensor.from_tensor(predictions, lengths), windowed.windows)
        log_probs = tf.gather(log_probs, words.token)  # [words, tags]
        tags, entities = find_entities(tf.RaggedTensor.from_row_splits(log_probs, words.row_splits))
        columns = (
            entities.type.value_rowids(),
            tf.gather(words.start, entities.first.values),
            tf.gather(words.end, entities.last.values),
            entities.type.values,
        )
        spans = list(zip(*(column.numpy().tolist() for column in columns), strict=True))
        return _Decoded(
            log_probs.numpy(), tags.numpy(), spans, entities.score.values.numpy().tolist()
        )

    def _tags_of_file(
        self, entities: Sequence[dict[str, Any]], words: Sequence[tuple[int, int]]
    ) -> list[str]:
        """Returns the tags of a sentence's words, in the scheme of the training file."""
        starts = {start: index for index, (start, _) in enumerate(words)}
        ends = {end: index for index, (_, end) in enumerate(words)}
        spans = [
            tag_schemes.Span(entity["type"], starts[entity["start"]], ends[entity["end"]])
            for entity in entities
        ]
        return tag_schemes.tags_of(spans, len(words), self.scheme or _DEFAULT_SCHEME)


def _all_scores(counts: scores.Counts, accuracy: float) -> dict[str, float]:
    """The scores of entities, with the share of words whose tags are right."""
    values = scores.scores(counts)
    macro = values.pop("f1_macro")
    return values | {"accuracy": accuracy, "f1_macro": macro}
