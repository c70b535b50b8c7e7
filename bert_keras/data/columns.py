"""The columns of a table that hold text and label."""

import dataclasses

from bert_keras.options import option


@dataclasses.dataclass(frozen=True)
class Columns:
    """Which columns of a table hold what.

    A name means that the first line of a TSV or CSV file is a header with that name. A number,
    counted from "0", means that the file has no header. In JSON lines a name is a key of the
    object, and in tensorflow-datasets a feature.

    Attributes:
        text: the column of the text, or of the first text of a pair.
        pair: the column of the second text; None for single texts.
        label: the column of the label, the labels, or the number.
    """

    text: str = option(
        "text", "Name of the text's column; a number if there is no header.", name="text_column"
    )
    pair: str | None = option(
        None, "The second text's column, where there are two.", name="pair_column"
    )
    label: str = option("label", "The label's column.", name="label_column")

    def in_header(self) -> bool:
        """Returns whether the columns are given by name, so that the first line is a header."""
        return not str(self.text).isdecimal()
