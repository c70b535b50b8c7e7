"""Folders that appear whole or not at all."""

import contextlib
import os
import pathlib
import shutil
import tempfile

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

_PREFIX = ".aside."


@contextlib.contextmanager
def whole_folder(target, replace):
    """A folder to fill, that takes the target's name when the block ends well.

    What a process that was killed left aside is cleared away by the next one.

    Args:
        target: a `pathlib.Path`; its parent is made if it is not there.
        replace: whether it takes the place of a folder that is there. If not, it is given up when
            another process was quicker.

    Yields:
        The folder's path meanwhile. If the block raises, nothing at `target` changes.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for path in target.parent.glob(f"{_PREFIX}*"):
        with _locked(path) as is_ours:
            if is_ours:
                shutil.rmtree(path, ignore_errors=True)
    aside = pathlib.Path(tempfile.mkdtemp(dir=target.parent, prefix=_PREFIX))
    with _locked(aside):
        try:
            yield aside
            os.chmod(aside, 0o755)
            _rename(aside, target, replace)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder):
    """Holds a folder while the process lives; yields whether no other one does."""
    if not fcntl:
        yield False
        return
    handle = None
    try:
        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        held = False
    else:
        held = True
    try:
        yield held
    finally:
        if handle is not None:
            os.close(handle)


def _rename(aside, target, replace):
    old = target.with_name(f"{target.name}.old")
    if replace and target.exists():
        shutil.rmtree(old, ignore_errors=True)
        target.rename(old)
    try:
        aside.rename(target)
    except OSError:
        if old.exists() and not target.exists():
            old.rename(target)
        if replace or not target.exists():
            raise
    shutil.rmtree(old, ignore_errors=True)
