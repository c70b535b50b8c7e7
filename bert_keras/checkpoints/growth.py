"""Words of a domain into a vocabulary, each with an embedding to start from."""

import dataclasses
import logging
import os
import re
import unicodedata

import numpy as np

from bert_keras.checkpoints.contents import Contents
from bert_keras.checkpoints.convert import read_all, write_all
from bert_keras.errors import InputError
from bert_keras.text.tokenizer import BertTokenizer
from bert_keras.text.vocabulary import CONTINUATION, SPECIAL_TOKENS, read_lines

_IN_BRACKETS = re.compile(r"\[.+\]")  # [CLS], [unused7]: no token of text

logger = logging.getLogger(__name__)


def grow(ref, new_tokens, folder, most=None, layout="huggingface"):
    """Writes a checkpoint whose vocabulary has more words.

    The old tokens keep their ids and their rows, bit for bit. A new one's row of the word
    embedding, and its entry of the output bias where there is one, starts as the mean of those of
    the pieces into which the old tokenizer cut it, so that the model understands it about as
    before. (Of a token whose characters the old vocabulary does not have, as the mean of all.)

    Args:
        ref: the checkpoint, a folder or `pkg://package/path`.
        new_tokens: what to add: a list of tokens, "##" before those that go on a word, or the path
            of a file with one a line, such as a vocabulary learned from the domain's text. Those
            that are there already are passed over, and so is what stands in brackets.
        folder: where the new checkpoint goes; it appears whole or not at all.
        most: how many to add at most, the first ones; all unless given.
        layout: see `convert`.

    Returns:
        The tokens that were added, a list of str; the first has the id that the old vocabulary had
        tokens.

    Raises:
        InputError: the checkpoint cannot be used, there is nothing to add, or a new token could
            never be met, because text is cut inside of it.
    """
    contents, tokenizer, extra = read_all(ref)
    if tokenizer is None:
        raise InputError(f"{ref}: expected a vocabulary beside the weights, found none.")
    added = tokens_to_add(tokenizer, new_tokens, most)
    grown = BertTokenizer(
        tokenizer.vocabulary + added,
        tokenizer.lowercase,
        tokenizer.max_length,
        tokenizer.protect_special_tokens,
    )
    write_all(grown_contents(contents, tokenizer, added), grown, extra, folder, layout)
    return added


def tokens_to_add(tokenizer, new_tokens, most=None):
    """Chooses what a vocabulary grows by; the arguments are those of `grow`.

    Returns:
        The tokens, a list of str, lower-cased and without accents if the tokenizer's text is.
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
    added = added[:most]
    if not added:
        raise InputError(
            f"{location}: expected a token that the vocabulary does not have, found none."
        )

    # Each must come out whole when it is met, which only a tokenizer can tell.
    bare = [token.removeprefix(CONTINUATION) for token in added]
    words = list(dict.fromkeys([*SPECIAL_TOKENS, *bare]))
    ids = BertTokenizer(words, tokenizer.lowercase).tokenize(bare)
    for line, token, word, found in zip(lines, added, bare, ids.to_list(), strict=False):
        if found != [words.index(word)]:
            raise InputError(
                f"{location}:{line}: {token!r} cannot be a token, because text is cut inside of it."
            )
    return added


def grown_contents(contents, tokenizer, added):
    """Gives new tokens their rows.

    Args:
        contents: the checkpoint's `Contents`.
        tokenizer: its `BertTokenizer`.
        added: the new tokens; see `tokens_to_add`.

    Returns:
        A `Contents` with so many rows more.
    """
    pieces = _pieces(tokenizer, added)
    unknown = [token for token, ids in zip(added, pieces, strict=True) if not ids]
    if unknown:
        logger.warning(
            "%d of %d new tokens have characters that the old vocabulary has not and start as the "
            "mean of all: %s.",
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


def _pieces(tokenizer, tokens):
    """The ids of the old pieces of each token, none where a character is unknown."""
    starts = [token for token in tokens if not token.startswith(CONTINUATION)]
    cut = dict(zip(starts, tokenizer.tokenize(starts).to_list(), strict=True))
    if len(cut) < len(tokens):
        cut |= _pieces_inside(tokenizer, [token for token in tokens if token not in cut])
    return [[] if tokenizer.unk_id in cut[token] else cut[token] for token in tokens]


def _pieces_inside(tokenizer, tokens):
    """The ids by token of those that go on a word: cut as if pieces that go on began words too."""
    vocabulary = tokenizer.vocabulary
    tails = [t for t in vocabulary if t.startswith(CONTINUATION) and t != CONTINUATION]
    heads = [tail.removeprefix(CONTINUATION) for tail in tails]
    specials = [token for token in SPECIAL_TOKENS if token not in heads]
    location = {token: index for index, token in enumerate(vocabulary)}
    ids = [location[token] for token in [*specials, *tails, *tails]]
    inside = BertTokenizer([*specials, *heads, *tails], tokenizer.lowercase)
    cut = inside.tokenize([token.removeprefix(CONTINUATION) for token in tokens]).to_list()
    return {token: [ids[i] for i in row] for token, row in zip(tokens, cut, strict=True)}


def _plain(token):
    """Lower-cased and without accents, as the tokenizer makes its text."""
    decomposed = unicodedata.normalize("NFD", token.lower())
    return "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
