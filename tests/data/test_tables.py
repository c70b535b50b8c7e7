import pytest

from bert_keras.data.tables import read_csv, read_json_lines, read_text, read_tsv
from bert_keras.errors import InputError


@pytest.fixture
def write(tmp_path):
    def write(content, name="rows.tsv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_tsv_takes_quote_marks_as_they_are(write):
    table = read_tsv(write('text\tlabel\n" a " b\tx\n"c\ty\n'), has_header=True)
    assert table.header == ["text", "label"]
    assert table.records == [['" a " b', "x"], ['"c', "y"]]
    assert [location.rpartition("/")[2] for location in table.locations] == [
        "rows.tsv:2",
        "rows.tsv:3",
    ]


def test_tsv_without_header_counts_lines_from_one(write):
    table = read_tsv(write("a\tx\nb\ty\n"), has_header=False)
    assert table.header is None
    assert table.records == [["a", "x"], ["b", "y"]]
    assert table.locations[0].endswith("rows.tsv:1")


def test_byte_order_mark_and_crlf_leave_no_trace(write):
    path = write("\ufefftext\tlabel\r\na\tx\r\nb\ty\r\n")
    table = read_tsv(path, has_header=True)
    assert table.header == ["text", "label"]
    assert table.records == [["a", "x"], ["b", "y"]]


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\x85", "\r"])
def test_only_line_feeds_end_a_row(write, character):
    text = f"one{character}row"
    assert read_tsv(write(f"{text}\tx\nb\ty"), has_header=False).records[0] == [text, "x"]
    csv = read_csv(write(f'"{text}",x\nb,y', "rows.csv"), has_header=False)
    assert csv.records == [[text, "x"], ["b", "y"]]
    if ord(character) > 31:  # JSON itself forbids raw control characters in strings
        table = read_json_lines(write(f'{{"text": "{text}"}}\n', "rows.jsonl"))
        assert table.records == [{"text": text}]


def test_csv_quoting_and_places_across_lines(write):
    path = write('text,label\n"one,\ntwo ""three""",x\nb,y\n', "rows.csv")
    table = read_csv(path, has_header=True)
    assert table.records == [['one,\ntwo "three"', "x"], ["b", "y"]]
    assert [location.rpartition(":")[2] for location in table.locations] == ["2", "4"]


def test_json_lines(write):
    table = read_json_lines(write('{"text": "a", "label": 1}\r\n{"text": "é\\u00e9"}\n', "r.jsonl"))
    assert table.records == [{"text": "a", "label": 1}, {"text": "éé"}]
    assert table.header is None and table.layout == "jsonl"


def test_empty_lines_at_the_end_are_no_rows(write):
    assert len(read_tsv(write("a\tx\nb\ty\n\n\n"), has_header=False).records) == 2
    assert len(read_csv(write("a,x\nb,y\n\r\n", "rows.csv"), has_header=False).records) == 2
    assert len(read_json_lines(write('{"a": 1}\n\n', "rows.jsonl")).records) == 1


def test_a_field_of_five_megabytes(write):
    long = "word " * 1_000_000
    assert read_tsv(write(f"{long}\tx\n"), has_header=False).records[0][0] == long
    assert read_csv(write(f'"{long}",x\n', "rows.csv"), has_header=False).records[0][0] == long


def test_incomplete_rows_are_skipped_and_counted_on_request(write, caplog):
    caplog.set_level("INFO")
    path = write("a\tb\n1\t2\n3\n4\t\n5\t6\t7\n8\t9\n")
    table = read_tsv(path, has_header=True, skip_incomplete=True)
    assert table.records == [["1", "2"], ["8", "9"]]
    assert table.locations == [f"{path}:2", f"{path}:6"]
    assert "skipped 3 rows" in caplog.text


READERS = {
    "rows.tsv": lambda path: read_tsv(path, has_header=True),
    "rows.csv": lambda path: read_csv(path, has_header=True),
    "rows.jsonl": read_json_lines,
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ": expected rows, found an empty file"),
        (b"\xef\xbb\xbf", ": expected rows, found an empty file"),
        (b"\n\r\n\n", ": expected rows, found an empty file"),
        (b"text\nfine\nn\0l\n", ":3: expected text, found a NUL byte"),
        (b"text\nfine\nbad \xe9t\xe9\n", ":3: expected UTF-8, found the byte 0xe9"),
        (b"\xef\xbb\xbftext\n\n\xff", ":3: expected UTF-8, found the byte 0xff"),
        ("text\na".encode("utf-16"), ":1: expected text, found a NUL byte"),
    ],
)
def test_bytes_that_are_no_text_in_any_layout(write, name, content, message):
    path = write(content, name)
    with pytest.raises(InputError) as error:
        READERS[name](path)
    assert str(error.value).startswith(f"{path}{message}")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.tsv", "text\tlabel\n", ": expected rows, found a header alone"),
        ("rows.csv", "text,label\n", ": expected rows, found a header alone"),
        (
            "rows.tsv",
            "a\tb\n1\t2\n1\t2\t3\n",
            ":3: expected 2 columns, as in the first line, found 3",
        ),
        ("rows.tsv", "a\tb\n1\n", ":2: expected 2 columns, as in the first line, found 1"),
        ("rows.tsv", "a\tb\n\n1\t2\n", ":2: expected 2 columns, as in the first line, found 1"),
        ("rows.csv", "a,b\n1,2\n\n1,2\n", ":3: expected 2 columns, as in the first line, found 1"),
        ("rows.csv", "a,b\n1,2,3\n", ":2: expected 2 columns, as in the first line, found 3"),
        ("rows.csv", 'a,b\n1,2\n"1,2\n3,4\n', ":3: not a row of CSV"),
        ("rows.csv", 'a,b\n"1"x,2\n', ":2: not a row of CSV"),
        ("rows.jsonl", '{"a": 1}\n{"a": \n', ":2: expected a JSON object"),
        ("rows.jsonl", '{"a": 1}\n["a"]\n', ":2: expected a JSON object, found"),
        ("rows.jsonl", '{"a": 1}\n\n{"a": 1}\n', ":2: expected a JSON object"),
        ("rows.jsonl", '{"a": NaN}\n', ":1: expected a JSON object: NaN is not JSON"),
        ("rows.jsonl", '{"a": "\\ud800"}\n', ":1: expected a JSON object"),
        ("rows.jsonl", "[" * 100_000, ":1: expected a JSON object"),
    ],
)
def test_rows_that_break_their_layout(write, name, content, message):
    path = write(content, name)
    with pytest.raises(InputError) as error:
        READERS[name](path)
    assert str(error.value).startswith(f"{path}{message}")
    assert len(str(error.value)) < 300 + len(str(path))


def test_a_missing_file_says_what_is_there(tmp_path, write):
    write("a", "train.tsv")
    with pytest.raises(InputError, match=r"dev\.tsv: there is no such file; .* holds train\.tsv"):
        read_text(tmp_path / "dev.tsv")
    with pytest.raises(InputError, match="nor a folder"):
        read_text(tmp_path / "nowhere" / "dev.tsv")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_text(tmp_path)
