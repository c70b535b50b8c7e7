import pytest
from preparing import LENGTH, assert_same, corpus_of, examples, prepare_on_a_full_disk, subfolders

from bert_keras.corpus.prepared import open_prepared, prepare
from bert_keras.errors import InputError

pytest.importorskip("apache_beam")

IN_PROCESS = ["--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"]


@pytest.mark.long
def test_beam_with_two_workers_makes_the_same(texts, tokenizer, tmp_path):
    corpus = corpus_of(texts)
    here = prepare(corpus, tokenizer, LENGTH, tmp_path / "here", dev_fraction=0.2)
    beam = prepare(corpus, tokenizer, LENGTH, tmp_path / "beam", dev_fraction=0.2, beam_workers=2)
    assert_same(beam, here)


def test_beam_makes_the_same_of_one_document(tmp_path, tokenizer):
    (tmp_path / "one.txt").write_text("a b c d e f g h .\n" * 50)
    corpus = corpus_of(tmp_path / "one.txt")
    here = prepare(corpus, tokenizer, LENGTH, tmp_path / "here", dev_fraction=0.2)
    beam = prepare(
        corpus, tokenizer, LENGTH, tmp_path / "beam", dev_fraction=0.2, beam_options=IN_PROCESS
    )
    assert_same(beam, here)


@pytest.mark.parametrize("content, message", [(b"a \0", "NUL"), (b"a b .", "expected text")])
def test_beam_says_what_is_wrong(content, message, tmp_path, tokenizer):
    (tmp_path / "one.txt").write_bytes(content)
    corpus = corpus_of(tmp_path / "one.txt")
    with pytest.raises(InputError, match=rf"^\S*one\.txt: .*{message}.*\.$"):
        prepare(corpus, tokenizer, LENGTH, tmp_path / "out", beam_options=IN_PROCESS)
    assert subfolders(tmp_path / "out") == []


@pytest.mark.long
def test_a_full_disk_under_beam_leaves_what_was_there_whole(texts, tokenizer, tmp_path):
    out = tmp_path / "out"
    prepared = prepare(corpus_of(texts), tokenizer, LENGTH, out)
    before = examples(prepared, "train")
    done = prepare_on_a_full_disk(texts, tokenizer, out, beam_workers=2)
    assert done.stdout.startswith("InputError ") and done.stdout.count("\n") == 1
    assert "File too large); the files that were there before are unchanged." in done.stdout
    assert "Traceback" not in done.stderr
    assert subfolders(out) == [prepared.folder.name]
    assert examples(open_prepared(prepared.folder), "train") == before
