"""Where questions come from: files in SQuAD's format."""

import dataclasses

from bert_keras.data.source import Source, Split
from bert_keras.options import option
from bert_keras.tasks.question_answering.examples import (
    Questions,
    drop_empty,
    drop_misplaced,
    hold_out,
    read_questions,
    report_misplaced,
)


@dataclasses.dataclass(frozen=True)
class QuestionSource(Source[Questions]):
    """Questions about contexts. `dev_fraction` holds out contexts, with all their questions.

    Attributes:
        train: the file to train on, in SQuAD's format; see `read_questions`.
        dev: the file to evaluate on, in the same format.
    """

    train: str = option("", "Questions in SQuAD's format, 1.1 or 2.0.", name="train_file")
    dev: str = option("", "Questions to evaluate on, in the same format.", name="dev_file")
    dev_fraction: float = option(0.1, "Share of the contexts held out if there is no `dev`.")

    def train_and_dev(self, seed: int) -> tuple[Questions, Questions | None]:
        """As `Source.train_and_dev`, without training examples that are wrong.

        Empty questions, and answers that are not at the position that the file gives, are removed
        from the training questions. They stay in the questions to evaluate on, because the official
        scores compare an answer's text alone.
        """
        train, dev = super().train_and_dev(seed)
        train = drop_misplaced(drop_empty(train))
        if dev:
            report_misplaced(dev)
        return train, dev

    def dev_rows(self, seed: int) -> Questions | None:
        dev = super().dev_rows(seed)
        if dev:
            report_misplaced(dev)
        return dev

    def _read(self, split: Split, file: str) -> Questions:
        return read_questions(file, labelled=split != "test")

    def _hold_out(self, train: Questions, seed: int) -> tuple[Questions, Questions]:
        return hold_out(train, self.dev_fraction, seed)
