"""The sizes of an example, in tokens."""

from typing import NamedTuple

SPECIALS = 3  # [CLS], [SEP], [SEP]


class WindowSizes(NamedTuple):
    """The sizes of a question and of a window of its context.

    Attributes:
        max_length: the most tokens of an example, special tokens included.
        max_question_length: the most tokens of a question; longer ones are cut.
        stride: the tokens between the starts of two windows of a context.
    """

    max_length: int
    max_question_length: int
    stride: int

    @property
    def max_stride(self) -> int:
        """The largest stride that skips no token of a context, whatever the question."""
        return self.max_length - SPECIALS - self.max_question_length
