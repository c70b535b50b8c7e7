import json
import os
import subprocess
import sys
import textwrap

import pytest
import tensorflow as tf
from preparing import (
    LENGTH,
    SPECIAL,
    VOCABULARY,
    assert_same,
    corpus_of,
    examples,
    prepare_on_a_full_disk,
    read,
    subfolders,
)

from bert_keras.corpus.corpus import Corpus
from bert_keras.corpus.prepared import open_prepared, prepare
from bert_keras.errors import InputError
from bert_keras.text.tokenizer import BertTokenizer


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
    monkeypatch.setattr("bert_keras.corpus.builder._SHUFFLED_IN_MEMORY", 1000)
    on_disk = prepare(corpus, tokenizer, LENGTH, tmp_path / "on_disk")
    assert_same(on_disk, in_memory)


def test_it_says_how_far_it_is(texts, tokenizer, tmp_path, capsys):
    (texts / "long.txt").write_text("a b c d e f g .\n" * 80_000)  # 1.2 MiB
    prepare(corpus_of(texts), tokenizer, LENGTH, tmp_path)
    assert capsys.readouterr().err.splitlines()[-1].startswith("Preparing, MB 2/2  ")


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
    monkeypatch.setattr("bert_keras.corpus.recipe.read_passages", None)
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
    message = next(record.message for record in caplog.records if "Preparing" in record.message)
    assert message.startswith(f"Preparing again, and keeping {first.folder.name}: ")
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


@pytest.mark.long
def test_a_full_disk_leaves_what_was_there_whole(texts, tokenizer, tmp_path):
    out = tmp_path / "out"
    prepared = prepare(corpus_of(texts), tokenizer, LENGTH, out)
    before = examples(prepared, "train")
    done = prepare_on_a_full_disk(texts, tokenizer, out)
    assert done.stdout.startswith("InputError ") and done.stdout.count("\n") == 1
    assert "could not be written" in done.stdout and "are unchanged" in done.stdout
    assert subfolders(out) == [prepared.folder.name]
    assert examples(open_prepared(prepared.folder), "train") == before


def test_what_went_wrong_is_found_in_what_wraps_it(texts, tokenizer, tmp_path, monkeypatch):
    def fail(*_, **__):
        full = tf.errors.ResourceExhaustedError(None, None, "a.tfrecord; No space left on device")
        raise RuntimeError("Failed to finalize writing") from full

    monkeypatch.setattr("bert_keras.corpus.builder.BertPassages.download_and_prepare", fail)
    with pytest.raises(InputError, match=r"\(a\.tfrecord; No space left on device\); the files"):
        prepare(corpus_of(texts), tokenizer, LENGTH, tmp_path / "out")


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
        patched.setattr("bert_keras.corpus.prepared.files.atomic_write", full)
        with pytest.raises(InputError, match="No space left on device"):
            prepare(corpus_of(texts), tokenizer, LENGTH, out, again=True)
    assert subfolders(out) == [prepared.folder.name]
    open_prepared(prepared.folder)


@pytest.mark.long
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
