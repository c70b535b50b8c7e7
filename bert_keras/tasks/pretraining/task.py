"""Pretraining: predicting masked tokens, and whether one text follows another."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import TYPE_CHECKING, ClassVar

from bert_keras.config import BertConfig
from bert_keras.errors import InputError
from bert_keras.tasks.pretraining.settings import PretrainingSettings
from bert_keras.training.task import AnswersUntrained, Prepared, Task

if TYPE_CHECKING:
    from bert_keras.tasks.pretraining.bound import BoundPretraining
    from bert_keras.text.tokenizer import BertTokenizer


@dataclasses.dataclass(frozen=True)
class Pretraining(Task, AnswersUntrained, PretrainingSettings):
    """Learning from running text alone; the result is a checkpoint for other tasks.

    The model predicts masked tokens. Its answer to a text is the best tokens for each [MASK].

    It starts from the weights of `init_checkpoint`, or else from new ones; then it needs a
    vocabulary, `vocab_dir`, and a shape, `model_size` or `bert_config_file`.

    Attributes:
        prepared_dir: the folder where tokenized texts are kept for later runs.
        vocab_dir: the folder of the vocabulary of a new model, as `BertTokenizer.save` writes it.
        model_size: the shape of a new model; see `BertConfig.from_size`.
        bert_config_file: any other shape, as a bert_config.json.
        objective: what is predicted of sentence B: whether it is the next ("nsp"), whether A and B
            are in order ("sop"), or nothing ("none"); see `PassageSet`.
        masking: what is masked at a time: a "token", a "word" or a "span"; see `mask_tokens`.
        masked_lm_prob: the share of the tokens to predict.
        short_seq_length: tokens of an example in a first phase, see `Phases`; 0 for one phase.
        short_steps_share: the share of the steps in that phase.
        max_length: tokens of an example, and tokens that a text to fill in may have; special tokens
            included.
        prepare_again: whether tokenized texts that are there are made again, if they are broken.
        beam_workers: processes of Apache Beam that tokenize the texts; 0 does without Beam.
        beam_options: Beam's own flags, in place of `beam_workers`.
        num_fillings: how many tokens to predict for each [MASK].

    The other attributes say which texts to read; see `CorpusSettings`.

    Raises:
        InputError: a setting cannot be used, alone or together with another.

    Example:
        task = Pretraining(input_files=("texts/*.txt",), vocab_dir="runs/vocabulary",
                           model_size="mini")
        run = bert_keras.train(task, output_dir="runs/pretrained", max_steps=100_000)
        run.predict(["The [MASK] is red."])  # [[[{"token": "house", "probability": 0.1}, ...]]]
    """

    recorded_as: ClassVar[str] = "run_pretraining"
    # Logits over the vocabulary take more memory than those over classes.
    eval_batch_size: ClassVar[int] = 32
    needs_weights: ClassVar[bool] = False
    hyperparameters: ClassVar[tuple[str, ...]] = (
        "objective",
        "masking",
        "masked_lm_prob",
        "model_size",
        "bert_config_file",
    )

    def prepare(self, reference: str | None, seed: int) -> Prepared:
        bound = self._start(reference)
        passages = bound.open_passages()
        if self.objective == "nsp":
            bound.check_documents(passages)
        return Prepared(bound, bound.training_set(passages), bound.validation_set(passages))

    def restore(self, folder: pathlib.Path) -> BoundPretraining:
        return self._bind(self._open_tokenizer(folder))

    def load_pretrained(self, folder: pathlib.Path) -> BoundPretraining:
        from bert_keras.checkpoints.load import heads_in, open_checkpoint

        tokenizer = self._open_tokenizer(folder)
        with open_checkpoint(folder) as checkpoint:
            heads = heads_in(checkpoint)
        if "masked_lm" not in heads:
            raise InputError(
                f"{folder}: holds no head of a masked language model, and a new one would predict "
                "at random; train one first."
            )
        return self._bind(tokenizer, has_sentence_head="next_sentence" in heads)

    def _start(self, reference: str | None) -> BoundPretraining:
        """Binds the task to the weights to start from, or to the vocabulary of a new model."""
        from bert_keras.tasks.shared.tokenizers import check_length
        from bert_keras.text.tokenizer import BertTokenizer

        config = self.new_config()
        is_new = config is not None, bool(self.vocab_dir)
        if is_new != ((False, False) if reference else (True, True)):
            raise InputError(
                "expected either `init_checkpoint`, to continue from weights, or `vocab_dir` and "
                "`model_size` (or `bert_config_file`), to start from new ones."
            )
        if config is None:
            return self._bind(self._open_tokenizer(reference))
        positions = config.max_position_embeddings
        tokenizer = BertTokenizer.from_pretrained(self.vocab_dir, max_length=positions)
        config = dataclasses.replace(config, vocab_size=len(tokenizer.vocabulary))
        check_length(self.max_length, config, "the new model")
        return self._bind(tokenizer, config=config)

    def _open_tokenizer(self, reference: str | pathlib.Path | None) -> BertTokenizer:
        from bert_keras.tasks.shared.tokenizers import open_tokenizer

        return open_tokenizer(reference, self.max_length)

    def _bind(
        self,
        tokenizer: BertTokenizer,
        has_sentence_head: bool | None = None,
        config: BertConfig | None = None,
    ) -> BoundPretraining:
        from bert_keras.tasks.pretraining.bound import BoundPretraining

        if has_sentence_head is None:
            has_sentence_head = self.objective != "none"
        return BoundPretraining(self, tokenizer, has_sentence_head, config)
