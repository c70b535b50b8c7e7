import collections

import pytest

from bert_keras.data.rows import Columns
from bert_keras.data.source import RowSource
from bert_keras.errors import InputError


def write(path, lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def train_file(tmp_path):
    rows = [f"text {i}\t{'ab'[i % 2]}" for i in range(40)]
    return write(tmp_path / "train.tsv", ["text\tlabel", *rows])


@pytest.fixture
def dev_file(tmp_path):
    return write(tmp_path / "dev.tsv", ["text\tlabel", "text 0\ta", "another\tb"])


@pytest.fixture
def glue(tmp_path):
    folder = tmp_path / "MRPC"
    folder.mkdir()
    header = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String"
    write(folder / "train.tsv", [header, "1\t1\t2\tone\tuno", "0\t3\t4\ttwo\ttres"])
    write(folder / "dev.tsv", [header, "1\t5\t6\tdev\tdev too"])
    write(folder / "test.tsv", ["index" + header[7:], "0\t7\t8\ttest\ttest too"])
    return str(tmp_path)


def test_a_dev_file_is_taken_as_it_is(train_file, dev_file):
    source = RowSource(train=train_file, dev=dev_file)
    train, dev = source.train_and_dev(0)
    assert len(train) == 40
    assert dev.texts == source.dev_rows(0).texts == ["text 0", "another"]


def test_a_share_is_held_out(train_file):
    source = RowSource(train=train_file, dev_fraction=0.2)
    train, dev = source.train_and_dev(4)
    assert (len(train), len(dev)) == (32, 8)
    assert not set(train.texts) & set(dev.texts)
    assert source.dev_rows(4).texts == dev.texts  # in a later call too
    assert source.dev_rows(5).texts != dev.texts


def test_nothing_is_held_out_on_request(train_file):
    source = RowSource(train=train_file, dev_fraction=0.0)
    train, dev = source.train_and_dev(0)
    assert len(train) == 40 and dev is None and source.dev_rows(0) is None


def test_too_few_rows_to_hold_any_out(tmp_path):
    path = write(tmp_path / "train.tsv", ["text\tlabel", "a\tx", "b\ty"])
    with pytest.raises(InputError, match=r"dev_fraction: 0\.1 of 2 rows leaves none"):
        RowSource(train=path).train_and_dev(0)


def test_few_rows_a_class(train_file, dev_file):
    source = RowSource(train=train_file, rows_per_class=3)
    train, dev = source.train_and_dev(0)
    assert collections.Counter(train.labels) == {"a": 3, "b": 3}
    assert len(dev) == 34 and not set(train.texts) & set(dev.texts)
    assert source.dev_rows(0).texts == dev.texts
    train, dev = RowSource(train=train_file, dev=dev_file, rows_per_class=3).train_and_dev(0)
    assert len(train) == 6 and dev.texts == ["text 0", "another"]


def test_texts_that_are_trained_on_are_not_held_out(tmp_path, caplog):
    caplog.set_level("INFO")
    rows = [f"{'same' if i < 20 else i}\t{'ab'[i % 2]}" for i in range(40)]
    path = write(tmp_path / "train.tsv", ["text\tlabel", *rows])
    train, dev = RowSource(train=path, dev_fraction=0.5).train_and_dev(0)
    assert "same" in train.texts and "same" not in dev.texts
    left_out = 40 - len(train) - len(dev)
    assert f"{left_out} rows are not evaluated on" in caplog.text


def test_pairs_are_the_same_only_if_both_texts_are(tmp_path):
    rows = [f"same\t{i}\t{'ab'[i % 2]}" for i in range(20)]
    path = write(tmp_path / "train.tsv", ["one\ttwo\tlabel", *rows])
    source = RowSource(train=path, columns=Columns("one", "two"), dev_fraction=0.5)
    train, dev = source.train_and_dev(0)
    assert len(train) == len(dev) == 10


def test_rows_to_predict_need_no_label(train_file, tmp_path):
    path = write(tmp_path / "new.tsv", ["text", "what is this"])
    rows = RowSource(train=train_file).unlabelled(path)
    assert rows.texts == ["what is this"] and rows.labels is None


def test_a_task_of_glue(glue):
    source = RowSource(task_name="mrpc", data_dir=glue, label_kind="multi")
    assert (source.kind, source.metric) == ("class", "f1")
    train, dev = source.train_and_dev(0)
    assert (train.texts, train.pairs, train.labels) == (["one", "two"], ["uno", "tres"], ["1", "0"])
    assert dev.texts == source.dev_rows(0).texts == ["dev"]
    assert source.unlabelled("").pairs == ["test too"]
    assert RowSource(task_name="STS-B", data_dir=glue).kind == "number"
    assert RowSource().metric is None


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 1.5])
def test_shares_that_are_none(fraction):
    with pytest.raises(InputError, match="dev_fraction: expected 0 or more and less than 1, found"):
        RowSource(dev_fraction=fraction)


def test_what_is_missing():
    with pytest.raises(InputError, match="data_dir: expected the folder of GLUE's tasks"):
        RowSource(task_name="MRPC")
    with pytest.raises(InputError, match="SST: expected a task of GLUE: CoLA"):
        RowSource(task_name="SST", data_dir="x")
    with pytest.raises(InputError, match="train: expected a file, or `task_name` and `data_dir`"):
        RowSource().train_and_dev(0)
    with pytest.raises(InputError, match="file: expected a file, or `task_name`"):
        RowSource().unlabelled("")
    with pytest.raises(InputError, match="nowhere"):
        RowSource(train="nowhere.tsv").train_and_dev(0)
    with pytest.raises(InputError, match="no Python package 'no_such_package'"):
        RowSource(train="pkg://no_such_package/data").train_and_dev(0)


def test_labels_are_expected(tmp_path):
    pairs = write(tmp_path / "pairs.tsv", ["text\tpair", "one\ttwo", "three\tfour"])
    with pytest.raises(InputError, match="column 'label' is not in the first line"):
        RowSource(dev=pairs).dev_rows(0)


def test_no_source_of_rows_to_evaluate_on():
    assert RowSource().dev_rows(0) is None
