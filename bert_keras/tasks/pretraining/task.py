"""Pretraining: the words behind the masks, and whether one text follows another."""

import dataclasses
import logging
import math

import numpy as np
import tensorflow as tf

from bert_keras.checkpoints.load import heads_in, open_checkpoint
from bert_keras.config import BertConfig
from bert_keras.errors import InputError
from bert_keras.tasks.pretraining.batches import PassageSet
from bert_keras.tasks.pretraining.fill_mask import FillMask
from bert_keras.tasks.pretraining.mask_predictions import best_fillings, owners, table_of
from bert_keras.tasks.pretraining.phases import Phases
from bert_keras.tasks.shared.tokenizers import check_length, open_tokenizer
from bert_keras.training.task import Evaluation, Task

_log = logging.getLogger(__name__)
_SHORTEST = 8  # tokens of an example
_SUMS = 5  # of an example's answers, those that are added up


@dataclasses.dataclass(frozen=True)
class Objectives:
    """What is to be learned from the passages, and in which rows; see `PassageSet` and `Phases`.

    Attributes:
        sentences: "nsp", "sop" or "none".
        masking: "token", "word" or "span".
        rate: the share of the tokens to predict.
        max_length: tokens an example.
        short_length: tokens an example in the first phase; 0 for one phase alone.
        short_share: the share of the steps in the first phase.
    """

    sentences: str = "nsp"
    masking: str = "token"
    rate: float = 0.15
    max_length: int = 128
    short_length: int = 0
    short_share: float = 0.9

    def __post_init__(self):
        if not 0 < self.rate < 1:
            raise InputError(f"--masked_lm_prob: expected more than 0, below 1, found {self.rate}.")
        if self.max_length < _SHORTEST:
            raise InputError(
                f"--max_seq_length: expected {_SHORTEST} at least, found {self.max_length}."
            )
        if self.short_length and not _SHORTEST <= self.short_length < self.max_length:
            raise InputError(
                f"--short_seq_length: expected {_SHORTEST} at least and less than "
                f"--max_seq_length, {self.max_length}, found {self.short_length}."
            )


class Pretraining(Task):
    """Learns from running text alone; what it has learned is a checkpoint for other tasks.

    It answers with what stands behind the masks of texts, see `FillMask`.

    Args:
        prepare: function of (tokenizer, max_length) that gives the `Prepared` passages.
        objectives: `Objectives`.
        config: the `BertConfig` of a model that starts from nothing, its `vocab_size` left aside;
            None where weights are given to start from.
        vocabulary: the folder of that model's vocabulary, as `BertTokenizer.save` writes it.
        fill_mask: a `FillMask`, to predict and to serve with.
    """

    answers_untrained = True

    def __init__(self, prepare, objectives, config=None, vocabulary=None, fill_mask=None):
        self._prepare = prepare
        self._objectives = objectives
        self._config = config
        self._vocabulary = vocabulary
        self._fill_mask = fill_mask or FillMask()
        self._passages = None
        self._sentence_head = objectives.sentences != "none"

    def prepare(self, reference):
        from bert_keras.text.tokenizer import BertTokenizer

        from_nothing = bool(self._config), bool(self._vocabulary)
        if from_nothing != ((False, False) if reference else (True, True)):
            raise InputError(
                "Expected either --init_checkpoint, to go on from weights, or --vocab_dir and "
                "--model_size (or --bert_config_file), to start from nothing."
            )
        if reference:
            self.tokenizer = open_tokenizer(reference, self._objectives.max_length)
        else:
            positions = self._config.max_position_embeddings
            self.tokenizer = BertTokenizer.from_pretrained(self._vocabulary, max_length=positions)
            size = len(self.tokenizer.vocabulary)
            self._config = dataclasses.replace(self._config, vocab_size=size)
            check_length(self._objectives.max_length, self._config, "the new model")
        self._passages = self._read()
        if self._objectives.sentences == "nsp":
            self._expect_documents()

    def _read(self):
        """Prepares the passages, and expects something to mask in them."""
        passages = self._prepare(self.tokenizer, self._objectives.max_length)
        for split, what in (("train", "to train on"), ("validation", "to evaluate on")):
            size = passages.sizes[split]
            if size.unknown == size.tokens:
                raise InputError(
                    f"--input_file: expected words {what} that the vocabulary has, found [UNK] "
                    "alone, and nothing is learned from that."
                )
        return passages

    def _expect_documents(self):
        """Next sentences are told from those of other documents: there must be some."""
        found = {split: size.documents for split, size in self._passages.sizes.items()}
        # None where passages are held out: each document then begins with one that is.
        trained = found["train"] or found["validation"]
        if trained < 2:
            raise InputError(
                f"--objective=nsp: expected several documents to train on, found "
                f"{trained}; in --layout=files a file is a document, in "
                "--layout=sentences what is between blank lines."
            )
        if found["validation"] < 2:
            _log.warning(
                "One document is held out, so sentence_accuracy says nothing; see --dev_fraction."
            )

    def restore(self, folder):
        self.tokenizer = open_tokenizer(folder, self._objectives.max_length)

    def adopt(self, reference):
        self.tokenizer = open_tokenizer(reference, self._objectives.max_length)
        with open_checkpoint(reference) as checkpoint:
            heads = heads_in(checkpoint)
        if "masked_lm" not in heads:
            raise InputError(
                f"{reference}: holds no head of a masked language model, and a new one would fill "
                "in at random; train one with --do_train."
            )
        self._sentence_head = "next_sentence" in heads

    def build_model(self, reference, dtype):
        from bert_keras.models.pretrainer import BertPretrainer

        if reference is None:
            return BertPretrainer(self._config, self._sentence_head, dtype=dtype)
        return BertPretrainer.from_pretrained(reference, self._sentence_head, dtype=dtype)

    def save(self, model, folder):
        from bert_keras.checkpoints.huggingface import write_huggingface

        write_huggingface(model, folder)
        self.tokenizer.save(folder)

    def training_set(self):
        sizes, short = self._passages.sizes["train"], self._objectives.short_length
        return Phases(
            self._examples("train", sizes.passages, self._objectives.max_length),
            self._examples("train", None, short) if short else None,
            self._objectives.short_share,
            self._passages.key,
        )

    def evaluation_set(self):
        objective = self._objectives.sentences
        if objective != "none" and not self._sentence_head:
            raise InputError(
                f"--do_eval: the weights have no head for --objective={objective}; evaluate them "
                "with --objective=none."
            )
        if self._passages is None:
            self._passages = self._read()
        count = self._passages.sizes["validation"].passages
        return self._examples("validation", count, self._objectives.max_length)

    def weights(self, batch):
        masked = tf.math.count_nonzero(batch["inputs"]["masked"], dtype=tf.int32)
        ones = {"masked_lm": tf.ones([masked])}
        if "is_next" in batch:
            ones["sentences"] = tf.ones([tf.size(batch["is_next"])])
        return ones

    def losses(self, outputs, batch):
        labels = tf.boolean_mask(batch["row_targets"]["labels"], batch["inputs"]["masked"] > 0)
        losses = {"masked_lm": _cross_entropy(labels, outputs["token_logits"])}  # [masked]
        if "is_next" in batch:  # class 0 is "B follows A"
            losses["sentences"] = _cross_entropy(1 - batch["is_next"], outputs["sentence_logits"])
        return losses

    @property
    def score_names(self):
        return list(self._scores(np.ones([1, 5])))

    def describe(self, batch):
        labels, examples = batch["row_targets"]["labels"], batch["inputs"]["example_ids"]
        return [
            {"text": self.tokenizer.detokenize([row[ids == n].tolist()])[0].numpy().decode()}
            for row, ids in zip(labels.numpy(), examples.numpy(), strict=True)
            for n in range(1, ids.max() + 1)
        ]

    def answers(self, outputs, batch):
        """Returns float32 [examples, ...]: for texts to fill in, see `FillMask`; else 5 + ....

        The first five are sums over each example's predictions: the masked words' loss, how many
        were told, how many there were, the loss of the sentences, and whether those were told. The
        others show what the model puts in the place of one [MASK], see `best_fillings`.
        """
        if "row_targets" not in batch:
            return self._fill_mask.answers(outputs, batch["inputs"])
        masked = batch["inputs"]["masked"] > 0  # [rows, length]
        labels = tf.boolean_mask(batch["row_targets"]["labels"], masked)
        losses = self.losses(outputs, batch)
        right = tf.argmax(outputs["token_logits"], axis=1, output_type=tf.int32) == labels
        owner, count = owners(batch["inputs"])
        columns = [losses["masked_lm"], tf.cast(right, tf.float32), tf.ones_like(owner, tf.float32)]
        sums = tf.math.unsorted_segment_sum(tf.stack(columns, axis=1), owner, count)
        if "is_next" in batch:
            told = tf.argmax(outputs["sentence_logits"], axis=1, output_type=tf.int32)
            columns = [losses["sentences"], tf.cast(told == 1 - batch["is_next"], tf.float32)]
            pairs = tf.stack(columns, axis=1)  # [examples, 2]
        else:
            pairs = tf.zeros([count, 2])
        mask_id = self.tokenizer.mask_id
        fillings = best_fillings(
            outputs["token_logits"], labels, batch["inputs"], owner, count, mask_id
        )
        return tf.concat([sums, pairs, fillings], axis=1)  # [examples, 5 + ...]

    def evaluate(self, answers):
        fillings = table_of(answers[:, _SUMS:], self.tokenizer.vocabulary)
        return Evaluation(self._scores(answers[:, :_SUMS]), {"fillings": fillings})

    def prediction_set(self):
        return self._fill_mask.read(self.tokenizer, self._objectives.max_length)

    def write_predictions(self, answers, folder):
        path = folder / "predictions.jsonl"
        self._fill_mask.write(answers, self.tokenizer.vocabulary, path)
        return path

    def signatures(self, model):
        length = self._objectives.max_length
        return {"serving_default": self._fill_mask.signature(model, self.tokenizer, length)}

    def _scores(self, answers):
        loss, right, masked, pair_loss, pair_right = answers.sum(axis=0, dtype=np.float64)
        masked = max(masked, 1)  # special tokens that the text itself has are never masked
        scores = {
            "masked_lm_loss": loss / masked,
            "masked_lm_accuracy": right / masked,
            "perplexity": math.exp(min(loss / masked, 700)),
        }
        if self._objectives.sentences != "none":
            scores["sentence_accuracy"] = pair_right / len(answers)
            scores["sentence_loss"] = pair_loss / len(answers)
        return scores

    def _examples(self, split, count, max_length):
        return PassageSet(
            lambda seed: self._passages.dataset(split, seed),
            count,
            self.tokenizer,
            max_length,
            self._objectives.sentences,
            self._objectives.masking,
            self._objectives.rate,
        )


def _cross_entropy(labels, logits):
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)


def make_config(size, path):
    """The shape of a model that starts from nothing.

    Args:
        size: one of `BertConfig.from_size`'s, or "".
        path: a bert_config.json, or "".

    Returns:
        A `BertConfig`, or None if neither is given.

    Raises:
        InputError: both are given.
    """
    if size and path:
        raise InputError("Expected either --model_size or --bert_config_file, found both.")
    if path:
        return BertConfig.from_file(path)
    return BertConfig.from_size(size) if size else None
