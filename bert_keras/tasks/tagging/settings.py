"""The settings of a tagging, from which flags and the record of a run are made."""

from __future__ import annotations

import dataclasses

from bert_keras.options import option
from bert_keras.tasks.tagging.source import TaggedSource


@dataclasses.dataclass(frozen=True)
class TaggingSettings(TaggedSource):
    """The settings of `Tagging`, which describes them."""

    max_length: int = option(
        128, "Tokens of a window; longer texts have several.", name="max_seq_length", minimum=3
    )
