import dataclasses
import itertools

import tensorflow as tf

from bert_keras.tasks.pretraining.phases import Phases


@dataclasses.dataclass
class Numbered:
    """Batches that say which they are, in rows of some length."""

    length: int
    count: int = 7

    def __len__(self):
        return self.count

    def batches(self, batch_size, seed, first_step=0):
        numbers = tf.data.Dataset.range(first_step, 10_000)
        return numbers.map(lambda n: {"rows": tf.fill([1, self.length], n), "seed": seed})


@dataclasses.dataclass
class Plan:
    batch_size: int = 4
    seed: int = 3

    def steps(self, examples):
        assert examples == 7
        return 10


def draw(phases, first_step, count):
    found = itertools.islice(phases.batches(Plan(), first_step).as_numpy_iterator(), count)
    return [(batch["rows"].shape[1], int(batch["rows"][0, 0])) for batch in found]


def test_one_phase():
    assert draw(Phases(Numbered(8)), 2, 3) == [(8, 2), (8, 3), (8, 4)]


def test_short_rows_first():
    phases = Phases(Numbered(8), Numbered(4, count=20), short_share=0.3)
    assert len(phases) == 7
    unbroken = draw(phases, 0, 10)
    assert unbroken == [(4, n) for n in range(3)] + [(8, n) for n in range(7)]
    for step in range(1, 10):
        assert draw(phases, step, 10 - step) == unbroken[step:]
