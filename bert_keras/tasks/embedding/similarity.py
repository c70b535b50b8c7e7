"""Losses and scores of vectors that are to be near where their texts mean the same."""

import numpy as np
import tensorflow as tf

from bert_keras.tasks.shared.scores import number_scores

SCALE = 20.0  # of cosines in a loss; the inverse of a softmax's temperature
_CHUNK = 1024  # rows compared with all others at a time
_NEVER = -1e9


def ranking_losses(first, second, first_texts, second_texts):
    """How well each text tells its pair's other text from those of the other pairs.

    The negatives are the batch's (Henderson et al. 2017, arXiv 1705.00652, section 4.4), with the
    cosine as the score, in both directions. A text that stands twice in the batch is no negative
    where it would be right.

    Args:
        first, second: float32 [pairs, hidden], vectors of length 1.
        first_texts, second_texts: int32 [pairs], the same number for the same text.

    Returns:
        float32 [2 * pairs]: for each first text, then for each second.
    """
    cosines = SCALE * tf.matmul(first, second, transpose_b=True)  # [pairs, pairs]

    def equal(some, others):
        return some[:, tf.newaxis] == others  # [pairs, pairs]

    # Pair i's first text with pair j's second: right too, if either is the other pair's own.
    right = equal(first_texts, first_texts) | equal(second_texts, second_texts)
    right |= equal(first_texts, second_texts)
    right = tf.linalg.set_diag(right, tf.zeros_like(first_texts, tf.bool))
    cosines = tf.where(right, _NEVER, cosines)
    own = tf.range(tf.size(first_texts))
    cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits
    return tf.concat([cross_entropy(own, cosines), cross_entropy(own, tf.transpose(cosines))], 0)


def order_loss(first, second, scores):
    """How far the pairs' cosines are from the order of their scores.

    CoSENT (Huang et al. 2024, "CoSENT: Consistent Sentence Embedding via Similarity Ranking"): log
    of 1 and, over all two pairs of the batch, the exponential of what the lower score's cosine is
    above the higher's. It asks for no particular cosine, so scores may be on any scale.

    Args:
        first, second: float32 [pairs, hidden], vectors of length 1.
        scores: float32 [pairs], higher for texts that are more alike.

    Returns:
        float32 [1].
    """
    cosines = SCALE * tf.reduce_sum(first * second, axis=1)  # [pairs]
    above = cosines - cosines[:, tf.newaxis]  # [pairs, pairs]: j's above i's
    above = tf.where(scores[:, tf.newaxis] > scores, above, _NEVER)
    return tf.reduce_logsumexp(tf.concat([[0.0], tf.reshape(above, [-1])], 0), keepdims=True)


def cosines_of(first, second):
    """Compares the two vectors of each pair.

    Args:
        first, second: float [pairs, hidden].

    Returns:
        float32 [pairs].
    """
    return np.einsum("ph,ph->p", _to_length_1(first), _to_length_1(second))


def similarity_scores(scores, cosines):
    """Scores cosines beside people's scores, which may be on any scale.

    Args:
        scores, cosines: float [pairs].

    Returns:
        A dict of floats: `spearman` and `pearson`, see `number_scores`.
    """
    found = number_scores(scores, cosines)
    return {name: found[name] for name in ("spearman", "pearson")}


def ranks_of_pairs(first, second, second_texts):
    """Finds, for each first text, at which place its pair's other text is among all second texts.

    Args:
        first, second: float [pairs, hidden].
        second_texts: int [pairs], the same number for the same text, which counts once.

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


def retrieval_scores(ranks):
    """Scores how well pairs are found.

    Args:
        ranks: int [pairs], see `ranks_of_pairs`.

    Returns:
        A dict of floats: `recall_at_1`, the share of texts whose nearest is their pair's, and
        `mrr`, the mean of 1 / rank.
    """
    return {"recall_at_1": float(np.mean(ranks == 1)), "mrr": float(np.mean(1 / ranks))}


def nearest(query, vectors, count):
    """Finds the vectors at the smallest angle to a query.

    Args:
        query: float [hidden].
        vectors: float [vectors, hidden].
        count: how many.

    Returns:
        (int64 [at most count], their places, the nearest first; float32, their cosines).
    """
    cosines = _to_length_1(vectors) @ _to_length_1(query[np.newaxis])[0]
    order = np.argsort(-cosines, kind="stable")[:count]
    return order, cosines[order]


def _to_length_1(vectors):
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
