import dataclasses
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_keras.checkpoints.load import open_checkpoint
from bert_keras.config import BertConfig
from bert_keras.errors import InputError
from bert_keras.models.classifier import BertClassifier
from bert_keras.models.pretrainer import BertPretrainer
from bert_keras.tasks.pretraining.task import Objectives, Pretraining, make_config
from bert_keras.tensorboard.writer import RunWriter
from bert_keras.text.tokenizer import BertTokenizer
from bert_keras.training.inference import Inference
from bert_keras.training.job import Job, Settings
from bert_keras.training.loop import Schedule, Trainer
from bert_keras.training.run_folder import RunFolder

TEXT = (
    "The soup was cold and the waiter never came. We left hungry. A long wait for a small plate.",
    "The story is slow. The actors are good and the music is lovely. I would see it again.",
    "Good soup. Slow.",
)
TINY = BertConfig(
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=32,
    max_position_embeddings=64,
    initializer_range=0.2,
)


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


@pytest.fixture(scope="module")
def make_task(tiny_checkpoint):
    def make(prepared=True, from_nothing=False, config=TINY, **objectives):
        objectives = Objectives(max_length=64, **objectives)
        locations = {"config": config, "vocabulary": tiny_checkpoint} if from_nothing else {}
        task = Pretraining(lambda tokenizer, _: Passages(tokenizer), objectives, **locations)
        if prepared:
            task.prepare(None if from_nothing else str(tiny_checkpoint))
        return task

    return make


def reference_answers(task, model, batch):
    """The sums of one batch, an example and a token at a time, in NumPy."""
    outputs = {k: v.numpy().astype(np.float64) for k, v in model(batch["inputs"]).items()}
    batch = {
        "labels": batch["row_targets"]["labels"].numpy(),
        "is_next": batch["is_next"].numpy() if "is_next" in batch else None,
        **{name: values.numpy() for name, values in batch["inputs"].items()},
    }

    def loss(logits, label):
        return np.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[label]

    sums, owners, row_start = {}, [], 0
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
                owners.append(number)
                masked += 1
        row_start += examples.max()
    assert masked == len(outputs["token_logits"])
    for number, entry in sums.items():
        if batch["is_next"] is not None:
            logits, label = outputs["sentence_logits"][number], 1 - batch["is_next"][number]
            entry[3:] += loss(logits, label), logits.argmax() == label
    return np.stack([sums[number] for number in sorted(sums)])


@pytest.mark.parametrize("sentences", ["nsp", "sop", "none"])
def test_answers_and_losses_by_hand(make_task, sentences):
    keras.utils.set_random_seed(4)
    task = make_task(from_nothing=True, sentences=sentences)
    model = task.build_model(None, "float32")
    (batch,) = task.evaluation_set().evaluation_batches(99)
    assert len(batch["inputs"]["token_ids"]) < len(batch["example"]) == 12  # rows hold several
    expected = reference_answers(task, model, batch)
    outputs = model(batch["inputs"])
    answers = task.answers(outputs, batch).numpy()
    np.testing.assert_allclose(answers[:, :5], expected, rtol=1e-4, atol=1e-5)

    losses, weights = task.losses(outputs, batch), task.weights(batch)
    assert {n: v.shape for n, v in losses.items()} == {n: v.shape for n, v in weights.items()}
    assert float(tf.reduce_sum(losses["masked_lm"])) == pytest.approx(expected[:, 0].sum(), 1e-4)
    assert ("sentences" in losses) == (sentences != "none")

    scores = task.evaluate(answers).scores
    mean = expected[:, 0].sum() / expected[:, 2].sum()
    assert scores["masked_lm_loss"] == pytest.approx(mean)
    assert scores["perplexity"] == pytest.approx(np.exp(mean))
    told = expected[:, 1].sum() / expected[:, 2].sum()
    assert scores["masked_lm_accuracy"] == pytest.approx(told)
    if sentences != "none":
        assert scores["sentence_accuracy"] == expected[:, 4].mean()
        assert scores["sentence_loss"] == pytest.approx(expected[:, 3].mean())
    assert task.score_names == list(scores)


def test_the_fillings_that_a_person_reads(make_task, tiny_checkpoint):
    task = make_task(sentences="none")
    model = task.build_model(str(tiny_checkpoint), "float32")
    answers = Inference(model, task.answers, 99)(task.evaluation_set(), "")
    table = task.evaluate(answers).tables["fillings"]
    vocabulary = task.tokenizer.vocabulary

    # By hand: the [MASK] in the middle of those of an example, in the order of the examples.
    (batch,) = task.evaluation_set().evaluation_batches(99)
    inputs = {name: values.numpy() for name, values in batch["inputs"].items()}
    logits, labels = model(batch["inputs"])["token_logits"].numpy(), batch["row_targets"]["labels"]
    masks, seen = {}, []
    for location, (row, column) in enumerate(np.argwhere(inputs["masked"])):
        key = row, inputs["example_ids"][row, column]
        if key not in seen:
            seen.append(key)
        number = int(batch["example"][seen.index(key)])
        if inputs["token_ids"][row, column] == task.tokenizer.mask_id:
            best = [vocabulary[i] for i in np.argsort(-logits[location], kind="stable")[:5]]
            masks.setdefault(number, []).append((vocabulary[labels[row, column]], best))
    expected = {number: found[len(found) // 2] for number, found in masks.items()}
    found = [
        (truth, [f.rsplit(" ", 1)[0] for f in best.split(" · ")]) for _, truth, best in table.rows
    ]
    assert found == [expected[number] for number in sorted(expected)]
    assert len(found) > 5

    for text, truth, fillings in table.rows:
        assert text.count("____") == 1
        assert truth in vocabulary and truth != "[MASK]"
        words, probabilities = zip(*(f.rsplit(" ", 1) for f in fillings.split(" · ")), strict=True)
        assert len(words) == 5 and set(words) <= set(vocabulary)
        shares = [float(probability.removesuffix("%")) for probability in probabilities]
        assert sorted(shares, reverse=True) == shares and 0 < shares[0] <= 100
    assert any("soup" in row[0] or "music" in row[0] for row in table.rows)


@pytest.mark.parametrize("sentences", ["nsp", "none"])
def test_a_batch_in_which_nothing_can_be_masked(tiny_checkpoint, sentences):
    def prepare(tokenizer, _):
        return Passages(tokenizer, texts=("力 加\n勝 北", "区", TEXT[0]))

    task = Pretraining(prepare, Objectives(sentences, max_length=64))
    task.prepare(str(tiny_checkpoint))
    model = task.build_model(str(tiny_checkpoint), "float32")
    answers = Inference(model, task.answers, batch_size=1)(task.evaluation_set(), "")
    assert (answers[:, 2] > 0).any() and not (answers[:, 2] > 0).all()
    evaluation = task.evaluate(answers)
    assert evaluation.scores["masked_lm_loss"] > 0
    assert evaluation.scores == pytest.approx(
        task.evaluate(Inference(model, task.answers, 99)(task.evaluation_set(), "")).scores, 1e-4
    )
    assert 0 < len(evaluation.tables["fillings"].rows) <= 4
    scores = task.evaluate(answers[answers[:, 2] == 0]).scores
    assert np.isfinite(list(scores.values())).all()


def test_texts_of_unknown_words_alone_are_refused(tiny_checkpoint):
    def prepare(tokenizer, _):
        return Passages(tokenizer, texts=("力 加\n勝 北", "区"))

    task = Pretraining(prepare, Objectives(max_length=64))
    with pytest.raises(InputError, match="--input_file: expected words to train on that the voc"):
        task.prepare(str(tiny_checkpoint))
    task = Pretraining(prepare, Objectives("none", max_length=64))
    task.restore(tiny_checkpoint)
    with pytest.raises(InputError, match=r"found \[UNK\] alone"):
        task.evaluation_set()


def test_learns_what_it_sees(make_task, tmp_path, tiny_checkpoint):
    schedule = Schedule(
        learning_rate=0.02,
        epochs=25.0,
        batch_size=12,
        warmup_proportion=0.1,
        evaluations_per_epoch=0.04,
        seed=0,
        decay="cosine",
    )
    job = Job(
        make_task(prepared=False, from_nothing=True), Settings(None, schedule), RunFolder(tmp_path)
    )
    job.train({}, {})
    job.evaluate()
    scores = job._evaluation.scores
    guess = np.log(len(BertTokenizer.from_pretrained(tiny_checkpoint).vocabulary))
    assert scores["masked_lm_loss"] < guess - 2

    # The folder is an ordinary checkpoint: heads in it, no optimizer, and a classifier on top.
    with open_checkpoint(tmp_path) as checkpoint:
        assert not any("moment" in name for name in checkpoint.shapes)
    again = BertPretrainer.from_pretrained(tmp_path)
    assert again.sentence_head
    assert BertClassifier.from_pretrained(tmp_path, num_classes=2).config == again.config


class CutOff(Exception):
    pass


# In the phase of short rows, and in that of long ones.
@pytest.mark.parametrize("step", [pytest.param(4, marks=pytest.mark.long), 7])
def test_a_training_that_was_cut_off_ends_as_an_unbroken_one(
    make_task, tmp_path, monkeypatch, step
):
    schedule = Schedule(
        learning_rate=0.01,
        epochs=0.0,
        batch_size=4,
        warmup_proportion=0.1,
        evaluations_per_epoch=1.0,  # after 3, 6 and 9 steps, and a checkpoint
        seed=5,
        max_steps=9,
    )

    def train(path):
        task = make_task(prepared=False, from_nothing=True, short_length=32, short_share=0.6)
        Job(task, Settings(None, schedule), RunFolder(path)).train({}, {})

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


def test_what_cannot_be(make_task, tiny_checkpoint):
    with pytest.raises(
        InputError, match=r"either --init_checkpoint.* or --vocab_dir and --model_size"
    ):
        make_task(prepared=False).prepare(None)
    with pytest.raises(
        InputError, match=r"either --init_checkpoint.* or --vocab_dir and --model_size"
    ):
        make_task(prepared=False, from_nothing=True).prepare(str(tiny_checkpoint))
    for length in (7, 64):
        with pytest.raises(InputError, match="--short_seq_length: expected 8 at least and less"):
            Objectives(max_length=64, short_length=length)
    with pytest.raises(InputError, match="--masked_lm_prob: expected more than 0, below 1, found"):
        Objectives(rate=15)
    with pytest.raises(InputError, match="either --init_checkpoint"):  # else ignored in silence
        Pretraining(None, Objectives(), vocabulary="words").prepare(str(tiny_checkpoint))
    task = Pretraining(None, Objectives(max_length=65))
    with pytest.raises(InputError, match="--max_seq_length: expected at most 64"):
        task.prepare(str(tiny_checkpoint))


def test_next_sentences_want_several_documents(tiny_checkpoint, caplog):
    def make(documents, sentences="nsp", held_out=None):
        def prepare(tokenizer, _):
            passages = Passages(tokenizer, documents=documents)
            size = types.SimpleNamespace(**vars(passages.sizes["validation"]))
            size.documents = documents if held_out is None else held_out
            return types.SimpleNamespace(sizes=passages.sizes | {"validation": size})

        Pretraining(prepare, Objectives(sentences, max_length=64)).prepare(str(tiny_checkpoint))

    with pytest.raises(InputError, match="--objective=nsp: expected several documents to train on"):
        make(1)
    with pytest.raises(InputError, match="expected several documents to train on, found 1;"):
        make(0, held_out=1)  # one document, of which passages are held out, the first among them
    make(1, "sop")
    make(2)
    assert not caplog.records


def test_a_run_does_not_go_on_with_other_texts(make_task, tmp_path, tiny_checkpoint):
    schedule = Schedule(0.01, 1.0, 6, 0.1, 1.0, seed=0)
    task = make_task(prepared=False)
    Job(task, Settings(str(tiny_checkpoint), schedule), RunFolder(tmp_path)).train({}, {})
    folder = RunFolder(tmp_path)
    folder.keep_scores(1, {})  # as if it had been cut off
    task = Pretraining(
        lambda tokenizer, _: Passages(tokenizer, key="other text"), Objectives(max_length=64)
    )
    with pytest.raises(InputError, match=r"begun on other data \(some text\) than these"):
        Job(task, Settings(str(tiny_checkpoint), schedule), folder).train({}, {})


def test_the_shape_of_a_new_model(tmp_path):
    assert make_config("", "") is None
    assert make_config("mini", "").hidden_size == 256
    path = tmp_path / "bert_config.json"
    path.write_text('{"hidden_size": 12, "num_attention_heads": 2}')
    assert make_config("", path).hidden_size == 12
    with pytest.raises(InputError, match="either --model_size or --bert_config_file"):
        make_config("mini", path)


def test_two_devices_pretrain_as_one_does(make_task, mirrored):
    steady = dataclasses.replace(TINY, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)

    def train(strategy, parts):
        keras.utils.set_random_seed(6)
        task = make_task(from_nothing=True, config=steady, sentences="nsp")
        with strategy.scope():
            model = task.build_model(None, "float32")
        schedule = Schedule(
            learning_rate=0.01,
            epochs=2.0,
            batch_size=7,
            warmup_proportion=0.0,
            evaluations_per_epoch=1.0,
            seed=3,
            parts=parts,
        )
        trainer = Trainer(model, task, task.training_set(), schedule, strategy)
        seen = []
        trainer.run(lambda step, scalars: seen.append(scalars), lambda step: None)
        answers = Inference(model, task.answers, 7, strategy)(task.evaluation_set(), "")
        return seen, answers

    expected, answered = train(tf.distribute.get_strategy(), 1)
    for parts in (1, 2):
        found, answers = train(mirrored, parts)
        assert len(found) == len(expected) > 3
        for scalars, same in zip(found, expected, strict=True):
            for name in same:
                if name.startswith("loss") or name == "gradient_norm":
                    assert scalars[name] == pytest.approx(same[name], rel=1e-5), name
        np.testing.assert_allclose(answers[:, :5], answered[:, :5], rtol=1e-3, atol=1e-3)
