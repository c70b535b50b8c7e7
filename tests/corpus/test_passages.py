import collections
import itertools

import numpy as np
from preparing import ROOM, corpus_of, read


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
    monkeypatch.setattr("bert_keras.corpus.passages._BATCH", 7)
    parts = read(corpus_of(texts), tokenizer)
    for one, other in zip(whole, parts, strict=True):
        assert one[:2] == other[:2]
        np.testing.assert_array_equal(one.tokens, other.tokens)
        np.testing.assert_array_equal(one.sentences, other.sentences)
