"""Steps that are not finite: skipped, counted, and given up on."""

import json

import numpy as np
import pytest
import tensorflow as tf
from toys import Toy, describe, make_examples, make_model, replace

from bert_keras.errors import InputError
from bert_keras.training import skipped_rows
from bert_keras.training.loop import Trainer
from bert_keras.training.skipped_rows import SkippedRows


class Infinite(Toy):
    """The loss of some examples is not a number."""

    def __init__(self, examples):
        self._examples = tf.constant(examples, tf.int32)

    def losses(self, outputs, batch):
        losses = super().losses(outputs, batch)["toy"]
        bad = tf.reduce_any(batch["example"][:, tf.newaxis] == self._examples, axis=1)
        return {"toy": tf.where(bad, np.nan, losses)}


@pytest.mark.parametrize("micro_batches", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_step_that_is_not_finite_changes_nothing_but_the_count(micro_batches, capsys):
    trainer = Trainer(
        make_model(), Infinite([4]), make_examples(), replace(micro_batches=micro_batches)
    )
    skips, logged, states = [], [], []

    def on_scalars(step, scalars):
        logged.append(scalars)
        states.append([v.numpy() for v in trainer.variables])

    trainer.run(on_scalars, lambda step: None, on_skip=lambda *skip: skips.append(skip))
    steps = [step for step, _, _ in skips]
    assert len(steps) == 2 and trainer.step == 6  # example 4 is seen once an epoch
    assert "2 skipped" in capsys.readouterr().err
    for _, batch, in_a_row in skips:
        assert 4 in batch["example"].numpy() and in_a_row == 1
    assert logged[-1]["skipped_steps"] == 2
    model = trainer._model
    for step in range(2, 7):
        same = all(
            np.array_equal(*pair)
            for pair in zip(states[step - 2][: len(model.weights)], states[step - 1], strict=False)
        )
        assert same == (step in steps)
    assert all(np.isfinite(v.numpy()).all() for v in model.weights)


def test_gives_up_and_says_which_rows(tmp_path, monkeypatch):
    path = tmp_path / "skipped.jsonl"
    examples = make_examples()
    trainer = Trainer(make_model(), Infinite(range(10)), examples, replace(epochs=5.0))
    before = [v.numpy() for v in trainer._model.weights]
    monkeypatch.setattr(skipped_rows, "LIMIT", 3)
    rows = SkippedRows(describe, path)
    with pytest.raises(InputError, match=r"3 steps in a row .*skipped\.jsonl"):
        trainer.run(lambda *_: None, lambda step: None, on_skip=rows.record)
    written = [json.loads(line) for line in path.read_text().splitlines()]
    assert {row["step"] for row in written} == {1, 2, 3} and len(written) == 10
    assert {row["text"] for row in written} == {f"row {number}" for number in range(10)}
    for old, weight in zip(before, trainer._model.weights, strict=True):
        np.testing.assert_array_equal(old, weight.numpy())


def test_a_finite_step_starts_the_count_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(skipped_rows, "LIMIT", 2)
    rows = SkippedRows(describe, tmp_path / "skipped.jsonl")
    batch = {"example": tf.constant([1])}
    for step in (1, 5, 9):
        rows.record(step, batch, 1)
    with pytest.raises(InputError):
        rows.record(10, batch, 2)
    written = (tmp_path / "skipped.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in written] == [9, 10]


def test_the_rows_outlive_the_process(tmp_path, monkeypatch):
    monkeypatch.setattr(skipped_rows, "LIMIT", 4)
    path = tmp_path / "skipped.jsonl"
    batches = [{"example": tf.constant([n])} for n in range(5)]

    def record(steps, writes=True):
        rows = SkippedRows(describe, path, writes)
        for step in steps:
            rows.record(step, batches[step], step)

    record([1], writes=False)
    assert not path.exists()
    record([1, 2, 3])
    with pytest.raises(InputError, match="4 steps in a row"):
        record([3, 4])  # from the checkpoint after step 2
    written = [json.loads(line) for line in path.read_text().splitlines()]
    assert written == [{"step": n, "text": f"row {n}"} for n in (1, 2, 3, 4)]
