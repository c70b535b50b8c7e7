"""A run is its folder: what it was started with, how far it came, and what it made."""

import json
import os
import pathlib

import tensorflow as tf

from bert_keras.errors import InputError
from bert_keras.files import write_whole

_KEPT_CHECKPOINTS = 2


class RunFolder:
    """The folder of one run.

    It holds `flags.json`; `checkpoints/`, from which an interrupted training goes on;
    `config.json`, `vocab.txt`, `tokenizer_config.json` and `model.safetensors`, the model for use,
    in Hugging Face's layout, and `scores.json`, its scores; TensorBoard's `train/` and
    `eval/`; the files of predictions; and `export/`.

    Args:
        path: the folder; made with the run's first file.

    Raises:
        InputError: there are files at `path`, and they are not a run's; or no folder can be there.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)
        found = next(at for at in (self.path, *self.path.absolute().parents) if at.exists())
        if not found.is_dir():
            raise InputError(f"--output_dir: {found} is a file, expected a folder.")
        if not os.access(found, os.W_OK):
            raise InputError(f"--output_dir: expected to be allowed to write into {found}.")
        if not self.exists and self.path.is_dir() and any(self.path.iterdir()):
            raise InputError(
                f"--output_dir: {path} holds files but no flags.json, so it is no run of this "
                "program: name a new folder."
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
        return self._read("flags.json") if self.exists else {}

    def begin(self, flags, data=None):
        """Makes the folder and keeps what the run is, if that was not done before.

        Args:
            flags: by name.
            data: a task's `fingerprint`.

        Raises:
            InputError: the run was begun on other data.
        """
        if not self.exists:
            self.path.mkdir(parents=True, exist_ok=True)
            self._write("flags.json", flags | ({"data": data} if data else {}))
        before = self.flags.get("data")
        if before not in (None, data):
            raise InputError(
                f"{self.path} was begun on other data ({before}) than these ({data}): take those, "
                "or name a new --output_dir."
            )

    def keep_scores(self, step, scores):
        """Notes the scores of the model that the folder now holds, and the step it is of."""
        self._write("scores.json", {"step": step, "scores": scores, "finished": False})

    def finish(self):
        """Notes that training has ended."""
        self._write("scores.json", self._read("scores.json") | {"finished": True})

    def checkpoints(self, **variables):
        """Takes up the newest checkpoint, if there is one.

        Args:
            **variables: lists of `tf.Variable`s, all that the training changes.

        Returns:
            A function that saves them as they are now.

        Raises:
            InputError: the checkpoint is damaged, or of a training that has other variables.
        """
        manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(**variables), self.path / "checkpoints", _KEPT_CHECKPOINTS
        )
        newest = manager.latest_checkpoint
        try:
            if newest:
                manager.checkpoint.restore(newest).assert_consumed()
        except (AssertionError, ValueError, tf.errors.OpError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                f"{newest}: expected a checkpoint of this training, on the same rows: {reason}"
            ) from None

        def save():
            try:
                manager.save()
            except tf.errors.OpError as error:  # such as a full disk
                raise OSError(f"{self.path / 'checkpoints'}: {error.message}") from error

        return save

    def _read(self, name):
        path = self.path / name
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{path}: expected JSON: {error}.") from None

    def _write(self, name, values):
        with write_whole(self.path / name) as file:
            json.dump(values, file, indent=2, ensure_ascii=False)
            file.write("\n")
