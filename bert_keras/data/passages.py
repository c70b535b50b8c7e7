"""Passages of running text to packed batches for pretraining, masked anew whenever they are read.

A passage is a run of whole sentences of one document, as token ids. Everything random about batch n
is drawn from the seed and n, by stateless ops, so a run goes on at any step as if it had never
stopped.
"""

import numpy as np
import tensorflow as tf

from bert_keras.data.masking import STRATEGIES, Pieces, mask_tokens
from bert_keras.data.packing import pack
from bert_keras.data.pipeline import steps_per_epoch
from bert_keras.errors import InputError
from bert_keras.text.framing import frame

OBJECTIVES = ("nsp", "sop", "none")

_NOTHING = -1  # pads token ids and places, of which none is below 0
_CUT_BATCH = 256  # passages cut at a time
_SHUFFLE = 20_000  # pieces; of a passage cut in pieces these stand side by side
_EVALUATION_SEED = 0x5EED  # of masks that are always the same


class PassageSet:
    """The passages of one phase of pretraining.

    Objectives: "none" reads a passage as [CLS] passage [SEP]. The others cut it in two at a random
    sentence (a single sentence at a random word) and read [CLS] A [SEP] B [SEP]. "nsp", next
    sentence prediction (Devlin et al. 2018, section 3.1): half of the examples of a batch have
    exchanged their B with an example of another document. It is one whose B is of nearly the same
    length, or else the length would tell what was exchanged. "sop", sentence order prediction (Lan
    et al. 2019, arXiv 1909.11942, section 3.1): half have A and B in the other order.

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
            raise InputError(f"objective: expected one of {OBJECTIVES}, found {objective!r}.")
        if masking not in STRATEGIES:
            raise InputError(f"masking: expected one of {STRATEGIES}, found {masking!r}.")
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
                `labels`: int32 [rows, max_length], the tokens as they were.
                `is_next`: int32 [examples], 1 if B follows A in the text and in this order;
                    absent for the objective "none".
                `example`: int32 [examples], its number in the order of the epoch.
            Examples are in the order in which a model answers them.
        """

        def draw():
            epoch, first = divmod(first_step, steps_per_epoch(len(self), batch_size))
            while True:
                shuffle_seed = int(np.random.default_rng([seed, epoch]).integers(1 << 31))
                yield from self._draw(batch_size, shuffle_seed, epoch, first)
                epoch, first = epoch + 1, 0

        return self._packed(draw, seed)

    def evaluation_batches(self, batch_size):
        """Each passage once and in order, always with the same masks, the last batch included.

        Args:
            batch_size: examples in a batch; other batches have other masks.

        Returns:
            A dataset of dicts, as `batches` describes them.
        """
        return self._packed(lambda: self._draw(batch_size, None, 0, 0), _EVALUATION_SEED)

    def _passages(self, seed):
        """The passages, cut to length: tokens and sentences may be padded with `_NOTHING`."""
        passages = self._open(seed)
        if self._cuts:
            passages = _padded(passages, _CUT_BATCH).map(self._cut_to_length).unbatch()
            if seed is not None:
                passages = passages.shuffle(_SHUFFLE, seed)
        return passages

    def _cut_to_length(self, batch):
        return cut_passages(batch, self._room)

    def _count_pieces(self):
        pieces = _padded(self._open(None), _CUT_BATCH).map(self._cut_to_length)
        sizes = pieces.map(lambda batch: tf.size(batch["document"], tf.int64))
        return int(sizes.reduce(np.int64(0), tf.add))

    def _draw(self, batch_size, shuffle_seed, epoch, first):
        """Yields an epoch's batches as arrays, from the one whose number in the epoch is `first`.

        Nothing but the passages that are left out is read twice: masks are drawn downstream.
        """
        begin = epoch * steps_per_epoch(len(self), batch_size)
        seen = first * batch_size
        passages = _padded(self._passages(shuffle_seed).skip(seen), batch_size)
        options = tf.data.Options()
        options.threading.max_intra_op_parallelism = 1
        batches = passages.prefetch(2).with_options(options)
        for step, batch in enumerate(batches.as_numpy_iterator(), begin + first):
            if batch["tokens"].shape[1] > self._room and not self._cuts:
                raise InputError(
                    f"passages: expected at most {self._room} tokens in each, found "
                    f"{batch['tokens'].shape[1]}."
                )
            yield {**batch, "first": seen, "step": step}
            seen += len(batch["document"])
        if seen != len(self):
            raise InputError(f"passages: expected {len(self)}, found {seen}.")

    def _packed(self, draw, seed):
        options = tf.data.Options()
        # Many small operations: splitting one up costs more than it saves.
        options.threading.max_intra_op_parallelism = 1
        signature = {
            "tokens": tf.TensorSpec([None, None], tf.int32),
            "sentences": tf.TensorSpec([None, None], tf.int32),
            "document": tf.TensorSpec([None], tf.int64),
            "first": tf.TensorSpec([], tf.int32),
            "step": tf.TensorSpec([], tf.int64),
        }
        return (
            tf.data.Dataset.from_generator(draw, output_signature=signature)
            .map(lambda batch: self._batch(batch, seed), num_parallel_calls=tf.data.AUTOTUNE)
            .prefetch(tf.data.AUTOTUNE)
            .with_options(options)
        )

    def _batch(self, batch, seed):
        """One batch, from its passages and the seed."""
        seeds = tf.random.split(tf.stack([tf.constant(seed, tf.int64), batch["step"]]), 3)
        example, is_next = self._examples(batch, seeds)
        labels = example["token_ids"]  # [examples, (tokens)]
        hidden, masked = mask_tokens(labels, seeds[2], self._rate, self._masking, self._pieces)
        inputs, order = pack(
            hidden,
            example["segment_ids"],
            self.max_length,
            {"masked": masked, "labels": labels},
        )
        inputs = {
            name: tf.ensure_shape(values, [None, self.max_length])
            for name, values in inputs.items()
        }
        labels = inputs.pop("labels")
        targets = {} if is_next is None else {"is_next": tf.gather(is_next, order)}
        return {"inputs": inputs, "labels": labels, **targets, "example": batch["first"] + order}

    def _examples(self, batch, seeds):
        """Makes the examples of the passages: (what `frame` returns, is_next [examples] or None)"""
        ids = {"cls_id": self._tokenizer.cls_id, "sep_id": self._tokenizer.sep_id}
        tokens = tf.RaggedTensor.from_tensor(batch["tokens"], padding=_NOTHING)
        if self.objective == "none":
            return frame(tokens, None, self._room + 1, **ids), None
        middle = _middles(batch, self._pieces.continuation, seeds[0])  # [examples]
        ends = tf.stack([tokens.row_starts() + middle, tokens.row_limits()], axis=1)
        splits = tf.concat([[0], tf.reshape(ends, [-1])], 0)
        halves = tf.RaggedTensor.from_row_splits(tokens.values, splits, validate=False)
        number = tf.range(tf.size(middle))  # [examples]; its halves are 2 number and the next
        lengths = halves.row_lengths()[1::2]  # of B
        if self.objective == "sop":
            coin = tf.random.stateless_uniform(tf.shape(number), seeds[1], 0, 2, tf.int32)
            swapped = tf.where(lengths > 0, coin, 0)
            is_next = 1 - swapped
            first, second = 2 * number + swapped, 2 * number + is_next
        else:
            partner = exchange(lengths, batch["document"], seeds[1])
            is_next = tf.cast(partner == number, tf.int32)
            first, second = 2 * number, 2 * partner + 1
        framed = frame(tf.gather(halves, first), tf.gather(halves, second), self._room, **ids)
        return framed, is_next


def cut_passages(batch, room):
    """Cuts passages into pieces of as many whole sentences as fit.

    Args:
        batch: dict of `tokens` [passages, tokens] and `sentences` [passages, sentences], padded
            with -1, and `document` [passages].
        room: tokens a piece at most; a longer sentence is cut as often as it must.

    Returns:
        The same of the pieces, in order: `tokens` and `sentences` [pieces, room], the latter with
        -1 wherever no sentence begins.
    """
    tokens, begins = batch["tokens"], _sentence_begins(batch)  # [passages, tokens]
    lengths = tf.reduce_sum(tf.cast(tokens >= 0, tf.int32), 1)  # [passages]
    place = tf.range(tf.shape(tokens)[1])  # [tokens]

    def cut(at, cuts):
        fits = begins & (place > at[:, tf.newaxis]) & (place <= at[:, tf.newaxis] + room)
        sentence = tf.reduce_max(tf.where(fits, place, 0), 1)  # [passages], 0 for none
        whole = (sentence == 0) | (lengths - at <= room)
        at = tf.minimum(tf.where(whole, at + room, sentence), lengths)
        return at, cuts.write(cuts.size(), at)

    cuts = tf.TensorArray(tf.int32, 0, dynamic_size=True, element_shape=lengths.shape)
    _, cuts = tf.while_loop(
        lambda at, _: tf.reduce_any(at < lengths), cut, (tf.zeros_like(lengths), cuts)
    )
    ends = tf.transpose(tf.reshape(cuts.stack(), [-1, tf.size(lengths)]))  # [passages, cuts]
    begin = tf.pad(ends, [[0, 0], [1, 0]])[:, :-1]
    real = tf.where(begin < ends)  # [pieces, 2]
    start = tf.cumsum(lengths, exclusive=True)  # [passages], in all tokens end to end
    splits = tf.gather_nd(ends, real) + tf.gather(start, real[:, 0])  # [pieces]
    splits = tf.concat([[0], splits], 0)

    def in_pieces(values):  # [passages, tokens]
        values = tf.boolean_mask(values, tokens >= 0)
        return tf.RaggedTensor.from_row_splits(values, splits, validate=False)

    size = [None, room]
    place = tf.range(room)
    begins = in_pieces(tf.cast(begins, tf.int32)).to_tensor(shape=size)  # [pieces, room]
    return {
        "tokens": in_pieces(tokens).to_tensor(_NOTHING, shape=size),
        "sentences": tf.where(begins > 0, place, _NOTHING),
        "document": tf.gather(batch["document"], real[:, 0]),
    }


def exchange(lengths, documents, seed):
    """Chooses who exchanges with whom: pairs of different documents and of nearly equal lengths.

    Args:
        lengths: int64 [examples], the lengths of what is exchanged; who has nothing keeps it.
        documents: int64 [examples].
        seed: int [2].

    Returns:
        int32 [examples], with whom each exchanges, with itself for none. A half of all are in a
        pair, on average, or as many as are found.
    """
    seeds = tf.random.split(seed, 3)
    count = tf.size(lengths)
    jitter = tf.random.stateless_uniform([count], seeds[0])  # equals in random order
    single = tf.argsort(tf.cast(lengths, tf.float32) + jitter)
    single = tf.boolean_mask(single, tf.gather(lengths, single) > 0)
    found = []
    # Neighbours by length pair up if they may, then those that are left, and so on: it finds nearly
    # as many pairs as there can be, even where most are of one document.
    for shift in (0, 1, 0, 1):
        pairs = (tf.size(single) - shift) // 2
        paired = single[shift : shift + 2 * pairs]
        left, right = paired[::2], paired[1::2]
        may = tf.gather(documents, left) != tf.gather(documents, right)  # [pairs]
        found.append(tf.boolean_mask(tf.stack([left, right], 1), may))
        stays = ~tf.repeat(may, 2)
        rest = tf.boolean_mask(paired, stays)
        single = tf.concat([single[:shift], rest, single[shift + 2 * pairs :]], 0)
    found = tf.concat(found, 0)  # [pairs, 2]
    wanted = tf.cast(count, tf.float32) / 4 + tf.random.stateless_uniform([], seeds[1])
    dice = tf.random.stateless_uniform([tf.shape(found)[0]], seeds[2])
    chosen = tf.gather(found, tf.argsort(dice)[: tf.cast(wanted, tf.int32)])
    return tf.tensor_scatter_nd_update(
        tf.range(count),
        tf.reshape(chosen, [-1, 1]),
        tf.reshape(chosen[:, ::-1], [-1]),
    )


def _padded(passages, batch_size):
    shapes = {"tokens": [None], "sentences": [None], "document": []}
    nothing = {"tokens": _NOTHING, "sentences": _NOTHING, "document": None}
    passages = passages.map(lambda passage: {name: passage[name] for name in shapes})
    return passages.padded_batch(batch_size, shapes, nothing)


def _sentence_begins(batch):
    """Whether a sentence begins with each token: bool [passages, tokens]."""
    rows = tf.where(batch["sentences"] >= 0)  # [sentences, 2]
    place = tf.cast(tf.gather_nd(batch["sentences"], rows), tf.int64)
    index = tf.stack([rows[:, 0], place], 1)
    shape = tf.shape(batch["tokens"], tf.int64)
    return tf.scatter_nd(index, tf.ones_like(place, tf.int32), shape) > 0


def _middles(batch, continuation, seed):
    """Where to cut each passage in two: int64 [passages].

    At the beginning of a sentence; else of a word; else anywhere but before the first token. A
    passage of one token is all A.
    """
    tokens = batch["tokens"]  # [passages, tokens]
    is_word = ~tf.gather(continuation, tf.maximum(tokens, 0))
    worth = tf.cast(is_word, tf.float32) + 2 * tf.cast(_sentence_begins(batch), tf.float32)
    worth += tf.random.stateless_uniform(tf.shape(tokens), seed)
    may = (tokens >= 0) & (tf.range(tf.shape(tokens)[1]) > 0)
    middle = tf.argmax(tf.where(may, worth, -1.0), 1)
    return tf.where(middle > 0, middle, tf.reduce_sum(tf.cast(tokens >= 0, tf.int64), 1))
