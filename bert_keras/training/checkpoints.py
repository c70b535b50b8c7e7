"""Checkpoints: all that a training changes, in files that are whole or not there at all."""

import concurrent.futures
import errno
import itertools
import json
import logging
import pathlib
import re
import time
import zlib

import numpy as np
import safetensors
import tensorflow as tf

from bert_keras.checkpoints.safetensors_header import DTYPES, safetensors_header
from bert_keras.errors import InputError
from bert_keras.files import atomic_write, remove_temporary_files

_log = logging.getLogger(__name__)
_NAME = re.compile(r"step-(\d+)\.safetensors")
# Every file begins with the header's length in 8 bytes and these; then comes the checksum. So it
# has one place, and can be of all the other bytes of the file, the header's among them.
_START = b'{"__metadata__":{"checksum":"'
_PLACE = 8 + len(_START)
_NO_CHECKSUM = b"0" * 8
_PIECE = 1 << 20
_RARITY = 50  # what may be left out takes 2% of the time at most


class Checkpoints:
    """The checkpoints of one training, `step-<number>.safetensors` in a folder.

    A file holds the variables, in safetensors' layout, and the step, the notes and a checksum of
    everything in its metadata. It takes its name when all of it is on disk, and the older ones are
    removed only then. It is written in a thread of its own. `save` copies nothing: TensorFlow does,
    where a variable changes before its turn has come.

    Args:
        folder: where; made with the first file.
        variables: dict of lists of `tf.Variable`s, mirrored ones too; used outside of replicas.
        keep: how many of the newest to keep. While one is written there is one more.
        notes: small dict that JSON can hold, kept with each checkpoint as it is at that time.
        writes: whether this process writes the folder. One that does not restores what another
            one wrote, and changes nothing.

    Attributes:
        restored_notes: the notes of the checkpoint that was restored, empty before.
    """

    def __init__(self, folder, variables, keep=2, notes=None, writes=True):
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
        self._writing = None
        self._began, self._cost = time.monotonic(), 0.0  # of the last one, in seconds
        self.restored_notes = {}

    def restore(self, step=None):
        """Takes up the newest checkpoint that is whole.

        Those that are not are named in the log and set aside, with `.damaged` after their name.

        Args:
            step: take the checkpoint of this step and no other.

        Returns:
            The step of the checkpoint, None if there is none at all.

        Raises:
            InputError: all are damaged (then none is set aside), the one asked for is not there,
                or the checkpoint is of a training that has other variables. No variable has been
                changed then.
        """
        if self._writes:
            remove_temporary_files(self._folder)
        damaged = []
        for found in self._steps() if step is None else [step]:
            path = self._path(found)
            if step is not None and not path.exists():
                raise InputError(f"{path}: expected this checkpoint, found none.")
            if _is_whole(path):
                self._take(path)
                self._set_aside(damaged, found)
                return found
            damaged.append(path)
        if damaged:
            raise InputError(
                f"{self._folder}: expected a whole checkpoint, found damaged ones alone "
                f"({', '.join(path.name for path in damaged)}): their bytes have not the checksum "
                "that they were written with; remove the folder to train from the first step."
            )
        return None

    def save(self, step, if_cheap=False):
        """Keeps the variables as they are now; they may change as soon as this returns.

        If the checkpoint before is still being written, this waits for it.

        Args:
            step: of the training.
            if_cheap: do nothing where that would cost more than 2% of the time since the last one.

        Raises:
            OSError: that one could not be written, for want of room for instance.
        """
        if not self._writes or (if_cheap and not self._is_cheap()):
            return
        self.flush()
        self._began = time.monotonic()
        arrays = {name: _as_it_is(variable) for name, variable in self._variables.items()}
        self._cost = time.monotonic() - self._began
        self._writing = self._thread.submit(self._write, step, arrays, json.dumps(self._notes))

    def flush(self):
        """Waits until what was saved is on disk.

        Raises:
            OSError: it could not be written. The checkpoints before it are whole.
        """
        writing, self._writing = self._writing, None
        if writing:
            writing.result()

    def _path(self, step):
        return self._folder / f"step-{step}.safetensors"

    def _steps(self):
        """The steps of the files that are there, the newest first."""
        names = (_NAME.fullmatch(path.name) for path in self._folder.glob("step-*"))
        return sorted((int(name[1]) for name in names if name), reverse=True)

    def _is_cheap(self):
        if self._writing and not self._writing.done():
            return False
        return time.monotonic() - self._began >= _RARITY * self._cost

    def _write(self, step, arrays, notes):
        begin = time.thread_time()  # the training does not wait for the disk
        self._folder.mkdir(parents=True, exist_ok=True)
        _write(self._path(step), arrays, {"step": str(step), "notes": notes})
        for old in self._steps()[self._keep :]:
            if old != step:
                self._path(old).unlink()
        self._cost += time.thread_time() - begin

    def _take(self, path):
        try:
            with safetensors.safe_open(path, "numpy") as file:
                slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
                found = {n: (s.get_dtype(), tuple(s.get_shape())) for n, s in slices.items()}
                self._expect_mine(path, found)
                for name, variable in self._variables.items():
                    variable.assign(file.get_tensor(name))
                self.restored_notes = json.loads(file.metadata()["notes"])
        except safetensors.SafetensorError as error:
            raise InputError(f"{path}: expected a safetensors file: {error}.") from error

    def _expect_mine(self, path, found):
        expected = {
            name: (DTYPES[variable.dtype.name], tuple(variable.shape))
            for name, variable in self._variables.items()
        }
        for name in [*expected, *found]:
            mine, theirs = expected.get(name), found.get(name)
            if mine != theirs:
                raise InputError(
                    f"{path}: expected a checkpoint of this training, on the same rows: its "
                    f"variable {name} is {_in_words(theirs)}, and here {_in_words(mine)}."
                )

    def _set_aside(self, damaged, step):
        for path in damaged:
            aside = path.with_name(f"{path.name}.damaged")
            _log.warning(
                "%s is damaged: its bytes have not the checksum that it was written with. It is "
                "set aside as %s, and the checkpoint of step %d is used.",
                path,
                aside.name,
                step,
            )
            if self._writes:
                path.replace(aside)


def _in_words(dtype_and_shape):
    return "not there" if dtype_and_shape is None else "{} {}".format(*dtype_and_shape)


def _write(path, arrays, metadata):
    """Writes a dict's arrays in safetensors' layout, each once into file and checksum; empties it.

    The library would want the checksum before it writes, as part of the header.
    """
    start = safetensors_header(
        {name: (array.dtype, array.shape) for name, array in arrays.items()},
        {"checksum": _NO_CHECKSUM.decode()} | metadata,
    )
    checksum = 0
    with atomic_write(path, "wb") as file:
        for piece in itertools.chain((start,), _emptied(arrays)):
            checksum = zlib.crc32(piece, checksum)
            file.write(piece)
        file.seek(_PLACE)
        file.write(b"%08x" % checksum)


def _as_it_is(variable):
    """A variable's value, an array that stays the same when the variable changes."""
    # Not `numpy()`, which copies. The buffer is the variable's own as long as both are equal: what
    # changes a variable first moves it to another buffer if somebody else holds this one.
    value = tf.convert_to_tensor(variable)
    try:
        return np.asarray(memoryview(value))
    except ValueError:  # a dtype that Python's buffers do not know, such as bfloat16
        return value.numpy()


def _emptied(arrays):
    """Yields the bytes of a dict's arrays, and drops each when it has been used."""
    for name in list(arrays):
        yield np.ascontiguousarray(arrays.pop(name)).reshape(-1).view(np.uint8)


def _is_whole(path):
    """Whether a file has the checksum of its bytes; nothing that it says of itself is believed."""
    try:
        with open(path, "rb") as file:
            start, checksum = file.read(_PLACE), file.read(len(_NO_CHECKSUM))
            found = zlib.crc32(start + _NO_CHECKSUM)
            while piece := file.read(_PIECE):
                found = zlib.crc32(piece, found)
    except OSError as error:
        # Gone: the process that writes the folder has set it aside. EIO: the disk has lost it.
        if error.errno in (errno.ENOENT, errno.EIO):
            return False
        raise
    return checksum == b"%08x" % found
