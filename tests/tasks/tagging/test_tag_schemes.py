import pytest

from bert_keras.tasks.tagging import tag_schemes
from bert_keras.tasks.tagging.tag_schemes import Span, TagError, infer_scheme, spans_of, tags_of

# One sentence in every scheme: a of two words beside a of one, then b of three, O, b of one.
SPANS = [Span("a", 0, 1), Span("a", 2, 2), Span("b", 3, 5), Span("b", 7, 7)]
WRITTEN = {
    "iob1": "I-a I-a B-a I-b I-b I-b O I-b",
    "iob2": "B-a I-a B-a B-b I-b I-b O B-b",
    "iobes": "B-a E-a S-a B-b I-b E-b O S-b",
    "bilou": "B-a L-a U-a B-b I-b L-b O U-b",
    "bmes": "B-a E-a S-a B-b M-b E-b O S-b",
}


@pytest.mark.parametrize("scheme", tag_schemes.SCHEMES)
def test_each_scheme_is_told_read_and_written(scheme):
    written = WRITTEN[scheme].split()
    assert infer_scheme([written]) == scheme
    assert spans_of(written, scheme) == SPANS
    assert tags_of(SPANS, 8, scheme) == written


def test_a_scheme_is_told_by_all_sentences_together():
    assert infer_scheme([["O"], ["I-a"], ["O", "I-a"], ["B-a"]]) == "iob1"
    assert infer_scheme([["I-a"], ["B-a", "I-a"], ["B-a"]]) == "iob2"
    assert infer_scheme([["O", "O"], []]) == "iob2"
    assert infer_scheme([["B-a", "I-a"], ["S-b"]]) == "iobes"
    assert infer_scheme([["B-a", "I-a"], ["U-b"]]) == "bilou"


def test_iob1_has_no_need_of_a_b_and_may_have_it():
    assert spans_of(["O", "B-a", "I-a", "I-b"], "iob1") == [Span("a", 1, 2), Span("b", 3, 3)]


def test_types_may_have_dashes():
    assert spans_of(["B-creative-work", "I-creative-work"], "iob2") == [Span("creative-work", 0, 1)]


@pytest.mark.parametrize(
    ("scheme", "written", "word", "sentence"),
    [
        ("iob2", "O I-a", 1, "I-a follows O, with no B-a before it"),
        ("iob2", "I-a", 0, "I-a starts a sentence, with no B-a before it"),
        ("iob2", "B-a I-b", 1, "I-b follows B-a, with no B-b before it"),
        ("iobes", "O E-a", 1, "E-a follows O, with no B-a before it"),
        ("iobes", "S-a I-a", 1, "I-a follows S-a, with no B-a before it"),
        ("iobes", "B-a O", 1, "O follows B-a, with no E-a between them"),
        ("iobes", "B-a E-b", 1, "E-b follows B-a, with no E-a between them"),
        ("iobes", "B-a B-a E-a", 1, "B-a follows B-a, with no E-a between them"),
        ("iobes", "O B-a I-a", 2, "I-a ends a sentence, with no E-a"),
        ("bilou", "B-a U-a", 1, "U-a follows B-a, with no L-a between them"),
        ("iob2", "O S-a", 1, "S-a is no tag of IOB2, the scheme of the file"),
        ("iob1", "PER", 0, "expected a tag such as O or B-PER, found 'PER'"),
        ("iob2", "O B-", 1, "expected a tag such as O or B-PER, found 'B-'"),
    ],
)
def test_what_cannot_stand_there(scheme, written, word, sentence):
    with pytest.raises(TagError) as caught:
        spans_of(written.split(), scheme)
    assert (caught.value.word, str(caught.value)) == (word, sentence)
