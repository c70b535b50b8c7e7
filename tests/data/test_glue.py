import pytest

from bert_keras.data.glue import TASKS, find_task, read_glue
from bert_keras.errors import InputError

MNLI = (
    "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\t"
    "sentence1_parse\tsentence2_parse\tsentence1\tsentence2"
)
STSB = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2"

# Two lines of each layout as GLUE's download has them, the texts made up.
FILES = {
    "CoLA/train.tsv": "gj04\t1\t\tA b.\ngj04\t0\t*\tB a.\n",
    "CoLA/test.tsv": "index\tsentence\n0\tA b.\n",
    "SST-2/train.tsv": 'sentence\tlabel\nA b. \t1\nB " a. \t0\n',
    "SST-2/test.tsv": "index\tsentence\n0\tA b.\n",
    "MRPC/dev.tsv": '\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t7\t8\tA b.\t" A b .\n',
    "MRPC/test.tsv": '\ufeffindex\t#1 ID\t#2 ID\t#1 String\t#2 String\n0\t7\t8\tA b.\t" A b .\n',
    "QQP/train.tsv": "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
    "1\t2\t3\tA b.\tB?\t0\n4\t5\t6\tA?\n7\t8\t9\tA?\t\t1\n10\t11\t12\tA b.\tC?\t1\n",
    "QQP/test.tsv": "id\tquestion1\tquestion2\n0\tA b.\tB?\n",
    "STS-B/train.tsv": f"{STSB}\tscore\n0\tg\tf\ty\t1\ts\ts\tA b.\tB a.\t3.800\n",
    "STS-B/test.tsv": f"{STSB}\n0\tg\tf\ty\t1\ts\ts\tA b.\tB a.\n",
    "MNLI/train.tsv": f"{MNLI}\tlabel1\tgold_label\n0\t1\t2\tg\t(\t(\t(\t(\tA b.\tB.\tn\tneutral\n",
    "MNLI/dev_matched.tsv": f"{MNLI}\tlabel1\tlabel2\tlabel3\tlabel4\tlabel5\tgold_label\n"
    "0\t1\t2\tg\t(\t(\t(\t(\tA b.\tB.\tneutral\tneutral\tneutral\tneutral\tneutral\tentailment\n",
    "MNLI/dev_mismatched.tsv": f"{MNLI}\tlabel1\tgold_label\n"
    "0\t1\t2\tg\t(\t(\t(\t(\tA b.\tB.\tn\tcontradiction\n",
    "MNLI/test_matched.tsv": f"{MNLI}\n0\t1\t2\tg\t(\t(\t(\t(\tA b.\tB.\n",
    "QNLI/train.tsv": "index\tquestion\tsentence\tlabel\n0\tA b.\tB.\tnot_entailment\n",
    "QNLI/test.tsv": "index\tquestion\tsentence\n0\tA b.\tB.\n",
    "RTE/train.tsv": "index\tsentence1\tsentence2\tlabel\n0\tA b.\tB.\tentailment\n",
    "RTE/test.tsv": "index\tsentence1\tsentence2\n0\tA b.\tB.\n",
    "WNLI/train.tsv": "index\tsentence1\tsentence2\tlabel\n0\tA b.\tB.\t0\n",
    "WNLI/test.tsv": "index\tsentence1\tsentence2\n0\tA b.\tB.\n",
}
LABELS = {"CoLA": ["1", "0"], "SST-2": ["1", "0"], "MRPC": ["1"], "QQP": ["0", "1"]}
LABELS |= {"STS-B": [3.8], "MNLI": ["neutral"], "QNLI": ["not_entailment"]}
LABELS |= {"RTE": ["entailment"], "WNLI": ["0"]}


@pytest.fixture
def glue(tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


@pytest.mark.parametrize("name", TASKS)
def test_every_layout(glue, name):
    rows = read_glue(name, glue, "dev" if name == "MRPC" else "train")
    assert rows.labels == LABELS[name]
    assert rows.kind == TASKS[name].kind
    assert rows.texts[0].strip() == "A b."
    single = name in ("CoLA", "SST-2")
    assert (rows.pairs is None) == single
    if rows.kind == "class":
        assert set(rows.labels) <= set(TASKS[name].labels)
    test = read_glue(name, glue, "test")
    assert test.labels is None and test.texts == ["A b."]
    assert (test.pairs is None) == single


def test_quote_marks_are_text(glue):
    assert read_glue("SST-2", glue, "train").texts[1] == 'B " a. '
    assert read_glue("MRPC", glue, "dev").pairs == ['" A b .']


def test_the_folder_of_the_task_will_do(glue):
    assert read_glue("rte", glue / "RTE", "train").texts == ["A b."]


def test_splits_of_mnli(glue):
    assert read_glue("MNLI", glue, "dev").labels == ["entailment"]
    assert read_glue("MNLI", glue, "dev_mismatched").labels == ["contradiction"]
    with pytest.raises(InputError, match=r"test_mismatched\.tsv: there is no such file"):
        read_glue("MNLI", glue, "test_mismatched")


def test_incomplete_rows_are_skipped_in_qqp_alone(glue, caplog):
    caplog.set_level("INFO")
    assert len(read_glue("QQP", glue, "train")) == 2
    assert "skipped 2 rows" in caplog.text
    with (glue / "QQP/test.tsv").open("a") as file:
        file.write("1\tA?\n")
    with pytest.raises(InputError, match=r"test\.tsv:3: expected 3 columns"):
        read_glue("QQP", glue, "test")
    with (glue / "RTE/train.tsv").open("a") as file:
        file.write("1\tA\tB\n")
    with pytest.raises(InputError, match=r"train\.tsv:3: expected 4 columns"):
        read_glue("RTE", glue, "train")


def test_glue_ranks_by_its_own_metrics():
    first = {name: task.metrics[0] for name, task in TASKS.items()}
    assert first["CoLA"] == "matthews" and first["STS-B"] == "spearman"
    assert first["MRPC"] == first["QQP"] == "f1"
    assert {first[name] for name in ("SST-2", "MNLI", "QNLI", "RTE", "WNLI")} == {"accuracy"}


def test_unknown_task_split_or_file(tmp_path):
    assert find_task("sts-b")[0] == "STS-B"
    with pytest.raises(InputError, match="SNLI: expected a task of GLUE: CoLA"):
        read_glue("SNLI", tmp_path, "train")
    with pytest.raises(InputError, match="RTE: expected a split train, dev, test, found 'valid'"):
        read_glue("RTE", tmp_path, "valid")
    with pytest.raises(InputError, match=r"train\.tsv: there is no such file"):
        read_glue("RTE", tmp_path, "train")


def test_the_sample(samples):
    train, dev, test = (
        read_glue("SST-2", samples / "glue", split) for split in ("train", "dev", "test")
    )
    assert [len(rows) for rows in (train, dev, test)] == [20, 8, 4]
    assert set(train.labels) == set(dev.labels) == {"0", "1"} and test.labels is None
