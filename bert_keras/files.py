"""Finding folders by reference; files and folders that appear whole or not at all."""

import contextlib
import importlib.util
import os
import pathlib
import shutil
import tempfile

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

from bert_keras.errors import InputError

PACKAGE_PREFIX = "pkg://"
_TEMPORARY_PREFIX = ".aside."
_held = {}  # the handles of `lock_file`, by path; a process's, as its locks are


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
def atomic_write(path, mode="w"):
    """Opens a file to write that takes its name only when everything is in it.

    Args:
        path: where the file will be; an older file there is replaced in one step.
        mode: "w" for UTF-8 text with "\\n" line ends, "wb" for bytes.

    Yields:
        The open file. If the block raises, nothing at `path` changes.

    Raises:
        OSError: it cannot be written; its `filename` is the path.
    """
    path = pathlib.Path(path)
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{_TEMPORARY_PREFIX}{path.name}.")
    try:
        with os.fdopen(handle, mode, **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        _name(error, path)
        raise
    _sync(path.parent)


def _name(error, path):
    """Gives an error of the system a path if it has none: a full disk names no file."""
    if isinstance(error, OSError) and error.errno and error.filename is None:
        error.filename = str(path)
        error.strerror = os.strerror(error.errno)  # of which HDF5 makes a paragraph


def _sync(path):
    """Keeps a file, or the names in a folder, through a loss of power, where it can be opened."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def is_temporary(path):
    """Whether a path is one that `atomic_write` or `atomic_folder` writes aside."""
    return pathlib.Path(path).name.startswith(_TEMPORARY_PREFIX)


def remove_temporary_files(folder):
    """Removes the files that `atomic_write` left in a folder when its process was killed.

    Args:
        folder: one that no other process writes to now; it need not be there.
    """
    for path in pathlib.Path(folder).glob(f"{_TEMPORARY_PREFIX}*"):
        if path.is_file():
            path.unlink(missing_ok=True)


def expect_new_folder(path):
    """Checks that a folder can be made at a path.

    Args:
        path: where; there may be an empty folder.

    Returns:
        The path, as a `pathlib.Path`.

    Raises:
        InputError: there is something.
    """
    path = pathlib.Path(path).expanduser()
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        raise InputError(f"{path}: expected a new folder, found {_what_is(path)} with content.")
    return path


@contextlib.contextmanager
def atomic_folder(target, replace=False):
    """A folder to fill, that takes the target's name when the block ends well.

    What a process that was killed left aside is cleared away by the next one.

    Args:
        target: where; the folders above it are made if they are not there.
        replace: whether it takes the place of a folder that is there. If not, it is given up when
            another process was quicker.

    Yields:
        The folder's path meanwhile. If the block raises, nothing at `target` changes.

    Raises:
        OSError: it cannot be written; its `filename` is the target unless it has another.
    """
    target = pathlib.Path(target).absolute()
    try:
        with temporary_folder(target.parent) as (temporary, sync):
            yield temporary
            sync()
            _rename(temporary, target, replace)
    except OSError as error:
        _name(error, target)
        raise


@contextlib.contextmanager
def temporary_folder(parent):
    """A folder to fill, under a name that nobody looks for, and to rename when it is whole.

    What a process that was killed left there is cleared away.

    Args:
        parent: where; made if it is not there.

    Yields:
        The folder's path, and a function that brings all in it to the disk, to be called before it
        is renamed. If it was not renamed it is removed when the block ends.
    """
    parent = pathlib.Path(parent)
    parent.mkdir(parents=True, exist_ok=True)
    for path in parent.glob(f"{_TEMPORARY_PREFIX}*"):
        with _locked(path) as is_ours:
            if is_ours:
                shutil.rmtree(path, ignore_errors=True)
    temporary = pathlib.Path(tempfile.mkdtemp(dir=parent, prefix=_TEMPORARY_PREFIX))

    def sync():
        os.chmod(temporary, 0o755)
        for path in [*temporary.rglob("*"), temporary]:
            _sync(path)

    with _locked(temporary):
        try:
            yield temporary, sync
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder):
    """Holds a folder while the process lives; yields whether no other one does."""
    try:
        handle = _lock(folder, os.O_RDONLY)
    except OSError:
        handle = None
    try:
        yield handle is not None
    finally:
        if handle is not None:
            os.close(handle)


def _lock(path, flags):
    """Opens a file or folder and locks it; the lock ends with the handle, or with the process.

    Returns:
        The handle; None where there are no locks: on Windows, on some network disks.

    Raises:
        BlockingIOError: it is locked already.
    """
    if not fcntl:
        return None
    handle = os.open(path, flags, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if isinstance(error, BlockingIOError):
            raise
        return None
    return handle


def lock_file(path, note):
    """Locks a file until this process ends, however it ends; again in the same process is nothing.

    Where there are no locks (on Windows, on some network disks) nothing happens.

    Args:
        path: the file, made if it is not there. It is never removed: a process that waits for it
            could otherwise lock a file that another one no longer sees.
        note: what to write into it, for processes that come later.

    Raises:
        BlockingIOError: another process holds it.
    """
    held = _held.get(os.path.realpath(path))
    if held is not None and path.exists() and os.path.samestat(os.fstat(held), path.stat()):
        return
    # Written through the handle's file, which a network disk locks only if it is open to write.
    handle = _lock(path, os.O_RDWR | os.O_CREAT)
    if handle is None:
        return
    _held[os.path.realpath(path)] = handle
    os.ftruncate(handle, 0)
    os.write(handle, note.encode())


def _rename(temporary, target, replace):
    old = target.with_name(f"{target.name}.old")
    if replace and target.exists():
        shutil.rmtree(old, ignore_errors=True)
        target.rename(old)
    try:
        temporary.rename(target)
    except OSError:
        if old.exists() and not target.exists():
            old.rename(target)
        if replace or not target.exists():
            raise
    shutil.rmtree(old, ignore_errors=True)
