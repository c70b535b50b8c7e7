import json

import numpy as np
import pytest
import tensorflow as tf

from bert_keras.data.rows import Columns
from bert_keras.data.source import RowSource
from bert_keras.errors import InputError
from bert_keras.tasks.embedding import similarity
from bert_keras.tasks.embedding.task import Embedding
from bert_keras.training.inference import Inference
from bert_keras.training.loop import Schedule, Trainer

PAIRS = ["text\tpair", "a\tb", "c\td", "e\tf", "a\tg", "h\ti"]
SCORED = ["text\tpair\tscore", "a\tb\t5", "c\td\t1", "e\tf\t2.5", "a\tg\t0", "h\ti\t4"]


@pytest.fixture
def make_task(tmp_path, tiny_checkpoint):
    def make(train=None, dev=None, predict=None, prepare=True, **more):
        files = {}
        for name, lines in (("train", train), ("dev", dev)):
            if lines:
                path = tmp_path / f"{name}.tsv"
                path.write_text("\n".join(lines) + "\n", encoding="utf-8")
                files[name] = str(path)
        if predict:
            more["texts"] = str(tmp_path / "predict.jsonl")
            rows = [json.dumps({"text": text}) for text in predict]
            (tmp_path / "predict.jsonl").write_text("\n".join(rows), encoding="utf-8")
        columns = Columns("text", "pair", "score")
        source = RowSource(columns=columns, label_kind="number", label_needed=False, **files)
        task = Embedding(source, **{"max_length": 16} | more)
        if prepare:
            task.prepare(tiny_checkpoint)
        return task

    return make


def batch_of(task, size=3):
    schedule = Schedule(0.01, 1.0, size, 0.0, 1.0, seed=0)
    return next(iter(task.training_set().batches(schedule)))


@pytest.mark.parametrize("lines", [PAIRS, SCORED])
def test_the_losses_of_a_batch(make_task, lines):
    task = make_task(lines, dev=SCORED)
    assert len(task.training_set()) == 5
    batch = batch_of(task)
    numbers = batch["example"].numpy()
    assert len(numbers) == 6
    chosen = sorted({number // 2 for number in numbers})
    assert sorted(numbers) == [2 * n + side for n in chosen for side in (0, 1)]
    # Vectors by what their text is, of any length: the loss compares directions.
    vectors = np.random.default_rng(1).normal(size=(10, 4)).astype(np.float32)
    outputs = tf.constant(vectors[numbers])
    losses, weights = task.losses(outputs, batch), task.weights(batch)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    first, second = unit[[2 * n for n in chosen]], unit[[2 * n + 1 for n in chosen]]
    rows = [line.split("\t") for line in lines[1:]]
    if lines is SCORED:
        scores = [float(rows[n][2]) for n in chosen]
        expected = {"order": similarity.order_loss(first, second, tf.constant(scores))}
    else:
        texts = [tf.constant([ord(rows[n][side]) for n in chosen]) for side in (0, 1)]
        expected = {"ranking": similarity.ranking_losses(first, second, *texts)}
    assert losses.keys() == weights.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(losses[name], values, rtol=1e-4)
        assert weights[name].numpy().tolist() == [1.0] * len(values)


def test_what_a_batch_holds_in_words(make_task):
    task = make_task(PAIRS)
    batch = batch_of(task)
    told = task.describe(batch)
    for number, one in zip(batch["example"].numpy(), told, strict=True):
        location = int(one["place"].rpartition(":")[2])
        assert task._train.locations[number // 2].endswith(f":{location}")
        assert one["text"] == (task._train.pairs if number % 2 else task._train.texts)[number // 2]


def test_two_devices_learn_what_one_does(make_task, tiny_checkpoint, mirrored):
    """Each has some of the texts, and the loss compares all of them."""
    long = [PAIRS[0], *(line.replace("\t", " soup" * 20 + "\t") for line in PAIRS[1:])]

    def train(strategy):
        task = make_task(long, dev=SCORED, layer=0, max_length=40)
        assert batch_of(task)["inputs"]["token_ids"].shape[0] > 1  # rows, to be shared out
        with strategy.scope():
            model = task.build_model(tiny_checkpoint, "float32")
        for layer in model.encoder._flatten_layers():
            if hasattr(layer, "rate"):
                layer.rate = 0.0
        schedule = Schedule(0.01, 1.0, 3, 0.0, 1.0, seed=0)
        trainer = Trainer(model, task, task.training_set(), schedule, strategy)
        told = []
        trainer.run(lambda _, scalars: told.append(scalars), lambda step: None)
        return model, told

    model, told = train(tf.distribute.get_strategy())
    other, same = train(mirrored)
    for scalars, expected in zip(same, told, strict=True):
        for name in ("loss", "gradient_norm"):
            assert scalars[name] == pytest.approx(expected[name], rel=1e-3), name
    for mine, expected in zip(other.trainable_variables, model.trainable_variables, strict=True):
        if "key/bias" not in mine.path:
            np.testing.assert_allclose(mine.numpy(), expected.numpy(), atol=3e-4)


def test_the_dev_rows_decide_what_is_scored(make_task):
    vectors = np.random.default_rng(1).normal(size=(10, 4)).astype(np.float32)
    task = make_task(PAIRS, dev=SCORED)
    assert len(task.evaluation_set()) == 10
    evaluation = task.evaluate(vectors)
    assert task.score_names == list(evaluation.scores) == ["spearman", "pearson"]
    cosines = similarity.cosines_of(vectors[0::2], vectors[1::2])
    expected = similarity.similarity_scores([5, 1, 2.5, 0, 4], cosines)
    assert evaluation.scores == expected
    assert len(evaluation.tables["most wrong"].rows) == 5

    task = make_task(SCORED, dev=PAIRS)
    evaluation = task.evaluate(vectors)
    assert task.score_names == list(evaluation.scores) == ["recall_at_1", "mrr"]
    ranks = similarity.ranks_of_pairs(vectors[0::2], vectors[1::2], np.arange(5))
    table = evaluation.tables["found last"]
    assert table.header == ["text", "rank", "cosine"]
    assert [int(row[1]) for row in table.rows] == sorted(ranks, reverse=True)


def test_predictions(make_task, tiny_checkpoint, tmp_path, capsys):
    texts = ["two\nlines", "a\ttab", "good soup", "soup " * 20]
    task = make_task(predict=texts, prepare=False, query="good\tsoup", num_neighbors=2)
    task.adopt(tiny_checkpoint)
    model = task.build_model(tiny_checkpoint, "float32")
    answers = Inference(model, task.answers, 3)(task.prediction_set(), "")
    path = task.write_predictions(answers, tmp_path)
    assert path == tmp_path / "embeddings.npy"
    vectors = np.load(path)
    assert vectors.dtype == np.float32 and vectors.shape == (4, 16)
    alone = [model(task.tokenizer([text], max_length=16))[0] for text in texts]
    np.testing.assert_allclose(vectors, np.stack(alone), atol=1e-6)
    lines = (tmp_path / "texts.tsv").read_text().split("\n")
    assert lines == ["two lines", "a tab", "good soup", ("soup " * 20).strip(), ""]
    assert {path.name for path in (tmp_path / "predict").iterdir()} > {
        *("vectors.tsv", "metadata.tsv", "projector_config.pbtxt")
    }
    heading, first, second = capsys.readouterr().out.strip().splitlines()
    assert heading.split("nearest to: ") == ["cosine     row  ", "good soup"]
    assert first.split(maxsplit=2) == ["1.0000", "2", "good soup"]
    cosines = vectors @ vectors[2]
    assert float(second.split()[0]) == pytest.approx(np.sort(cosines)[-2], abs=1e-4)


def test_a_kept_run_is_taken_up(make_task, tiny_checkpoint, tmp_path):
    task = make_task(PAIRS, pooling="max", normalize=False, layer=-2)
    model = task.build_model(tiny_checkpoint, "float32")
    assert model.config.num_hidden_layers == 1
    folder = tmp_path / "run"
    task.save(model, folder)
    again = make_task(prepare=False, layer=-2)
    again.restore(folder)
    same = again.build_model(folder, "float32")
    inputs = again.tokenizer(["good soup", "bad"])
    assert (same.pooling, same.normalize, same.config) == ("max", False, model.config)
    np.testing.assert_array_equal(same(inputs), model(inputs))
    with pytest.raises(InputError, match=r"--layer: .* was trained with -2, .* found -1"):
        make_task(prepare=False).restore(folder)


def test_what_cannot_be_trained_on(make_task):
    with pytest.raises(InputError, match=r"train\.tsv:2: expected two pairs at least, found one"):
        make_task(PAIRS[:2], dev=PAIRS)
    same = [SCORED[0], "a\tb\t1", "c\td\t1"]
    with pytest.raises(InputError, match=r"train\.tsv:2: expected different scores, found 1 alone"):
        make_task(same, dev=PAIRS)
    with pytest.raises(InputError, match="column 'pair' is not in the first line"):
        make_task(["text\tsecond", "a\tb"])
    with pytest.raises(InputError, match=r"train\.tsv:3: expected a finite number, found 'high'"):
        make_task([*SCORED[:2], "c\td\thigh"])
    with pytest.raises(InputError, match="--max_seq_length: expected at most 64"):
        make_task(PAIRS, max_length=65)


def test_cut_texts_are_counted(make_task, caplog):
    caplog.set_level("INFO")
    make_task(["text\tpair", "soup " * 20 + "\tb", "c\td"], dev=PAIRS).training_set()
    assert "1 of 4 texts are longer than 16 tokens and were cut (--max_seq_length)." in caplog.text
    assert "2 pairs to train on, with no scores" in caplog.text


def test_nothing_to_evaluate_on(make_task, tiny_checkpoint):
    task = make_task(prepare=False)
    task.adopt(tiny_checkpoint)
    assert task.evaluation_set() is None
    with pytest.raises(InputError, match="--do_predict needs --predict_file"):
        task.prediction_set()
