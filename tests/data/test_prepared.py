import collections
import itertools
import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from bert_keras.data import tokenizing
from bert_keras.data.corpus import Corpus
from bert_keras.data.prepared import open_prepared, prepare
from bert_keras.errors import InputError
from bert_keras.text.tokenizer import BertTokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = [mark + letter for mark in ("", "##") for letter in "abcdefghij"]
VOCABULARY = [*SPECIAL, *LETTERS, "."]
LENGTH = 16
ROOM = LENGTH - 3


@pytest.fixture(scope="module")
def tokenizer():
    return BertTokenizer(VOCABULARY, max_length=64)


@pytest.fixture
def texts(tmp_path):
    """A folder of 30 documents in two files; one has a sentence longer than any passage."""
    folder = tmp_path / "texts"
    folder.mkdir()
    random = np.random.default_rng(0)
    documents = []
    for _ in range(30):
        lengths = random.integers(1, 9, random.integers(1, 12))
        documents.append([" ".join(random.choice(list("abcdefgh"), n)) + " ." for n in lengths])
    documents[5][1] = "a b c d e f g h i j " * 4
    documents[7][0] = "\u200b"  # a sentence without a token
    for name, part in (("one.txt", documents[:17]), ("two.txt", documents[17:])):
        (folder / name).write_text("\n\n".join("\n".join(lines) for lines in part) + "\n")
    return folder


def corpus_of(folder):
    return Corpus(str(folder), layout="sentences")


def examples(prepared, split):
    """All of a split: list of (document, tokens, sentences)."""
    return [
        (int(row["document"]), row["tokens"].tolist(), row["sentences"].tolist())
        for row in prepared.dataset(split).as_numpy_iterator()
    ]


def assert_same(one, other):
    assert one.folder.name == other.folder.name and one.sizes == other.sizes
    for split in ("train", "validation"):
        assert examples(one, split) == examples(other, split)


def subfolders(folder):
    return sorted(path.name for path in folder.iterdir())


def read(corpus, tokenizer, room=ROOM):
    shards = range(len(corpus.shards))
    batches = tokenizing.read_passages(corpus, shards, tokenizer, room)
    return [passage for passages, _ in batches for passage in passages]


def test_passages_are_runs_of_whole_sentences(texts, tokenizer):
    corpus = corpus_of(texts)
    of_document = collections.defaultdict(list)
    for passage in read(corpus, tokenizer):
        of_document[passage.document].append(passage)
        assert 0 < len(passage.tokens) <= ROOM
        assert passage.sentences[0] == 0 and (np.diff(passage.sentences) > 0).all()
    documents = [document for shard in corpus.shards for document in corpus.documents(shard)]
    assert len(of_document) == len(documents) == 30
    for document, (_, passages) in zip(documents, sorted(of_document.items()), strict=True):
        assert [passage.number for passage in passages] == list(range(len(passages)))
        sentences = [ids for ids in tokenizer.tokenize(document.sentences).to_list() if ids]
        # Nothing is lost, and nothing comes twice.
        found = np.concatenate([passage.tokens for passage in passages])
        assert found.tolist() == list(itertools.chain(*sentences))
        if max(map(len, sentences)) > ROOM:
            continue
        found = [
            part.tolist()
            for passage in passages
            for part in np.split(passage.tokens, passage.sentences[1:])
        ]
        assert found == sentences
        # As many as fit: what begins a passage did not fit into the one before.
        for before, after in itertools.pairwise(passages):
            first = after.sentences[1] if len(after.sentences) > 1 else len(after.tokens)
            assert len(before.tokens) + first > ROOM


def test_a_long_sentence_is_cut_and_its_end_goes_on(tmp_path, tokenizer):
    (tmp_path / "long.txt").write_text("a b c d e f g\nb b\n")
    passages = read(corpus_of(tmp_path), tokenizer, room=5)
    assert [len(passage.tokens) for passage in passages] == [5, 4]
    assert [passage.sentences.tolist() for passage in passages] == [[0], [0, 2]]


def test_batches_do_not_show(texts, tokenizer, monkeypatch):
    whole = read(corpus_of(texts), tokenizer)
    monkeypatch.setattr(tokenizing, "_BATCH", 7)
    parts = read(corpus_of(texts), tokenizer)
    for one, other in zip(whole, parts, strict=True):
        assert one[:2] == other[:2]
        np.testing.assert_array_equal(one.tokens, other.tokens)
        np.testing.assert_array_equal(one.sentences, other.sentences)


def test_written_and_read(texts, tokenizer, tmp_path):
    corpus = corpus_of(texts)
    prepared = prepare(corpus, tokenizer, LENGTH, tmp_path / "out", dev_fraction=0.2)
    train, validation = examples(prepared, "train"), examples(prepared, "validation")
    expected = [
        (passage.document, passage.tokens.tolist(), passage.sentences.tolist())
        for passage in read(corpus, tokenizer)
    ]
    assert sorted(train + validation) == sorted(expected)
    # Documents are held out whole.
    held_out = {document for document, _, _ in validation}
    assert not held_out & {document for document, _, _ in train}
    assert 2 <= len(held_out) <= 12
    assert prepared.sizes["train"].passages == len(train)
    assert prepared.tokens == sum(len(tokens) for _, tokens, _ in expected)
    assert prepared.sizes["validation"].words == prepared.sizes["validation"].tokens
    assert {
        name: spec.dtype.name for name, spec in prepared.dataset("train").element_spec.items()
    } == {
        "tokens": "int32",
        "sentences": "int32",
        "document": "int64",
    }


def test_shuffled_on_the_disk_alike(texts, tokenizer, tmp_path, monkeypatch):
    corpus = corpus_of(texts)
    in_memory = prepare(corpus, tokenizer, LENGTH, tmp_path / "in_memory")
    monkeypatch.setattr("bert_keras.data.passage_builder._SHUFFLED_IN_MEMORY", 1000)
    on_disk = prepare(corpus, tokenizer, LENGTH, tmp_path / "on_disk")
    assert_same(on_disk, in_memory)


def test_a_seed_decides_the_order(texts, tokenizer, tmp_path):
    prepared = prepare(corpus_of(texts), tokenizer, LENGTH, tmp_path)

    def order(seed):
        rows = prepared.dataset("train", seed).as_numpy_iterator()
        return [(int(row["document"]), row["tokens"].tolist()) for row in rows]

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert order(None) == order(None)
    assert sorted(order(1)) == sorted(order(None))


def test_the_second_run_tokenizes_nothing(texts, tokenizer, tmp_path, monkeypatch):
    first = prepare(corpus_of(texts), tokenizer, LENGTH, tmp_path / "out")
    monkeypatch.setattr("bert_keras.data.passage_builder.read_passages", None)
    monkeypatch.setattr(Corpus, "documents", None)
    os.utime(texts / "one.txt")  # another time is no other text
    second = prepare(corpus_of(texts), tokenizer, LENGTH, tmp_path / "out")
    assert second.folder == first.folder and second.sizes == first.sizes
    assert examples(second, "train") == examples(first, "train")


@pytest.mark.parametrize("change", ["corpus", "vocabulary", "lowercase", "max_length"])
def test_a_change_is_noticed_and_named(change, texts, tokenizer, tmp_path, caplog):
    out = tmp_path / "out"
    first = prepare(corpus_of(texts), tokenizer, LENGTH, out)
    before = examples(first, "train")
    length = LENGTH
    if change == "corpus":
        path = texts / "two.txt"
        path.write_text(path.read_text().replace("a", "b"))
    elif change == "vocabulary":
        tokenizer = BertTokenizer([*VOCABULARY, "##k"], max_length=64)
    elif change == "lowercase":
        tokenizer = BertTokenizer(VOCABULARY, lowercase=False, max_length=64)
    else:
        length += 1
    with caplog.at_level("INFO", "bert_keras"):
        second = prepare(corpus_of(texts), tokenizer, length, out)
    message = next(record.message for record in caplog.records if "anew" in record.message)
    assert message.startswith(f"Preparing anew beside {first.folder.name}: ")
    assert change in message
    assert len(subfolders(out)) == 2 and second.folder != first.folder
    assert examples(open_prepared(first.folder), "train") == before


@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "facts", "no JSON"])
def test_damage_is_found_and_mended_only_when_asked(damage, texts, tokenizer, tmp_path):
    corpus, out = corpus_of(texts), tmp_path / "out"
    prepared = prepare(corpus, tokenizer, LENGTH, out)
    whole = examples(prepared, "train")
    shard = next(prepared.folder.rglob("*train.tfrecord*"))
    broken = shard if damage in ("cut", "flip", "gone") else prepared.folder / "prepared.json"
    content = bytearray(broken.read_bytes())
    if damage == "cut":
        del content[-5:]
    elif damage == "flip":
        content[len(content) // 2] ^= 1
    elif damage == "facts":
        facts = json.loads(content)
        facts["counts"]["train"]["passages"] += 1
        content = json.dumps(facts).encode()
    elif damage == "no JSON":
        del content[100:]
    broken.write_bytes(content)
    if damage == "gone":
        broken.unlink()
    for again in range(2):
        with pytest.raises(InputError, match="prepare_again") as caught:
            prepare(corpus, tokenizer, LENGTH, out)
        assert str(broken) in str(caught.value), again
    mended = prepare(corpus, tokenizer, LENGTH, out, again=True)
    assert examples(mended, "train") == whole
    assert subfolders(out) == [prepared.folder.name]


def test_nothing_is_left_of_what_failed(texts, tokenizer, tmp_path):
    out = tmp_path / "out"
    prepared = prepare(corpus_of(texts), tokenizer, LENGTH, out)
    (texts / "three.txt").write_bytes(b"a b c\n\0")
    with pytest.raises(InputError, match=r"three\.txt.*NUL"):
        prepare(corpus_of(texts), tokenizer, LENGTH, out)
    assert subfolders(out) == [prepared.folder.name]


def test_a_full_disk_leaves_what_was_there_whole(texts, tokenizer, tmp_path):
    out = tmp_path / "out"
    prepared = prepare(corpus_of(texts), tokenizer, LENGTH, out)
    before = examples(prepared, "train")
    (texts / "more.txt").write_text("a b c d e f g .\n" * 20_000)
    tokenizer.save(tmp_path / "tokenizer")
    # As on a full disk, no file grows any more, whoever writes it.
    script = """
        import resource, signal, sys
        from bert_keras.data.corpus import Corpus
        from bert_keras.data.prepared import prepare
        from bert_keras.text.tokenizer import BertTokenizer
        texts, tokenizer, out = sys.argv[1:]
        corpus = Corpus(texts, layout="sentences")
        tokenizer = BertTokenizer.from_pretrained(tokenizer)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        try:
            prepare(corpus, tokenizer, 16, out)
        except Exception as error:
            print(type(error).__name__, error)
    """
    paths = [str(path) for path in (texts, tmp_path / "tokenizer", out)]
    command = [sys.executable, "-c", textwrap.dedent(script), *paths]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert answer.startswith("InputError ")
    assert "could not be written" in answer and "still whole" in answer
    assert subfolders(out) == [prepared.folder.name]
    assert examples(open_prepared(prepared.folder), "train") == before


def test_a_first_document_without_text_is_named(texts, tokenizer, tmp_path):
    (texts / "a.txt").write_text("\u200b\n")
    with pytest.raises(InputError, match=r"a\.txt: expected text in the first document, which is"):
        prepare(corpus_of(texts), tokenizer, LENGTH, tmp_path / "out", dev_fraction=1e-9)
    assert subfolders(tmp_path / "out") == []


def test_documents_are_counted(texts, tokenizer, tmp_path):
    sizes = prepare(corpus_of(texts), tokenizer, LENGTH, tmp_path / "out", dev_fraction=0.3).sizes
    assert sizes["train"].documents + sizes["validation"].documents == 30
    assert 1 < sizes["validation"].documents < 20


def test_a_failure_while_replacing_keeps_the_old_one(texts, tokenizer, tmp_path, monkeypatch):
    out = tmp_path / "out"
    prepared = prepare(corpus_of(texts), tokenizer, LENGTH, out)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("bert_keras.data.prepared.files.write_whole", full)
        with pytest.raises(InputError, match="No space left on device"):
            prepare(corpus_of(texts), tokenizer, LENGTH, out, again=True)
    assert subfolders(out) == [prepared.folder.name]
    open_prepared(prepared.folder)


def test_tensorflow_datasets_reads_it_without_us(texts, tokenizer, tmp_path):
    prepared = prepare(corpus_of(texts), tokenizer, LENGTH, tmp_path / "out")
    script = """
        import sys
        import tensorflow_datasets as tfds
        rows, info = tfds.load(
            "bert_passages", data_dir=sys.argv[1], split="train", with_info=True, download=False
        )
        assert not any(name.startswith("bert_keras") for name in sys.modules)
        print(len(list(rows)), info.splits["train"].num_examples, *sorted(info.features))
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(prepared.folder)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    count = str(prepared.sizes["train"].passages)
    assert answer.stdout.split() == [count, count, "document", "sentences", "tokens"]


def test_one_document_is_divided_by_passages(tmp_path, tokenizer):
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "one.txt").write_text("a b c d e f g h .\n" * 200)
    prepared = prepare(corpus_of(texts), tokenizer, LENGTH, tmp_path / "out", dev_fraction=0.1)
    assert prepared.sizes["validation"].passages == 20
    assert prepared.sizes["train"].passages == 180


@pytest.mark.parametrize("text", ["a b .\n", " \n\n "])
def test_too_little_text(text, tmp_path, tokenizer):
    (tmp_path / "one.txt").write_text(text)
    with pytest.raises(InputError, match=r"one\.txt: expected text"):
        prepare(corpus_of(tmp_path / "one.txt"), tokenizer, LENGTH, tmp_path / "out")
    assert subfolders(tmp_path / "out") == []


def test_a_vocabulary_that_does_not_fit_is_said(texts, tokenizer, tmp_path, caplog):
    prepare(corpus_of(texts), tokenizer, LENGTH, tmp_path / "out")
    assert "do" not in caplog.text
    small = BertTokenizer([*SPECIAL, *"abcd."], max_length=64)
    prepared = prepare(corpus_of(texts), small, LENGTH, tmp_path / "out")
    share = prepared.sizes["validation"].unknown_share
    assert share > 0.05
    assert f"{100 * share:.1f}% of the held-out words are [UNK]" in caplog.text


@pytest.mark.parametrize("length, fraction", [(7, 0.1), (65, 0.1), (16, 0), (16, 1)])
def test_numbers_out_of_range(length, fraction, texts, tokenizer, tmp_path):
    with pytest.raises(InputError, match="expected"):
        prepare(corpus_of(texts), tokenizer, length, tmp_path, dev_fraction=fraction)


def test_no_prepared_dataset(tmp_path):
    with pytest.raises(InputError, match=r"found no prepared\.json"):
        open_prepared(tmp_path)


IN_PROCESS = ["--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"]


def test_beam_with_two_workers_makes_the_same(texts, tokenizer, tmp_path):
    pytest.importorskip("apache_beam")
    corpus = corpus_of(texts)
    here = prepare(corpus, tokenizer, LENGTH, tmp_path / "here", dev_fraction=0.2)
    beam = prepare(corpus, tokenizer, LENGTH, tmp_path / "beam", dev_fraction=0.2, beam_workers=2)
    assert_same(beam, here)


def test_beam_makes_the_same_of_one_document(tmp_path, tokenizer):
    pytest.importorskip("apache_beam")
    (tmp_path / "one.txt").write_text("a b c d e f g h .\n" * 50)
    corpus = corpus_of(tmp_path / "one.txt")
    here = prepare(corpus, tokenizer, LENGTH, tmp_path / "here", dev_fraction=0.2)
    beam = prepare(
        corpus, tokenizer, LENGTH, tmp_path / "beam", dev_fraction=0.2, beam_options=IN_PROCESS
    )
    assert_same(beam, here)


@pytest.mark.parametrize("content, message", [(b"a \0", "NUL"), (b"a b .", "expected text")])
def test_beam_says_what_is_wrong(content, message, tmp_path, tokenizer):
    pytest.importorskip("apache_beam")
    (tmp_path / "one.txt").write_bytes(content)
    corpus = corpus_of(tmp_path / "one.txt")
    with pytest.raises(InputError, match=rf"^\S*one\.txt: .*{message}.*\.$"):
        prepare(corpus, tokenizer, LENGTH, tmp_path / "out", beam_options=IN_PROCESS)
    assert subfolders(tmp_path / "out") == []
