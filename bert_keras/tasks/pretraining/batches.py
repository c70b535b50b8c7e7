"""Passages of running text to packed batches for pretraining, masked anew whenever they are read.

A passage is a run of whole sentences of one document, as token ids. Everything random about batch n
is drawn from the seed and n, by stateless ops, so a run goes on at any step as if it had never
stopped.
"""

import numpy as np
import tensorflow as tf

from bert_keras.data.epochs import steps_per_epoch
from bert_keras.data.packing import pack
from bert_keras.errors import InputError
from bert_keras.tasks.pretraining.cutting import NOTHING, cut_in_two, cut_to_length
from bert_keras.tasks.pretraining.masking import STRATEGIES, Pieces, mask_tokens
from bert_keras.tasks.pretraining.sentence_pairs import next_sentences, sentence_orders
from bert_keras.text.framing import frame

OBJECTIVES = ("nsp", "sop", "none")

_CUT_BATCH = 256  # passages cut at a time
_SHUFFLE = 20_000  # pieces; of a passage cut in pieces these stand side by side
_EVALUATION_SEED = 0x5EED  # of masks that are always the same
_EVALUATED_TOGETHER = 256  # examples that are drawn at a time, whatever the batches
_PASSAGES = {
    "tokens": tf.TensorSpec([None, None], tf.int32),
    "sentences": tf.TensorSpec([None, None], tf.int32),
    "document": tf.TensorSpec([None], tf.int64),
}
_DRAWN = _PASSAGES | {  # what a batch is made from
    "first": tf.TensorSpec([], tf.int32),
    "seed": tf.TensorSpec([2], tf.int64),
}


class PassageSet:
    """The passages of one phase of pretraining.

    Objectives: "none" reads a passage as [CLS] passage [SEP]. The others cut it in two at a random
    sentence (see `cut_in_two`) and read [CLS] A [SEP] B [SEP]: with "nsp" half of the examples of
    a batch have the B of another document (see `next_sentences`), with "sop" half have A and B in
    the other order (see `sentence_orders`).

    Args:
        open_dataset: a function of a seed that gives the `tf.data.Dataset` of all passages, in an
            order that is a function of the seed, or always the same for None. An element is a dict
            of `tokens`, int32 [tokens], no special ones; `sentences`, int32 [sentences], where
            each sentence begins; and `document`, int64 [], the number of the document.
        count: how many passages there are, none longer than `max_length` - 3. None for passages
            of any length: longer ones are cut at the beginning of a sentence, or within one that
            is too long, and the pieces are counted in a pass over all.
        tokenizer: the `BertTokenizer` that made them.
        max_length: tokens a row, and an example at most, special ones included. Multiples of 64
            suit the attention.
        objective: "nsp", "sop" or "none".
        masking: "token", "word" or "span"; see `mask_tokens`.
        rate: the share of the tokens to predict. Default 0.15, the paper's.

    Raises:
        InputError: an argument is none of these, or there are no passages.
    """

    def __init__(
        self,
        open_dataset,
        count,
        tokenizer,
        max_length,
        objective="nsp",
        masking="token",
        rate=0.15,
    ):
        if objective not in OBJECTIVES:
            names = ", ".join(OBJECTIVES)
            raise InputError(f"objective: expected one of {names}, found {objective!r}.")
        if masking not in STRATEGIES:
            names = ", ".join(STRATEGIES)
            raise InputError(f"masking: expected one of {names}, found {masking!r}.")
        if not 0 < rate <= 1:
            raise InputError(f"rate: expected a share above 0 up to 1, found {rate}.")
        if max_length < 5:  # [CLS] A [SEP] B [SEP]
            raise InputError(f"max_length: expected 5 tokens at least, found {max_length}.")
        self.max_length = max_length
        self.objective = objective
        self._open = open_dataset
        self._masking = masking
        self._rate = rate
        self._tokenizer = tokenizer
        self._pieces = Pieces.of(tokenizer)
        self._room = max_length - 3
        # Traced once, for all epochs and for evaluation.
        self._batch = tf.function(self._make_batch, [_DRAWN], autograph=False)
        self._examples = tf.function(self._make_examples, [_DRAWN], autograph=False)
        self._cut = tf.function(self._cut_to_length, [_PASSAGES], autograph=False)
        self._cuts = count is None
        self._count = self._count_pieces() if self._cuts else count
        if not self._count:
            raise InputError("expected passages to pretrain on, found none.")

    def __len__(self):
        """Examples an epoch."""
        return self._count

    def batches(self, batch_size, seed, first_step=0):
        """Training batches without end, in another order and with other masks in every epoch.

        Batch n is the same whether or not those before it were drawn.

        Args:
            batch_size: examples in a batch; the last one of an epoch may be smaller.
            seed: int from 0.
            first_step: the batch to begin with, counted from the start of the phase.

        Returns:
            A dataset of dicts:
                `inputs`: the encoder's inputs and `masked`, int32 [rows, max_length], 1 where a
                    prediction is wanted; as many rows as the examples need.
                `row_targets`: `labels`, int32 [rows, max_length], the tokens as they were.
                `is_next`: int32 [examples], 1 if B follows A in the text and in this order;
                    absent for the objective "none".
                `example`: int32 [examples], its number in the order of the epoch.
            Examples are in the order in which a model answers them.
        """

        def draw():
            epoch, first = divmod(first_step, steps_per_epoch(len(self), batch_size))
            while True:
                shuffle_seed = int(np.random.default_rng([seed, epoch]).integers(1 << 31))
                yield from self._draw(batch_size, seed, shuffle_seed, epoch, first)
                epoch, first = epoch + 1, 0

        return self._packed(draw)

    def evaluation_batches(self, batch_size):
        """Each passage once and in order, always with the same masks, the last batch included.

        Args:
            batch_size: examples in a batch; what an example is does not depend on it.

        Returns:
            A dataset of dicts, as `batches` describes them.
        """

        def draw():
            return self._draw(_EVALUATED_TOGETHER, _EVALUATION_SEED, None, 0, 0)

        return self._packed(draw, batch_size)

    def _passages(self, seed):
        """The passages, cut to length: tokens and sentences may be padded with `NOTHING`."""
        passages = self._open(seed)
        if self._cuts:
            passages = _padded(passages, _CUT_BATCH).map(self._cut).unbatch()
            if seed is not None:
                passages = passages.shuffle(_SHUFFLE, seed)
        return passages

    def _cut_to_length(self, batch):
        return cut_to_length(batch, self._room)

    def _count_pieces(self):
        pieces = _padded(self._open(None), _CUT_BATCH).map(self._cut)
        sizes = pieces.map(lambda batch: tf.size(batch["document"], tf.int64))
        return int(sizes.reduce(np.int64(0), tf.add))

    def _draw(self, batch_size, seed, shuffle_seed, epoch, first):
        """Yields an epoch's batches as arrays, from the one whose number in the epoch is `first`.

        What is left out is read and thrown away, before anything costly is done to it.
        """
        begin = epoch * steps_per_epoch(len(self), batch_size)
        seen = first * batch_size
        passages = _padded(self._passages(shuffle_seed).skip(seen), batch_size)
        options = tf.data.Options()
        options.threading.max_intra_op_parallelism = 1
        batches = passages.prefetch(2).with_options(options)
        for step, batch in enumerate(batches.as_numpy_iterator(), begin + first):
            if batch["tokens"].shape[1] > self._room and not self._cuts:
                raise ValueError(
                    f"A passage has {batch['tokens'].shape[1]} tokens, more than {self._room}: "
                    "give no count, and passages will be cut."
                )
            yield {**batch, "first": seen, "seed": [seed, step]}
            seen += len(batch["document"])
        if seen != len(self):
            raise ValueError(f"There are {seen} passages, not {len(self)}.")

    def _packed(self, draw, batch_size=None):
        """Batches as they are drawn, or of another size, with each example as it was drawn."""
        options = tf.data.Options()
        # Many small operations: splitting one up costs more than it saves.
        options.threading.max_intra_op_parallelism = 1
        drawn = tf.data.Dataset.from_generator(draw, output_signature=_DRAWN)
        if batch_size is None:
            batches = drawn.map(self._batch, num_parallel_calls=tf.data.AUTOTUNE)
        else:
            examples = drawn.map(self._examples, num_parallel_calls=tf.data.AUTOTUNE)
            batches = examples.rebatch(batch_size).map(
                self._pack, num_parallel_calls=tf.data.AUTOTUNE
            )
        return batches.prefetch(tf.data.AUTOTUNE).with_options(options)

    def _make_batch(self, batch):
        """One batch, from its passages and its seed."""
        return self._pack(self._make_examples(batch))

    def _make_examples(self, batch):
        """Examples as the encoder reads them, from their passages and a seed.

        Returns:
            A dict of ragged int32 [examples, (tokens)]: `hidden`, the tokens with masks among them,
            `labels`, the tokens as they were, `segment_ids` and `masked`; and of int32 [examples]:
            `example`, and `is_next` where the objective has it.
        """
        seeds = tf.random.split(batch["seed"], 3)
        example, targets = self._framed(batch, seeds)
        labels = example["token_ids"]  # [examples, (tokens)]
        hidden, masked = mask_tokens(labels, seeds[2], self._rate, self._masking, self._pieces)
        return {
            "hidden": hidden,
            "labels": labels,
            "segment_ids": example["segment_ids"],
            "masked": masked,
            "example": batch["first"] + tf.range(tf.size(batch["document"])),
            **targets,
        }

    def _pack(self, examples):
        """One batch, from its examples."""
        examples = dict(examples)
        ragged = [examples.pop(name) for name in ("hidden", "segment_ids")]
        others = {name: examples.pop(name) for name in ("masked", "labels")}
        inputs, order = pack(*ragged, self.max_length, others)
        inputs = {
            name: tf.ensure_shape(values, [None, self.max_length])
            for name, values in inputs.items()
        }
        return {
            "row_targets": {"labels": inputs.pop("labels")},
            "inputs": inputs,
            **{name: tf.gather(values, order) for name, values in examples.items()},
        }

    def _framed(self, batch, seeds):
        """Returns what `frame` does, and targets by name, [examples] each."""
        ids = {"cls_id": self._tokenizer.cls_id, "sep_id": self._tokenizer.sep_id}
        if self.objective == "none":
            tokens = tf.RaggedTensor.from_tensor(batch["tokens"], padding=NOTHING)
            return frame(tokens, None, self._room + 1, **ids), {}
        halves = cut_in_two(batch, self._pieces.continuation, seeds[0])
        if self.objective == "nsp":
            first, second, is_next = next_sentences(halves, batch["document"], seeds[1])
        else:
            first, second, is_next = sentence_orders(halves, seeds[1])
        return frame(first, second, self._room, **ids), {"is_next": is_next}


def _padded(passages, batch_size):
    shapes = {"tokens": [None], "sentences": [None], "document": []}
    nothing = {"tokens": NOTHING, "sentences": NOTHING, "document": None}
    passages = passages.map(lambda passage: {name: passage[name] for name in shapes})
    return passages.padded_batch(batch_size, shapes, nothing)
