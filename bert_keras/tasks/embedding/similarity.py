"""Losses and scores of vectors that should be close if their texts mean the same."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from bert_keras.tasks.shared.scores import number_scores

SCALE = 20.0  # of cosines in a loss; the inverse of a softmax's temperature
_CHUNK = 1024  # rows compared with all others at a time
_NEVER = -1e9


def ranking_losses(
    first: tf.Tensor, second: tf.Tensor, first_texts: tf.Tensor, second_texts: tf.Tensor
) -> tf.Tensor:
    """Computes the cross-entropy of each text's pair among the pairs of the batch.

    Multiple negatives ranking loss (Henderson et al. 2017, arXiv 1705.00652, section 4.4): the
    negatives of a text are the other texts of the batch. The score is the scaled cosine, and both
    directions count. A text that occurs twice in the batch is not a negative of its own pair.

    Args:
        first: float32 [pairs, hidden], vectors of length 1.
        second: float32 [pairs, hidden], likewise.
        first_texts: int32 [pairs], equal numbers for equal texts.
        second_texts: int32 [pairs], likewise.

    Returns:
        float32 [2 * pairs]: the losses of the first texts, then those of the second texts.
    """
    cosines = SCALE * tf.matmul(first, second, transpose_b=True)  # [pairs, pairs]

    def equal(texts: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
        return texts[:, tf.newaxis] == others  # [pairs, pairs]

    # Whether pair j's second text is also right for pair i's first: either is the other's own.
    right = equal(first_texts, first_texts) | equal(second_texts, second_texts)
    right |= equal(first_texts, second_texts)
    right = tf.linalg.set_diag(right, tf.zeros_like(first_texts, tf.bool))
    cosines = tf.where(right, _NEVER, cosines)
    own = tf.range(tf.size(first_texts))
    cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits
    return tf.concat([cross_entropy(own, cosines), cross_entropy(own, tf.transpose(cosines))], 0)


def order_loss(first: tf.Tensor, second: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
    """Computes how far the order of the pairs' cosines is from the order of their scores.

    CoSENT (Huang et al. 2024, "CoSENT: Consistent Sentence Embedding via Similarity Ranking"): the
    logarithm of 1 plus a sum over every two pairs of the batch with different scores. A summand is
    the exponential of the scaled difference: the cosine of the pair with the lower score less the
    other. The loss depends on the order of the scores alone, so they may be on any scale.

    Args:
        first: float32 [pairs, hidden], vectors of length 1.
        second: float32 [pairs, hidden], likewise.
        scores: float32 [pairs], higher for texts that are more alike.

    Returns:
        float32 [1].
    """
    cosines = SCALE * tf.reduce_sum(first * second, axis=1)  # [pairs]
    above = cosines - cosines[:, tf.newaxis]  # [pairs, pairs]: j's above i's
    above = tf.where(scores[:, tf.newaxis] > scores, above, _NEVER)
    return tf.reduce_logsumexp(tf.concat([[0.0], tf.reshape(above, [-1])], 0), keepdims=True)


def pair_cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Computes the cosine of the two vectors of each pair.

    Args:
        first: float [pairs, hidden].
        second: float [pairs, hidden].

    Returns:
        float32 [pairs].
    """
    return np.einsum("ph,ph->p", _to_length_1(first), _to_length_1(second))


def similarity_scores(
    scores: np.ndarray | Sequence[float], cosines: np.ndarray
) -> dict[str, float]:
    """Correlates cosines with human scores, which may be on any scale.

    Args:
        scores: float [pairs].
        cosines: float [pairs].

    Returns:
        `spearman` and `pearson`; see `number_scores`.
    """
    correlations = number_scores(scores, cosines)
    return {name: correlations[name] for name in ("spearman", "pearson")}


def pair_ranks(first: np.ndarray, second: np.ndarray, second_texts: np.ndarray) -> np.ndarray:
    """Computes the rank of each pair's second text among all second texts, by their cosines.

    Args:
        first: float [pairs, hidden].
        second: float [pairs, hidden].
        second_texts: int [pairs], equal numbers for equal texts. A text that occurs several times
            counts once.

    Returns:
        int64 [pairs], from 1.
    """
    first, second = _to_length_1(first), _to_length_1(second)
    _, distinct = np.unique(second_texts, return_index=True)
    ranks = []
    for start in range(0, len(first), _CHUNK):
        chunk = first[start : start + _CHUNK]
        own = np.einsum("ph,ph->p", chunk, second[start : start + _CHUNK])
        cosines = chunk @ second[distinct].T  # [chunk, distinct]
        others = second_texts[distinct] != second_texts[start : start + _CHUNK, None]
        ranks.append(1 + ((cosines > own[:, None]) & others).sum(axis=1))
    return np.concatenate(ranks)


def retrieval_scores(ranks: np.ndarray) -> dict[str, float]:
    """Scores how well the second texts of pairs are retrieved by the first.

    Args:
        ranks: int [pairs], see `pair_ranks`.

    Returns:
        `recall_at_1`, the share of texts whose nearest text is that of their pair, and `mrr`, the
        mean of 1 / rank.
    """
    return {"recall_at_1": float(np.mean(ranks == 1)), "mrr": float(np.mean(1 / ranks))}


def nearest(query: np.ndarray, vectors: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Finds the vectors at the smallest angle to a query.

    Args:
        query: float [hidden].
        vectors: float [vectors, hidden].
        count: how many to return; all, if there are fewer.

    Returns:
        The indices of the vectors, int64 [count], the nearest first, and their cosines, float32
        [count].
    """
    cosines = _to_length_1(vectors) @ _to_length_1(query[np.newaxis])[0]
    order = np.argsort(-cosines, kind="stable")[:count]
    return order, cosines[order]


def _to_length_1(vectors: np.ndarray) -> np.ndarray:
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
