import pytest

from bert_keras.errors import InputError
from bert_keras.tasks.tagging.conll import read_conll, write_conll
from bert_keras.tasks.tagging.tag_schemes import Span

NEWS = """-DOCSTART- -X- O O

Ada NNP I-NP I-PER
Lovelace NNP I-NP I-PER
wrote VBD I-VP O

-DOCSTART- -X- O O

Paris NNP I-NP I-LOC"""


def write(folder, content):
    path = folder / "some.conll"
    path.write_bytes(content.encode())
    return path


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("separator", [" ", "\t", "  "])
@pytest.mark.parametrize("last", ["", "\n", "\n\n \n"])
def test_columns_sentences_and_documents(tmp_path, end, separator, last):
    text = (NEWS + last).replace(" ", separator).replace("\n", end)
    found = read_conll(write(tmp_path, "\ufeff" + text))
    assert found.words == [["Ada", "Lovelace", "wrote"], ["Paris"]]
    assert found.line_indices == [[2, 3, 4], [8]]
    assert found.spans == [[Span("PER", 0, 1)], [Span("LOC", 0, 0)]]
    assert found.scheme == "iob1"


def test_words_are_what_the_separators_leave(tmp_path):
    found = read_conll(write(tmp_path, "New York\tB-x\n\u00a0\tO \n#\tO\n\n\t\n'\tO\n"))
    assert found.words == [["New York", "\u00a0", "#"], ["'"]]


def test_a_given_scheme_counts(tmp_path):
    path = write(tmp_path, "a I-x\nb B-x\n")
    assert read_conll(path, "iob1").spans == [[Span("x", 0, 0), Span("x", 1, 1)]]
    with pytest.raises(InputError, match=r"some\.conll:1: I-x starts a sentence, with no B-x"):
        read_conll(path, "iob2")


def test_tags_may_be_missing_where_they_are_not_read(tmp_path):
    found = read_conll(write(tmp_path, "a\nb x\n\nc\n"), labelled=False)
    assert found.words == [["a", "b"], ["c"]]
    assert found.spans is None and found.scheme is None


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", ": expected words, one a line, found none."),
        ("\n\n-DOCSTART- O\n", ": expected words, one a line, found none."),
        ("a O\nb\n", ":2: expected a word and its tag, 2 columns as in the first line, found 1."),
        ("a\nb\n", ":1: expected a word and its tag, 2 columns as in the first line, found 1."),
        (
            "a X O\nb O\n",
            ":2: expected a word and its tag, 3 columns as in the first line, found 2.",
        ),
        ("a\tO\n\tO\n", ":2: expected a word, found '\\tO'."),
        ("a B-x\n\nb O\nc I-x\nd B-x\n", ":4: I-x follows O, with no B-x before it."),
        ("a B-x\nb O\nc S-x\n", ":2: O follows B-x, with no E-x between them."),
        ("a O\nb PER\n", ":2: expected a tag such as O or B-PER, found 'PER'."),
        ("a O\n\0 O\n", ":2: expected text, found a NUL byte."),
    ],
)
def test_files_that_cannot_be_used(tmp_path, content, sentence):
    path = write(tmp_path, content)
    with pytest.raises(InputError) as caught:
        read_conll(path)
    assert str(caught.value) == f"{path}{sentence}"


def test_what_is_written_is_the_same_lines_with_a_column_more(tmp_path):
    path = write(tmp_path, NEWS)
    found = read_conll(path)
    write_conll(tmp_path / "new", found.lines, found.line_indices, [["B-x", "I-x", "O"], ["B-y"]])
    written = (tmp_path / "new").read_text().splitlines()
    expected = dict.fromkeys(range(len(found.lines)), " O") | {2: " B-x", 3: " I-x", 8: " B-y"}
    assert written == [
        line + (expected[i] if line else "") for i, line in enumerate(NEWS.split("\n"))
    ]
    path = write(tmp_path, "a b\tc \n\nd\n")
    found = read_conll(path, labelled=False)
    write_conll(tmp_path / "new", found.lines, found.line_indices, [["O"], ["B-y"]])
    assert (tmp_path / "new").read_text() == "a b\tc\tO\n\nd\tB-y\n"
