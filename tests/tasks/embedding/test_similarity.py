import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from bert_keras.tasks.embedding import similarity

RANDOM = np.random.default_rng(0)
FIRST, SECOND = RANDOM.normal(size=(2, 5, 4)).astype(np.float32)
UNIT = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (FIRST, SECOND)]
COSINES = UNIT[0] @ UNIT[1].T
APART = np.arange(5), np.arange(5, 10)  # all texts different


def cross_entropy(cosines, own):
    """Of one text: its cosines with all that it is compared with, and with its own."""
    return np.log(np.exp(20 * np.array(cosines)).sum()) - 20 * own


def ranking(first_texts, second_texts):
    return similarity.ranking_losses(*UNIT, tf.constant(first_texts), tf.constant(second_texts))


def test_each_text_is_told_from_all_others_in_both_directions():
    found = ranking(*APART)
    rows = [cross_entropy(COSINES[i], COSINES[i, i]) for i in range(5)]
    columns = [cross_entropy(COSINES[:, i], COSINES[i, i]) for i in range(5)]
    np.testing.assert_allclose(found, [*rows, *columns], rtol=1e-4, atol=1e-5)


def test_equal_texts_are_no_negatives():
    # Pairs 0 and 3 have the same first text, 1 and 4 the same second; 2's second is 1's first.
    found = ranking([0, 1, 2, 0, 4], [5, 6, 1, 8, 6]).numpy()
    allowed = np.ones([5, 5], bool)
    for i, j in ((0, 3), (1, 4)):
        allowed[i, j] = allowed[j, i] = False
    allowed[1, 2] = False
    rows = [cross_entropy(COSINES[i][allowed[i]], COSINES[i, i]) for i in range(5)]
    columns = [cross_entropy(COSINES[:, i][allowed[:, i]], COSINES[i, i]) for i in range(5)]
    np.testing.assert_allclose(found, [*rows, *columns], rtol=1e-4, atol=1e-5)


def test_one_pair_alone_teaches_nothing():
    found = similarity.ranking_losses(UNIT[0][:1], UNIT[1][:1], tf.constant([0]), tf.constant([1]))
    assert found.numpy().tolist() == [0, 0]


def test_order_loss_is_of_the_pairs_in_the_wrong_order():
    scores = np.array([3, 1, 1, 5, 0], np.float32)
    cosines = COSINES.diagonal()
    total = 1.0
    for i in range(5):
        for j in range(5):
            if scores[i] > scores[j]:
                total += np.exp(20 * (cosines[j] - cosines[i]))
    found = similarity.order_loss(*UNIT, tf.constant(scores))
    np.testing.assert_allclose(found, [np.log(total)], rtol=1e-4)
    # The scale of the scores is no matter.
    np.testing.assert_array_equal(
        similarity.order_loss(*UNIT, tf.constant(scores * 7 - 100)), found
    )
    assert similarity.order_loss(*UNIT, tf.zeros([5])).numpy().tolist() == [0]


def test_order_loss_has_finite_gradients():
    vectors = tf.constant(UNIT[0])
    with tf.GradientTape() as tape:
        tape.watch(vectors)
        loss = similarity.order_loss(vectors, UNIT[1], tf.constant([3.0, 1, 1, 5, 0]))
    gradient = tape.gradient(loss, vectors).numpy()
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0


def test_scores_of_cosines():
    cosines = similarity.pair_cosines(FIRST, 7 * SECOND)
    np.testing.assert_allclose(cosines, COSINES.diagonal(), rtol=1e-5)
    scores = [1.0, 3, 2, 5, 4]
    found = similarity.similarity_scores(scores, cosines)
    assert list(found) == ["spearman", "pearson"]
    assert found["spearman"] == pytest.approx(stats.spearmanr(scores, cosines).statistic)
    assert found["pearson"] == pytest.approx(stats.pearsonr(scores, cosines).statistic)


@pytest.mark.parametrize("chunk", [1, 2, 99])
def test_pair_ranks(monkeypatch, chunk):
    monkeypatch.setattr(similarity, "_CHUNK", chunk)
    texts = np.array([7, 8, 7, 9, 10])  # the first and the third are one text
    second = SECOND.copy()
    second[2] = second[0]
    found = similarity.pair_ranks(FIRST, second, texts)
    unit = second / np.linalg.norm(second, axis=1, keepdims=True)
    cosines = UNIT[0] @ unit.T
    distinct = [0, 1, 3, 4]
    own = [0, 1, 0, 3, 4]
    for i in range(5):
        better = [j for j in distinct if j != own[i] and cosines[i, j] > cosines[i, own[i]]]
        assert found[i] == 1 + len(better)
    scores = similarity.retrieval_scores(np.array([1, 2, 1, 4]))
    assert scores == {"recall_at_1": 0.5, "mrr": pytest.approx((1 + 0.5 + 1 + 0.25) / 4)}


def test_nearest():
    locations, cosines = similarity.nearest(FIRST[0] * 3, SECOND, 3)
    assert locations.tolist() == np.argsort(-COSINES[0])[:3].tolist()
    np.testing.assert_allclose(cosines, sorted(COSINES[0], reverse=True)[:3], rtol=1e-5)
    assert len(similarity.nearest(FIRST[0], SECOND, 99)[0]) == 5
