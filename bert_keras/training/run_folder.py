"""A run is its folder: what it was started with, how far it came, and what it made."""

import datetime
import json
import os
import pathlib
import socket

from bert_keras.config import read_json
from bert_keras.errors import InputError
from bert_keras.files import atomic_write, is_temporary, lock_file, remove_temporary_files
from bert_keras.training.checkpoints import Checkpoints

_LOCK = ".lock"
_PROGRAM = {"program": "bert_keras"}  # in flags.json, which others write, too


class RunFolder:
    """The folder of one run.

    It holds `flags.json`; `checkpoints/`, from which an interrupted training goes on;
    `config.json`, `vocab.txt`, `tokenizer_config.json` and `model.safetensors`, the model for use,
    in Hugging Face's layout, and `scores.json`, its scores; TensorBoard's `train/` and
    `eval/`; the files of predictions; and `export/`. `.lock` names the process that writes here, or
    did last.

    Args:
        path: the folder; made with the run's first file.
        writes: whether this process writes the run. Of several workers one does, and the others
            read what it wrote: what would write does nothing then.

    Raises:
        InputError: there are files at `path`, and they are not a run's; or no folder can be there.
    """

    def __init__(self, path, writes=True):
        self.path = pathlib.Path(path)
        self.writes = writes
        found = next(at for at in (self.path, *self.path.absolute().parents) if at.exists())
        if not found.is_dir():
            raise InputError(f"--output_dir: {found} is a file, expected a folder.")
        if writes and not os.access(found, os.W_OK):
            raise InputError(f"--output_dir: expected to be allowed to write into {found}.")
        if self.path.is_dir() and not self.exists and any(map(_is_foreign, self.path.iterdir())):
            raise InputError(
                f"--output_dir: {path} holds files but no flags.json, so it is no run of this "
                "program: name a new folder."
            )
        if self.exists and not _PROGRAM.items() <= self._read("flags.json").items():
            raise InputError(
                f"--output_dir: {path}/flags.json is not of this program: name a new folder."
            )

    @property
    def exists(self):
        """Whether a run was begun here."""
        return (self.path / "flags.json").is_file()

    @property
    def finished(self):
        """Whether the run's training has ended."""
        return (self.path / "scores.json").is_file() and self._read("scores.json")["finished"]

    @property
    def flags(self):
        """The flags that the run was begun with, by name; empty for a new one."""
        if not self.exists:
            return {}
        return {n: v for n, v in self._read("flags.json").items() if n not in _PROGRAM}

    def lock(self):
        """Keeps other processes from writing into the run until this one ends, however it ends.

        A run that is not begun yet is locked by `begin`. Where the disk has no locks (some network
        disks, Windows) this goes on without.

        Raises:
            InputError: another process has locked it.
        """
        if self.exists:
            self._lock()

    def _lock(self):
        if not self.writes:
            return
        since = datetime.datetime.now().isoformat(" ", "seconds")
        holder = f"process {os.getpid()} on {socket.gethostname()} since {since}"
        try:
            lock_file(self.path / _LOCK, holder)
        except BlockingIOError:
            holder = (self.path / _LOCK).read_text(encoding="utf-8") or "another process"
            raise InputError(
                f"--output_dir: {self.path} is in use by {holder}: wait until it has ended, or "
                "name another folder."
            ) from None
        remove_temporary_files(self.path)

    def begin(self, flags, data=None):
        """Makes the folder, locks it and keeps what the run is, if that was not done before.

        Args:
            flags: by name.
            data: the `fingerprint` of what it is trained on, if it is.

        Raises:
            InputError: the run was begun on other data, or another process has locked it.
        """
        if self.writes:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock()
        if self.writes and not self.exists:
            self._write("flags.json", _PROGRAM | flags | ({"data": data} if data else {}))
        before = self.flags.get("data")
        if before not in (None, data):
            raise InputError(
                f"{self.path} was begun on other data ({before}) than these ({data}): take those, "
                "or name a new --output_dir."
            )

    def keep_scores(self, step, scores):
        """Notes the scores of the model that the folder now holds, and the step it is of."""
        if self.writes:
            self._write("scores.json", {"step": step, "scores": scores, "finished": False})

    def finish(self):
        """Notes that training has ended."""
        if self.writes:
            self._write("scores.json", self._read("scores.json") | {"finished": True})

    def checkpoints(self, keep=2, notes=None, **variables):
        """Opens the run's checkpoints; nothing is restored yet.

        Args:
            keep: how many of the newest to keep.
            notes: what to keep with each, see `Checkpoints`.
            **variables: lists of `tf.Variable`s, all that the training changes.

        Returns:
            A `bert_keras.training.checkpoints.Checkpoints`.
        """
        return Checkpoints(self.path / "checkpoints", variables, keep, notes, self.writes)

    def _read(self, name):
        return read_json(self.path / name)

    def _write(self, name, values):
        with atomic_write(self.path / name) as file:
            json.dump(values, file, indent=2, ensure_ascii=False)
            file.write("\n")


def _is_foreign(path):
    """Whether a path in a folder that holds no run yet is none that beginning one leaves there."""
    return path.name != _LOCK and not is_temporary(path)
