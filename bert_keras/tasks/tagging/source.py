"""Where a tagger's texts come from."""

import dataclasses

from bert_keras.data.splits import hold_out, unseen
from bert_keras.errors import InputError
from bert_keras.files import PACKAGE_PREFIX, resolve
from bert_keras.tasks.tagging.examples import read_tagged


@dataclasses.dataclass(frozen=True)
class TaggedSource:
    """The texts to train on, to evaluate on and to predict.

    Attributes:
        train_file, dev_file, predict_file: whatever `read_tagged` reads; "" where there is none.
        scheme: that of the tags in files of words, or "auto", by which each file tells its own.
        dev_fraction: the share of the training texts to evaluate on, where there is no `dev_file`.
        seed: of the choice of texts to hold out.
    """

    train_file: str = ""
    dev_file: str = ""
    predict_file: str = ""
    scheme: str = "auto"
    dev_fraction: float = 0.1
    seed: int = 0

    def __post_init__(self):
        if not 0 <= self.dev_fraction < 1:
            raise InputError(f"--dev_fraction: expected 0 to 1, found {self.dev_fraction}.")

    def train_and_dev(self):
        """Returns the `TaggedTexts` to train on, and those to evaluate on or None."""
        if not self.train_file:
            raise InputError("--do_train needs --train_file.")
        train = self._read(self.train_file)
        if not train.types:
            raise InputError(f"{self.train_file}: expected entities to learn, found none.")
        dev = self._own_dev()
        if dev is None and self.dev_fraction:
            try:
                train, others = hold_out(train, self.dev_fraction, self.seed)
            except InputError as error:
                raise InputError(f"--dev_fraction: {error}") from None
            dev = unseen(others, train)
        return train, dev

    def dev(self):
        """Returns the `TaggedTexts` to evaluate on, or None; the same ones as `train_and_dev`."""
        return self._own_dev() or self.train_and_dev()[1]

    def _own_dev(self):
        """The texts to evaluate on that stand in a file of their own, or None."""
        return self._read(self.dev_file) if self.dev_file else None

    def unlabelled(self):
        """Returns the `TaggedTexts` to predict."""
        if not self.predict_file:
            raise InputError("--do_predict needs --predict_file.")
        return self._read(self.predict_file, labelled=False)

    def _read(self, file, labelled=True):
        file = resolve(file) if file.startswith(PACKAGE_PREFIX) else file
        return read_tagged(file, self.scheme, labelled)
