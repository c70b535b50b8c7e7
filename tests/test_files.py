"""Folders that appear whole or not at all."""

import pytest

from bert_keras.errors import InputError
from bert_keras.files import expect_new_folder, whole_folder


def test_a_folder_appears_when_all_is_in_it(tmp_path):
    target = tmp_path / "deep" / "new"
    with whole_folder(target) as aside:
        (aside / "a").mkdir()
        (aside / "a" / "file").write_text("x")
        assert not target.exists()
    assert (target / "a" / "file").read_text() == "x"
    assert [path.name for path in target.parent.iterdir()] == ["new"]


def test_nothing_is_left_of_one_that_fails(tmp_path):
    (tmp_path / "new").mkdir()
    with pytest.raises(OSError), whole_folder(tmp_path / "new") as aside:
        (aside / "file").write_text("x")
        raise OSError("disk full")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    assert not any((tmp_path / "new").iterdir())


def test_what_is_there_is_left_alone(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="found a file with content"):
        expect_new_folder(tmp_path / "file")
    with pytest.raises(InputError, match="found a folder with content"):
        expect_new_folder(tmp_path)
