"""References to folders, atomic writes of files and folders, and file locks."""

import contextlib
import importlib.util
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, Any

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]  # Windows has no such module

from bert_keras.errors import InputError

PACKAGE_PREFIX = "pkg://"
# Earlier versions have the same prefix, so the temporary files that they left are removed too.
_TEMPORARY_PREFIX = ".aside."
_locks: dict[str, int] = {}  # file descriptors of this process's `lock_file` locks, by real path


def resolve(reference: str | os.PathLike[str]) -> pathlib.Path:
    """Resolves a reference to a folder.

    Args:
        reference: a folder's path, or `pkg://package/path` for a folder inside an installed Python
            package. The package is located without being imported, so none of its code runs.

    Returns:
        The path of an existing folder.

    Raises:
        InputError: the package is not installed, or the folder does not exist.
    """
    text = os.fspath(reference)
    if not text.startswith(PACKAGE_PREFIX):
        folder = pathlib.Path(text).expanduser()
    else:
        package, _, inside = text.removeprefix(PACKAGE_PREFIX).partition("/")
        # Only top-level packages are located: for a dotted name, find_spec imports the parents.
        spec = importlib.util.find_spec(package) if package.isidentifier() else None
        if spec is None or not spec.submodule_search_locations:
            raise InputError(f"{text}: no Python package {package!r} is installed.")
        root = pathlib.Path(spec.submodule_search_locations[0]).resolve()
        folder = (root / inside).resolve()
        if not folder.is_relative_to(root):
            raise InputError(f"{text}: the path leads out of the package.")
    if not folder.is_dir():
        raise InputError(f"{text}: expected a folder, found {_kind_of(folder)}.")
    return folder


def _kind_of(path: pathlib.Path) -> str:
    if path.is_dir():
        return "a folder"
    return "a file" if path.is_file() else "nothing"


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str], mode: str = "w") -> Iterator[IO[Any]]:
    """Writes a file atomically: to a temporary file that is renamed when the block ends.

    Args:
        path: the file; an existing one is replaced.
        mode: "w" for UTF-8 text with "\\n" line ends, "wb" for bytes.

    Yields:
        The open temporary file. If the block raises, nothing at `path` changes.

    Raises:
        OSError: the file cannot be written; the error's `filename` is the path.
    """
    path = pathlib.Path(path)
    encoding, newline = (None, None) if "b" in mode else ("utf-8", "\n")
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{_TEMPORARY_PREFIX}{path.name}.")
    try:
        with os.fdopen(handle, mode, encoding=encoding, newline=newline) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        _add_path(error, path)
        raise
    _sync(path.parent)


def _add_path(error: BaseException, path: pathlib.Path) -> None:
    """Adds the path to a system error that has none, such as that of a full disk."""
    if isinstance(error, OSError) and error.errno and error.filename is None:
        error.filename = str(path)
        error.strerror = os.strerror(error.errno)  # HDF5 puts a paragraph here


def _sync(path: pathlib.Path) -> None:
    """Flushes a file or a folder's entries to disk, if it can be opened."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def is_temporary(path: str | os.PathLike[str]) -> bool:
    """Returns whether a path is a temporary file or folder of the functions in this module."""
    return pathlib.Path(path).name.startswith(_TEMPORARY_PREFIX)


def remove_temporary_files(folder: str | os.PathLike[str]) -> None:
    """Removes the temporary files that `atomic_write` left when its process was killed.

    Args:
        folder: the folder, to which no other process may be writing. It need not exist.
    """
    for path in pathlib.Path(folder).glob(f"{_TEMPORARY_PREFIX}*"):
        if path.is_file():
            path.unlink(missing_ok=True)


def expect_new_folder(path: str | os.PathLike[str]) -> pathlib.Path:
    """Checks that a new folder can be created at a path.

    Args:
        path: the path; an empty folder may exist there.

    Returns:
        The path with a leading `~` expanded.

    Raises:
        InputError: a file or a folder with content exists there.
    """
    path = pathlib.Path(path).expanduser()
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        raise InputError(f"{path}: expected a new folder, found {_kind_of(path)} with content.")
    return path


@contextlib.contextmanager
def atomic_folder(target: str | os.PathLike[str], replace: bool = False) -> Iterator[pathlib.Path]:
    """Writes a folder atomically: as a temporary folder that is renamed when the block ends.

    Temporary folders of processes that were killed are removed.

    Args:
        target: the folder; missing parents are created.
        replace: whether to replace an existing folder. If False and another process has created
            the target in the meantime, the new folder is discarded.

    Yields:
        The path of the temporary folder. If the block raises, nothing at `target` changes.

    Raises:
        OSError: the folder cannot be written; the error's `filename` is the target if it names no
            other file.
    """
    target = pathlib.Path(target).absolute()
    try:
        with temporary_folder(target.parent) as (temporary, sync):
            yield temporary
            sync()
            _rename(temporary, target, replace)
    except OSError as error:
        _add_path(error, target)
        raise


@contextlib.contextmanager
def temporary_folder(
    parent: str | os.PathLike[str],
) -> Iterator[tuple[pathlib.Path, Callable[[], None]]]:
    """Creates a temporary folder, to be filled and then renamed.

    Temporary folders of processes that were killed are removed.

    Args:
        parent: the folder to create it in; created if it does not exist.

    Yields:
        The temporary folder's path, and a function that flushes its content to disk, to be called
        before renaming it. When the block ends, the folder is removed unless it was renamed.
    """
    parent = pathlib.Path(parent)
    parent.mkdir(parents=True, exist_ok=True)
    for path in parent.glob(f"{_TEMPORARY_PREFIX}*"):
        with _locked(path) as succeeded:
            if succeeded:
                shutil.rmtree(path, ignore_errors=True)
    temporary = pathlib.Path(tempfile.mkdtemp(dir=parent, prefix=_TEMPORARY_PREFIX))

    def sync() -> None:
        os.chmod(temporary, 0o755)
        for path in [*temporary.rglob("*"), temporary]:
            _sync(path)

    with _locked(temporary):
        try:
            yield temporary, sync
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: pathlib.Path) -> Iterator[bool]:
    """Tries to lock a folder until the block or the process ends; yields whether it succeeded."""
    try:
        handle = _lock(folder, os.O_RDONLY)
    except OSError:
        handle = None
    try:
        yield handle is not None
    finally:
        if handle is not None:
            os.close(handle)


def _lock(path: str | os.PathLike[str], flags: int) -> int | None:
    """Opens and locks a file or folder, until the handle is closed or the process ends.

    Returns:
        The handle, or None where locks are not supported (Windows, some network disks).

    Raises:
        BlockingIOError: another process holds the lock.
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


def lock_file(path: pathlib.Path, note: str) -> None:
    """Locks a file until this process ends. Does nothing if this process already holds the lock.

    Where locks are not supported (Windows, some network disks) nothing happens.

    Args:
        path: the file; created if it does not exist. It is never removed: another process might
            otherwise lock a file that has just lost its name.
        note: text to write into the file, for other processes to read.

    Raises:
        BlockingIOError: another process holds the lock.
    """
    held = _locks.get(os.path.realpath(path))
    if held is not None and path.exists() and os.path.samestat(os.fstat(held), path.stat()):
        return
    # Opened for writing because some network disks lock no file that is open for reading alone.
    handle = _lock(path, os.O_RDWR | os.O_CREAT)
    if handle is None:
        return
    _locks[os.path.realpath(path)] = handle
    os.ftruncate(handle, 0)
    os.write(handle, note.encode())


def _rename(temporary: pathlib.Path, target: pathlib.Path, replace: bool) -> None:
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
