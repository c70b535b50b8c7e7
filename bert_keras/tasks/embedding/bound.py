"""Embedding, bound to a tokenizer: model, losses, scores, vectors."""

from __future__ import annotations

import dataclasses
import logging
import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from bert_keras.data.batches import EncodedExamples, LabelledExamples, encode
from bert_keras.data.rows import Rows
from bert_keras.data.texts import on_one_line, read_texts, write_texts
from bert_keras.errors import InputError
from bert_keras.files import atomic_write
from bert_keras.tasks.embedding import similarity
from bert_keras.tasks.embedding.settings import EmbeddingSettings
from bert_keras.tasks.shared import serving
from bert_keras.tasks.shared.examples import RowExamples, rows_of_texts
from bert_keras.text.tokenizer import BertTokenizer
from bert_keras.training.task import (
    Batch,
    BoundTask,
    ComparesExamples,
    Evaluation,
    NumericOutputs,
    PredictionFiles,
    Predicts,
    Serves,
    Table,
)

if TYPE_CHECKING:
    from bert_keras.models.embedder import BertEmbedder

_log = logging.getLogger(__name__)
_MOST_WRONG = 50


@dataclasses.dataclass(frozen=True)
class Texts:
    """Texts to predict.

    Attributes:
        texts: the texts.
        query: a text whose vector is predicted too, after theirs; "" for none.
        encoded: their examples, the query's last.
    """

    texts: Sequence[str]
    query: str
    encoded: EncodedExamples

    def __len__(self) -> int:
        return len(self.encoded)

    def evaluation_batches(self, batch_size: int) -> tf.data.Dataset:
        """See `EvaluationSet.evaluation_batches`."""
        return self.encoded.evaluation_batches(batch_size)


@dataclasses.dataclass(frozen=True, eq=False)
class BoundEmbedding(BoundTask, Predicts, Serves, NumericOutputs, ComparesExamples):
    """Vectors for texts.

    The two texts of pair n are examples 2 n and 2 n + 1.

    Attributes:
        task: the settings.
        tokenizer: reads the texts.
        is_cut: whether the weights to load are a run's own, which lack the blocks above the layer.
    """

    task: EmbeddingSettings
    tokenizer: BertTokenizer
    is_cut: bool = False
    labels = ()  # there are no classes

    def build_model(self, reference: str | pathlib.Path | None, dtype: str) -> BertEmbedder:
        from bert_keras.models.embedder import BertEmbedder

        assert reference is not None  # an embedder starts from weights
        task = self.task
        layer = -1 if self.is_cut else task.layer
        return BertEmbedder.from_pretrained(reference, task.pooling, task.normalize, layer, dtype)

    def save(self, model: Any, folder: pathlib.Path) -> None:
        from bert_keras.checkpoints.sentence_transformers import write_modules

        super().save(model, folder)
        write_modules(model, folder, self.task.max_length)

    def write_extras(self, model: Any, folder: pathlib.Path) -> dict[str, Any]:
        from bert_keras.checkpoints.sentence_transformers import pooling_entry

        return pooling_entry(model) | {"layer_taken": self.task.layer}

    def training_set(self, rows: Rows) -> LabelledExamples:
        """Returns pairs as examples to train on.

        Raises:
            InputError: nothing can be learned from them.
        """
        _check_pairs(rows)
        texts = _in_turn(rows)
        targets = {"text": _text_numbers(texts)}
        if rows.labels is not None:
            targets["score"] = np.repeat(np.array(rows.labels, np.float32), 2)

        def describe(batch: Batch) -> list[dict[str, Any]]:
            return [
                {"place": rows.locations[i // 2], "text": texts[i]}
                for i in batch["example"].numpy()
            ]

        return LabelledExamples(self._encode(texts), targets, group=2, describe=describe)

    def loss_weights(self, batch: Batch) -> dict[str, tf.Tensor]:
        if "score" in batch:
            return {"order": tf.ones([1])}
        return {"ranking": tf.ones([tf.size(batch["example"])])}

    def losses(self, outputs: tf.Tensor, batch: Batch) -> dict[str, tf.Tensor]:
        order = tf.argsort(batch["example"])  # the two texts of a pair side by side
        vectors = tf.math.l2_normalize(tf.gather(outputs, order), axis=1)  # [2 * pairs, hidden]
        first, second = vectors[0::2], vectors[1::2]  # [pairs, hidden]
        if "score" in batch:
            scores = tf.gather(batch["score"], order)[0::2]
            return {"order": similarity.order_loss(first, second, scores)}
        texts = tf.gather(batch["text"], order)  # [2 * pairs]
        return {"ranking": similarity.ranking_losses(first, second, texts[0::2], texts[1::2])}

    def evaluation_set(self, seed: int) -> RowExamples | None:
        rows = self.task.dev_rows(seed)
        return None if rows is None else self.encode_pairs(rows)

    def encode_pairs(self, rows: Rows) -> RowExamples:
        """Tokenizes the texts of pairs."""
        return RowExamples(rows, self._encode(_in_turn(rows)))

    def score_names(self, examples: Any) -> list[str]:
        if examples.rows.labels is None:
            return list(similarity.retrieval_scores(np.ones(1)))
        return list(similarity.similarity_scores([0.0], np.zeros(1)))

    def evaluate(self, examples: RowExamples, predictions: np.ndarray) -> Evaluation:
        rows, first, second = examples.rows, predictions[0::2], predictions[1::2]
        cosines = similarity.pair_cosines(first, second)
        if rows.labels is None:
            texts = _text_numbers(_in_turn(rows))[1::2]
            ranks = similarity.pair_ranks(first, second, texts)
            order = np.argsort(-ranks, kind="stable")
            table = _pair_table(rows, order, "rank", [str(rank) for rank in ranks], cosines)
            return Evaluation(similarity.retrieval_scores(ranks), {"found last": table})
        order = np.argsort(-np.abs(_ranks(rows.labels) - _ranks(cosines)), kind="stable")
        scores = [f"{score:g}" for score in rows.labels]
        table = _pair_table(rows, order, "score", scores, cosines)
        return Evaluation(similarity.similarity_scores(rows.labels, cosines), {"most wrong": table})

    def read_examples(self, file: str) -> Texts:
        if not file:
            raise InputError("expected a file of texts, found none.", field="file")
        texts, query = read_texts(file, self.task.columns.text), self.task.query
        return Texts(texts, query, self._encode([*texts, query] if query else texts))

    def examples_of(self, inputs: Sequence[Any]) -> Texts:
        texts = rows_of_texts(inputs).texts
        return Texts(texts, "", self._encode(texts))

    def answers(self, examples: Texts, predictions: np.ndarray) -> np.ndarray:
        """Returns the vectors: float32 [texts, hidden]."""
        return predictions[: len(examples.texts)].astype(np.float32)

    def write_predictions(
        self, examples: Texts, predictions: np.ndarray, folder: pathlib.Path
    ) -> PredictionFiles:
        from bert_keras.tensorboard.projector import MOST_POINTS, write_projector

        vectors = self.answers(examples, predictions)
        path = folder / "embeddings.npy"
        with atomic_write(path, "wb") as file:
            np.save(file, vectors, allow_pickle=False)
        write_texts(folder / "texts.tsv", examples.texts)
        labels = [on_one_line(text) for text in examples.texts]
        write_projector(folder / "predict", vectors, labels, "embeddings")
        if len(vectors) > MOST_POINTS:
            _log.info("TensorBoard's Projector has the first %s.", f"{MOST_POINTS:,}")
        if not examples.query:
            return PredictionFiles(path)
        title = f"nearest to: {on_one_line(examples.query)}"
        return PredictionFiles(path, {title: self._nearest(predictions[-1], vectors, labels)})

    def _nearest(self, query: np.ndarray, vectors: np.ndarray, labels: list[str]) -> Table:
        """The texts nearest to a query, for a person to read."""
        indices, cosines = similarity.nearest(query, vectors, self.task.num_neighbors)
        return Table(
            ["cosine", "row", "text"],
            [
                [f"{cosine:.4f}", str(index), labels[index]]
                for index, cosine in zip(indices, cosines, strict=True)
            ],
        )

    def signatures(self, model: Callable[..., Any]) -> dict[str, Any]:
        outputs = self.numeric_outputs
        return {
            "serving_default": serving.of_text(
                model, self.tokenizer, outputs, self.task.max_length, has_pairs=False
            ),
            "token_ids": serving.of_token_ids(model, self.tokenizer, outputs),
        }

    def numeric_outputs(self, outputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"embedding": outputs}

    def _encode(self, texts: Sequence[str]) -> EncodedExamples:
        encoded = encode(self.tokenizer, texts, None, self.task.max_length)
        if encoded.truncated:
            _log.info(
                "%s of %s texts are longer than %s tokens and were cut (`max_length`).",
                *(f"{n:,}" for n in (encoded.truncated, len(encoded), self.task.max_length)),
            )
        return encoded


def _check_pairs(rows: Rows) -> None:
    """Checks that something can be learned from pairs, and logs how.

    Raises:
        InputError: there is one pair, or all scores are equal.
    """
    if len(rows) < 2:
        raise InputError(f"{rows.locations[0]}: expected at least two pairs, found one.")
    if rows.labels is None:
        how = "without scores: each text is contrasted with the others of its step"
    elif len(set(rows.labels)) == 1:
        raise InputError(
            f"{rows.locations[0]}: expected different scores, found {rows.labels[0]:g} alone."
        )
    else:
        how = "with scores: cosines are brought into their order"
    _log.info("%s pairs to train on, %s.", f"{len(rows):,}", how)


def _pair_table(
    rows: Rows, order: np.ndarray, name: str, values: list[str], cosines: np.ndarray
) -> Table:
    """The pairs with the worst predictions, for a person to read."""
    assert rows.pairs is not None
    return Table(
        ["text", name, "cosine"],
        [
            [f"{rows.texts[i]} ⟷ {rows.pairs[i]}", values[i], f"{cosines[i]:.4f}"]
            for i in order[:_MOST_WRONG]
        ],
    )


def _in_turn(rows: Rows) -> list[str]:
    """The texts of pairs: those of pair n at 2 n and 2 n + 1."""
    assert rows.pairs is not None
    return [text for pair in zip(rows.texts, rows.pairs, strict=True) for text in pair]


def _text_numbers(texts: Sequence[str]) -> np.ndarray:
    """Numbers for texts, int32 [texts], equal for equal texts."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(text, len(numbers)) for text in texts], np.int32)


def _ranks(values: Any) -> np.ndarray:
    from scipy import stats

    return stats.rankdata(values)
