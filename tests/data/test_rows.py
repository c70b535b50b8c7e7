import json
import time

import pytest

from bert_keras.data.rows import Columns, check_labels, find_labels, read_rows
from bert_keras.errors import InputError

NUMBERED = Columns("0", label="1")


@pytest.fixture
def write(tmp_path):
    def write(content, name="train.tsv"):
        path = tmp_path / name
        path.write_text(content, encoding="utf-8", newline="")
        return path

    return write


def refusal(path, **how):
    with pytest.raises(InputError) as error:
        read_rows(path, **how)
    message = str(error.value)
    assert message.startswith(str(path)) and "\n" not in message
    return message.removeprefix(str(path))


def json_lines(*records):
    return "".join(json.dumps(record) + "\n" for record in records)


def test_the_same_rows_from_every_layout(write):
    columns = Columns("a", "b", "c")
    paths = [
        write("c\ta\tid\tb\nyes\tone\t1\ttwo\nno\tthree\t2\tfour\n"),
        write("a,b,c\none,two,yes\nthree,four,no\n", "train.csv"),
        write(
            json_lines(
                {"a": "one", "b": "two", "c": "yes"}, {"c": "no", "b": "four", "a": "three"}
            ),
            "train.jsonl",
        ),
    ]
    for path in paths:
        rows = read_rows(path, columns=columns)
        assert rows.texts == ["one", "three"]
        assert rows.pairs == ["two", "four"]
        assert rows.labels == ["yes", "no"]
        assert rows.layout == path.suffix[1:]
    assert read_rows(paths[0], columns=columns).records[0] == ["yes", "one", "1", "two"]


def test_txt_is_tsv_and_numbers_promise_no_header(write):
    rows = read_rows(write("one\tx\ntwo\ty\n", "train.txt"), columns=NUMBERED)
    assert rows.texts == ["one", "two"] and rows.pairs is None and rows.header is None


def test_a_folder_of_class_folders(tmp_path):
    for name in ("b/2.txt", "b/1.txt", "a/deep/1.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text of {name}")
    rows = read_rows(tmp_path)
    assert rows.texts == ["text of a/deep/1.txt", "text of b/1.txt", "text of b/2.txt"]
    assert rows.labels == ["a", "b", "b"]
    assert rows.records == [[location] for location in rows.locations] and rows.header == ["file"]
    assert read_rows(tmp_path, labelled=False).labels is None
    (tmp_path / "b" / "2.txt").write_text(" \n")
    with pytest.raises(InputError, match=r"b/2\.txt: expected text in the file, found nothing"):
        read_rows(tmp_path)
    assert "one label a text" in refusal(tmp_path, kind="number")


def test_several_labels(write):
    rows = read_rows(write("text\tlabel\nfirst\tb, a,b\nsecond\t\n"), kind="multi")
    assert rows.labels == [["b", "a"], []]
    path = write(
        json_lines({"text": "first", "label": ["b, c", 1]}, {"text": "second", "label": []}),
        "train.jsonl",
    )
    assert read_rows(path, kind="multi").labels == [["b, c", "1"], []]
    path = write(json_lines({"text": "first", "label": "b"}), "train.jsonl")
    assert ":1: expected a list of labels, found 'b'" in refusal(path, kind="multi")


def test_numbers(write):
    rows = read_rows(write("text\tlabel\nfirst\t3.5\nsecond\t-1e3\n"), kind="number")
    assert rows.labels == [3.5, -1000.0]
    path = write(json_lines({"text": "first", "label": 2}), "train.jsonl")
    assert read_rows(path, kind="number").labels == [2.0]


@pytest.mark.parametrize("value", ["good", "", "nan", "inf", "1e999", "1e39", "1_0", "3,5"])
def test_what_is_no_number(write, value):
    path = write(f"text\tlabel\nfirst\t1\nsecond\t{value}\n")
    assert f":3: expected a finite number, found '{value}'" in refusal(path, kind="number")


@pytest.mark.parametrize("value", [True, None, [1], 10**400])
def test_what_is_no_number_in_json(write, value):
    path = write(json_lines({"text": "first", "label": value}), "train.jsonl")
    assert ":1: expected a finite number" in refusal(path, kind="number")


def test_labels_of_json_that_are_no_strings(write):
    path = write(json_lines(*({"text": "t", "label": v} for v in (0, True, " x "))), "train.jsonl")
    assert read_rows(path).labels == ["0", "true", "x"]
    for value in (1.5, None, ["x"], {}):
        path = write(json_lines({"text": "t", "label": value}), "train.jsonl")
        assert ":1: expected a label, found" in refusal(path)
    path = write(json_lines({"text": "t", "label": "x"}, {"text": 3, "label": "x"}), "train.jsonl")
    assert ":2: expected text in 'text', found '3'" in refusal(path)


def test_rows_to_predict_need_no_label(write):
    path = write("id\ttext\n1\tone\n2\ttwo\n")
    rows = read_rows(path, labelled=False)
    assert rows.texts == ["one", "two"] and rows.labels is None
    assert "the column 'label' is not in the first line, 'id', 'text'" in refusal(path)
    assert read_rows(write("one\ntwo\n"), columns=NUMBERED, labelled=False).texts == ["one", "two"]
    path = write(json_lines({"text": "one"}), "test.jsonl")
    assert read_rows(path, labelled=False).texts == ["one"]
    assert ":1: expected the key 'label', found 'text'" in refusal(path)


@pytest.mark.parametrize("text", ["", " ", "\u3000 "])
def test_empty_text(write, text):
    path = write(f"text\tlabel\nfirst\tx\n{text}\ty\n")
    assert refusal(path) == ":3: expected text in 'text', found nothing."
    path = write(f"a\tb\tlabel\nfirst\tsecond\tx\nfirst\t{text}\ty\n")
    message = refusal(path, columns=Columns("a", "b"))
    assert message == ":3: expected text in 'b', found nothing."


def test_empty_label(write):
    assert refusal(write("text\tlabel\nfirst\t \n")) == ":2: expected a label, found nothing."


def test_a_row_taken_for_a_header(write):
    path = write("A fine day.\tgood\nA rainy day.\tbad\n")
    message = refusal(path)
    assert message.startswith(
        ":1: the column 'text' is not in the first line, 'A fine day.', 'good'"
    )
    assert "give the columns by number" in message


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("sentence\tlabel\na\tx\nb\ty\n", "class"),
        ("Review\tRating\na\t1\nb\t2\n", "number"),
        ("text\tgold_mark\na\t0\nb\t1\n", "class"),  # the one label that is no number
        ("text\tlabels\na\tx,y\nb\t\n", "multi"),
        ("Review Text\tLabel\na\tx\nb\ty\n", "class"),
        ("text_a\tcategory_name\na\tx\nb\ty\n", "class"),
    ],
)
def test_a_header_taken_for_a_row(write, content, kind):
    message = refusal(write(content), columns=NUMBERED, kind=kind)
    assert message.startswith(":1: expected a row, found what looks like a header")
    assert "give the columns by name" in message


@pytest.mark.parametrize(
    "content",
    [
        "What is a label?\tlabel\na\tx\nb\ty\n",  # a sentence
        "text\tlabel\na\tlabel\nb\ty\n",  # a label that others have too
        "title\tx\na\tx\nb\ty\n",
        "title\tz\na\tx\nb\ty\n",
        "title\t3\na\t1\nb\t2\n",
    ],
)
def test_a_first_row_that_is_no_header(write, content):
    assert len(read_rows(write(content), columns=NUMBERED)) == 3


def test_a_header_taken_for_a_row_to_predict(write):
    path = write("text\nfirst\n")
    assert "looks like a header, 'text'" in refusal(path, columns=NUMBERED, labelled=False)


def test_columns_that_are_not_there(write):
    path = write("text\ttext\tlabel\na\tb\tx\n")
    assert ":1: the column 'text' is twice in the first line" in refusal(path)
    path = write("a\tx\nb\ty\n")
    message = refusal(path, columns=Columns("0", label="2"))
    assert ":1: expected the number of a column, from 0, found '2'" in message
    message = refusal(path, columns=Columns("0", label="label"))
    assert ":1: expected the number of a column, from 0, found 'label'" in message


def test_paths_that_are_no_rows(write, tmp_path):
    assert "expected a file that ends in" in refusal(write("a", "train.xlsx"))
    assert "there is no such file" in refusal(tmp_path / "none.csv")
    assert "expected tfds:name" in refusal("tfds:")


def test_a_text_of_five_megabytes_is_read_at_once(write):
    text = "word " * 1_000_000
    start = time.monotonic()
    assert read_rows(write(f"text\tlabel\n{text}\tx\nb\ty\n")).texts[0] == text
    assert time.monotonic() - start < 2


def test_select_keeps_every_list_in_step(write):
    rows = read_rows(write("text\tlabel\na\tx\nb\ty\nc\tz\n")).select([2, 0])
    assert len(rows) == 2
    assert rows.texts == ["c", "a"] and rows.labels == ["z", "x"] and rows.pairs is None
    assert rows.records == [["c", "z"], ["a", "x"]]
    assert [location.rpartition(":")[2] for location in rows.locations] == ["4", "2"]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["10", "9", "-1"], ["-1", "9", "10"]),
        (["b", "a", "B", "b"], ["B", "a", "b"]),
        (["10", "9", "x"], ["10", "9", "x"]),
    ],
)
def test_labels_found(write, labels, expected):
    rows = read_rows(write("text\tlabel\n" + "".join(f"t\t{label}\n" for label in labels)))
    assert find_labels(rows) == expected


def test_labels_found_among_several(write):
    assert find_labels(read_rows(write("text\tlabel\nt\tb,a\nt\t\n"), kind="multi")) == ["a", "b"]


def test_nothing_to_tell_apart(write):
    with pytest.raises(InputError, match="expected rows of several labels, found 'x' alone"):
        find_labels(read_rows(write("text\tlabel\nt\tx\nt\tx\n")))
    with pytest.raises(InputError, match="found none"):
        find_labels(read_rows(write("text\tlabel\nt\t\n"), kind="multi"))


def test_a_label_that_training_never_had(write):
    path = write("text\tlabel\na\tx\nb\tz\n", "dev.tsv")
    check_labels(read_rows(path), ["x", "y", "z"])
    with pytest.raises(InputError) as error:
        check_labels(read_rows(path), ["x", "y"], "train.tsv")
    expected = f"{path}:3: the label 'z' is none of the 2 labels of train.tsv: x, y."
    assert str(error.value) == expected
    rows = read_rows(write("text\tlabel\na\tx,z\n", "dev.tsv"), kind="multi")
    with pytest.raises(InputError, match="the label 'z' is none"):
        check_labels(rows, ["x", "y"])


@pytest.mark.parametrize(
    ("name", "content", "columns", "labels"),
    [
        ("a.tsv", "text\tlabel\none\t2\n", Columns(), [2.0]),
        ("a.tsv", "text\tscore\none\t2\n", Columns(), None),
        ("a.tsv", "one\t2\n", NUMBERED, [2.0]),
        ("a.tsv", "one\n", NUMBERED, None),
        ("a.csv", "one,2\n", Columns("0"), None),  # a name where there is no header
        ("a.jsonl", json_lines({"text": "one", "label": 2}), Columns(), [2.0]),
        ("a.jsonl", json_lines({"text": "one"}), Columns(), None),
    ],
)
def test_labels_where_they_are(write, name, content, columns, labels):
    path = write(content, name)
    assert read_rows(path, columns=columns, kind="number", labelled=None).labels == labels


def test_labels_of_some_rows_alone(write):
    path = write(json_lines({"text": "one", "label": 1}, {"text": "two"}), "a.jsonl")
    assert refusal(path, labelled=None) == ":2: expected the key 'label', found 'text'."
