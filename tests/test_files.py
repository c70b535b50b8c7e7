"""Files and folders that appear whole or not at all."""

import errno
import os
import subprocess
import sys
import textwrap

import pytest

from bert_keras.errors import InputError
from bert_keras.files import atomic_folder, atomic_write, expect_new_folder


def test_a_file_takes_its_name_when_all_is_in_it(tmp_path):
    path = tmp_path / "file"
    path.write_text("before")
    with atomic_write(path) as file:
        file.write("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after" and names(tmp_path) == ["file"]


def test_a_full_disk_leaves_the_file_before_and_is_named(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("before")

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=f"No space left on device: '{path}'"), atomic_write(path):
        pass
    assert path.read_text() == "before" and names(tmp_path) == ["file"]


def test_a_full_disk_is_named_for_a_folder(tmp_path):
    target = tmp_path / "new"
    with (
        pytest.raises(OSError, match=f"No space left on device: '{target}'"),
        atomic_folder(target),
    ):
        raise OSError(errno.ENOSPC, "a paragraph\nof HDF5's")
    assert names(tmp_path) == []


def test_a_folder_appears_when_all_is_in_it(tmp_path):
    target = tmp_path / "deep" / "new"
    with atomic_folder(target) as temporary:
        (temporary / "a").mkdir()
        (temporary / "a" / "file").write_text("x")
        assert not target.exists()
    assert (target / "a" / "file").read_text() == "x"
    assert [path.name for path in target.parent.iterdir()] == ["new"]


def test_nothing_is_left_of_one_that_fails(tmp_path):
    (tmp_path / "new").mkdir()
    with pytest.raises(OSError), atomic_folder(tmp_path / "new") as temporary:
        (temporary / "file").write_text("x")
        raise OSError("disk full")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    assert not any((tmp_path / "new").iterdir())


def test_what_is_there_is_left_alone(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="found a file with content"):
        expect_new_folder(tmp_path / "file")
    with pytest.raises(InputError, match="found a folder with content"):
        expect_new_folder(tmp_path)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_temporary_folders_of_killed_processes_are_removed(tmp_path):
    out = tmp_path / "out"
    script = f"""
        import os, pathlib, signal
        from bert_keras.files import atomic_folder
        with atomic_folder(pathlib.Path({str(out / "x")!r}), replace=False) as temporary:
            (temporary / "part").write_text("half")
            print(temporary.name, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    left = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    assert left.startswith(".aside.") and names(out) == [left]
    with atomic_folder(out / "y", replace=False):
        assert left not in names(out)
        with atomic_folder(out / "z", replace=False):  # a living process keeps its own
            assert len(names(out)) == 2
    assert names(out) == ["y", "z"]


@pytest.mark.parametrize("replace", [True, False])
def test_the_quicker_of_two_processes(replace, tmp_path):
    for name in "ab":
        with atomic_folder(tmp_path / "it", replace) as temporary:
            (temporary / name).touch()
            (tmp_path / "it").mkdir(exist_ok=True)
            (tmp_path / "it" / "quicker").touch()
    assert names(tmp_path) == ["it"]
    assert names(tmp_path / "it") == (["b"] if replace else ["quicker"])
