"""The start and the end of the answer to a question in a passage."""

from __future__ import annotations

import os
from typing import Any, Self

import keras

from bert_keras.checkpoints.heads import QUESTION_ANSWERING, Heads
from bert_keras.config import BertConfig
from bert_keras.models.bert_model import BertModel
from bert_keras.models.encoder import BertEncoder, encoder_inputs


@keras.saving.register_keras_serializable(package="bert_keras")
class BertQuestionAnswering(BertModel):
    """Two linear functions of each token's vector: the scores of a start and of an end.

    Devlin et al. 2018 (arXiv 1810.04805), section 4.2: an example is [CLS] question [SEP] passage
    [SEP], and the score of the span from token i to token j is S·T_i + E·T_j. The span of [CLS]
    alone means that there is no answer (section 4.3).

    Inputs are the encoder's (see `BertEncoder`). The output is float32 [batch, length, 2], start
    and end, under every dtype policy, because a softmax over the tokens of an example and its loss
    follow. The pooler is not used and not trainable.

    Args:
        config: the sizes of the encoder.
        dtype: a Keras dtype policy or its name, such as "mixed_bfloat16"; Keras's global one
            unless given.
        name: the model's name.
        **kwargs: `trainable`.

    Example:
        from bert_keras import BertQuestionAnswering, BertTokenizer

        tokenizer = BertTokenizer.from_pretrained(ref)
        model = BertQuestionAnswering.from_pretrained(ref)
        model(tokenizer(["Who came?"], ["Ada came."]))  # logits [1, tokens, 2]
    """

    def __init__(
        self,
        config: BertConfig,
        dtype: Any = None,
        name: str = "bert_question_answering",
        **kwargs: Any,
    ):
        # Layers.
        encoder = BertEncoder(config, dtype=dtype, name="encoder")
        encoder.get_layer("pooler").trainable = False  # it is not used
        head = keras.layers.Dense(
            2,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=config.initializer_range),
            dtype="float32",
            name=QUESTION_ANSWERING.name,
        )

        # The graph.
        inputs = encoder_inputs()
        logits = head(encoder(inputs)["sequence_output"])  # [batch, length, 2]
        super().__init__(inputs=inputs, outputs=logits, name=name, **kwargs)
        self.dtype_policy = encoder.dtype_policy
        self.config = config
        self.encoder = encoder

    @classmethod
    def heads_for(cls, **options: Any) -> Heads:
        return QUESTION_ANSWERING.of()

    @classmethod
    def from_pretrained(cls, ref: str | os.PathLike[str], dtype: Any = None) -> Self:
        """Makes a model with a checkpoint's weights.

        The head is new if the checkpoint has none. A report of what was loaded, left over and newly
        made is logged.

        Args:
            ref: a folder, or `pkg://package/path`, in the layout of Hugging Face, Google or
                KerasHub.
            dtype: see the class.

        Raises:
            InputError: the folder's files cannot be used; the message says which and why.
        """
        return cls._load(ref, dtype)
