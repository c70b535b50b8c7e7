"""Opens the tokenizer of the weights that a task starts from."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

from bert_keras.checkpoints.load import check_vocabulary, open_checkpoint
from bert_keras.config import BertConfig
from bert_keras.errors import InputError

if TYPE_CHECKING:
    from bert_keras.text.tokenizer import BertTokenizer


def open_tokenizer(
    reference: str | pathlib.Path | None,
    max_length: int,
    tokenizer_class: type[BertTokenizer] | None = None,
) -> BertTokenizer:
    """Opens the tokenizer that belongs to weights.

    Args:
        reference: a folder of weights, or `pkg://package/path`.
        max_length: tokens that the task wants an example to have.
        tokenizer_class: `BertTokenizer` unless given.

    Raises:
        InputError: there is no reference; or the vocabulary is not that of the weights, or they
            have fewer positions.
    """
    if tokenizer_class is None:
        from bert_keras.text.tokenizer import BertTokenizer

        tokenizer_class = BertTokenizer
    if not reference:
        raise InputError("expected a folder of weights to start from.", field="init_checkpoint")
    with open_checkpoint(reference) as checkpoint:
        config = checkpoint.config
    tokenizer = tokenizer_class.from_pretrained(reference)
    check_vocabulary(tokenizer, config, reference)
    check_length(max_length, config, reference)
    return tokenizer


def check_length(max_length: int, config: BertConfig, location: str | pathlib.Path) -> None:
    """Checks that a model has a position for each token of an example.

    Args:
        max_length: tokens.
        config: the model's.
        location: where the model is from, for the message.

    Raises:
        InputError: it has fewer.
    """
    if max_length > config.max_position_embeddings:
        raise InputError(
            f"expected at most {config.max_position_embeddings}, the number of positions of "
            f"{location}, found {max_length}.",
            field="max_length",
        )
