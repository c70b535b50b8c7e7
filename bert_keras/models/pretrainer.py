"""BERT with the heads of its pretraining: masked words and next sentences."""

from __future__ import annotations

import os
from typing import Any, Self

import keras

from bert_keras.checkpoints import load
from bert_keras.checkpoints.heads import MASKED_LM, NEXT_SENTENCE, Heads
from bert_keras.config import BertConfig
from bert_keras.layers.masked_lm_head import MaskedLMHead
from bert_keras.models.bert_model import BertModel
from bert_keras.models.encoder import BertEncoder, encoder_inputs


@keras.saving.register_keras_serializable(package="bert_keras")
class BertPretrainer(BertModel):
    """The encoder with the heads of pretraining.

    Devlin et al. 2018 (arXiv 1810.04805), section 3.1: a masked language model, and a linear layer
    on the pooled vector that predicts whether sentence B follows sentence A.

    Inputs are the encoder's (see `BertEncoder`) and `masked`, int32 [batch, length], 1 at the
    tokens to predict.

    Outputs, a dict, float32 under every dtype policy:

    - `token_logits` [masked, vocab], row by row and from left to right within a row.
    - `sentence_logits` [examples, 2]; class 0 is "B follows A", as in the original. It is missing
      without the sentence head.

    Args:
        config: the sizes of the encoder.
        sentence_head: whether there is a head for pairs of sentences. Without it nothing trains
            the pooler, which is then not trainable.
        dtype: a Keras dtype policy or its name, such as "mixed_bfloat16"; Keras's global one
            unless given.
        name: the model's name.
        **kwargs: `trainable`.

    Example:
        import keras
        from bert_keras import BertPretrainer, BertTokenizer

        tokenizer = BertTokenizer.from_pretrained(ref, protect_special_tokens=True)
        model = BertPretrainer.from_pretrained(ref)
        inputs = tokenizer(["paris is the capital of [MASK]."])
        masked = keras.ops.cast(inputs["token_ids"] == tokenizer.mask_id, "int32")
        model(inputs | {"masked": masked})["token_logits"]  # [1, vocab]
    """

    def __init__(
        self,
        config: BertConfig,
        sentence_head: bool = True,
        dtype: Any = None,
        name: str = "bert_pretrainer",
        **kwargs: Any,
    ):
        # Layers.
        encoder = BertEncoder(config, dtype=dtype, name="encoder", output_tokens="masked")
        policy = encoder.dtype_policy
        masked_lm = MaskedLMHead(
            config.vocab_size,
            config.hidden_act,
            config.layer_norm_eps,
            config.initializer_range,
            dtype=policy,
            name=MASKED_LM.name,
        )
        next_sentence = keras.layers.Dense(
            2,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=config.initializer_range),
            dtype="float32",
            name=NEXT_SENTENCE.name,
        )

        # The graph.
        inputs = encoder_inputs() | {"masked": keras.Input((None,), dtype="int32", name="masked")}
        encoded = encoder(inputs)
        token_logits = masked_lm(
            encoded["sequence_output"], encoded["masked"], encoded["word_embeddings"]
        )  # [masked, vocab]
        outputs = {"token_logits": token_logits}
        if sentence_head:
            outputs["sentence_logits"] = next_sentence(encoded["pooled_output"])  # [examples, 2]
        else:
            encoder.get_layer("pooler").trainable = False  # it is not used
        super().__init__(inputs=inputs, outputs=outputs, name=name, **kwargs)
        self.dtype_policy = policy
        self.config = config
        self.sentence_head = sentence_head
        self.encoder = encoder

    @property
    def options(self) -> dict[str, Any]:
        return {"sentence_head": self.sentence_head}

    @classmethod
    def heads_for(cls, **options: Any) -> Heads:
        heads = [MASKED_LM, NEXT_SENTENCE] if options["sentence_head"] else [MASKED_LM]
        return {head.name: {} for head in heads}

    @classmethod
    def from_pretrained(
        cls, ref: str | os.PathLike[str], sentence_head: bool | None = None, dtype: Any = None
    ) -> Self:
        """Makes a pretrainer with a checkpoint's weights.

        Heads that the checkpoint does not have are new. A report of what was loaded, left over and
        newly made is logged.

        Args:
            ref: a folder, or `pkg://package/path`, in the layout of Hugging Face, Google or
                KerasHub.
            sentence_head: see the class; whether the checkpoint has one unless given.
            dtype: see the class.

        Raises:
            InputError: the folder's files cannot be used; the message says which and why.
        """
        return cls._load(ref, dtype, sentence_head=sentence_head)

    @classmethod
    def _choose(
        cls, checkpoint: load.Checkpoint, **options: Any
    ) -> tuple[BertConfig, dict[str, Any]]:
        if options["sentence_head"] is None:
            options["sentence_head"] = NEXT_SENTENCE.name in load.heads_in(checkpoint)
        return checkpoint.config, options
