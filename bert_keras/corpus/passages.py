"""Documents to passages: runs of whole sentences of one document, as token ids."""

import bisect
import concurrent.futures
import hashlib
import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

import numpy as np

from bert_keras.corpus.corpus import Corpus
from bert_keras.corpus.documents import Document
from bert_keras.text.tokenizer import BertTokenizer

T = TypeVar("T")

_BATCH = 1 << 20  # characters tokenised at a time: most words repeat, and repetitions cost nothing
_SHARD_BITS = 32  # of a document's number: its shard's number is above, its own below


class Passage(NamedTuple):
    """A run of whole sentences of one document; a sentence longer than a passage is cut.

    Attributes:
        document: the document's number in the corpus.
        number: the passage's number in its document, from 0.
        tokens: int32 [n], at least one, without special tokens.
        sentences: int32 [s], the index in `tokens` at which each sentence starts; the first is 0.
    """

    document: int
    number: int
    tokens: np.ndarray
    sentences: np.ndarray


def read_passages(
    corpus: Corpus, shards: Iterable[int], tokenizer: BertTokenizer, max_tokens: int
) -> Iterator[tuple[list[Passage], int]]:
    """Reads shards of a corpus as passages, in memory that does not grow with the shards.

    Args:
        corpus: the corpus.
        shards: the indices of shards, ascending.
        tokenizer: turns texts into token ids.
        max_tokens: tokens that a passage may have, without special tokens.

    Yields:
        Passages in the order of the text, and the number of characters that they were made from,
        about a million at a time. No token is left out.
    """
    carried: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    passages_of: dict[int, int] = {}  # the number of passages of the last document
    batches = ahead(_batches(number_documents(corpus, shards)))
    end: tuple[list[str], list[int], int] = ([], [], 0)
    for sentences, numbers, size in itertools.chain(batches, [end]):
        ids = tokenizer.tokenize(sentences)
        tokens, lengths = ids.values.numpy(), ids.row_lengths().numpy()
        document_ids, lengths = _pieces(np.asarray(numbers, np.int64), lengths, max_tokens)
        if carried:  # more of its document may fit into the last passage of the previous batch
            document_ids, lengths, tokens = map(
                np.concatenate, zip(carried, (document_ids, lengths, tokens), strict=True)
            )
        starts = np.concatenate([[0], np.cumsum(lengths)])  # [pieces + 1]
        runs = _runs(document_ids, starts, max_tokens)
        carried = None
        if runs and sentences:
            first, last = runs.pop()
            pieces = slice(first, last)
            carried = document_ids[pieces], lengths[pieces], tokens[starts[first] : starts[last]]
        passages = []
        for first, last in runs:
            document = int(document_ids[first])
            number = passages_of.get(document, 0)
            passages_of = {document: number + 1}
            passages.append(
                Passage(
                    document=document,
                    number=number,
                    tokens=tokens[starts[first] : starts[last]],
                    sentences=(starts[first:last] - starts[first]).astype(np.int32),
                )
            )
        yield passages, size


def is_held_out(document: int, fraction: float) -> bool:
    """Returns whether a document is held out, by a hash of its number. The first one always is.

    Args:
        document: the document's number in the corpus.
        fraction: the share of the documents to hold out.
    """
    share = int.from_bytes(hashlib.sha256(str(document).encode()).digest()[:8], "big") / 2**64
    return document == 0 or share < fraction


def sentences_of(corpus: Corpus, fraction: float, held_out: bool | None) -> Iterator[str]:
    """Yields the sentences of some of the documents.

    Args:
        corpus: the corpus.
        fraction: the share of the documents that is held out.
        held_out: True for the documents held out, False for the others, None for all.
    """
    for number, document in number_documents(corpus, range(len(corpus.shards))):
        if held_out is None or is_held_out(number, fraction) == held_out:
            yield from document.sentences


def ahead(items: Iterable[T]) -> Iterator[T]:
    """Yields the items of an iterable. A thread makes the next item while one is used."""
    iterator = iter(items)
    end = object()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, iterator, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, iterator, end)
            yield item  # type: ignore[misc]  # mypy does not see that it is not `end`


def number_documents(corpus: Corpus, shards: Iterable[int]) -> Iterator[tuple[int, Document]]:
    """Yields documents, or their sections if they are long, each with the document's number."""
    for shard in shards:
        number, location = (shard << _SHARD_BITS) - 1, ""
        for document in corpus.documents(corpus.shards[shard]):
            if document.location != location:  # sections of a document have one location
                number, location = number + 1, document.location
            yield number, document


def _batches(
    documents: Iterable[tuple[int, Document]],
) -> Iterator[tuple[list[str], list[int], int]]:
    """Yields sentences, the number of the document of each, and the sum of their characters."""
    sentences: list[str] = []
    document_ids: list[int] = []
    size = 0
    for number, document in documents:
        for sentence in document.sentences:
            sentences.append(sentence)
            document_ids.append(number)
            size += len(sentence) + 1
            if size >= _BATCH:
                yield sentences, document_ids, size
                sentences, document_ids, size = [], [], 0
    if sentences:
        yield sentences, document_ids, size


def _pieces(
    document_ids: np.ndarray, lengths: np.ndarray, max_tokens: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cuts sentences longer than a passage into pieces; leaves out those without tokens.

    Args:
        document_ids: int64 [sentences].
        lengths: int64 [sentences], in tokens.
        max_tokens: tokens that a passage may have.

    Returns:
        The document ids and lengths of the pieces, int64 [pieces] each. All pieces of a sentence
        but its last one have `max_tokens`.
    """
    counts = -(-lengths // max_tokens)  # [sentences]
    pieces = np.repeat(np.minimum(lengths, max_tokens), counts)  # [pieces]
    lasts = np.cumsum(counts)[counts > 0] - 1
    pieces[lasts] = (lengths - (counts - 1) * max_tokens)[counts > 0]
    return np.repeat(document_ids, counts), pieces


def _runs(
    document_ids: np.ndarray, piece_starts: np.ndarray, max_tokens: int
) -> list[tuple[int, int]]:
    """Groups consecutive pieces of one document, as many as fit into a passage.

    Args:
        document_ids: int64 [pieces], ascending.
        piece_starts: int64 [pieces + 1], the tokens before each piece.
        max_tokens: tokens that a passage may have.

    Returns:
        (first piece, piece after the last) of each run.
    """
    document_ends = np.searchsorted(document_ids, document_ids, "right").tolist()
    starts = piece_starts.tolist()
    runs, first = [], 0
    while first < len(document_ends):
        last = bisect.bisect_right(starts, starts[first] + max_tokens, first + 1) - 1
        last = min(last, document_ends[first])
        runs.append((first, last))
        first = last
    return runs
