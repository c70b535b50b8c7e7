"""Embeddings: a text gets a vector, near those of texts that mean the same."""

import logging

import numpy as np
import tensorflow as tf

from bert_keras.config import read_json
from bert_keras.data.batches import LabelledExamples, encode
from bert_keras.data.texts import on_one_line, read_texts, write_texts
from bert_keras.errors import InputError
from bert_keras.files import atomic_write
from bert_keras.tasks.embedding import similarity
from bert_keras.tasks.shared import serving
from bert_keras.tasks.shared.tokenizers import open_tokenizer
from bert_keras.training.task import Evaluation, Table, Task

_log = logging.getLogger(__name__)
_MOST_WRONG = 50


class Embedding(Task):
    """Vectors for texts, learned from pairs of texts.

    Pairs without scores are told from those that other texts of the batch would make; pairs with
    scores are brought into the scores' order. See `similarity` for both losses.

    Args:
        pairs: a `RowSource` of pairs of kind "number", its labels not needed.
        texts: the file of texts to predict, see `read_texts`; "" where there is none.
        text_column: the text's column in that file.
        max_length: tokens that a text may have, special tokens included; longer ones are cut.
        pooling, normalize, layer: see `BertEmbedder`; None takes what the weights' folder says.
        query: a text whose nearest ones to print with the predictions; "" for none.
        num_neighbors: how many.
        seed: of the choice of pairs to hold out.

    Raises:
        InputError: the pairs are of another kind, or the query is none.
    """

    answers_numbers = True
    answers_untrained = True
    compares = True

    def __init__(
        self,
        pairs,
        texts="",
        text_column="text",
        max_length=128,
        pooling=None,
        normalize=None,
        layer=-1,
        query="",
        num_neighbors=10,
        seed=0,
    ):
        if pairs.kind != "number":
            raise InputError(f"--task_name: expected STS-B, found {pairs.task_name}.")
        if query.isspace():
            raise InputError("--query: expected a text, found spaces.")
        self._source = pairs
        self._seed = seed
        self._texts_file, self._text_column = texts, text_column
        self._max_length = max_length
        self._pooling, self._normalize, self._layer = pooling, normalize, layer
        self._query, self._num_neighbors = query, num_neighbors
        self._is_cut = False  # whether the weights have lost already what is above the layer
        self._train = self._dev = self._texts = None

    def prepare(self, reference):
        self.tokenizer = open_tokenizer(reference, self._max_length)
        self._train, self._dev = self._source.train_and_dev(self._seed)
        if len(self._train) < 2:
            raise InputError(f"{self._train.locations[0]}: expected two pairs at least, found one.")
        if self._train.labels is None:
            how = "no scores: each text is to find its pair among the others of a step"
        elif len(set(self._train.labels)) == 1:
            raise InputError(
                f"{self._train.locations[0]}: expected different scores, found "
                f"{self._train.labels[0]:g} alone."
            )
        else:
            how = "scores: cosines are brought into their order"
        _log.info("%s pairs to train on, with %s.", f"{len(self._train):,}", how)

    def restore(self, folder):
        self.tokenizer = open_tokenizer(folder, self._max_length)
        kept = read_json(folder / "config.json").get("layer_taken")
        if kept != self._layer:
            raise InputError(
                f"--layer: {folder} was trained with {kept}, and has no layers above; found "
                f"{self._layer}."
            )
        self._is_cut = True

    def adopt(self, reference):
        self.tokenizer = open_tokenizer(reference, self._max_length)

    def build_model(self, reference, dtype):
        from bert_keras.models.embedder import BertEmbedder

        layer = -1 if self._is_cut else self._layer
        return BertEmbedder.from_pretrained(reference, self._pooling, self._normalize, layer, dtype)

    def save(self, model, folder):
        from bert_keras.checkpoints.huggingface import write_huggingface
        from bert_keras.checkpoints.sentence_transformers import pooling_entry, write_modules

        extra = pooling_entry(model) | {"layer_taken": self._layer}
        write_huggingface(model, folder, extra=extra)
        self.tokenizer.save(folder)
        write_modules(model, folder, self._max_length)

    def training_set(self):
        texts = _one_after_another(self._train)
        targets = {"text": _numbers(texts)}
        if self._train.labels is not None:
            targets["score"] = np.repeat(np.array(self._train.labels, np.float32), 2)
        return LabelledExamples(self._encode(texts), targets, group=2)

    def weights(self, batch):
        if "score" in batch:
            return {"order": tf.ones([1])}
        return {"ranking": tf.ones([tf.size(batch["example"])])}

    def losses(self, outputs, batch):
        order = tf.argsort(batch["example"])  # a pair's texts, one after the other
        vectors = tf.math.l2_normalize(tf.gather(outputs, order), axis=1)  # [2 * pairs, hidden]
        first, second = vectors[0::2], vectors[1::2]  # [pairs, hidden]
        if "score" in batch:
            scores = tf.gather(batch["score"], order)[0::2]
            return {"order": similarity.order_loss(first, second, scores)}
        texts = tf.gather(batch["text"], order)  # [2 * pairs]
        return {"ranking": similarity.ranking_losses(first, second, texts[0::2], texts[1::2])}

    def describe(self, batch):
        rows = self._train
        texts = _one_after_another(rows)
        return [
            {"place": rows.locations[i // 2], "text": texts[i]} for i in batch["example"].numpy()
        ]

    def evaluation_set(self):
        if self._dev is None:
            self._dev = self._source.dev_rows(self._seed)
        return self._encode(_one_after_another(self._dev)) if self._dev else None

    @property
    def score_names(self):
        if self._dev is not None and self._dev.labels is None:
            return list(similarity.retrieval_scores(np.ones(1)))
        return list(similarity.similarity_scores([0.0], [0.0]))

    def evaluate(self, answers):
        rows, first, second = self._dev, answers[0::2], answers[1::2]
        cosines = similarity.cosines_of(first, second)
        if rows.labels is None:
            texts = _numbers(_one_after_another(rows))[1::2]
            ranks = similarity.ranks_of_pairs(first, second, texts)
            worst = np.argsort(-ranks, kind="stable")
            table = self._table(worst, "rank", [str(rank) for rank in ranks], cosines)
            return Evaluation(similarity.retrieval_scores(ranks), {"found last": table})
        wrong = np.abs(_ranks(rows.labels) - _ranks(cosines))
        table = self._table(
            np.argsort(-wrong, kind="stable"), "score", [f"{x:g}" for x in rows.labels], cosines
        )
        found = similarity.similarity_scores(rows.labels, cosines)
        return Evaluation(found, {"most wrong": table})

    def prediction_set(self):
        if not self._texts_file:
            raise InputError("--do_predict needs --predict_file.")
        self._texts = read_texts(self._texts_file, self._text_column)
        return self._encode([*self._texts, self._query] if self._query else self._texts)

    def write_predictions(self, answers, folder):
        from bert_keras.tensorboard.projector import MOST_POINTS, write_projector

        vectors = answers[: len(self._texts)].astype(np.float32)
        path = folder / "embeddings.npy"
        with atomic_write(path, "wb") as file:
            np.save(file, vectors, allow_pickle=False)
        write_texts(folder / "texts.tsv", self._texts)
        labels = [on_one_line(text) for text in self._texts]
        write_projector(folder / "predict", vectors, labels, "embeddings")
        if len(vectors) > MOST_POINTS:
            _log.info("TensorBoard's Projector has the first %s.", f"{MOST_POINTS:,}")
        if self._query:
            print(f"\ncosine     row  nearest to: {on_one_line(self._query)}")
            locations, cosines = similarity.nearest(answers[-1], vectors, self._num_neighbors)
            for location, cosine in zip(locations, cosines, strict=True):
                print(f"{cosine:6.4f} {location:7d}  {labels[location]}")
            print()
        return path

    def signatures(self, model):
        return {
            "serving_default": serving.of_text(
                model, self.tokenizer, _answer, self._max_length, has_pairs=False
            ),
            "token_ids": serving.of_token_ids(model, self.tokenizer, _answer),
        }

    def numbers(self, outputs):
        return _answer(outputs)

    def _encode(self, texts):
        encoded = encode(self.tokenizer, texts, None, self._max_length)
        if encoded.truncated:
            _log.info(
                "%s of %s texts are longer than %s tokens and were cut (--max_seq_length).",
                *(f"{n:,}" for n in (encoded.truncated, len(encoded), self._max_length)),
            )
        return encoded

    def _table(self, order, name, values, cosines):
        """The pairs that were answered worst, for a person to read."""
        rows = self._dev
        return Table(
            ["text", name, "cosine"],
            [
                [f"{rows.texts[i]} ⟷ {rows.pairs[i]}", values[i], f"{cosines[i]:.4f}"]
                for i in order[:_MOST_WRONG]
            ],
        )


def _answer(outputs):
    return {"embedding": outputs}


def _one_after_another(rows):
    """A pair's texts at 2 n and 2 n + 1."""
    return [text for pair in zip(rows.texts, rows.pairs, strict=True) for text in pair]


def _numbers(texts):
    """The same int32 for the same text."""
    first = {}
    return np.array([first.setdefault(text, len(first)) for text in texts], np.int32)


def _ranks(values):
    from scipy import stats

    return stats.rankdata(values)
