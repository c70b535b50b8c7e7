from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from toys import (
    SCHEDULE,
    Toy,
    TwoTerms,
    encoded_of,
    make_examples,
    make_model,
    replace,
)

from bert_keras.data.batches import LabelledExamples, training_batches
from bert_keras.data.packing import pack
from bert_keras.errors import InputError
from bert_keras.layers.execution import Execution
from bert_keras.layers.transformer_block import TransformerBlock
from bert_keras.training import memory, sharing
from bert_keras.training.loop import Trainer
from bert_keras.training.optimizer import AdamW


@pytest.mark.parametrize(
    ("changes", "steps", "evaluations"),
    [
        ({}, 6, {3, 6}),
        ({"epochs": 3.0, "batch_size": 10}, 3, {1, 2, 3}),
        ({"evaluations_per_epoch": 3.0}, 6, {1, 2, 3, 4, 5, 6}),
        ({"evaluations_per_epoch": 0.5, "epochs": 5.0}, 15, {6, 12, 15}),
        ({"evaluations_per_epoch": 0.0}, 6, {6}),
        ({"epochs": 0.5}, 2, {2}),
        ({"epochs": 1.4}, 4, {3, 4}),
        ({"epochs": 0.01}, 1, {1}),
        ({"max_steps": 7}, 7, {3, 6, 7}),
    ],
)
def test_when_to_evaluate(changes, steps, evaluations):
    schedule = replace(**changes)
    assert schedule.steps(10) == steps
    assert schedule.evaluation_steps(10) == evaluations


def test_a_step_by_hand():
    """Weighted mean, clipped gradients, AdamW; and the same batch padded instead of packed."""
    training_set = make_examples()
    examples, targets = training_set.examples, training_set.targets
    model, trainer_model = make_model(), make_model()
    schedule = replace(epochs=1 / 3)
    trainer = Trainer(trainer_model, Toy(), training_set, schedule)
    seen = []
    trainer.run(lambda step, scalars: seen.append((step, scalars)), lambda step: None)

    batch = next(iter(training_batches(examples, targets, 4, seed=0)))
    which = batch["example"].numpy()
    apart = [pack(examples.token_ids[i : i + 1], examples.segment_ids[i : i + 1])[0] for i in which]
    with tf.GradientTape() as tape:
        logits = tf.concat([model(inputs) for inputs in apart], 0)
        losses = tf.nn.softmax_cross_entropy_with_logits(
            tf.one_hot(targets["labels"][which], 2), logits
        )
        weights = targets["weights"][which]
        expected_loss = tf.reduce_sum(losses * weights) / weights.sum()
    gradients = tape.gradient(expected_loss, model.trainable_variables)
    gradients = [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]
    norm = np.sqrt(sum(np.square(gradient).sum() for gradient in gradients))
    assert norm > 1  # else clipping would not show
    AdamW(0.01).apply([tf.constant(g / norm) for g in gradients], model.trainable_variables)

    ((step, scalars),) = seen
    assert step == trainer.step == 1
    assert scalars["loss"] == pytest.approx(float(expected_loss), rel=1e-5)
    assert scalars["gradient_norm"] == pytest.approx(norm, rel=1e-4)
    assert scalars["learning_rate"] == pytest.approx(0.01)
    tokens = sum(len(examples.token_ids[i]) for i in which)
    assert scalars["padding_share"] == pytest.approx(
        1 - tokens / tf.size(batch["inputs"]["token_ids"]).numpy()
    )
    ratio = scalars["tokens_per_second"] / scalars["examples_per_second"]
    assert ratio == pytest.approx(tokens / 4)
    before = make_model().weights
    for mine, expected, old in zip(trainer_model.weights, model.weights, before, strict=True):
        # Of the key's bias the gradient is nothing but rounding, which Adam makes a whole step of.
        if "key/bias" not in mine.path:
            np.testing.assert_allclose(mine.numpy(), expected.numpy(), atol=2e-4, err_msg=mine.path)
            assert np.abs(mine.numpy() - old.numpy()).max() > 5e-3, mine.path


def test_stops_when_an_evaluation_says_so_and_at_the_end():
    trainer = Trainer(make_model(), Toy(), make_examples(), SCHEDULE)
    assert trainer.total_steps == 6 and trainer.step == 0
    evaluated, logged = [], []

    def stop(step):
        evaluated.append(step)
        return True

    trainer.run(lambda step, scalars: logged.append(step), stop)
    assert evaluated == [3] and logged == [1, 2, 3] and trainer.step == 3
    trainer._optimizer.iterations.assign(6)
    trainer.run(lambda step, scalars: logged.append(step), stop)
    # After the last step, and no evaluation of it: that is made up for.
    assert evaluated == [3, 6] and logged == [1, 2, 3] and trainer.step == 6


def test_all_is_saved_before_a_long_evaluation_and_after_it():
    trainer = Trainer(make_model(), Toy(), make_examples(), SCHEDULE)
    done = []
    trainer.run(
        lambda step, scalars: None,
        lambda step: done.append(f"evaluated {step}"),
        lambda step, if_cheap: done.append(f"saved {step}" + " if cheap" * if_cheap),
        save_every=2,
    )
    of_three = ["saved 3 if cheap", "evaluated 3", "saved 3 if cheap"]
    of_six = ["saved 6 if cheap", "evaluated 6", "saved 6"]
    assert done == ["saved 2", *of_three, "saved 4", *of_six]


class ShortThenLong(LabelledExamples):
    """Rows of 64 tokens, and from step 4 on of 1,024."""

    def long_from(self, schedule):
        return 4

    def batches(self, schedule, first_step=0):
        times = 16 if first_step >= 4 else 1

        def lengthen(batch):
            inputs = {name: tf.tile(ids, [1, times]) for name, ids in batch["inputs"].items()}
            return batch | {"inputs": inputs}

        return super().batches(schedule, first_step).map(lengthen)


def test_memory_is_checked_for_the_longest_rows(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 60e6)
    short = make_examples()
    one_long = encoded_of([*short.examples.token_ids.to_list(), [1] * 2000])
    targets = {name: np.append(values, values[:1]) for name, values in short.targets.items()}
    first = next(iter(training_batches(one_long, targets, 4, seed=0)))
    assert first["inputs"]["token_ids"].shape[1] == 64
    with pytest.raises(InputError, match="rows of 2048 tokens"):
        Trainer(make_model(), Toy(), LabelledExamples(one_long, targets), SCHEDULE).check_memory()


@pytest.mark.long
def test_memory_is_checked_for_a_later_phase(monkeypatch):
    examples = make_examples()
    both = ShortThenLong(examples.examples, examples.targets)
    monkeypatch.setattr(memory, "free_memory", lambda: 60e6)
    Trainer(make_model(), Toy(), make_examples(), SCHEDULE).check_memory()
    Trainer(make_model(), Toy(), both, replace(max_steps=4)).check_memory()  # none is long
    with pytest.raises(InputError, match="rows of 1024 tokens"):
        Trainer(make_model(), Toy(), both, SCHEDULE).check_memory()


@pytest.mark.parametrize("optimizer", ["adamw", pytest.param("lamb", marks=pytest.mark.long)])
def test_a_batch_in_micro_batches_trains_as_it_does_whole(optimizer):
    def train(micro_batches):
        schedule = replace(
            micro_batches=micro_batches, optimizer=optimizer, decay="cosine", epochs=1.0
        )
        trainer = Trainer(make_model(), TwoTerms(), make_examples(), schedule)
        seen = []
        trainer.run(lambda step, scalars: seen.append(scalars), lambda step: None)
        return trainer._model, seen

    whole, scalars_of_whole = train(1)
    for micro_batches in (2, 3, 99):  # 99 is more than there are rows
        model, same = train(micro_batches)
        for scalars, expected in zip(same, scalars_of_whole, strict=True):
            for name in ("loss", "loss_of_toy", "loss_of_length", "gradient_norm"):
                assert scalars[name] == pytest.approx(expected[name], rel=1e-4), name
            assert scalars["padding_share"] == expected["padding_share"]
        for mine, expected in zip(model.weights, whole.weights, strict=True):
            if "key/bias" not in mine.path:
                np.testing.assert_allclose(mine.numpy(), expected.numpy(), atol=3e-4)


@pytest.mark.long
@pytest.mark.parametrize(("xla", "recompute"), [(False, True), (True, False)])
def test_shared_blocks_train_as_others_do(xla, recompute, monkeypatch):
    monkeypatch.setattr(sharing, "_WORTH_COMPILING", 0)

    def train(shares):
        # Three of them: the last one reads some tokens alone and has a trace of its own.
        model = make_model(layers=3)
        shared = sharing.training_execution(model, recompute, xla)
        model.execution = shared if shares else Execution(recompute=recompute)
        traced = []
        run = TransformerBlock.compute
        with mock.patch.object(
            TransformerBlock, "compute", lambda *given: traced.append(given[0]) or run(*given)
        ):
            seen = []
            trainer = Trainer(model, TwoTerms(), make_examples(), replace(epochs=1.0))
            trainer.run(lambda step, scalars: seen.append(scalars), lambda step: None)
        assert len({block.name for block in traced}) == (1 if shares else 3)
        return seen

    for scalars, expected in zip(train(True), train(False), strict=True):
        for name in ("loss", "gradient_norm"):
            assert scalars[name] == pytest.approx(expected[name], rel=1e-4), name
