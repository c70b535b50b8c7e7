"""Documents to passages: runs of whole sentences of one document, as token ids."""

import bisect
import concurrent.futures
import hashlib
import itertools
from typing import NamedTuple

import numpy as np

_BATCH = 1 << 20  # characters tokenised at a time: most words are repeats, and cost nothing
_SHARD_BITS = 32  # a document's number is its shard's, and its own within the shard


class Passage(NamedTuple):
    """A run of whole sentences of one document; a sentence too long for one is cut.

    Attributes:
        document: the document's number in the corpus.
        number: the passage's own in its document, from 0.
        tokens: int32 [n], n from 1, without special tokens.
        sentences: int32 [s], where in `tokens` each sentence begins; the first is 0.
    """

    document: int
    number: int
    tokens: np.ndarray
    sentences: np.ndarray


def read_passages(corpus, shards, tokenizer, room):
    """Reads shards of a corpus as passages. Memory does not grow with them.

    Args:
        corpus: a `Corpus`.
        shards: which of its shards, their indices, ascending.
        tokenizer: a `BertTokenizer`.
        room: tokens a passage may have.

    Yields:
        A list of `Passage`s, in the order of the text, and how many characters the text had from
        which they were made, about a million a time. No token is left out.
    """
    carried, passages_of = None, {}
    batches = ahead(_batches(number_documents(corpus, shards)))
    for sentences, owners, size in itertools.chain(batches, [([], [], 0)]):
        ids = tokenizer.tokenize(sentences)
        tokens, lengths = ids.values.numpy(), ids.row_lengths().numpy()
        owners, lengths = _pieces(np.asarray(owners, np.int64), lengths, room)
        if carried:  # the last passage of the batch before may have room for more of its document
            owners, lengths, tokens = map(
                np.concatenate, zip(carried, (owners, lengths, tokens), strict=True)
            )
        starts = np.concatenate([[0], np.cumsum(lengths)])  # [pieces + 1]
        runs = _runs(owners, starts, room)
        carried = None
        if runs and sentences:
            first, last = runs.pop()
            carried = owners[first:last], lengths[first:last], tokens[starts[first] : starts[last]]
        passages = []
        for first, last in runs:
            owner = int(owners[first])
            number = passages_of.get(owner, 0)
            passages_of = {owner: number + 1}
            passages.append(
                Passage(
                    document=owner,
                    number=number,
                    tokens=tokens[starts[first] : starts[last]],
                    sentences=(starts[first:last] - starts[first]).astype(np.int32),
                )
            )
        yield passages, size


def is_held_out(document, fraction):
    """Whether a document is kept for validation: by a hash of its number, and the first one always.

    Args:
        document: its number in the corpus.
        fraction: of the documents.
    """
    share = int.from_bytes(hashlib.sha256(str(document).encode()).digest()[:8], "big") / 2**64
    return document == 0 or share < fraction


def sentences_of(corpus, fraction, held_out):
    """Yields the sentences of some of the documents.

    Args:
        corpus: a `Corpus`.
        fraction: of the documents, that is kept for validation.
        held_out: whether to yield those that are kept, or all others; None for all.
    """
    for number, document in number_documents(corpus, range(len(corpus.shards))):
        if held_out is None or is_held_out(number, fraction) == held_out:
            yield from document.sentences


def ahead(items):
    """Yields an iterator's items, the next one being made in a thread while this one is used."""
    items = iter(items)
    end = object()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, items, end)
            yield item


def number_documents(corpus, shards):
    """Yields documents, and parts of them, each with the document's number."""
    for shard in shards:
        number, location = (shard << _SHARD_BITS) - 1, None
        for document in corpus.documents(corpus.shards[shard]):
            if document.location != location:  # a long document comes in parts of the same place
                number, location = number + 1, document.location
            yield number, document


def _batches(documents):
    """Yields sentences, the number of the document of each, and their characters in all."""
    sentences, owners, size = [], [], 0
    for number, document in documents:
        for sentence in document.sentences:
            sentences.append(sentence)
            owners.append(number)
            size += len(sentence) + 1
            if size >= _BATCH:
                yield sentences, owners, size
                sentences, owners, size = [], [], 0
    if sentences:
        yield sentences, owners, size


def _pieces(owners, lengths, room):
    """Cuts sentences longer than a passage; leaves out those without tokens.

    Args:
        owners: int64 [sentences].
        lengths: int64 [sentences], in tokens.
        room: tokens a passage may have.

    Returns:
        The owners and lengths of the pieces, int64 [pieces]; only a sentence's last is not full.
    """
    counts = -(-lengths // room)  # [sentences]
    pieces = np.repeat(np.minimum(lengths, room), counts)  # [pieces]
    lasts = np.cumsum(counts)[counts > 0] - 1
    pieces[lasts] = (lengths - (counts - 1) * room)[counts > 0]
    return np.repeat(owners, counts), pieces


def _runs(owners, starts, room):
    """Takes as many pieces at a time as fit and are of one document.

    Args:
        owners: int64 [pieces], ascending.
        starts: int64 [pieces + 1], the tokens before each piece.
        room: tokens a run may have.

    Returns:
        list of (first piece, piece after the last).
    """
    document_ends = np.searchsorted(owners, owners, "right").tolist()
    starts = starts.tolist()
    runs, first = [], 0
    while first < len(document_ends):
        last = bisect.bisect_right(starts, starts[first] + room, first + 1) - 1
        last = min(last, document_ends[first])
        runs.append((first, last))
        first = last
    return runs
