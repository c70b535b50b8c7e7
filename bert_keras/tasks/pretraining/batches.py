"""Passages of running text to packed batches for pretraining, with new masks in every epoch.

A passage is a run of whole sentences of one document, as token ids. Everything random about batch n
is drawn from the seed and n, by stateless ops, so training resumes at any step without recorded
state.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bert_keras.data.epochs import steps_per_epoch
from bert_keras.data.packing import pack
from bert_keras.errors import InputError
from bert_keras.tasks.pretraining.cutting import PADDING, cut_in_two, cut_to_length
from bert_keras.tasks.pretraining.masking import STRATEGIES, Pieces, mask_tokens
from bert_keras.tasks.pretraining.sentence_pairs import next_sentences, sentence_orders
from bert_keras.text.framing import frame
from bert_keras.text.tokenizer import BertTokenizer
from bert_keras.training.task import Batch

OBJECTIVES = ("nsp", "sop", "none")

_CUT_BATCH = 256  # passages cut at a time
_SHUFFLE = 20_000  # pieces; those of one passage are adjacent before
_EVALUATION_SEED = 0x5EED  # of masks that are always the same
_EVALUATED_TOGETHER = 256  # examples that are drawn at a time, whatever the batch size
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
    """The passages of one phase of pretraining, or those to evaluate on.

    Objectives: "none" makes [CLS] passage [SEP]. The others cut a passage in two at a random
    sentence (see `cut_in_two`) and make [CLS] A [SEP] B [SEP]. With "nsp", half of the examples of
    a batch have the B of another document (see `next_sentences`). With "sop", half have A and B
    swapped (see `sentence_orders`).

    Attributes:
        max_length: tokens of a row, and at most of an example.
        objective: "nsp", "sop" or "none".

    Args:
        open_dataset: a function of a seed that returns the `tf.data.Dataset` of all passages, in an
            order that is a function of the seed; for None, always in the same order. An element is
            a dict of `tokens`, int32 [tokens], without special tokens; `sentences`, int32
            [sentences], the position at which each sentence starts; and `document`, int64 [], the
            number of the document.
        count: the number of passages, none longer than `max_length` - 3 tokens. None for passages
            of any length: longer ones are cut at the start of a sentence, or within a sentence that
            is too long, and the pieces are counted in a pass over all passages.
        tokenizer: the tokenizer that made them.
        max_length: see above; special tokens included. Multiples of 64 suit the attention.
        objective: see above.
        masking: "token", "word" or "span"; see `mask_tokens`.
        rate: the share of the tokens to predict. Default 0.15, the paper's.

    Raises:
        InputError: an argument has none of these values, or there are no passages.
    """

    def __init__(
        self,
        open_dataset: Callable[[int | None], tf.data.Dataset],
        count: int | None,
        tokenizer: BertTokenizer,
        max_length: int,
        objective: str = "nsp",
        masking: str = "token",
        rate: float = 0.15,
    ):
        _check_choice("objective", objective, OBJECTIVES)
        _check_choice("masking", masking, STRATEGIES)
        if not 0 < rate <= 1:
            raise InputError(f"expected a share above 0 up to 1, found {rate}.", field="rate")
        if max_length < 5:  # [CLS] A [SEP] B [SEP]
            raise InputError(f"expected at least 5 tokens, found {max_length}.", field="max_length")
        self.max_length = max_length
        self.objective = objective
        self._open = open_dataset
        self._masking = masking
        self._rate = rate
        self._tokenizer = tokenizer
        self._pieces = Pieces.from_tokenizer(tokenizer)
        self._max_tokens = max_length - 3
        # Traced once, for all epochs.
        self._batch = tf.function(self._make_batch, [_DRAWN], autograph=False)
        self._examples = tf.function(self._make_examples, [_DRAWN], autograph=False)
        self._cut = tf.function(self._cut_to_length, [_PASSAGES], autograph=False)
        self._cuts = count is None
        self._count = self._count_pieces() if count is None else count
        if not self._count:
            raise InputError("expected passages to pretrain on, found none.")

    def __len__(self) -> int:
        """Returns the number of examples of an epoch."""
        return self._count

    def batches(self, batch_size: int, seed: int, first_step: int = 0) -> tf.data.Dataset:
        """Makes training batches without end, in another order and with other masks every epoch.

        Batch n is the same whether or not the batches before it were drawn.

        Args:
            batch_size: examples in a batch; the last batch of an epoch may have fewer.
            seed: from 0.
            first_step: the first batch to make, counted from the start of the phase.

        Returns:
            A dataset of dicts:
                `inputs`: the encoder's inputs and `masked`, int32 [rows, max_length], 1 where a
                    prediction is wanted; as many rows as the examples need.
                `row_targets`: `labels`, int32 [rows, max_length], the original tokens.
                `is_next`: int32 [examples], 1 if B follows A in the text and in this order;
                    absent for the objective "none".
                `example`: int32 [examples], the number of each in the order of the epoch.
            The examples are in the order of the model's predictions.
        """

        def draw() -> Iterator[dict[str, Any]]:
            epoch, first = divmod(first_step, steps_per_epoch(len(self), batch_size))
            while True:
                shuffle_seed = int(np.random.default_rng([seed, epoch]).integers(1 << 31))
                yield from self._draw(batch_size, seed, shuffle_seed, epoch, first)
                epoch, first = epoch + 1, 0

        return self._packed(draw)

    def evaluation_batches(self, batch_size: int) -> tf.data.Dataset:
        """Makes batches of each passage once and in order, always with the same masks.

        Args:
            batch_size: examples in a batch; the last batch may have fewer. An example is the same
                whatever the batch size.

        Returns:
            A dataset of dicts; see `batches`.
        """

        def draw() -> Iterator[dict[str, Any]]:
            return self._draw(_EVALUATED_TOGETHER, _EVALUATION_SEED, None, 0, 0)

        return self._packed(draw, batch_size)

    def describe(self, batch: Batch) -> list[dict[str, Any]]:
        """Describes a batch to a person: the text of each example."""
        labels, examples = batch["row_targets"]["labels"], batch["inputs"]["example_ids"]
        return [
            {"text": self._tokenizer.detokenize([row[ids == n].tolist()])[0].numpy().decode()}
            for row, ids in zip(labels.numpy(), examples.numpy(), strict=True)
            for n in range(1, ids.max() + 1)
        ]

    def _passages(self, seed: int | None) -> tf.data.Dataset:
        """The passages, cut to length; tokens and sentences may be padded with `PADDING`."""
        passages = self._open(seed)
        if self._cuts:
            passages = _padded(passages, _CUT_BATCH).map(self._cut).unbatch()
            if seed is not None:
                passages = passages.shuffle(_SHUFFLE, seed)
        return passages

    def _cut_to_length(self, batch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return cut_to_length(batch, self._max_tokens)

    def _count_pieces(self) -> int:
        pieces = _padded(self._open(None), _CUT_BATCH).map(self._cut)
        sizes = pieces.map(lambda batch: tf.size(batch["document"], tf.int64))
        return int(sizes.reduce(np.int64(0), tf.add))

    def _draw(
        self, batch_size: int, seed: int, shuffle_seed: int | None, epoch: int, first: int
    ) -> Iterator[dict[str, Any]]:
        """Yields an epoch's batches as arrays, from the one whose number in the epoch is `first`.

        The passages before it are read and dropped, before anything costly is done to them.
        """
        start = epoch * steps_per_epoch(len(self), batch_size)
        seen = first * batch_size
        passages = _padded(self._passages(shuffle_seed).skip(seen), batch_size)
        options = tf.data.Options()
        options.threading.max_intra_op_parallelism = 1
        batches = passages.prefetch(2).with_options(options)
        for step, batch in enumerate(batches.as_numpy_iterator(), start + first):
            if batch["tokens"].shape[1] > self._max_tokens and not self._cuts:
                raise ValueError(
                    f"A passage has {batch['tokens'].shape[1]} tokens, more than "
                    f"{self._max_tokens}: give no count, and passages will be cut."
                )
            yield {**batch, "first": seen, "seed": [seed, step]}
            seen += len(batch["document"])
        if seen != len(self):
            raise ValueError(f"There are {seen} passages, not {len(self)}.")

    def _packed(
        self, draw: Callable[[], Iterator[dict[str, Any]]], batch_size: int | None = None
    ) -> tf.data.Dataset:
        """Packs batches as they are drawn, or the same examples in batches of another size."""
        options = tf.data.Options()
        # Many small operations: splitting one costs more than it saves.
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

    def _make_batch(self, batch: Mapping[str, tf.Tensor]) -> dict[str, Any]:
        """One batch, from its passages and its seed."""
        return self._pack(self._make_examples(batch))

    def _make_examples(self, batch: Mapping[str, tf.Tensor]) -> dict[str, Any]:
        """Examples as the encoder takes them, from their passages and a seed.

        Returns:
            A dict of ragged int32 [examples, (tokens)]: `hidden`, the tokens with masks among them,
            `labels`, the original tokens, `segment_ids` and `masked`; and of int32 [examples]:
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

    def _pack(self, examples: Mapping[str, Any]) -> dict[str, Any]:
        """One batch, from its examples."""
        examples = dict(examples)
        token_ids, segment_ids = examples.pop("hidden"), examples.pop("segment_ids")
        others = {name: examples.pop(name) for name in ("masked", "labels")}
        inputs, order = pack(token_ids, segment_ids, self.max_length, others)
        inputs = {
            name: tf.ensure_shape(values, [None, self.max_length])
            for name, values in inputs.items()
        }
        return {
            "row_targets": {"labels": inputs.pop("labels")},
            "inputs": inputs,
            **{name: tf.gather(values, order) for name, values in examples.items()},
        }

    def _framed(
        self, batch: Mapping[str, tf.Tensor], seeds: tf.Tensor
    ) -> tuple[dict[str, Any], dict[str, tf.Tensor]]:
        """Returns what `frame` does, and targets by name, [examples] each."""
        ids = {"cls_id": self._tokenizer.cls_id, "sep_id": self._tokenizer.sep_id}
        if self.objective == "none":
            tokens = tf.RaggedTensor.from_tensor(batch["tokens"], padding=PADDING)
            return frame(tokens, None, self._max_tokens + 1, **ids), {}
        halves = cut_in_two(batch, self._pieces.continuation, seeds[0])
        if self.objective == "nsp":
            first, second, is_next = next_sentences(halves, batch["document"], seeds[1])
        else:
            first, second, is_next = sentence_orders(halves, seeds[1])
        return frame(first, second, self._max_tokens, **ids), {"is_next": is_next}


def _check_choice(field: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise InputError(f"expected one of {', '.join(choices)}, found {value!r}.", field=field)


def _padded(passages: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
    shapes = {"tokens": [None], "sentences": [None], "document": []}
    padding = {"tokens": PADDING, "sentences": PADDING, "document": None}
    passages = passages.map(lambda passage: {name: passage[name] for name in shapes})
    return passages.padded_batch(batch_size, shapes, padding)
