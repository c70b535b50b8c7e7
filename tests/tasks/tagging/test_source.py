import pytest

from bert_keras.errors import InputError
from bert_keras.tasks.tagging.examples import Entity
from bert_keras.tasks.tagging.source import TaggedSource


@pytest.fixture
def files(tmp_path):
    sentences = [f"Ada{n}\tB-PER\nran\tO\n" for n in range(20)]
    (tmp_path / "train.conll").write_text("\n".join(sentences + sentences[:2]))
    (tmp_path / "dev.conll").write_text("Bo\tI-PER\n")
    (tmp_path / "none.conll").write_text("Bo\tO\n")
    return tmp_path


def test_held_out_texts_are_chosen_by_the_seed_and_are_not_trained_on(files):
    def held_out(seed):
        source = TaggedSource(str(files / "train.conll"), dev_fraction=0.3)
        train, dev = source.train_and_dev(seed)
        assert not set(train.texts) & set(dev.texts)
        assert set(train.texts) | set(dev.texts) <= {f"Ada{n} ran" for n in range(20)}
        assert len(train) == 15 and 4 <= len(dev) <= 7
        assert source.dev_rows(seed).texts == dev.texts
        return dev.texts

    assert held_out(1) == held_out(1)
    assert held_out(1) != held_out(2)


@pytest.mark.parametrize(
    ("tags", "scheme"), [("I-PER I-PER O I-PER", "iob1"), ("B-PER E-PER O S-PER", "iobes")]
)
def test_each_file_tells_its_scheme(files, tags, scheme):
    (files / "dev.conll").write_text("".join(f"Bo {tag}\n" for tag in tags.split()))
    names = {name: str(files / f"{name}.conll") for name in ("train", "dev")}
    source = TaggedSource(**names)
    train, dev = source.train_and_dev(0)
    assert (train.scheme, dev.scheme, source.dev_rows(0).scheme) == ("iob2", scheme, scheme)
    assert dev.entities == [[Entity(0, 5, "PER"), Entity(9, 11, "PER")]]
    assert source.dev_rows(0).entities == dev.entities
    # A given one is that of all files.
    with pytest.raises(InputError, match=r"dev\.conll:[12]: "):
        TaggedSource(**names, scheme="iob2").train_and_dev(0)


def test_what_is_missing(files):
    for source, message in (
        (TaggedSource(), "train: expected a file, found none"),
        (TaggedSource(str(files / "none.conll")), "expected entities to learn, found none"),
        (TaggedSource(str(files / "dev.conll")), "dev_fraction: 0.1 of 1 rows leaves none"),
    ):
        with pytest.raises(InputError, match=message):
            source.train_and_dev(0)
    with pytest.raises(InputError, match="file: expected a file, found none"):
        TaggedSource().unlabelled("")
    with pytest.raises(InputError, match=r"dev_fraction: expected 0 or more .* found 1\.5"):
        TaggedSource(dev_fraction=1.5)
