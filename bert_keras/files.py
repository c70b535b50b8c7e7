"""Finding folders by reference, and writing files that appear whole or not at all."""

import contextlib
import importlib.util
import os
import pathlib
import shutil
import tempfile

from bert_keras.errors import InputError

PACKAGE_PREFIX = "pkg://"


def resolve(reference):
    """Turns a reference into the folder that it names.

    Args:
        reference: a folder's path, or `pkg://package/path` for a folder inside an installed Python
            package. The package is looked up and never imported: none of its code runs.

    Returns:
        A `pathlib.Path` of an existing folder.

    Raises:
        InputError: the package is not installed, or there is no such folder.
    """
    text = os.fspath(reference)
    if not text.startswith(PACKAGE_PREFIX):
        folder = pathlib.Path(text).expanduser()
    else:
        package, _, inside = text.removeprefix(PACKAGE_PREFIX).partition("/")
        # Only a top-level name is looked up: for a dotted one, find_spec would import its parents.
        spec = importlib.util.find_spec(package) if package.isidentifier() else None
        if spec is None or not spec.submodule_search_locations:
            raise InputError(f"{text}: no Python package {package!r} is installed.")
        root = pathlib.Path(spec.submodule_search_locations[0]).resolve()
        folder = (root / inside).resolve()
        if not folder.is_relative_to(root):
            raise InputError(f"{text}: the path leads out of the package.")
    if not folder.is_dir():
        raise InputError(f"{text}: expected a folder, found {_what_is(folder)}.")
    return folder


def _what_is(path):
    if path.is_dir():
        return "a folder"
    return "a file" if path.is_file() else "nothing"


@contextlib.contextmanager
def write_whole(path, mode="w"):
    """Opens a file to write that takes its name only when everything is in it.

    Args:
        path: where the file will be; an older file there is replaced in one step.
        mode: "w" for UTF-8 text with "\\n" line ends, "wb" for bytes.

    Yields:
        The open file. If the block raises, nothing at `path` changes.
    """
    path = pathlib.Path(path)
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, mode, **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(aside, 0o644)
        os.replace(aside, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(aside)
        raise


@contextlib.contextmanager
def write_whole_folder(path):
    """Makes a folder that takes its name only when everything is in it.

    Args:
        path: where the folder will be; there may be an empty one.

    Yields:
        A `pathlib.Path` of a folder beside it, to be filled. If the block raises, nothing is left.

    Raises:
        InputError: there is something at `path`.
    """
    path = pathlib.Path(path).expanduser().absolute()
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        raise InputError(f"{path}: expected a new folder, found {_what_is(path)} with content.")
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = pathlib.Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        yield aside
        os.chmod(aside, 0o755)
        if path.exists():
            path.rmdir()
        os.rename(aside, path)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
