"""The settings of a pretraining, from which flags and the record of a run are made."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

from bert_keras.config import BertConfig
from bert_keras.corpus.settings import CorpusSettings
from bert_keras.errors import InputError
from bert_keras.options import option

if TYPE_CHECKING:
    from bert_keras.corpus import prepared
    from bert_keras.text.tokenizer import BertTokenizer

_SHORTEST = 8  # tokens of an example


@dataclasses.dataclass(frozen=True)
class PretrainingSettings(CorpusSettings):
    """The settings of `Pretraining`, which describes them."""

    prepared_dir: str = option("prepared", "Where tokenized texts are kept for later runs.")
    prepare_again: bool = option(
        False, "Make the prepared texts again if they are broken.", of_call=True
    )
    beam_workers: int = option(
        0, "Prepare with Apache Beam, in so many processes.", minimum=0, of_call=True
    )
    beam_options: tuple[str, ...] = option(
        (), "Beam's own flags, such as a runner on many machines.", of_call=True
    )
    vocab_dir: str = option(
        "", "Folder of run_vocabulary.py, to start from new weights.", of_model=True
    )
    model_size: str = option(
        "", "Size of new weights: tiny, mini, small, medium, base or large.", of_model=True
    )
    bert_config_file: str = option(
        "", "Shape of new weights: a config.json, in place of a size.", of_model=True
    )
    objective: Literal["nsp", "sop", "none"] = option("nsp", "Sentence B: next, order, or none.")
    masking: Literal["token", "word", "span"] = option("token", "What is masked at a time.")
    masked_lm_prob: float = option(0.15, "Share of the tokens to predict.")
    short_seq_length: int = option(0, "Tokens in a first phase; 0 for one phase.", minimum=0)
    short_steps_share: float = option(
        0.9, "Share of the steps in that phase.", minimum=0, maximum=1
    )
    max_length: int = option(128, "Tokens of an example.", name="max_seq_length", minimum=_SHORTEST)
    num_fillings: int = option(
        5, "How many tokens to predict for each [MASK].", minimum=1, of_call=True
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.masked_lm_prob < 1:
            raise InputError(
                f"expected more than 0 and less than 1, found {self.masked_lm_prob}.",
                field="masked_lm_prob",
            )
        short = self.short_seq_length
        if short and not _SHORTEST <= short < self.max_length:
            raise InputError(
                f"expected at least {_SHORTEST} and less than `max_length`, {self.max_length}, "
                f"found {short}.",
                field="short_seq_length",
            )
        if self.model_size and self.bert_config_file:
            raise InputError(
                "expected either this or `bert_config_file`, found both.", field="model_size"
            )

    def open_passages(self, tokenizer: BertTokenizer) -> prepared.Prepared:
        """Prepares the passages of the corpus, or opens them if they were prepared before.

        Raises:
            InputError: there are no texts, or they cannot be read; or what was prepared is broken.
        """
        from bert_keras.corpus.prepared import prepare

        return prepare(
            self.open_corpus(),
            tokenizer,
            self.max_length,
            self.prepared_dir,
            self.dev_fraction,
            self.beam_workers,
            list(self.beam_options),
            again=self.prepare_again,
        )

    def new_config(self) -> BertConfig | None:
        """Returns the shape of a new model, without its vocabulary; None if none is given.

        Raises:
            InputError: there is no such size, or the file cannot be read.
        """
        if self.bert_config_file:
            return BertConfig.from_file(self.bert_config_file)
        return BertConfig.from_size(self.model_size) if self.model_size else None
