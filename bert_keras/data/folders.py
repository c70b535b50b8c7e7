"""Reads a folder with one subfolder for each class and one text file for each example."""

import os
import pathlib

from bert_keras.data.tables import read_text
from bert_keras.errors import InputError


def read_folder(
    path: str | os.PathLike[str], labelled: bool = True
) -> tuple[list[str], list[str], list[str] | None]:
    """Reads the text files of a folder, by the convention of Keras's `text_dataset_from_directory`.

    Each subfolder of `path` is a class with the subfolder's name; every `.txt` file in it, at any
    depth, is one text. Names that begin with a dot and files of other kinds are skipped.

    Args:
        path: the folder.
        labelled: False for texts without a class: the `.txt` files at any depth, including those
            directly in `path`.

    Returns:
        (files, texts, classes): the files' paths sorted by name within each class, their contents,
        and the class of each; None for the classes if not labelled.

    Raises:
        InputError: there is no class, or a class without a text, or a file that is not text.
    """
    path = pathlib.Path(path)
    if not labelled:
        files = _text_files(path)
        return [str(file) for file in files], [read_text(file) for file in files], None
    folders = sorted(e for e in path.iterdir() if e.is_dir() and not e.name.startswith("."))
    if not folders:
        raise InputError(f"{path}: expected one folder for each class, found no folder.")
    examples = [(file, folder.name) for folder in folders for file in _text_files(folder)]
    return (
        [str(file) for file, _ in examples],
        [read_text(file) for file, _ in examples],
        [name for _, name in examples],
    )


def _text_files(folder: pathlib.Path) -> list[pathlib.Path]:
    inside = sorted(file.relative_to(folder) for file in folder.rglob("*.txt") if file.is_file())
    files = [folder / name for name in inside if not any(p.startswith(".") for p in name.parts)]
    if not files:
        raise InputError(f"{folder}: expected text files whose names end in .txt, found none.")
    return files
