import json
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_keras.checkpoints.load import open_checkpoint
from bert_keras.errors import InputError
from bert_keras.models.classifier import BertClassifier
from bert_keras.models.pretrainer import BertPretrainer
from bert_keras.options import from_record, record_of
from bert_keras.run import Run
from bert_keras.tasks.pretraining.task import Pretraining
from bert_keras.tensorboard.writer import RunWriter
from bert_keras.text.tokenizer import BertTokenizer
from bert_keras.training.inference import Inference
from bert_keras.training.loop import Trainer
from bert_keras.training.run_folder import RunFolder
from bert_keras.training.settings import Schedule, TrainingSettings

TEXT = (
    "The soup was cold and the waiter never came. We left hungry. A long wait for a small plate.",
    "The story is slow. The actors are good and the music is lovely. I would see it again.",
    "Good soup. Slow.",
)
SHAPE = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
    "initializer_range": 0.2,
}


class Passages:
    """What `prepare` gives, in memory."""

    def __init__(self, tokenizer, copies=4, documents=12, key="some text", texts=TEXT):
        self._examples = []
        for document, text in enumerate(texts * copies):
            sentences = text.replace(". ", ".\n").split("\n")
            tokens = [tokenizer.tokenize([s])[0].numpy() for s in sentences]
            starts = np.cumsum([0, *map(len, tokens[:-1])])
            self._examples.append(
                {"tokens": np.concatenate(tokens), "sentences": starts, "document": document}
            )
        tokens = np.concatenate([example["tokens"] for example in self._examples])
        size = types.SimpleNamespace(
            passages=len(self._examples),
            documents=documents,
            tokens=len(tokens),
            unknown=np.count_nonzero(tokens == tokenizer.unk_id),
        )
        self.sizes = {"train": size, "validation": size}
        self.key = key

    def dataset(self, split, seed=None):
        signature = {
            "tokens": tf.TensorSpec([None], tf.int32),
            "sentences": tf.TensorSpec([None], tf.int32),
            "document": tf.TensorSpec([], tf.int64),
        }
        found = tf.data.Dataset.from_generator(
            lambda: iter(self._examples), output_signature=signature
        )
        return found if seed is None else found.shuffle(100, seed)


class InMemory(Pretraining):
    """A task on `passages` in place of a corpus: a function of a tokenizer."""

    passages = Passages

    def open_passages(self, tokenizer):
        return type(self).passages(tokenizer)


@pytest.fixture
def make_task(tiny_checkpoint, tmp_path):
    """Makes a task on passages in memory; `new` has the shape of a new model."""

    def make(passages=Passages, new=None, **settings):
        kind = type("Task", (InMemory,), {"passages": staticmethod(passages)})
        if new is not None:
            path = tmp_path / "bert_config.json"
            path.write_text(json.dumps(SHAPE | new))
            settings |= {"bert_config_file": str(path), "vocab_dir": str(tiny_checkpoint)}
        return kind(**{"max_length": 64} | settings)

    return make


def reference_predictions(model, batch):
    """The sums of one batch, an example and a token at a time, in NumPy."""
    outputs = {k: v.numpy().astype(np.float64) for k, v in model(batch["inputs"]).items()}
    batch = {
        "labels": batch["row_targets"]["labels"].numpy(),
        "is_next": batch["is_next"].numpy() if "is_next" in batch else None,
        **{name: values.numpy() for name, values in batch["inputs"].items()},
    }

    def loss(logits, label):
        return np.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[label]

    sums, row_start = {}, 0
    masked = 0
    for row, examples in enumerate(batch["example_ids"]):
        for column, example in enumerate(examples):
            if not example:
                continue
            number = row_start + example - 1
            entry = sums.setdefault(number, np.zeros(5))
            if batch["masked"][row, column]:
                logits, label = outputs["token_logits"][masked], batch["labels"][row, column]
                entry[:3] += loss(logits, label), logits.argmax() == label, 1
                masked += 1
        row_start += examples.max()
    assert masked == len(outputs["token_logits"])
    for number, entry in sums.items():
        if batch["is_next"] is not None:
            logits, label = outputs["sentence_logits"][number], 1 - batch["is_next"][number]
            entry[3:] += loss(logits, label), logits.argmax() == label
    return np.stack([sums[number] for number in sorted(sums)])


@pytest.mark.parametrize("objective", ["nsp", "sop", "none"])
def test_predictions_and_losses_by_hand(make_task, objective):
    keras.utils.set_random_seed(4)
    task, _, examples = make_task(new={}, objective=objective).prepare(None, 0)
    model = task.build_model(None, "float32")
    (batch,) = examples.evaluation_batches(99)
    assert len(batch["inputs"]["token_ids"]) < len(batch["example"]) == 12  # rows hold several
    expected = reference_predictions(model, batch)
    outputs = model(batch["inputs"])
    predictions = task.predictions(outputs, batch).numpy()
    np.testing.assert_allclose(predictions[:, :5], expected, rtol=1e-4, atol=1e-5)

    losses, weights = task.losses(outputs, batch), task.loss_weights(batch)
    assert {n: v.shape for n, v in losses.items()} == {n: v.shape for n, v in weights.items()}
    assert float(tf.reduce_sum(losses["masked_lm"])) == pytest.approx(expected[:, 0].sum(), 1e-4)
    assert ("sentences" in losses) == (objective != "none")

    scores = task.evaluate(examples, predictions).scores
    mean = expected[:, 0].sum() / expected[:, 2].sum()
    assert scores["masked_lm_loss"] == pytest.approx(mean)
    assert scores["perplexity"] == pytest.approx(np.exp(mean))
    right = expected[:, 1].sum() / expected[:, 2].sum()
    assert scores["masked_lm_accuracy"] == pytest.approx(right)
    if objective != "none":
        assert scores["sentence_accuracy"] == expected[:, 4].mean()
        assert scores["sentence_loss"] == pytest.approx(expected[:, 3].mean())
    assert task.score_names(examples) == list(scores)


def test_the_predictions_that_a_person_reads(make_task, tiny_checkpoint):
    task, _, examples = make_task(objective="none").prepare(str(tiny_checkpoint), 0)
    model = task.build_model(str(tiny_checkpoint), "float32")
    predictions = Inference(model, task.predictions, 99)(examples, "")
    table = task.evaluate(examples, predictions).tables["fillings"]
    vocabulary = task.tokenizer.vocabulary

    # By hand: the [MASK] in the middle of those of an example, in the order of the examples.
    (batch,) = examples.evaluation_batches(99)
    inputs = {name: values.numpy() for name, values in batch["inputs"].items()}
    logits, labels = model(batch["inputs"])["token_logits"].numpy(), batch["row_targets"]["labels"]
    masks, seen = {}, []
    for index, (row, column) in enumerate(np.argwhere(inputs["masked"])):
        key = row, inputs["example_ids"][row, column]
        if key not in seen:
            seen.append(key)
        number = int(batch["example"][seen.index(key)])
        if inputs["token_ids"][row, column] == task.tokenizer.mask_id:
            best = [vocabulary[i] for i in np.argsort(-logits[index], kind="stable")[:5]]
            masks.setdefault(number, []).append((vocabulary[labels[row, column]], best))
    expected = {number: every[len(every) // 2] for number, every in masks.items()}
    shown = [
        (truth, [f.rsplit(" ", 1)[0] for f in best.split(" · ")]) for _, truth, best in table.rows
    ]
    assert shown == [expected[number] for number in sorted(expected)]
    assert len(shown) > 5

    for text, truth, best in table.rows:
        assert text.count("____") == 1
        assert truth in vocabulary and truth != "[MASK]"
        words, probabilities = zip(*(f.rsplit(" ", 1) for f in best.split(" · ")), strict=True)
        assert len(words) == 5 and set(words) <= set(vocabulary)
        shares = [float(probability.removesuffix("%")) for probability in probabilities]
        assert sorted(shares, reverse=True) == shares and 0 < shares[0] <= 100
    assert any("soup" in row[0] or "music" in row[0] for row in table.rows)


@pytest.mark.parametrize("objective", ["nsp", "none"])
def test_a_batch_in_which_nothing_can_be_masked(make_task, tiny_checkpoint, objective):
    def passages(tokenizer):
        return Passages(tokenizer, texts=("力 加\n勝 北", "区", TEXT[0]))

    settings = make_task(passages, objective=objective)
    task, _, examples = settings.prepare(str(tiny_checkpoint), 0)
    model = task.build_model(str(tiny_checkpoint), "float32")
    predictions = Inference(model, task.predictions, batch_size=1)(examples, "")
    assert (predictions[:, 2] > 0).any() and not (predictions[:, 2] > 0).all()
    evaluation = task.evaluate(examples, predictions)
    assert evaluation.scores["masked_lm_loss"] > 0
    together = Inference(model, task.predictions, 99)(examples, "")
    assert evaluation.scores == pytest.approx(task.evaluate(examples, together).scores, 1e-4)
    assert 0 < len(evaluation.tables["fillings"].rows) <= 4
    scores = task.evaluate(examples, predictions[predictions[:, 2] == 0]).scores
    assert np.isfinite(list(scores.values())).all()


def test_texts_of_unknown_words_alone_are_refused(make_task, tiny_checkpoint):
    def passages(tokenizer):
        return Passages(tokenizer, texts=("力 加\n勝 北", "区"))

    with pytest.raises(InputError, match="input_files: expected words to train on that the voc"):
        make_task(passages).prepare(str(tiny_checkpoint), 0)
    task = make_task(passages, objective="none").restore(tiny_checkpoint)
    with pytest.raises(InputError, match=r"found \[UNK\] alone"):
        task.evaluation_set(seed=0)


def test_examples_of_128_tokens_among_short_ones(make_task, tiny_checkpoint):
    """Each is predicted as it is alone, in rows of 128 tokens that hold one or several."""

    def passages(tokenizer):
        long = " ".join([*TEXT[:2], TEXT[0]])
        return Passages(tokenizer, copies=2, texts=(long, TEXT[2], "Good soup.", TEXT[0]))

    keras.utils.set_random_seed(5)
    settings = make_task(passages, new={"max_position_embeddings": 128}, max_length=128)
    task, _, examples = settings.prepare(None, 0)
    model = task.build_model(None, "float32")
    (batch,) = examples.evaluation_batches(99)
    inputs = batch["inputs"]
    assert inputs["token_ids"].shape[1] == 128 and len(inputs["token_ids"]) < 8
    lengths = {
        int(np.count_nonzero(row == number))
        for row in inputs["example_ids"].numpy()
        for number in range(1, row.max() + 1)
    }
    assert max(lengths) > 64 and min(lengths) < 16
    together = task.predictions(model(inputs), batch).numpy()[np.argsort(batch["example"])]
    alone = Inference(model, task.predictions, 1)(examples, "")
    np.testing.assert_allclose(together[:, :5], alone[:, :5], rtol=1e-4, atol=1e-5)
    assert task.evaluate(examples, alone).scores["masked_lm_loss"] > 0


SETTINGS = TrainingSettings(
    batch_size=12,
    learning_rate=0.02,
    epochs=25.0,
    warmup_proportion=0.1,
    decay="cosine",
    evaluations_per_epoch=0.04,
    seed=0,
)


def test_learns_what_it_sees(make_task, tmp_path, tiny_checkpoint):
    run = Run(tmp_path / "run", make_task(new={}), settings=SETTINGS)
    run.train()
    scores = run.evaluate()
    guess = np.log(len(BertTokenizer.from_pretrained(tiny_checkpoint).vocabulary))
    assert scores["masked_lm_loss"] < guess - 2
    ((best,),) = run.predict(["The [MASK] was cold."])
    assert [*best[0]] == ["token", "probability"] and len(best) == 5

    # The folder is an ordinary checkpoint: heads in it, no optimizer, and a classifier on top.
    with open_checkpoint(tmp_path / "run") as checkpoint:
        assert not any("moment" in name for name in checkpoint.shapes)
    again = BertPretrainer.from_pretrained(tmp_path / "run")
    assert again.sentence_head
    assert BertClassifier.from_pretrained(tmp_path / "run", num_classes=2).config == again.config


class CutOff(Exception):
    pass


# In the phase of short rows, and in that of long ones.
@pytest.mark.long
@pytest.mark.parametrize("step", [pytest.param(4, marks=pytest.mark.long), 7])
def test_a_training_that_was_cut_off_ends_as_an_unbroken_one(
    make_task, tmp_path, monkeypatch, step
):
    settings = TrainingSettings(
        batch_size=4,
        learning_rate=0.01,
        max_steps=9,
        warmup_proportion=0.1,
        evaluations_per_epoch=1.0,  # after 3, 6 and 9 steps, and a checkpoint
        seed=5,
    )

    def train(path):
        task = make_task(new={}, short_seq_length=32, short_steps_share=0.6)
        Run(path, task, settings=settings).train()

    def cut_off(self, at, scalars):
        if at == step:
            raise CutOff

    train(tmp_path / "unbroken")
    with monkeypatch.context() as patch, pytest.raises(CutOff):
        patch.setattr(RunWriter, "training", cut_off)
        train(tmp_path / "broken")
    assert not RunFolder(tmp_path / "broken").finished
    train(tmp_path / "broken")
    for name in ("model.safetensors", "scores.json"):
        expected = (tmp_path / "unbroken" / name).read_bytes()
        assert (tmp_path / "broken" / name).read_bytes() == expected, name


def test_where_a_training_starts(make_task, tiny_checkpoint):
    expected = "either `init_checkpoint`, .* or `vocab_dir` and `model_size`"
    with pytest.raises(InputError, match=expected):
        make_task().prepare(None, 0)
    with pytest.raises(InputError, match=expected):
        make_task(new={}).prepare(str(tiny_checkpoint), 0)
    with pytest.raises(InputError, match=expected):  # else ignored in silence
        make_task(vocab_dir="words").prepare(str(tiny_checkpoint), 0)
    with pytest.raises(InputError, match=expected):
        make_task(vocab_dir="words").prepare(None, 0)
    with pytest.raises(InputError, match="max_length: expected at most 64"):
        make_task(max_length=65).prepare(str(tiny_checkpoint), 0)
    with pytest.raises(InputError, match=r"max_length: expected at most 64, .* the new model"):
        make_task(new={}, max_length=65).prepare(None, 0)


def test_settings_that_cannot_be():
    for length in (7, 64):
        with pytest.raises(InputError, match="short_seq_length: expected at least 8 and less"):
            Pretraining(max_length=64, short_seq_length=length)
    for share in (0, 1, 15):
        with pytest.raises(InputError, match="masked_lm_prob: expected more than 0 and less than"):
            Pretraining(masked_lm_prob=share)
    for settings, message in (
        ({"max_length": 7}, "max_length: expected at least 8, found 7"),
        ({"short_steps_share": 2}, "short_steps_share: expected at most 1, found 2"),
        ({"objective": "nps"}, "objective: expected one of 'nsp', 'sop', 'none', found 'nps'"),
        ({"masking": "words"}, "masking: expected one of 'token', 'word', 'span', found"),
        ({"num_fillings": 0}, "num_fillings: expected at least 1, found 0"),
    ):
        with pytest.raises(InputError, match=message):
            Pretraining(**settings)


def test_a_record_keeps_what_was_given():
    task = Pretraining(input_files=("a.txt", "b.txt"), max_length=64, num_fillings=2)
    record = record_of(task)
    assert record == {
        **{"input_file": ["a.txt", "b.txt"], "layout": "auto", "text_column": "text"},
        **{"language": "en", "dev_fraction": 0.02, "prepared_dir": "prepared"},
        **{"vocab_dir": "", "model_size": "", "bert_config_file": "", "objective": "nsp"},
        **{"masking": "token", "masked_lm_prob": 0.15, "short_seq_length": 0},
        **{"short_steps_share": 0.9, "max_seq_length": 64},
    }
    assert from_record(Pretraining, record, num_fillings=2) == task


def test_next_sentences_want_several_documents(make_task, tiny_checkpoint, caplog):
    def prepare(documents, objective="nsp", held_out=None):
        def passages(tokenizer):
            every = Passages(tokenizer, documents=documents)
            size = types.SimpleNamespace(**vars(every.sizes["validation"]))
            size.documents = documents if held_out is None else held_out
            every.sizes |= {"validation": size}
            return every

        make_task(passages, objective=objective).prepare(str(tiny_checkpoint), 0)

    with pytest.raises(InputError, match="objective: expected several documents to train on"):
        prepare(1)
    with pytest.raises(InputError, match="several documents to train on for 'nsp', found 1;"):
        prepare(0, held_out=1)  # one document, of which passages are held out, the first among them
    prepare(1, "sop")
    prepare(2)
    assert not caplog.records
    prepare(2, held_out=1)
    assert "One document is held out" in caplog.text


@pytest.mark.long
def test_a_run_does_not_go_on_with_other_texts(make_task, tmp_path, tiny_checkpoint):
    settings = TrainingSettings(batch_size=6, learning_rate=0.01, epochs=1.0)
    path, weights = tmp_path / "run", str(tiny_checkpoint)
    Run(path, make_task(), init_checkpoint=weights, settings=settings).train()
    RunFolder(path).keep_scores(1, {})  # as if it had been cut off
    task = make_task(lambda tokenizer: Passages(tokenizer, key="other text"))
    with pytest.raises(InputError, match=r"begun on other data \(some text\) than these"):
        Run(path, task, init_checkpoint=weights, settings=settings).train()


def test_the_shape_of_a_new_model(tmp_path):
    assert Pretraining().new_config() is None
    assert Pretraining(model_size="mini").new_config().hidden_size == 256
    path = tmp_path / "bert_config.json"
    path.write_text('{"hidden_size": 12, "num_attention_heads": 2}')
    assert Pretraining(bert_config_file=str(path)).new_config().hidden_size == 12
    with pytest.raises(InputError, match="model_size: expected either this or `bert_config_file`"):
        Pretraining(model_size="mini", bert_config_file=str(path))
    with pytest.raises(InputError, match="'huge', expected one of tiny"):
        Pretraining(model_size="huge").new_config()


def test_skipped_batches_are_described(make_task, tiny_checkpoint):
    _, training_set, _ = make_task().prepare(str(tiny_checkpoint), 0)
    batch = next(iter(training_set.batches(SETTINGS)))
    described = training_set.describe(batch)
    assert len(described) == len(batch["example"]) == 12
    assert all("[MASK]" not in one["text"] for one in described)
    assert any("soup" in one["text"] for one in described)


@pytest.mark.long
def test_two_devices_pretrain_as_one_does(make_task, mirrored):
    steady = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}

    def train(strategy, micro_batches):
        keras.utils.set_random_seed(6)
        task, training_set, examples = make_task(new=steady, objective="nsp").prepare(None, 0)
        with strategy.scope():
            model = task.build_model(None, "float32")
        schedule = Schedule(
            batch_size=7,
            learning_rate=0.01,
            epochs=2.0,
            warmup_proportion=0.0,
            seed=3,
            micro_batches=micro_batches,
        )
        trainer = Trainer(model, task, training_set, schedule, strategy)
        seen = []
        trainer.run(lambda step, scalars: seen.append(scalars), lambda step: None)
        return seen, Inference(model, task.predictions, 7, strategy)(examples, "")

    expected, predicted = train(tf.distribute.get_strategy(), 1)
    for micro_batches in (1, 2):
        reported, predictions = train(mirrored, micro_batches)
        assert len(reported) == len(expected) > 3
        for scalars, same in zip(reported, expected, strict=True):
            for name in same:
                if name.startswith("loss") or name == "gradient_norm":
                    assert scalars[name] == pytest.approx(same[name], rel=1e-5), name
        np.testing.assert_allclose(predictions[:, :5], predicted[:, :5], rtol=1e-3, atol=1e-3)
