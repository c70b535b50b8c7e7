"""Rows with their encoded examples, for an evaluation or a prediction."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bert_keras.data.batches import EncodedExamples
from bert_keras.data.rows import Rows
from bert_keras.errors import InputError


@dataclasses.dataclass(frozen=True)
class RowExamples:
    """Rows and their encoded examples, an `EvaluationSet`.

    Attributes:
        rows: the rows.
        encoded: the rows' token ids, in the same order.
    """

    rows: Rows
    encoded: EncodedExamples

    def __len__(self) -> int:
        return len(self.encoded)

    def evaluation_batches(self, batch_size: int) -> tf.data.Dataset:
        """See `EvaluationSet.evaluation_batches`."""
        return self.encoded.evaluation_batches(batch_size)


def rows_of_texts(inputs: Sequence[Any], takes_pairs: bool = False) -> Rows:
    """Makes rows without labels from texts in memory.

    Args:
        inputs: strings; with `takes_pairs`, pairs of strings.
        takes_pairs: whether an input is two texts.

    Raises:
        InputError: an input is not of this form; the message names its index.
    """
    expected = "two texts" if takes_pairs else "a text"
    for index, given in enumerate(inputs):
        is_group = takes_pairs and isinstance(given, list | tuple | np.ndarray)
        texts = given if is_group else [given]
        if len(texts) != 1 + takes_pairs or not all(isinstance(text, str) for text in texts):
            raise InputError(
                f"[{index}]: expected {expected}, found {given!r:.40}.", field="inputs"
            )
    pairs = [tuple(given) for given in inputs] if takes_pairs else None
    return Rows(
        texts=list(inputs) if pairs is None else [text for text, _ in pairs],
        pairs=None if pairs is None else [second for _, second in pairs],
        labels=None,
        locations=[f"inputs[{index}]" for index in range(len(inputs))],
        records=[[text] for text in inputs] if pairs is None else [list(pair) for pair in pairs],
        header=["text", "text_pair"] if takes_pairs else ["text"],
    )
