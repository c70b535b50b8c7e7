"""Pretraining, bound to a tokenizer: model, losses, scores, fill-mask."""

from __future__ import annotations

import dataclasses
import logging
import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from bert_keras.config import BertConfig
from bert_keras.data.texts import read_texts_with_locations
from bert_keras.errors import InputError
from bert_keras.tasks.pretraining import serving
from bert_keras.tasks.pretraining.batches import PassageSet
from bert_keras.tasks.pretraining.fill_mask import MaskedTexts, MaskTokens, predict_masks
from bert_keras.tasks.pretraining.mask_predictions import (
    best_predictions,
    examples_of_masks,
    prediction_table,
)
from bert_keras.tasks.pretraining.phases import Phases
from bert_keras.tasks.pretraining.scores import SUMS, pretraining_scores
from bert_keras.tasks.pretraining.settings import PretrainingSettings
from bert_keras.tasks.shared.examples import rows_of_texts
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
    from bert_keras.corpus import prepared
    from bert_keras.models.pretrainer import BertPretrainer

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, eq=False)
class BoundPretraining(BoundTask, Predicts, Serves):
    """Masked tokens and sentence pairs.

    Attributes:
        task: the settings.
        tokenizer: reads the texts.
        has_sentence_head: whether the model has the head for pairs of sentences.
        config: the shape of a new model; None if there are weights to start from.
    """

    task: PretrainingSettings
    tokenizer: BertTokenizer
    has_sentence_head: bool
    config: BertConfig | None = None
    labels = ()  # there are no classes

    def build_model(self, reference: str | pathlib.Path | None, dtype: str) -> BertPretrainer:
        from bert_keras.models.pretrainer import BertPretrainer

        if reference is None:
            assert self.config is not None  # `Pretraining.prepare` has checked it
            return BertPretrainer(self.config, self.has_sentence_head, dtype=dtype)
        return BertPretrainer.from_pretrained(reference, self.has_sentence_head, dtype=dtype)

    def open_passages(self) -> prepared.Prepared:
        """Opens the passages to train and evaluate on.

        Raises:
            InputError: see `Pretraining.open_passages`; or the vocabulary has none of the words.
        """
        passages = self.task.open_passages(self.tokenizer)
        for split, use in (("train", "to train on"), ("validation", "to evaluate on")):
            size = passages.sizes[split]
            if size.unknown == size.tokens:
                raise InputError(
                    f"expected words {use} that the vocabulary has, found [UNK] alone, from which "
                    "nothing is learned.",
                    field="input_files",
                )
        return passages

    def check_documents(self, passages: prepared.Prepared) -> None:
        """Checks that sentences of other documents exist, to predict next sentences.

        Raises:
            InputError: there is one document to train on.
        """
        documents = {split: size.documents for split, size in passages.sizes.items()}
        # 0 if passages are held out instead of documents: each document then starts in the other
        # split.
        trained = documents["train"] or documents["validation"]
        if trained < 2:
            raise InputError(
                f"expected several documents to train on for 'nsp', found {trained}; with `layout` "
                "'files' a file is a document, with 'sentences' the text between blank lines.",
                field="objective",
            )
        if documents["validation"] < 2:
            _log.warning(
                "One document is held out, so sentence_accuracy says nothing; see `dev_fraction`."
            )

    def training_set(self, passages: prepared.Prepared) -> Phases:
        """Returns the passages to train on."""
        task, count = self.task, passages.sizes["train"].passages
        short = task.short_seq_length
        return Phases(
            self._passage_set(passages, "train", count, task.max_length),
            self._passage_set(passages, "train", None, short) if short else None,
            task.short_steps_share,
            passages.key,
        )

    def validation_set(self, passages: prepared.Prepared) -> PassageSet:
        """Returns the passages that are held out."""
        count = passages.sizes["validation"].passages
        return self._passage_set(passages, "validation", count, self.task.max_length)

    def evaluation_set(self, seed: int) -> PassageSet:
        objective = self.task.objective
        if objective != "none" and not self.has_sentence_head:
            raise InputError(
                "expected 'none', because the weights have no head for pairs of sentences, found "
                f"{objective!r}.",
                field="objective",
            )
        return self.validation_set(self.open_passages())

    def loss_weights(self, batch: Batch) -> dict[str, tf.Tensor]:
        masked = tf.math.count_nonzero(batch["inputs"]["masked"], dtype=tf.int32)
        weights = {"masked_lm": tf.ones([masked])}
        if "is_next" in batch:
            weights["sentences"] = tf.ones([tf.size(batch["is_next"])])
        return weights

    def losses(self, outputs: Any, batch: Batch) -> dict[str, tf.Tensor]:
        labels = tf.boolean_mask(batch["row_targets"]["labels"], batch["inputs"]["masked"] > 0)
        losses = {"masked_lm": _cross_entropy(labels, outputs["token_logits"])}  # [masked]
        if "is_next" in batch:  # class 0 is "B follows A"
            losses["sentences"] = _cross_entropy(1 - batch["is_next"], outputs["sentence_logits"])
        return losses

    def predictions(self, outputs: Any, batch: Batch) -> tf.Tensor:
        """Reduces the model's outputs; see `BoundTask.predictions`.

        Returns:
            For texts to fill in, what `predict_masks` returns. Otherwise float32 [examples, ...]:
            the sums that `pretraining_scores` takes, then what `best_predictions` returns.
        """
        if "row_targets" not in batch:
            return predict_masks(outputs, batch, self.task.num_fillings)
        masked = batch["inputs"]["masked"] > 0  # [rows, length]
        labels = tf.boolean_mask(batch["row_targets"]["labels"], masked)
        losses = self.losses(outputs, batch)
        right = tf.argmax(outputs["token_logits"], axis=1, output_type=tf.int32) == labels
        example_ids, count = examples_of_masks(batch["inputs"])
        columns = [losses["masked_lm"], tf.cast(right, tf.float32), tf.ones_like(right, tf.float32)]
        sums = tf.math.unsorted_segment_sum(tf.stack(columns, axis=1), example_ids, count)
        if "is_next" in batch:
            predicted = tf.argmax(outputs["sentence_logits"], axis=1, output_type=tf.int32)
            columns = [losses["sentences"], tf.cast(predicted == 1 - batch["is_next"], tf.float32)]
            pairs = tf.stack(columns, axis=1)  # [examples, 2]
        else:
            pairs = tf.zeros([count, 2])
        best = best_predictions(
            outputs["token_logits"],
            labels,
            batch["inputs"],
            example_ids,
            count,
            self.tokenizer.mask_id,
        )
        return tf.concat([sums, pairs, best], axis=1)  # [examples, SUMS + ...]

    def score_names(self, examples: Any) -> list[str]:
        return list(self._scores(np.ones([1, SUMS])))

    def evaluate(self, examples: Any, predictions: np.ndarray) -> Evaluation:
        table = prediction_table(predictions[:, SUMS:], self.tokenizer.vocabulary)
        return Evaluation(self._scores(predictions[:, :SUMS]), {"fillings": table})

    def read_examples(self, file: str) -> MaskedTexts:
        if not file:
            raise InputError("expected a file of texts with [MASK], found none.", field="file")
        return self._encode(*read_texts_with_locations(file, self.task.text_column))

    def examples_of(self, inputs: Sequence[Any]) -> MaskedTexts:
        rows = rows_of_texts(inputs)
        return self._encode(rows.texts, rows.locations)

    def answers(self, examples: MaskedTexts, predictions: np.ndarray) -> list[MaskTokens]:
        """Returns, for each text, a list for each [MASK]: the best tokens, the best first.

        A token is a dict of `token`, a str, and `probability`, a float.
        """
        return examples.masks(predictions, self.tokenizer.vocabulary)

    def write_predictions(
        self, examples: MaskedTexts, predictions: np.ndarray, folder: pathlib.Path
    ) -> PredictionFiles:
        path = folder / "predictions.jsonl"
        examples.write(self.answers(examples, predictions), path)
        return PredictionFiles(path)

    def signatures(self, model: Callable[..., Any]) -> dict[str, Any]:
        task = self.task
        return {
            "serving_default": serving.fill_mask(
                model, self.tokenizer, task.max_length, task.num_fillings
            )
        }

    def _encode(self, texts: Sequence[str], locations: Sequence[str]) -> MaskedTexts:
        return MaskedTexts.from_texts(texts, locations, self.tokenizer, self.task.max_length)

    def _scores(self, sums: np.ndarray) -> dict[str, float]:
        return pretraining_scores(sums, self.task.objective != "none")

    def _passage_set(
        self, passages: prepared.Prepared, split: str, count: int | None, max_length: int
    ) -> PassageSet:
        return PassageSet(
            lambda seed: passages.dataset(split, seed),
            count,
            self.tokenizer,
            max_length,
            self.task.objective,
            self.task.masking,
            self.task.masked_lm_prob,
        )


def _cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
