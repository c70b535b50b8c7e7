"""What the tests of preparing a corpus share."""

import subprocess
import sys
import textwrap

from bert_keras.corpus import passages
from bert_keras.corpus.corpus import Corpus

LENGTH = 16
ROOM = LENGTH - 3
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = [mark + letter for mark in ("", "##") for letter in "abcdefghij"]
VOCABULARY = [*SPECIAL, *LETTERS, "."]


def corpus_of(folder):
    """Texts as the corpus that they are."""
    return Corpus(str(folder), layout="sentences")


def examples(prepared, split):
    """All of a split: list of (document, tokens, sentences)."""
    return [
        (int(row["document"]), row["tokens"].tolist(), row["sentences"].tolist())
        for row in prepared.dataset(split).as_numpy_iterator()
    ]


def assert_same(one, other):
    """Checks that two prepared datasets hold the same in the same order."""
    assert one.folder.name == other.folder.name and one.sizes == other.sizes
    for split in ("train", "validation"):
        assert examples(one, split) == examples(other, split)


def subfolders(folder):
    """The names of what is in a folder."""
    return sorted(path.name for path in folder.iterdir())


def read(corpus, tokenizer, room=ROOM):
    """All passages of a corpus."""
    shards = range(len(corpus.shards))
    batches = passages.read_passages(corpus, shards, tokenizer, room)
    return [passage for passages, _ in batches for passage in passages]


def prepare_on_a_full_disk(texts, tokenizer, out, **how):
    """Prepares more than there is room for, in a process of its own.

    Args:
        texts: a folder, in which there will be more.
        tokenizer: a `BertTokenizer`.
        out: where to prepare.
        **how: further arguments of `prepare`.

    Returns:
        The finished process. The error is on its standard output.
    """
    (texts / "more.txt").write_text("a b c d e f g .\n" * 20_000)
    tokenizer.save(texts.parent / "tokenizer")
    # As on a full disk, no file grows any more, whoever writes it.
    script = f"""
        import resource, signal, sys
        from bert_keras.corpus.corpus import Corpus
        from bert_keras.corpus.prepared import prepare
        from bert_keras.text.tokenizer import BertTokenizer
        texts, tokenizer, out = sys.argv[1:]
        corpus = Corpus(texts, layout="sentences")
        tokenizer = BertTokenizer.from_pretrained(tokenizer)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        try:
            prepare(corpus, tokenizer, {LENGTH}, out, **{how})
        except Exception as error:
            print(type(error).__name__, error)
    """
    paths = [str(path) for path in (texts, texts.parent / "tokenizer", out)]
    command = [sys.executable, "-c", textwrap.dedent(script), *paths]
    return subprocess.run(command, capture_output=True, text=True, check=True)
