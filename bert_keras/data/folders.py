"""Reads a folder that holds one folder a class, and in it one text file an example."""

import pathlib

from bert_keras.data.tables import read_text
from bert_keras.errors import InputError


def read_folder(path, labelled=True):
    """Reads the text files of a folder, in Keras's `text_dataset_from_directory` convention.

    Each folder in `path` is a class, named by the folder; every `.txt` file in it, at any depth, is
    one text. Names that begin with a dot and files of other kinds are left alone.

    Args:
        path: the folder.
        labelled: False for texts without a class: the `.txt` files at any depth, `path` itself
            included.

    Returns:
        (files, texts, classes): the files' paths in the order of their names, class by class; what
        each holds; the class of each, or None if not labelled.

    Raises:
        InputError: there is no class, or a class without a text, or a file that is not text.
    """
    path = pathlib.Path(path)
    if labelled:
        folders = sorted(e for e in path.iterdir() if e.is_dir() and not e.name.startswith("."))
        if not folders:
            raise InputError(f"{path}: expected one folder for each class, found no folder.")
        found = [(file, folder.name) for folder in folders for file in _text_files(folder)]
    else:
        found = [(file, None) for file in _text_files(path)]
    files = [str(file) for file, _ in found]
    texts = [read_text(file) for file, _ in found]
    return files, texts, [name for _, name in found] if labelled else None


def _text_files(folder):
    inside = sorted(file.relative_to(folder) for file in folder.rglob("*.txt") if file.is_file())
    files = [folder / name for name in inside if not any(p.startswith(".") for p in name.parts)]
    if not files:
        raise InputError(f"{folder}: expected text files whose names end in .txt, found none.")
    return files
