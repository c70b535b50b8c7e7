import subprocess
import sys

import numpy as np
import pytest

from bert_keras.data.epochs import epoch_order, steps_per_epoch


@pytest.mark.parametrize(("batch_size", "steps"), [(1, 10), (4, 3), (5, 2), (10, 1), (99, 1)])
def test_a_smaller_last_batch_is_a_step(batch_size, steps):
    assert steps_per_epoch(10, batch_size) == steps


def test_the_order_is_a_function_of_seed_and_epoch():
    order = epoch_order(100, seed=3, epoch=2)
    assert sorted(order) == list(range(100))
    np.testing.assert_array_equal(order, epoch_order(100, seed=3, epoch=2))
    assert not np.array_equal(order, epoch_order(100, seed=3, epoch=1))
    assert not np.array_equal(order, epoch_order(100, seed=4, epoch=2))
    # Recorded once: another order would break the resumption of runs.
    assert epoch_order(8, seed=3, epoch=2).tolist() == [1, 7, 4, 0, 2, 6, 3, 5]


def test_sources_and_epochs_do_not_import_tensorflow():
    code = (
        "import sys, bert_keras.data.epochs, bert_keras.data.source\n"
        "print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
