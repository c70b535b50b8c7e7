"""Numbered folders of what is exported, as servers look for them: the highest is the newest."""

import os
import pathlib

from bert_keras.files import temporary_folder


def write_version(folder, write):
    """Writes what is to be served into the next free numbered folder.

    Args:
        folder: where versions are kept; made if it is not there. The first is `folder/1`.
        write: function that is given an empty folder, a path, and fills it.

    Returns:
        The new version's path. It appears whole or not at all, and replaces none.
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
