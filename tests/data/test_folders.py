import pytest

from bert_keras.data.folders import read_folder
from bert_keras.errors import InputError


def fill(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_classes_and_files_are_sorted(tmp_path):
    fill(tmp_path, "sport/b.txt", "sport/a.txt", "art/x/1.txt", "art/0.txt")
    files, texts, classes = read_folder(tmp_path)
    assert texts == ["art/0.txt", "art/x/1.txt", "sport/a.txt", "sport/b.txt"]
    assert classes == ["art", "art", "sport", "sport"]
    assert files == [str(tmp_path / text) for text in texts]


def test_other_files_are_left_alone(tmp_path):
    fill(tmp_path, "README.txt", "a/1.txt", "a/2.csv", "a/.hidden.txt", ".git/1.txt", "b/.x/1.txt")
    fill(tmp_path, "b/1.txt")
    assert read_folder(tmp_path)[1] == ["a/1.txt", "b/1.txt"]


def test_without_labels_folders_do_not_matter(tmp_path):
    fill(tmp_path, "1.txt", "a/2.txt")
    assert read_folder(tmp_path, labelled=False)[1:] == (["1.txt", "a/2.txt"], None)


def test_what_is_no_folder_of_classes(tmp_path):
    fill(tmp_path, "1.txt")
    with pytest.raises(InputError, match="expected one folder for each class, found no folder"):
        read_folder(tmp_path)
    fill(tmp_path, "a/1.txt", "b/1.csv")
    with pytest.raises(InputError, match=r"b: expected text files whose names end in \.txt"):
        read_folder(tmp_path)


def test_a_file_that_is_no_text_is_named(tmp_path):
    fill(tmp_path, "a/1.txt")
    (tmp_path / "a/1.txt").write_bytes(b"one\n\xff")
    with pytest.raises(InputError, match=r"a/1\.txt:2: expected UTF-8"):
        read_folder(tmp_path)
