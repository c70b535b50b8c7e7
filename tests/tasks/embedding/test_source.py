import pytest

from bert_keras.data.columns import Columns
from bert_keras.errors import InputError
from bert_keras.tasks.embedding.source import PairSource


def write(path, lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def pairs(tmp_path):
    return write(tmp_path / "pairs.tsv", ["text\tpair", "one\ttwo", "three\tfour"])


@pytest.fixture
def scored(tmp_path):
    return write(tmp_path / "scored.tsv", ["text\tpair\tscore\tother", "a\tb\t1\t3", "c\td\t2\t4"])


def test_scores_are_read_where_there_are_some(pairs, scored):
    train, dev = PairSource(train=pairs, dev=scored).train_and_dev(seed=0)
    assert (train.texts, train.pairs, train.labels) == (["one", "three"], ["two", "four"], None)
    assert dev.labels == [1.0, 2.0]


def test_a_named_column_is_expected(pairs, scored):
    columns = Columns("text", "pair", "other")
    assert PairSource(dev=scored, columns=columns).dev_rows(0).labels == [3.0, 4.0]
    with pytest.raises(InputError, match="column 'other' is not in the first line"):
        PairSource(dev=pairs, columns=columns).dev_rows(0)


def test_glues_pairs(tmp_path, scored):
    line = "sentence1\tsentence2\tscore"
    for name in ("train", "dev"):
        write(tmp_path / f"{name}.tsv", [line, "a\tb\t1.5", f"{name}\td\t2"])
    source = PairSource(task_name="STS-B", data_dir=str(tmp_path))
    train, dev = source.train_and_dev(seed=0)
    assert train.texts == ["a", "train"] and dev.texts == ["a", "dev"]
    assert train.labels == dev.labels == [1.5, 2.0]
    assert source.columns == Columns("text", "pair", "")  # as given, for the record of a run
    own = write(tmp_path / "own.tsv", [line, "e\tf\t5"])
    own = PairSource(task_name="STS-B", data_dir=str(tmp_path), dev=own)
    assert own.dev_rows(0).texts == ["e"]


def test_other_tasks_of_glue_are_refused():
    with pytest.raises(InputError, match=r"task_name: expected STS-B, found RTE\."):
        PairSource(task_name="RTE", data_dir=".")
    with pytest.raises(InputError, match="SST: expected a task of GLUE: CoLA"):
        PairSource(task_name="SST", data_dir=".")
    with pytest.raises(InputError, match="data_dir: expected the folder of GLUE's tasks"):
        PairSource(task_name="STS-B")
