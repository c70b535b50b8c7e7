"""Rows with their encoded examples, as an evaluation or a prediction needs them."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from bert_keras.data.batches import EncodedExamples
from bert_keras.data.rows import Rows
from bert_keras.errors import InputError


@dataclasses.dataclass(frozen=True)
class RowExamples:
    """Rows, and the examples that they were encoded to.

    Attributes:
        rows: the rows.
        encoded: their examples, in the same order.
    """

    rows: Rows
    encoded: EncodedExamples

    def __len__(self) -> int:
        return len(self.encoded)

    def evaluation_batches(self, batch_size: int) -> tf.data.Dataset:
        """See `EvaluationSet.evaluation_batches`."""
        return self.encoded.evaluation_batches(batch_size)


def rows_of_texts(inputs: Sequence[Any], takes_pairs: bool = False) -> Rows:
    """Makes rows without labels of texts in memory.

    Args:
        inputs: strings; with `takes_pairs`, pairs of strings.
        takes_pairs: whether an input is two texts.

    Raises:
        InputError: an input is not of this form; the message names its index.
    """
    expected = "two texts" if takes_pairs else "a text"
    for index, given in enumerate(inputs):
        texts = given if takes_pairs and isinstance(given, list | tuple) else [given]
        if len(texts) != 1 + takes_pairs or not all(isinstance(text, str) for text in texts):
            raise InputError(
                f"[{index}]: expected {expected}, found {str(given)[:40]!r}.", field="inputs"
            )
    first = [given[0] if takes_pairs else given for given in inputs]
    return Rows(
        texts=first,
        pairs=[given[1] for given in inputs] if takes_pairs else None,
        labels=None,
        locations=[f"inputs[{index}]" for index in range(len(inputs))],
        records=[[text] for text in first],
        header=["text"],
    )
