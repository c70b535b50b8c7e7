import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_keras.training.learning_rate import WarmupDecay
from bert_keras.training.optimizer import AdamW, Lamb


def make_model():
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(6, 4, name="words"),
            keras.layers.LayerNormalization(name="norm"),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(2, name="out"),
        ]
    )


class Paper:
    """Algorithm 2 of Loshchilov & Hutter 2017 in NumPy, in float64."""

    def __init__(self, weight, decay):
        self.weight, self.decay = weight.astype(np.float64), decay
        self.m, self.v, self.t = 0.0, 0.0, 0

    def step(self, gradient, rate):
        self.t += 1
        self.m = 0.9 * self.m + 0.1 * gradient
        self.v = 0.999 * self.v + 0.001 * gradient**2
        m, v = self.m / (1 - 0.9**self.t), self.v / (1 - 0.999**self.t)
        self.move(rate, m / (np.sqrt(v) + 1e-6))

    def move(self, rate, update):
        self.weight = self.weight - rate * (update + self.decay * self.weight)


class LambPaper(Paper):
    """Algorithm 2 of You et al. 2019, with the first norm as it is (phi the identity)."""

    def move(self, rate, update):
        update = update + self.decay * self.weight
        if self.decay:
            update *= np.linalg.norm(self.weight) / np.linalg.norm(update)
        self.weight = self.weight - rate * update


@pytest.mark.parametrize(("kind", "reference"), [(AdamW, Paper), (Lamb, LambPaper)])
def test_steps_equal_the_paper(kind, reference):
    model = make_model()
    names = [variable.path.split("/")[-1] for variable in model.trainable_variables]
    assert names == ["embeddings", "gamma", "beta", "kernel", "bias"]
    papers = [
        reference(variable.numpy(), decay)
        for variable, decay in zip(model.trainable_variables, [0.1, 0, 0, 0.1, 0], strict=True)
    ]
    schedule = WarmupDecay(0.05, 10, 0.2)
    optimizer = kind(schedule, weight_decay=0.1)
    random = np.random.default_rng(0)
    for step in range(6):
        # Tiny ones show where epsilon is added.
        scale = 10.0 ** random.integers(-6, 1)
        gradients = [scale * random.normal(size=v.shape) for v in model.trainable_variables]
        optimizer.apply([tf.constant(g, tf.float32) for g in gradients], model.trainable_variables)
        rate = 0.05 * min(step / 2, (10 - step) / 8)
        for paper, gradient, variable in zip(
            papers, gradients, model.trainable_variables, strict=True
        ):
            paper.step(gradient, rate)
            np.testing.assert_allclose(variable.numpy(), paper.weight, rtol=2e-5, atol=2e-6)
    assert int(optimizer.iterations) == 6


@pytest.mark.parametrize("kind", [AdamW, Lamb])
def test_an_update_moves_as_apply_does_or_not_at_all(kind):
    gradient = tf.constant([[0.1, -2.0], [3.0, 0.0]])
    kept = []
    for updates in (False, True):
        weight = keras.Variable(np.ones((2, 2), np.float32), name="kernel")
        optimizer = kind(0.1)
        optimizer.build([weight])
        optimizer.apply([gradient], [weight])
        if updates:
            before = [variable.numpy() for variable in (weight, *optimizer.variables)]
            optimizer.update([gradient * 0], [weight], 0.1, moves=False)
            for variable, value in zip((weight, *optimizer.variables), before, strict=True):
                np.testing.assert_array_equal(variable.numpy(), value)
            optimizer.update([gradient], [weight], 0.1, moves=True)
        else:
            optimizer.apply([gradient], [weight])
        kept.append(weight.numpy())
    np.testing.assert_array_equal(*kept)


def test_repeated_rows_of_an_embedding_add_up():
    table = keras.Variable(np.ones((4, 3), np.float32), name="embeddings")
    dense = keras.Variable(np.ones((4, 3), np.float32), name="embeddings")
    rows = tf.constant([[0.1, -2.0, 3.0], [4.0, 0.5, -6.0], [1.0, 1.0, 1.0]])
    slices = tf.IndexedSlices(rows, tf.constant([1, 1, 3]), tf.constant([4, 3]))
    summed = np.zeros((4, 3), np.float32)
    summed[1], summed[3] = rows[0] + rows[1], rows[2]
    for variable, gradient in ((table, slices), (dense, tf.constant(summed))):
        optimizer = AdamW(0.1)
        for _ in range(3):
            optimizer.apply([gradient], [variable])
    np.testing.assert_array_equal(table.numpy(), dense.numpy())
    assert not np.allclose(table.numpy()[1], 1, atol=0.01)


def test_lamb_moves_a_weight_of_nothing_but_zeros():
    weight = keras.Variable(np.zeros((2, 3), np.float32), name="kernel")
    Lamb(0.1).apply([tf.ones((2, 3))], [weight])
    np.testing.assert_allclose(weight.numpy(), -0.1, rtol=1e-4)


def test_config_round_trip():
    optimizer = AdamW(
        WarmupDecay(1e-3, 70, 0.3), weight_decay=0.2, epsilon=1e-5, global_clipnorm=1.0
    )
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is AdamW
    assert again.get_config() == optimizer.get_config()
    assert (again.decay, again.epsilon, again.global_clipnorm) == (0.2, 1e-5, 1.0)
    # The rate itself, not only the config: it is a schedule again.
    again.build([])
    again.iterations.assign(7)
    assert float(again.learning_rate) == pytest.approx(1e-3 * 7 / 21)


def test_compile_and_fit(tmp_path):
    model = make_model()
    model.compile(
        AdamW(0.05, global_clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    words = np.array([[0, 1], [1, 0], [2, 3], [3, 2]] * 8)
    labels = np.array([0, 0, 1, 1] * 8)
    losses = model.fit(words, labels, epochs=8, batch_size=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 3
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for saved, loaded in zip(model.optimizer.variables, again.optimizer.variables, strict=True):
        np.testing.assert_array_equal(saved.numpy(), loaded.numpy())
    after = model.fit(words, labels, shuffle=False, verbose=0).history["loss"]
    assert again.fit(words, labels, shuffle=False, verbose=0).history["loss"] == after


@pytest.mark.parametrize("kind", [AdamW, Lamb])
def test_the_example_of_the_docstring_runs(kind):
    _, _, example = kind.__doc__.partition("Example:\n")
    namespace = {}
    exec(textwrap.dedent(example), namespace)
    assert type(namespace["model"].optimizer) is kind
    assert int(namespace["model"].optimizer.iterations) == 2
