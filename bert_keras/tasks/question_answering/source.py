"""Where questions come from: files in SQuAD's layout."""

import dataclasses

from bert_keras.errors import InputError
from bert_keras.files import PACKAGE_PREFIX, resolve
from bert_keras.tasks.question_answering.examples import (
    drop_empty,
    drop_misplaced,
    hold_out,
    read_questions,
    tell_misplaced,
)


@dataclasses.dataclass(frozen=True)
class QuestionSource:
    """The questions to train on, to evaluate on and to predict.

    Attributes:
        train_file, dev_file, predict_file: files, or `pkg://package/path`; "" where there is none.
        dev_fraction: the share of the training file's contexts to evaluate on, with all their
            questions, where there is no `dev_file`.
        seed: of the choice of the contexts to hold out.
    """

    train_file: str = ""
    dev_file: str = ""
    predict_file: str = ""
    dev_fraction: float = 0.1
    seed: int = 0

    def __post_init__(self):
        if not 0 <= self.dev_fraction < 1:
            raise InputError(f"--dev_fraction: expected 0 to 1, found {self.dev_fraction}.")

    def train_and_dev(self):
        """Returns the `Questions` to train on and those to evaluate on, or None for the latter.

        Those to train on are without empty questions and without the answers that are not where
        they are said to be. Those to evaluate on have them all, for an official score asks for an
        answer's text alone.
        """
        train, dev = self._train_and_dev()
        train = drop_misplaced(drop_empty(train))
        if dev:
            tell_misplaced(dev)
        return train, dev

    def dev(self):
        """Returns the `Questions` to evaluate on, or None; the same ones as `train_and_dev`."""
        dev = _read(self.dev_file) if self.dev_file else self._train_and_dev()[1]
        if dev:
            tell_misplaced(dev)
        return dev

    def unlabelled(self):
        """Returns the `Questions` to predict."""
        if not self.predict_file:
            raise InputError("--do_predict needs --predict_file.")
        return _read(self.predict_file, labelled=False)

    def _train_and_dev(self):
        if not self.train_file:
            raise InputError("--do_train needs --train_file.")
        train = _read(self.train_file)
        if self.dev_file:
            return train, _read(self.dev_file)
        if self.dev_fraction:
            return hold_out(train, self.dev_fraction, self.seed)
        return train, None


def _read(file, labelled=True):
    path = resolve(file) if file.startswith(PACKAGE_PREFIX) else file
    return read_questions(path, labelled)
