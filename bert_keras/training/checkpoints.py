"""Checkpoints: all that a training changes, in files that appear complete or not at all."""

import concurrent.futures
import errno
import itertools
import json
import logging
import pathlib
import re
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import safetensors
import tensorflow as tf

from bert_keras.checkpoints.safetensors_header import DTYPES, safetensors_header
from bert_keras.errors import InputError
from bert_keras.files import atomic_write, remove_temporary_files

_log = logging.getLogger(__name__)
_NAME = re.compile(r"step-(\d+)\.safetensors")
# Every file starts with the header's length in 8 bytes and these; then comes the checksum. Its
# position is fixed, so it can cover all other bytes of the file, the rest of the header included.
_START = b'{"__metadata__":{"checksum":"'
_CHECKSUM_POSITION = 8 + len(_START)
_NO_CHECKSUM = b"0" * 8
_CHUNK = 1 << 20  # bytes read at once
_MAX_COST = 0.02  # share of the time that checkpoints saved with `if_cheap` take at most

# dtype, in safetensors' words, and shape
_Spec = tuple[str, tuple[int, ...]]


class Checkpoints:
    """The checkpoints of one training, `step-<number>.safetensors` in a folder.

    A file holds the variables in safetensors' layout. Its metadata has the step, the notes and a
    checksum of everything else. A file gets its name when all of it is on disk; only then are older
    ones removed. Files are written in a thread of their own. `save` does not copy the variables:
    TensorFlow copies one that changes before it has been written.

    Args:
        folder: where to write; made with the first file.
        variables: lists of `tf.Variable`s by name, mirrored ones too; used outside of replicas.
        keep: how many of the newest to keep. There is one more while a file is being written.
        notes: a small dict that JSON can hold, saved with each checkpoint as it is at that time.
        writes: whether this process writes the folder. One that does not restores what another
            one wrote, and changes nothing.

    Attributes:
        restored_notes: the notes of the checkpoint that was restored, empty before.
    """

    def __init__(
        self,
        folder: str | pathlib.Path,
        variables: Mapping[str, Sequence[tf.Variable]],
        keep: int = 2,
        notes: dict[str, Any] | None = None,
        writes: bool = True,
    ):
        self._folder = pathlib.Path(folder)
        self._variables = {
            f"{group}/{index}": variable
            for group, members in variables.items()
            for index, variable in enumerate(members)
        }
        self._keep = keep
        self._notes = notes or {}
        self._writes = writes
        self._thread = concurrent.futures.ThreadPoolExecutor(max_workers=1)
        self._writing: concurrent.futures.Future[None] | None = None
        self._last_save, self._cost = time.monotonic(), 0.0  # cost: seconds
        self.restored_notes: dict[str, Any] = {}

    def restore(self, step: int | None = None) -> int | None:
        """Restores the newest checkpoint that is not damaged.

        Damaged ones are reported in the log and renamed: `.damaged` is put after their name.

        Args:
            step: restore the checkpoint of this step and no other.

        Returns:
            The step of the checkpoint; None if there is none at all.

        Raises:
            InputError: all are damaged (then none is renamed), the one asked for does not exist,
                or the checkpoint is of a training that has other variables. No variable has been
                changed then.
        """
        if self._writes:
            remove_temporary_files(self._folder)
        damaged: list[pathlib.Path] = []
        for candidate in self._steps() if step is None else [step]:
            path = self._path(candidate)
            if step is not None and not path.exists():
                raise InputError(f"{path}: expected this checkpoint, found none.")
            if _is_intact(path):
                self._load(path)
                self._rename_damaged(damaged, candidate)
                return candidate
            damaged.append(path)
        if damaged:
            raise InputError(
                f"{self._folder}: expected a checkpoint, found damaged ones alone "
                f"({', '.join(path.name for path in damaged)}), whose bytes do not have the "
                "checksum that they were written with; remove the folder to train from the first "
                "step."
            )
        return None

    def save(self, step: int, if_cheap: bool = False) -> None:
        """Saves the variables as they are now; they may change as soon as this returns.

        If the checkpoint before is still being written, this waits for it.

        Args:
            step: of the training.
            if_cheap: do nothing where that would cost more than 2% of the time since the last one.

        Raises:
            OSError: the checkpoint before could not be written, because the disk is full for
                instance.
        """
        if not self._writes or (if_cheap and not self._is_cheap()):
            return
        self.flush()
        self._last_save = time.monotonic()
        arrays = {name: _snapshot(variable) for name, variable in self._variables.items()}
        self._cost = time.monotonic() - self._last_save
        self._writing = self._thread.submit(self._write, step, arrays, json.dumps(self._notes))

    def flush(self) -> None:
        """Waits until what was saved is on disk.

        Raises:
            OSError: it could not be written. The checkpoints before it are intact.
        """
        writing, self._writing = self._writing, None
        if writing:
            writing.result()

    def _path(self, step: int) -> pathlib.Path:
        return self._folder / f"step-{step}.safetensors"

    def _steps(self) -> list[int]:
        """The steps of the files in the folder, the newest first."""
        names = (_NAME.fullmatch(path.name) for path in self._folder.glob("step-*"))
        return sorted((int(name[1]) for name in names if name), reverse=True)

    def _is_cheap(self) -> bool:
        if self._writing and not self._writing.done():
            return False
        return self._cost <= _MAX_COST * (time.monotonic() - self._last_save)

    def _write(self, step: int, arrays: dict[str, np.ndarray], notes: str) -> None:
        start = time.thread_time()  # the training does not wait for the disk
        self._folder.mkdir(parents=True, exist_ok=True)
        _write(self._path(step), arrays, {"step": str(step), "notes": notes})
        for old in self._steps()[self._keep :]:
            if old != step:
                self._path(old).unlink()
        self._cost += time.thread_time() - start

    def _load(self, path: pathlib.Path) -> None:
        try:
            with safetensors.safe_open(path, "numpy") as file:
                slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
                self._check_specs(
                    path, {n: (s.get_dtype(), tuple(s.get_shape())) for n, s in slices.items()}
                )
                for name, variable in self._variables.items():
                    variable.assign(file.get_tensor(name))
                self.restored_notes = json.loads(file.metadata()["notes"])
        except safetensors.SafetensorError as error:
            raise InputError(f"{path}: expected a safetensors file: {error}.") from error

    def _check_specs(self, path: pathlib.Path, saved: Mapping[str, _Spec]) -> None:
        expected = {
            name: (DTYPES[variable.dtype.name], tuple(variable.shape))
            for name, variable in self._variables.items()
        }
        for name in [*expected, *saved]:
            if expected.get(name) != saved.get(name):
                raise InputError(
                    f"{path}: expected a checkpoint of this training, on the same rows: its "
                    f"variable {name} is {_format_spec(saved.get(name))}, and here "
                    f"{_format_spec(expected.get(name))}."
                )

    def _rename_damaged(self, damaged: Sequence[pathlib.Path], used: int) -> None:
        for path in damaged:
            renamed = path.with_name(f"{path.name}.damaged")
            _log.warning(
                "%s is damaged: its bytes do not have the checksum that it was written with. It "
                "is renamed to %s, and the checkpoint of step %d is used.",
                path,
                renamed.name,
                used,
            )
            if self._writes:
                path.replace(renamed)


def _format_spec(spec: _Spec | None) -> str:
    return "not there" if spec is None else "{} {}".format(*spec)


def _write(path: pathlib.Path, arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Writes a dict's arrays in safetensors' layout, each once into file and checksum; empties it.

    The library would want the checksum before it writes, as part of the header.
    """
    header = safetensors_header(
        {name: (array.dtype, array.shape) for name, array in arrays.items()},
        {"checksum": _NO_CHECKSUM.decode()} | metadata,
    )
    checksum = 0
    with atomic_write(path, "wb") as file:
        chunks: Iterator[Any] = itertools.chain((header,), _pop_bytes(arrays))
        for chunk in chunks:
            checksum = zlib.crc32(chunk, checksum)
            file.write(chunk)
        file.seek(_CHECKSUM_POSITION)
        file.write(b"%08x" % checksum)


def _snapshot(variable: tf.Variable) -> np.ndarray:
    """A variable's value, an array that stays the same when the variable changes."""
    # Not `numpy()`, which copies. The buffer is the variable's own as long as both are equal: an
    # operation that changes a variable moves it to another buffer first if this one is in use.
    value = tf.convert_to_tensor(variable)
    try:
        return np.asarray(memoryview(value))
    except ValueError:  # a dtype that Python's buffers do not know, such as bfloat16
        return value.numpy()


def _pop_bytes(arrays: dict[str, np.ndarray]) -> Iterator[np.ndarray]:
    """Yields the bytes of a dict's arrays, and drops each when it has been used."""
    for name in list(arrays):
        yield np.ascontiguousarray(arrays.pop(name)).reshape(-1).view(np.uint8)


def _is_intact(path: pathlib.Path) -> bool:
    """Whether a file has the checksum of its bytes; nothing else of it is trusted before that."""
    try:
        with open(path, "rb") as file:
            start, recorded = file.read(_CHECKSUM_POSITION), file.read(len(_NO_CHECKSUM))
            checksum = zlib.crc32(start + _NO_CHECKSUM)
            while chunk := file.read(_CHUNK):
                checksum = zlib.crc32(chunk, checksum)
    except OSError as error:
        # ENOENT: the process that writes the folder has renamed it. EIO: the disk has lost it.
        if error.errno in (errno.ENOENT, errno.EIO):
            return False
        raise
    return recorded == b"%08x" % checksum
