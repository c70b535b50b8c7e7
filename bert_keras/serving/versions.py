"""Numbered folders of exports, as servers look for them: the highest number is the newest."""

import os
import pathlib
from collections.abc import Callable

from bert_keras.files import temporary_folder


def write_version(
    folder: str | os.PathLike[str], write: Callable[[pathlib.Path], object]
) -> pathlib.Path:
    """Writes an export into the next free numbered folder.

    Args:
        folder: of the versions; made if it does not exist. The first is `folder/1`.
        write: writes the export into an empty folder, its argument.

    Returns:
        The new version's path. It appears complete or not at all, and replaces no other.
    """
    folder = pathlib.Path(folder)
    with temporary_folder(folder) as (temporary, sync):
        write(temporary)
        sync()
        while True:
            versions = [int(path.name) for path in folder.iterdir() if path.name.isdecimal()]
            version = folder / str(max(versions, default=0) + 1)
            try:
                os.rename(temporary, version)
                return version
            except OSError:
                if not version.exists():
                    raise
