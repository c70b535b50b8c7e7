"""What a task takes from the folder of weights that it starts from."""

from bert_keras.checkpoints.load import check_vocabulary, open_checkpoint
from bert_keras.errors import InputError


def open_tokenizer(reference, max_length, tokenizer_class=None):
    """Opens the tokenizer that belongs to weights.

    Args:
        reference: a folder of weights, or `pkg://package/path`.
        max_length: tokens that the task wants an example to have.
        tokenizer_class: `BertTokenizer` unless given.

    Returns:
        A tokenizer.

    Raises:
        InputError: its vocabulary is not that of the weights, or they know fewer positions.
    """
    if tokenizer_class is None:
        from bert_keras.text.tokenizer import BertTokenizer as tokenizer_class

    with open_checkpoint(reference) as checkpoint:
        config = checkpoint.config
    tokenizer = tokenizer_class.from_pretrained(reference)
    check_vocabulary(tokenizer, config, reference)
    check_length(max_length, config, reference)
    return tokenizer


def check_length(max_length, config, location):
    """Checks that a model has a position for each token of an example.

    Args:
        max_length: tokens.
        config: the model's `BertConfig`.
        location: where it came from, for the message.

    Raises:
        InputError: it has fewer.
    """
    if max_length > config.max_position_embeddings:
        raise InputError(
            f"expected at most {config.max_position_embeddings}, the positions that {location} "
            f"has, found {max_length}.",
            field="max_length",
        )
