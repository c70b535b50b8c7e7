import gzip
import json
import os
import pickle
import shutil
import tracemalloc
import urllib.request

import numpy as np
import pytest

from bert_keras.corpus import documents
from bert_keras.corpus.corpus import Corpus
from bert_keras.errors import InputError
from bert_keras.text.learning import count_words
from bert_keras.text.tokenizer import BertTokenizer


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    content = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return str(path)


def read(corpus):
    """The documents as lists of sentences."""
    return [document.sentences for document in corpus]


def error(corpus, **arguments):
    with pytest.raises(InputError) as caught:
        list(corpus if isinstance(corpus, Corpus) else Corpus(corpus, **arguments))
    return str(caught.value)


# Layouts.


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
def test_a_sentence_a_line(tmp_path, ends, name):
    text = "\ufeff\n\nOne. Still one.\n  Two \n\n \nThree\n\n"
    path = write(tmp_path / name, text.replace("\n", ends))
    found = list(Corpus(path, "sentences"))
    assert [document.sentences for document in found] == [["One. Still one.", "Two"], ["Three"]]
    assert [document.location for document in found] == [f"{path}:3", f"{path}:7"]


def test_a_file_a_document(tmp_path):
    write(tmp_path / "b.txt", "Chapter I\n\nIt was late. The rain\nhad stopped.\r\n\r\nHe slept")
    write(tmp_path / "a.txt", "Short.")
    found = list(Corpus(str(tmp_path)))
    assert [document.location for document in found] == [
        str(tmp_path / "a.txt"),
        str(tmp_path / "b.txt"),
    ]
    assert found[1].sentences == ["Chapter I", "It was late.", "The rain had stopped.", "He slept"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_json_lines(tmp_path, name):
    rows = [{"text": "One. Two.\n\nThree"}, {"text": " "}, {"text": "Über \ud83d\ude00."}]
    path = write(tmp_path / name, "\n".join(map(json.dumps, rows)) + "\n\n")
    found = list(Corpus(path))
    assert [document.sentences for document in found] == [["One.", "Two.", "Three"], ["Über 😀."]]
    assert [document.location for document in found] == [f"{path}:1", f"{path}:3"]


def test_wikitext(tmp_path):
    text = (
        " \n = Tea = \n \n Tea is a drink . It costs 1 @,@ 000 coins . \n \n = = History = = \n \n"
        " Old . \n x = y = \n \n = Coffee = \n \n Dark @-@ brown . \n"
    )
    path = write(tmp_path / "wiki.train.tokens", text)
    found = list(Corpus(path))
    assert [document.sentences for document in found] == [
        ["Tea", "Tea is a drink .", "It costs 1,000 coins .", "History", "Old .", "x = y ="],
        ["Coffee", "Dark-brown ."],
    ]
    assert [document.location for document in found] == [f"{path}:2", f"{path}:11"]


def test_what_wikitext_leaves_out_is_unknown(tmp_path):
    text = " = A <unk> b = \n \n B <unk> <unk> , a <unk>ed . <unk> a b . \n"
    path = write(tmp_path / "wiki.train.tokens", text)
    (document,) = Corpus(path)
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"ab,.<>", "unk", "e", "##d"]
    ids = BertTokenizer(tokens).tokenize(document.sentences).to_list()
    words = [[tokens[i] for i in sentence] for sentence in ids]
    assert words == [
        ["a", "[UNK]", "b"],
        ["b", "[UNK]", "[UNK]", ",", "a", "[UNK]", "."],
        ["[UNK]", "a", "b", "."],
    ]
    assert count_words(document.sentences).keys() == set("ab,.")


def test_the_samples(samples):
    assert len(read(Corpus(samples / "reports.txt", "sentences"))) == 6
    assert len(read(Corpus(samples / "articles.jsonl"))) == 8


def test_blocks_do_not_show(tmp_path, monkeypatch):
    """Characters, lines and paragraphs that two blocks share are read like any others."""
    text = "".join(f"Sätze über ein{i}. Ünd 😀 noch einer,\nim Umbruch.\n\n" for i in range(40))
    path = write(tmp_path / "a.txt", text)
    plain, lines = read(Corpus(path)), read(Corpus(path, "sentences"))
    for block in (1, 2, 7, 64):
        monkeypatch.setattr(documents, "_BLOCK", block)
        assert read(Corpus(path)) == plain
        assert read(Corpus(path, "sentences")) == lines


def test_a_paragraph_without_end(tmp_path, monkeypatch):
    text = "The cat sat on the mat, and it purred. " * 300
    path = write(tmp_path / "a.txt", text)
    plain = read(Corpus(path))
    monkeypatch.setattr(documents, "_BLOCK", 100)
    monkeypatch.setattr(documents, "_PARAGRAPH", 500)
    assert read(Corpus(path)) == plain
    assert len(plain[0]) == 300


# Sources.


def test_sources(tmp_path):
    for name in ("a/1.txt", "a/b/2.text", "a/.hidden", "a/.git/3.txt", "c/4.txt", "5.md"):
        write(tmp_path / name, name)
    inside = str(tmp_path)
    corpus = Corpus([f"{inside}/c/*.txt", f"{inside}/a", f"{inside}/a/1.txt", f"{inside}/**/4.*"])
    assert corpus.shards == [f"{inside}/{name}" for name in ("a/1.txt", "a/b/2.text", "c/4.txt")]
    assert read(pickle.loads(pickle.dumps(corpus))) == [["a/1.txt"], ["a/b/2.text"], ["c/4.txt"]]
    assert [d.sentences for d in corpus.documents(corpus.shards[2])] == [["c/4.txt"]]


def test_fingerprint(tmp_path):
    path = write(tmp_path / "a.txt", "One.")
    first = Corpus(path).fingerprint()
    assert json.loads(json.dumps(first)) == first == Corpus(path).fingerprint()
    (shard,) = first["shards"]
    assert shard["name"] == path and shard["bytes"] == 4 and shard["mtime_ns"] > 0
    status = os.stat(path)
    write(tmp_path / "a.txt", "Two.")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert Corpus(path).fingerprint() != first
    write(tmp_path / "a.txt", "One.")
    assert Corpus(path).fingerprint()["shards"][0]["sha256"] == shard["sha256"]
    assert Corpus(path, "sentences").fingerprint() != first


# Memory.


def peak(work):
    tracemalloc.start()
    work()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


@pytest.mark.parametrize("layout", ["sentences", "files", "wikitext"])
def test_memory_does_not_grow_with_the_file(tmp_path, monkeypatch, layout):
    monkeypatch.setattr(documents, "_BLOCK", 1 << 14)
    monkeypatch.setattr(documents, "_SECTION", 1 << 16)
    line = "The cat sat on the mat, and it purred.\n"
    small = Corpus(write(tmp_path / "small.txt.gz", line * 5_000), layout)
    large = Corpus(write(tmp_path / "large.txt.gz", line * 40_000), layout)
    list(small)

    def use_up(corpus):
        locations, count = set(), 0
        for document in corpus:  # one document, in sections
            locations.add(document.location)
            count += len(document.sentences)
        assert len(locations) == 1
        assert count in (5_000, 40_000)

    assert peak(lambda: use_up(large)) < 1.2 * peak(lambda: use_up(small)) < 4e6


def test_a_line_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "_LINE", 1 << 14)
    monkeypatch.setattr(documents, "_RECORD", 1 << 15)
    monkeypatch.setattr(documents, "_BLOCK", 1 << 12)
    monkeypatch.setattr(documents, "_SECTION", 1 << 16)
    path = write(tmp_path / "long.txt.gz", "Short.\n" + "x" * 2_000_000)
    for layout, limit in (("sentences", "16,384"), ("wikitext", "16,384"), ("jsonl", "32,768")):
        corpus = Corpus(path, layout)
        messages = []
        if layout == "jsonl":
            write(tmp_path / "long.txt.gz", '{"text": ""}\n{"text": "' + "x" * 2_000_000)
        assert peak(lambda: messages.append(error(corpus))) < 1e6  # noqa: B023
        what = {"sentences": "a sentence", "wikitext": "a paragraph", "jsonl": "a record"}[layout]
        assert messages == [
            f"{path}:2: expected {what} a line, of at most {limit} characters, found a longer one."
        ]
    # As running text it is cut.
    assert peak(lambda: [None for _ in Corpus(path, "files")]) < 1e6


# Bad input.


def test_files_that_cannot_be(tmp_path):
    write(tmp_path / "a.txt", "Text.")
    missing = tmp_path / "b.txt"
    assert error(missing) == (
        f"{missing}: expected a file, a folder or a glob of one, found none; "
        f"{tmp_path} holds a.txt."
    )
    assert "found none" in error(str(tmp_path / "*.jsonl"))
    (tmp_path / "none").mkdir()
    assert "expected files in the folder, found none" in error(tmp_path / "none")
    assert error([]) == "expected the files of a corpus, found none."
    assert "expected auto, sentences, files" in error(tmp_path, layout="pages")
    corpus = Corpus(tmp_path / "a.txt")
    os.unlink(tmp_path / "a.txt")
    assert error(corpus) == f"{tmp_path / 'a.txt'}: there is no such file."
    with pytest.raises(InputError, match=r"a\.txt: cannot be read: No such file"):
        corpus.fingerprint()


def test_nothing_in_it(tmp_path):
    path = write(tmp_path / "a.txt", "")
    assert error(path) == f"{path}: expected text, found empty files alone."
    path = write(tmp_path / "a.txt", " \n\n\t\n")
    for layout in ("auto", "sentences", "files", "jsonl", "wikitext"):
        assert error(path, layout=layout) == f"{path}: expected text, found white space."
    write(tmp_path / "b.txt", "Text.")
    assert read(Corpus(tmp_path)) == [["Text."]]
    write(tmp_path / "a.txt", "")
    assert Corpus(tmp_path).shards == [str(tmp_path / "b.txt")]


@pytest.mark.parametrize("layout", ["auto", "sentences", "jsonl"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"text\n" * 20 + b"\0", "expected text, found a NUL byte at 100."),
        ("text".encode("utf-16-le"), "expected text, found a NUL byte at 1."),
        (b"caf\xe9 .", "expected UTF-8, found the byte 0xe9 at 3."),
        (b"\x89PNG\r\n", "expected UTF-8, found the byte 0x89 at 0."),
        ("ab\u20ac".encode()[:-1], "expected UTF-8, found the byte 0xe2 at 2."),
        ("a\u20ac".encode() + b"\xff", "expected UTF-8, found the byte 0xff at 4."),
    ],
)
def test_binary_files(tmp_path, monkeypatch, layout, content, message):
    for block in (1 << 20, 2):
        monkeypatch.setattr(documents, "_BLOCK", block)
        path = write(tmp_path / "a.bin", content)
        if not (layout == "jsonl" and content.startswith(b"text\n") and block == 2):
            assert error(path, layout=layout) == f"{path}: {message}"


def test_broken_gzip(tmp_path):
    whole = gzip.compress(b"A line of text.\n" * 1000)
    for content in (whole[:-20], b"no gzip", whole[:30] + b"\xff" * 20 + whole[50:]):
        path = tmp_path / "a.gz"
        path.write_bytes(content)
        assert error(path).startswith(f"{path}: not a complete gzip file: ")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"body": "x", "title": "y"}', "the column 'text'; there are 'body', 'title'."),
        ("{}", "the column 'text'; there are none."),
        ('{"text": 3}', "expected a text in the column 'text'; found int."),
        ('{"text": null}', "expected a text in the column 'text'"),
        ('["text"]', "expected a JSON object, found '[\"text\"]'."),
        ("text", "expected a JSON object: Expecting value."),
    ],
)
def test_lines_that_have_no_text(tmp_path, line, message):
    path = write(tmp_path / "a.jsonl", '{"text": "Good."}\n' + line + "\n")
    assert error(path).startswith(f"{path}:2: ")
    assert message in error(path)


# The catalogue.

tfds = pytest.importorskip("tensorflow_datasets")


class TinyArticles(tfds.core.GeneratorBasedBuilder):
    """Made up: articles of two paragraphs."""

    VERSION = tfds.core.Version("1.0.0")
    word = "Yes"

    def _info(self):
        features = {"title": tfds.features.Text(), "text": tfds.features.Text(), "n": np.int32}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, manager):
        return {"train": self._generate_examples(5)}

    def _generate_examples(self, count):
        for i in range(count):
            yield i, {"title": f"T{i}", "text": f"This is {i}. {self.word}.\n\nGrün", "n": i}


@pytest.fixture
def catalogue(tmp_path, monkeypatch):
    monkeypatch.setattr("tensorflow_datasets.core.constants.DATA_DIR", str(tmp_path))
    tfds.builder("tiny_articles", data_dir=tmp_path).download_and_prepare()


def test_a_data_set_of_the_catalogue(catalogue):
    corpus = Corpus("tfds:tiny_articles")
    assert corpus.shards == ["tfds:tiny_articles:train[0shard]"]
    found = list(corpus)
    assert sorted(document.sentences for document in found) == [
        [f"This is {i}.", "Yes.", "Grün"] for i in range(5)
    ]
    assert found[1].location == "tfds:tiny_articles:train[0shard]:2"
    (shard,) = corpus.fingerprint()["shards"]
    assert shard["data_set"] == "tiny_articles/1.0.0" and shard["rows"] == 5
    assert len(read(Corpus("tfds:tiny_articles:train[:2]", text_column="title"))) == 2


def test_a_data_set_that_is_made_anew_has_another_fingerprint(catalogue, tmp_path, monkeypatch):
    sources = ["tfds:tiny_articles", "tfds:tiny_articles:train[:2]"]
    first = [Corpus(source).fingerprint() for source in sources]
    assert first == [Corpus(source).fingerprint() for source in sources]
    shutil.rmtree(tmp_path / "tiny_articles")
    monkeypatch.setattr(TinyArticles, "word", "Nay")
    tfds.builder("tiny_articles", data_dir=tmp_path).download_and_prepare()
    for source, before in zip(sources, first, strict=True):
        (now,), (then,) = Corpus(source).fingerprint()["shards"], before["shards"]
        assert now.pop("sha256") != then.pop("sha256") and now == then


def test_rows_that_have_no_text(catalogue):
    assert error("tfds:tiny_articles:dev") == (
        "tfds:tiny_articles:dev: there is no split 'dev'; there are train."
    )
    assert "column 'n'; there are " in error("tfds:tiny_articles", text_column="n")
    assert "column 'body'; there are " in error("tfds:tiny_articles", text_column="body")


def test_without_a_network(tmp_path, monkeypatch):
    monkeypatch.setattr("tensorflow_datasets.core.constants.DATA_DIR", str(tmp_path))

    def refuse(*arguments, **more):
        raise OSError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    assert "does not respond" in error("tfds:lm1b")
