"""Fill-mask: the tokens that a masked language model predicts for each [MASK] of a text."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bert_keras.data.batches import LabelledExamples, encode
from bert_keras.errors import InputError
from bert_keras.files import atomic_write
from bert_keras.tasks.pretraining.mask_predictions import best_tokens, examples_of_masks
from bert_keras.text.tokenizer import BertTokenizer
from bert_keras.text.vocabulary import CONTINUATION, MASK

# Of one text: for each mask, the best tokens, dicts of `token` and `probability`.
MaskTokens = list[list[dict[str, Any]]]


@dataclasses.dataclass(frozen=True)
class MaskedTexts:
    """Texts with masks to fill in, as a pretrainer takes them.

    Attributes:
        texts: the texts.
        encoded: their examples. The target `is_mask`, bool [texts, masks], says how many masks a
            text has, in a dimension that is that of the text with the most.
        mask_id: the id of [MASK].
    """

    texts: Sequence[str]
    encoded: LabelledExamples
    mask_id: int

    @classmethod
    def from_texts(
        cls,
        texts: Sequence[str],
        locations: Sequence[str],
        tokenizer: BertTokenizer,
        max_length: int,
    ) -> MaskedTexts:
        """Tokenizes texts.

        Unlike in other tasks, [MASK] and the other special tokens are recognized in the text.

        Args:
            texts: the texts, each with at least one [MASK].
            locations: the file and row of each text, for messages.
            tokenizer: the model's.
            max_length: tokens that a text may have, special tokens included; longer ones are cut.

        Raises:
            InputError: a text has no [MASK], or one where it is cut; the message names the text.
        """
        for text, location in zip(texts, locations, strict=True):
            if MASK not in text:
                raise InputError(f"{location}: expected a {MASK} to fill in, found none.")
        encoded = encode(protecting(tokenizer), texts, None, max_length)
        counts = tf.reduce_sum(is_mask(encoded.token_ids, tokenizer.mask_id), axis=1).numpy()
        for text, location, count in zip(texts, locations, counts, strict=True):
            if text.count(MASK) > count:
                raise InputError(
                    f"{location}: a {MASK} is beyond the {max_length} tokens that are read of a "
                    "text (`max_length`)."
                )
        targets = {"is_mask": np.arange(counts.max()) < counts[:, np.newaxis]}  # [texts, masks]
        return cls(texts, LabelledExamples(encoded, targets), tokenizer.mask_id)

    def __len__(self) -> int:
        return len(self.encoded)

    def evaluation_batches(self, batch_size: int) -> tf.data.Dataset:
        """See `EvaluationSet.evaluation_batches`; `inputs` has `masked` too."""

        def with_masked(batch: dict[str, Any]) -> dict[str, Any]:
            masked = tf.cast(batch["inputs"]["token_ids"] == self.mask_id, tf.int32)
            return batch | {"inputs": batch["inputs"] | {"masked": masked}}

        return self.encoded.evaluation_batches(batch_size).map(with_masked)

    def masks(self, predictions: np.ndarray, vocabulary: Sequence[str]) -> list[MaskTokens]:
        """Returns the best tokens of each mask of each text, the best first.

        Args:
            predictions: what `predict_masks` returned for the texts.
            vocabulary: the tokens by id.

        Returns:
            For each text, for each mask, a list of dicts of `token`, a str, and `probability`, a
            float of 6 significant digits, which is what float32 can hold.
        """
        return [
            [
                [
                    {"token": vocabulary[int(i)], "probability": float(f"{p:.6g}")}
                    for i, p in zip(*np.split(best, 2), strict=True)
                ]
                for best in of_text[: text.count(MASK)]
            ]
            for text, of_text in zip(self.texts, predictions, strict=True)
        ]

    def write(self, masks: list[MaskTokens], path: pathlib.Path) -> None:
        """Writes, for each text, its row, the text, its masks, and it with the best tokens in.

        Args:
            masks: what `masks` returned.
            path: the file of JSON lines, which is written atomically.
        """
        with atomic_write(path) as file:
            for row, (text, of_text) in enumerate(zip(self.texts, masks, strict=True), 1):
                filled = fill(text, [best[0]["token"] for best in of_text])
                record = {"row": row, "text": text, "masks": of_text, "filled": filled}
                file.write(json.dumps(record, ensure_ascii=False) + "\n")


def predict_masks(
    outputs: Mapping[str, tf.Tensor], batch: Mapping[str, Any], count: int
) -> tf.Tensor:
    """Reduces a pretrainer's outputs for a batch of `MaskedTexts` to the best tokens.

    Args:
        outputs: the model's.
        batch: the batch.
        count: how many tokens to keep for each mask.

    Returns:
        float32 [examples, masks, 2 * count]: the ids of the best tokens, then their probabilities;
        -1 for masks that a text does not have.
    """
    ids, probabilities = tokens_of_masks(outputs, batch["inputs"], count)
    both = tf.concat([tf.cast(ids.values, tf.float32), probabilities.values], axis=1)
    return ids.with_values(both).to_tensor(-1.0, shape=[None, batch["is_mask"].shape[1], None])


def tokens_of_masks(
    outputs: Mapping[str, tf.Tensor], inputs: Mapping[str, tf.Tensor], count: int
) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """Finds the best tokens of each mask.

    Returns:
        Their ids, int32, and their probabilities, float32, ragged [examples, (masks), count] each,
        in the order of the rows.
    """
    example_ids, examples = examples_of_masks(inputs)
    ids, probabilities = (
        tf.RaggedTensor.from_value_rowids(values, example_ids, examples, validate=False)
        for values in best_tokens(outputs["token_logits"], count)
    )
    return ids, probabilities


def protecting(tokenizer: BertTokenizer) -> BertTokenizer:
    """Returns a tokenizer that recognizes special tokens in the text."""
    return BertTokenizer(
        tokenizer.vocabulary,
        tokenizer.lowercase,
        tokenizer.max_length,
        protect_special_tokens=True,
    )


def is_mask(token_ids: tf.RaggedTensor, mask_id: int) -> tf.RaggedTensor:
    """Returns ragged int32 of the same shape, 1 for [MASK] and 0 for other tokens."""
    return token_ids.with_values(tf.cast(token_ids.values == mask_id, tf.int32))


def fill(text: str, tokens: Sequence[str]) -> str:
    """Replaces each [MASK] by a token; a token that continues a word joins what precedes it."""
    filled, *others = text.split(MASK)
    for token, part in zip(tokens, others, strict=True):
        if token.startswith(CONTINUATION):
            filled = filled.rstrip()
        filled += token.removeprefix(CONTINUATION) + part
    return filled
