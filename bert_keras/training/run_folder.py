"""The folder of a run: its settings, its progress and its results."""

import datetime
import json
import os
import pathlib
import socket
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from bert_keras.config import read_json
from bert_keras.errors import InputError
from bert_keras.files import atomic_write, is_temporary, lock_file, remove_temporary_files
from bert_keras.training.checkpoints import Checkpoints

_LOCK = ".lock"
_PROGRAM = {"program": "bert_keras"}  # in flags.json, which others write, too


class RunFolder:
    """The folder of one run.

    It holds `flags.json`, the run's settings; `checkpoints/`, from which an interrupted training
    continues; `config.json`, `vocab.txt`, `tokenizer_config.json` and `model.safetensors`, the
    trained model in Hugging Face's layout; `scores.json`, its scores; TensorBoard's `train/` and
    `eval/`; the files of predictions; and `export/`. `.lock` names the process that writes the
    folder, or did last.

    Args:
        path: the folder; made with the run's first file.
        writes: whether this process writes the run. One of several workers does, and the others
            read what it wrote: the methods that write do nothing in them.

    Raises:
        InputError: the folder has files of something else; or it cannot be made or written.
    """

    def __init__(self, path: str | os.PathLike[str], writes: bool = True):
        self.path = pathlib.Path(path).expanduser()
        self.writes = writes
        parents = (self.path, *self.path.absolute().parents)
        existing = next(path for path in parents if path.exists())
        if not existing.is_dir():
            raise InputError(f"{existing} is a file, expected a folder.", field="output_dir")
        if writes and not os.access(existing, os.W_OK):
            raise InputError(f"no permission to write into {existing}.", field="output_dir")
        if self.path.is_dir() and not self.exists and any(map(_is_foreign, self.path.iterdir())):
            raise InputError(
                f"{path} holds files but no flags.json, so it is no run of this program: name a "
                "new folder.",
                field="output_dir",
            )
        if self.exists and not _PROGRAM.items() <= self._read("flags.json").items():
            raise InputError(
                f"{path}/flags.json is not of this program: name a new folder.",
                field="output_dir",
            )

    @property
    def exists(self) -> bool:
        """Whether a run was begun here."""
        return (self.path / "flags.json").is_file()

    @property
    def finished(self) -> bool:
        """Whether the run's training has ended."""
        return self._has_scores and self._read("scores.json").get("finished") is True

    @property
    def scores(self) -> dict[str, float]:
        """The scores of the model in the folder; empty where there are none yet."""
        return self._read("scores.json").get("scores", {}) if self._has_scores else {}

    @property
    def _has_scores(self) -> bool:
        return (self.path / "scores.json").is_file()

    @property
    def record(self) -> dict[str, Any]:
        """The settings that the run was begun with, by recorded name; empty for a new one."""
        if not self.exists:
            return {}
        return {n: v for n, v in self._read("flags.json").items() if n not in _PROGRAM}

    def lock(self) -> None:
        """Keeps other processes from writing into the run until this process ends.

        A run that has not begun yet is locked by `begin`. On a disk without locks (some network
        disks, Windows) nothing is locked.

        Raises:
            InputError: another process has locked it.
        """
        if self.exists:
            self._lock()

    def _lock(self) -> None:
        if not self.writes:
            return
        since = datetime.datetime.now().isoformat(" ", "seconds")
        holder = f"process {os.getpid()} on {socket.gethostname()} since {since}"
        try:
            lock_file(self.path / _LOCK, holder)
        except BlockingIOError:
            holder = (self.path / _LOCK).read_text(encoding="utf-8") or "another process"
            raise InputError(
                f"{self.path} is in use by {holder}: wait until it has ended, or name another "
                "folder.",
                field="output_dir",
            ) from None
        remove_temporary_files(self.path)

    def begin(self, record: Mapping[str, Any], data: str | None = None) -> None:
        """Makes the folder, locks it and records the run's settings, if that was not done before.

        Args:
            record: settings by recorded name.
            data: the `fingerprint` of the training set; None for a run without training.

        Raises:
            InputError: the run was begun on other data, or another process has locked it.
        """
        if self.writes:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock()
        if self.writes and not self.exists:
            self._write("flags.json", _PROGRAM | dict(record) | ({"data": data} if data else {}))
        before = self.record.get("data")
        if before not in (None, data):
            raise InputError(
                f"{self.path} was begun on other data ({before}) than these ({data}): take those, "
                "or name a new `output_dir`."
            )

    def keep_scores(self, step: int, scores: Mapping[str, float]) -> None:
        """Records the scores of the model that the folder now holds, and the step it is of."""
        if self.writes:
            self._write("scores.json", {"step": step, "scores": dict(scores), "finished": False})

    def finish(self) -> None:
        """Records that training has ended."""
        if self.writes:
            self._write("scores.json", self._read("scores.json") | {"finished": True})

    def checkpoints(
        self, keep: int = 2, notes: dict[str, Any] | None = None, **variables: list[tf.Variable]
    ) -> Checkpoints:
        """Opens the run's checkpoints; nothing is restored yet.

        Args:
            keep: how many of the newest to keep.
            notes: saved with each checkpoint, see `Checkpoints`.
            **variables: lists of all variables that the training changes, by name.
        """
        return Checkpoints(self.path / "checkpoints", variables, keep, notes, self.writes)

    def _read(self, name: str) -> dict[str, Any]:
        return read_json(self.path / name)

    def _write(self, name: str, values: Mapping[str, Any]) -> None:
        with atomic_write(self.path / name) as file:
            json.dump(values, file, indent=2, ensure_ascii=False)
            file.write("\n")


def _is_foreign(path: pathlib.Path) -> bool:
    """Whether a path in a folder without a run is not one that the start of a run leaves there."""
    return path.name != _LOCK and not is_temporary(path)
