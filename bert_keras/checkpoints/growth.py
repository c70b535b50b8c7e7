"""Adds a domain's words to a checkpoint's vocabulary, each with an initial embedding."""

import dataclasses
import logging
import os
import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from bert_keras.checkpoints.contents import Contents
from bert_keras.checkpoints.convert import read_all, write_all
from bert_keras.errors import InputError
from bert_keras.text.tokenizer import BertTokenizer
from bert_keras.text.vocabulary import CONTINUATION, SPECIAL_TOKENS, read_lines

_IN_BRACKETS = re.compile(r"\[.+\]")  # [CLS], [unused7]: these do not stand for text

logger = logging.getLogger(__name__)


def grow(
    ref: str | os.PathLike[str],
    new_tokens: Sequence[str] | os.PathLike[str],
    folder: str | os.PathLike[str],
    limit: int | None = None,
    layout: str = "huggingface",
) -> list[str]:
    """Writes a checkpoint with new tokens added to its vocabulary.

    Existing tokens keep their ids and their embeddings, bit for bit. The embedding of a new token,
    and its output bias if there is one, is initialised with the mean over the pieces into which the
    old tokenizer splits it, so that the model's outputs change little. If a character of the token
    is not in the old vocabulary, it is the mean over all tokens.

    Args:
        ref: the checkpoint, a folder or `pkg://package/path`.
        new_tokens: the tokens to add, with "##" before those that continue a word, or the path of a
            file with one token a line, such as a vocabulary learned from the domain's text. Tokens
            that the vocabulary already has are skipped, and so are those in brackets ([CLS]).
        folder: the folder to create, which is written atomically; it may exist if it is empty.
        limit: the most tokens to add, from the first on. Default: all.
        layout: see `convert`.

    Returns:
        The tokens that were added. Their ids follow those of the old vocabulary.

    Raises:
        InputError: the checkpoint cannot be read or has no vocabulary, there is nothing to add, or
            a new token could never occur because the tokenizer splits text inside it.
        OSError: a file cannot be written.
    """
    contents, tokenizer, extra = read_all(ref)
    if tokenizer is None:
        raise InputError(f"{ref}: expected a vocabulary beside the weights, found none.")
    added = tokens_to_add(tokenizer, new_tokens, limit)
    grown = BertTokenizer(
        tokenizer.vocabulary + added,
        tokenizer.lowercase,
        tokenizer.max_length,
        tokenizer.protect_special_tokens,
    )
    write_all(grown_contents(contents, tokenizer, added), grown, extra, folder, layout)
    return added


def tokens_to_add(
    tokenizer: BertTokenizer,
    new_tokens: Sequence[str] | os.PathLike[str],
    limit: int | None = None,
) -> list[str]:
    """Selects the tokens to add to a vocabulary.

    Args:
        tokenizer: the tokenizer with the old vocabulary.
        new_tokens: see `grow`.
        limit: see `grow`.

    Returns:
        The tokens, lower-cased and without accents if the tokenizer normalises text so.

    Raises:
        InputError: there is nothing to add, or the tokenizer splits text inside a new token.
    """
    location = "new tokens"
    if isinstance(new_tokens, str | os.PathLike):
        location, new_tokens = os.fspath(new_tokens), read_lines(new_tokens)
    seen = {"", CONTINUATION, *tokenizer.vocabulary}
    added, lines = [], []
    for line, token in enumerate(new_tokens, 1):
        token = _plain(token) if tokenizer.lowercase else token
        if token not in seen and not _IN_BRACKETS.fullmatch(token):
            seen.add(token)
            added.append(token)
            lines.append(line)
    added = added[:limit]
    if not added:
        raise InputError(
            f"{location}: expected a token that the vocabulary does not have, found none."
        )

    # Each must remain one token in text, which a tokenizer can test.
    bare = [token.removeprefix(CONTINUATION) for token in added]
    words = list(dict.fromkeys([*SPECIAL_TOKENS, *bare]))
    ids = BertTokenizer(words, tokenizer.lowercase).tokenize(bare)
    for line, token, word, word_ids in zip(lines, added, bare, ids.to_list(), strict=False):
        if word_ids != [words.index(word)]:
            raise InputError(
                f"{location}:{line}: {token!r} cannot be a token, because the tokenizer splits "
                "text inside it."
            )
    return added


def grown_contents(contents: Contents, tokenizer: BertTokenizer, added: Sequence[str]) -> Contents:
    """Appends the embeddings and output biases of new tokens.

    Args:
        contents: the checkpoint's contents.
        tokenizer: its tokenizer, with the old vocabulary.
        added: the new tokens; see `tokens_to_add`.

    Returns:
        The contents with the larger vocabulary.
    """
    pieces = _pieces(tokenizer, added)
    unknown = [token for token, ids in zip(added, pieces, strict=True) if not ids]
    if unknown:
        logger.warning(
            "%d of %d new tokens have characters that the old vocabulary lacks; they are "
            "initialised with the mean of all tokens: %s.",
            len(unknown),
            len(added),
            ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else ""),
        )
    values = dict(contents.values)
    for name in ("embeddings/word/embeddings", "masked_lm/bias"):
        if name in values:
            old = values[name]
            new = [old[ids].mean(0) if ids else old.mean(0) for ids in pieces]
            values[name] = np.concatenate([old, np.stack(new).astype(old.dtype)])
    size = contents.config.vocab_size + len(added)
    config = dataclasses.replace(contents.config, vocab_size=size)
    return Contents(config, contents.heads, values)


def _pieces(tokenizer: BertTokenizer, tokens: Sequence[str]) -> list[list[int]]:
    """Returns the ids of each token's old pieces, none if a character is unknown."""
    starts = [token for token in tokens if not token.startswith(CONTINUATION)]
    cut = dict(zip(starts, tokenizer.tokenize(starts).to_list(), strict=True))
    if len(cut) < len(tokens):
        cut |= _pieces_inside(tokenizer, [token for token in tokens if token not in cut])
    return [[] if tokenizer.unk_id in cut[token] else cut[token] for token in tokens]


def _pieces_inside(tokenizer: BertTokenizer, tokens: Sequence[str]) -> dict[str, list[int]]:
    """Returns the ids of the old pieces of each token that continues a word.

    A tokenizer splits from the start of a word. So the tokens are split with a vocabulary in which
    the old pieces that continue words also start them.
    """
    vocabulary = tokenizer.vocabulary
    tails = [t for t in vocabulary if t.startswith(CONTINUATION) and t != CONTINUATION]
    heads = [tail.removeprefix(CONTINUATION) for tail in tails]
    specials = [token for token in SPECIAL_TOKENS if token not in heads]
    id_of = {token: index for index, token in enumerate(vocabulary)}
    ids = [id_of[token] for token in [*specials, *tails, *tails]]
    inside = BertTokenizer([*specials, *heads, *tails], tokenizer.lowercase)
    cut = inside.tokenize([token.removeprefix(CONTINUATION) for token in tokens]).to_list()
    return {token: [ids[i] for i in row] for token, row in zip(tokens, cut, strict=True)}


def _plain(token: str) -> str:
    """Returns a token lower-cased and without accents, as the tokenizer normalises text."""
    decomposed = unicodedata.normalize("NFD", token.lower())
    return "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
