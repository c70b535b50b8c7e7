import json

import numpy as np
import pytest
import tensorflow as tf

from bert_keras.cli.console import format_table
from bert_keras.data.columns import Columns
from bert_keras.errors import InputError
from bert_keras.options import from_record, record_of
from bert_keras.tasks.embedding import similarity
from bert_keras.tasks.embedding.task import Embedding
from bert_keras.training.inference import Inference
from bert_keras.training.loop import Trainer
from bert_keras.training.settings import Schedule

PAIRS = ["text\tpair", "a\tb", "c\td", "e\tf", "a\tg", "h\ti"]
SCORED = ["text\tpair\tscore", "a\tb\t5", "c\td\t1", "e\tf\t2.5", "a\tg\t0", "h\ti\t4"]
THREE = Schedule(batch_size=3, learning_rate=0.01, epochs=1.0, warmup_proportion=0.0)


@pytest.fixture
def make_task(tmp_path):
    """Makes a task on files with these lines."""

    def make(train=None, dev=None, **more):
        for name, lines in (("train", train), ("dev", dev)):
            if lines:
                path = tmp_path / f"{name}.tsv"
                path.write_text("\n".join(lines) + "\n", encoding="utf-8")
                more[name] = str(path)
        return Embedding(**{"max_length": 16} | more)

    return make


@pytest.fixture
def prepare(make_task, tiny_checkpoint):
    return lambda *lines, **more: make_task(*lines, **more).prepare(str(tiny_checkpoint), seed=0)


@pytest.fixture
def write_texts(tmp_path):
    def write(texts):
        path = tmp_path / "predict.jsonl"
        path.write_text("\n".join(json.dumps({"text": text}) for text in texts), encoding="utf-8")
        return str(path)

    return write


def batch_of(training_set):
    return next(iter(training_set.batches(THREE)))


@pytest.mark.parametrize("lines", [PAIRS, SCORED])
def test_the_losses_of_a_batch(prepare, lines):
    task, training_set, _ = prepare(lines, SCORED)
    assert len(training_set) == 5
    batch = batch_of(training_set)
    numbers = batch["example"].numpy()
    assert len(numbers) == 6
    chosen = sorted({number // 2 for number in numbers})
    assert sorted(numbers) == [2 * n + side for n in chosen for side in (0, 1)]
    # Vectors by what their text is, of any length: the loss compares directions.
    vectors = np.random.default_rng(1).normal(size=(10, 4)).astype(np.float32)
    outputs = tf.constant(vectors[numbers])
    losses, weights = task.losses(outputs, batch), task.loss_weights(batch)
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


def test_what_a_batch_holds_in_words(prepare):
    _, training_set, dev = prepare(PAIRS, dev_fraction=0.4)
    batch = batch_of(training_set)
    lines = {int(location.rpartition(":")[2]) for location in dev.rows.locations}
    trained = [number for number in range(2, 7) if number not in lines]  # of the file's lines
    for number, described in zip(
        batch["example"].numpy(), training_set.describe(batch), strict=True
    ):
        line = trained[number // 2]
        assert described["place"].endswith(f"train.tsv:{line}")
        assert described["text"] == PAIRS[line - 1].split("\t")[number % 2]


@pytest.mark.long
def test_two_devices_learn_what_one_does(prepare, tiny_checkpoint, mirrored):
    """Each has some of the texts, and the loss compares all of them."""
    long = [PAIRS[0], *(line.replace("\t", " soup" * 20 + "\t") for line in PAIRS[1:])]

    def train(strategy):
        task, training_set, _ = prepare(long, SCORED, layer=0, max_length=40)
        rows = batch_of(training_set)["inputs"]["token_ids"].shape[0]
        assert rows > 1  # to be divided
        with strategy.scope():
            model = task.build_model(tiny_checkpoint, "float32")
        for layer in model.encoder._flatten_layers():
            if hasattr(layer, "rate"):
                layer.rate = 0.0
        trainer = Trainer(model, task, training_set, THREE, strategy)
        reported = []
        trainer.run(lambda _, scalars: reported.append(scalars), lambda step: None)
        return model, reported

    model, reported = train(tf.distribute.get_strategy())
    other, same = train(mirrored)
    for scalars, expected in zip(same, reported, strict=True):
        for name in ("loss", "gradient_norm"):
            assert scalars[name] == pytest.approx(expected[name], rel=1e-3), name
    for mine, expected in zip(other.trainable_variables, model.trainable_variables, strict=True):
        if "key/bias" not in mine.path:
            np.testing.assert_allclose(mine.numpy(), expected.numpy(), atol=3e-4)


def test_the_dev_rows_decide_what_is_scored(prepare):
    vectors = np.random.default_rng(1).normal(size=(10, 4)).astype(np.float32)
    task, _, examples = prepare(PAIRS, SCORED)
    assert len(examples) == 10
    evaluation = task.evaluate(examples, vectors)
    assert task.score_names(examples) == list(evaluation.scores) == ["spearman", "pearson"]
    cosines = similarity.pair_cosines(vectors[0::2], vectors[1::2])
    expected = similarity.similarity_scores([5, 1, 2.5, 0, 4], cosines)
    assert evaluation.scores == expected
    assert len(evaluation.tables["most wrong"].rows) == 5

    task, _, examples = prepare(SCORED, PAIRS)
    evaluation = task.evaluate(examples, vectors)
    assert task.score_names(examples) == list(evaluation.scores) == ["recall_at_1", "mrr"]
    ranks = similarity.pair_ranks(vectors[0::2], vectors[1::2], np.arange(5))
    table = evaluation.tables["found last"]
    assert table.header == ["text", "rank", "cosine"]
    assert [int(row[1]) for row in table.rows] == sorted(ranks, reverse=True)


def test_what_is_evaluated_later_is_what_was_prepared(prepare):
    task, _, examples = prepare(PAIRS, dev_fraction=0.4)
    assert task.evaluation_set(seed=0).rows == examples.rows
    assert task.evaluation_set(seed=1).rows != examples.rows


def test_predictions(make_task, tiny_checkpoint, tmp_path, write_texts):
    texts = ["two\nlines", "a\ttab", "good soup", "soup " * 20]
    task = make_task(query="good\tsoup", num_neighbors=2).load_pretrained(tiny_checkpoint)
    model = task.build_model(tiny_checkpoint, "float32")
    examples = task.read_examples(write_texts(texts))
    predictions = Inference(model, task.predictions, 3)(examples, "")
    path, tables = task.write_predictions(examples, predictions, tmp_path)
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
    (title, table), *_ = tables.items()
    assert title == "nearest to: good soup" and table.header == ["cosine", "row", "text"]
    first, second = table.rows
    assert first == ["1.0000", "2", "good soup"]
    cosines = vectors @ vectors[2]
    assert float(second[0]) == pytest.approx(np.sort(cosines)[-2], abs=1e-4)
    assert format_table(table).splitlines()[1].split(maxsplit=2) == first

    in_memory = task.examples_of(texts)  # which no query follows
    assert len(in_memory) == 4
    answers = task.answers(in_memory, Inference(model, task.predictions, 3)(in_memory, ""))
    assert answers.dtype == np.float32 and answers.shape == (4, 16)
    np.testing.assert_allclose(answers, vectors, atol=1e-6)


@pytest.fixture(scope="module")
def long_checkpoint(tiny_checkpoint, tmp_path_factory):
    """A random encoder with 128 positions, and the vocabulary of the tiny one."""
    import keras

    from bert_keras.checkpoints.huggingface import write_huggingface
    from bert_keras.config import BertConfig
    from bert_keras.models.encoder import BertEncoder
    from bert_keras.text.tokenizer import BertTokenizer

    folder = tmp_path_factory.mktemp("long")
    tokenizer = BertTokenizer.from_pretrained(tiny_checkpoint)
    config = BertConfig(
        vocab_size=len(tokenizer.vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=128,
        initializer_range=0.2,
    )
    keras.utils.set_random_seed(3)
    write_huggingface(BertEncoder(config), folder)
    tokenizer.save(folder)
    return folder


def test_texts_of_two_rows_length_among_short_ones(make_task, long_checkpoint, write_texts):
    """Rows are multiples of 64 tokens: a longer text makes them longer for all."""
    texts = ["soup", "good soup " * 45, "the soup was cold", "a", "the waiter " * 200, "soup"]
    task = make_task(max_length=128).load_pretrained(long_checkpoint)
    model = task.build_model(long_checkpoint, "float32")
    examples = task.read_examples(write_texts(texts))
    lengths = examples.encoded.token_ids.row_lengths().numpy()
    assert lengths[1] == 92 and lengths[4] == 128 and examples.encoded.truncated == 1
    inference = Inference(model, task.predictions, 4)
    together = inference(examples, "")
    for text, vector in zip(texts, together, strict=True):
        alone = model(task.tokenizer([text], max_length=128))[0]
        np.testing.assert_allclose(vector, alone, atol=1e-5)
    assert np.abs(together[0] - together[1]).max() > 1e-2

    lines = ["text\tpair", *("\t".join([text.strip()] * 2) for text in texts)]
    task = make_task(dev=lines, max_length=128).load_pretrained(long_checkpoint)
    pairs = task.evaluation_set(seed=0)
    predictions = inference(pairs, "")
    np.testing.assert_allclose(predictions[0::2], together, atol=1e-5)
    np.testing.assert_allclose(predictions[1::2], together, atol=1e-5)
    # Each text is its pair's other one. "soup" occurs twice, and counts once.
    assert task.evaluate(pairs, predictions).scores["recall_at_1"] == 1


def test_a_kept_run_is_taken_up(make_task, tiny_checkpoint, tmp_path):
    settings = make_task(PAIRS, pooling="max", normalize=False, layer=-2)
    task = settings.prepare(str(tiny_checkpoint), 0).task
    model = task.build_model(tiny_checkpoint, "float32")
    assert model.config.num_hidden_layers == 1
    folder = tmp_path / "run"
    task.save(model, folder)
    again = make_task(layer=-2).restore(folder)
    same = again.build_model(folder, "float32")
    inputs = again.tokenizer(["good soup", "bad"])
    assert (same.pooling, same.normalize, same.config) == ("max", False, model.config)
    np.testing.assert_array_equal(same(inputs), model(inputs))
    with pytest.raises(InputError, match=r"layer: .* was trained with -2, .* found -1"):
        make_task().restore(folder)


def test_what_cannot_be_trained_on(prepare):
    with pytest.raises(InputError, match=r"train\.tsv:2: expected at least two pairs, found one"):
        prepare(PAIRS[:2], PAIRS)
    same = [SCORED[0], "a\tb\t1", "c\td\t1"]
    with pytest.raises(InputError, match=r"train\.tsv:2: expected different scores, found 1 alone"):
        prepare(same, PAIRS)
    with pytest.raises(InputError, match="column 'pair' is not in the first line"):
        prepare(["text\tsecond", "a\tb"])
    with pytest.raises(InputError, match=r"train\.tsv:3: expected a finite number, found 'high'"):
        prepare([*SCORED[:2], "c\td\thigh"])
    with pytest.raises(InputError, match="max_length: expected at most 64"):
        prepare(PAIRS, max_length=65)


def test_settings_that_cannot_be(make_task):
    with pytest.raises(InputError, match="query: expected a text, found spaces"):
        make_task(query=" \t")
    with pytest.raises(InputError, match="pooling: expected one of 'mean', 'cls', 'max', found"):
        make_task(pooling="first")
    with pytest.raises(InputError, match="num_neighbors: expected at least 1, found 0"):
        make_task(num_neighbors=0)
    with pytest.raises(InputError, match="max_length: expected at least 3, found 2"):
        make_task(max_length=2)


def test_a_record_keeps_what_was_given():
    task = Embedding(
        task_name="STS-B", data_dir="glue", columns=Columns("a", "b", ""), normalize=False
    )
    record = record_of(task)
    assert record == {
        **{"train_file": "", "dev_file": "", "dev_fraction": 0.1},
        **{"task_name": "STS-B", "data_dir": "glue"},
        **{"text_column": "a", "pair_column": "b", "label_column": ""},
        **{"pooling": None, "normalize": False, "layer": -1, "max_seq_length": 128},
    }
    assert from_record(Embedding, record) == task


def test_cut_texts_are_counted(prepare, caplog):
    caplog.set_level("INFO")
    prepare(["text\tpair", "soup " * 20 + "\tb", "c\td"], PAIRS)
    assert "1 of 4 texts are longer than 16 tokens and were cut (`max_length`)." in caplog.text
    assert "2 pairs to train on, without scores" in caplog.text


def test_nothing_to_evaluate_on(make_task, tiny_checkpoint):
    task = make_task().load_pretrained(tiny_checkpoint)
    assert task.evaluation_set(seed=0) is None
    with pytest.raises(InputError, match="file: expected a file of texts, found none"):
        task.read_examples("")
    with pytest.raises(InputError, match=r"inputs: \[1\]: expected a text, found"):
        task.examples_of(["soup", 3])
