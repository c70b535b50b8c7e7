"""A label for each token."""

from __future__ import annotations

import os
from typing import Any, Self

import keras

from bert_keras.checkpoints import load
from bert_keras.checkpoints.heads import TOKEN_CLASSIFIER, Heads
from bert_keras.config import BertConfig
from bert_keras.layers.dropout import Dropout
from bert_keras.models.bert_model import BertModel
from bert_keras.models.encoder import BertEncoder, encoder_inputs


@keras.saving.register_keras_serializable(package="bert_keras")
class BertTokenClassifier(BertModel):
    """A linear layer on the vector of each token.

    Devlin et al. 2018 (arXiv 1810.04805), section 5.3: logits = T Wᵀ + b, with dropout on T. The
    task decides which tokens count and how their labels form a sequence.

    Inputs are the encoder's (see `BertEncoder`). The output is float32
    [batch, length, num_classes] under every dtype policy, because a softmax and its loss follow.
    The pooler is not used and not trainable.

    Args:
        config: the sizes of the encoder.
        num_classes: number of logits of a token.
        dropout: share of the tokens' vectors that is dropped in training; the config's
            `hidden_dropout_prob` unless given.
        dtype: a Keras dtype policy or its name, such as "mixed_bfloat16"; Keras's global one
            unless given.
        name: the model's name.
        **kwargs: `trainable`.

    Example:
        from bert_keras import BertTokenClassifier, BertTokenizer

        tokenizer = BertTokenizer.from_pretrained(ref)
        model = BertTokenClassifier.from_pretrained(ref, num_classes=9)
        model(tokenizer(["Ada Lovelace wrote it."]))  # logits [1, tokens, 9]
    """

    def __init__(
        self,
        config: BertConfig,
        num_classes: int,
        dropout: float | None = None,
        dtype: Any = None,
        name: str = "bert_token_classifier",
        **kwargs: Any,
    ):
        # Layers.
        if dropout is None:
            dropout = config.hidden_dropout_prob
        encoder = BertEncoder(config, dtype=dtype, name="encoder")
        encoder.get_layer("pooler").trainable = False
        policy = encoder.dtype_policy
        drop = Dropout(dropout, dtype=policy, name="dropout")
        classifier = keras.layers.Dense(
            num_classes,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=config.initializer_range),
            dtype="float32",
            name=TOKEN_CLASSIFIER.name,
        )

        # The graph.
        inputs = encoder_inputs()
        vectors = encoder(inputs)["sequence_output"]  # [batch, length, hidden]
        logits = classifier(drop(vectors))  # [batch, length, num_classes]
        super().__init__(inputs=inputs, outputs=logits, name=name, **kwargs)
        self.dtype_policy = policy
        self.config = config
        self.num_classes = num_classes
        self.dropout = dropout
        self.encoder = encoder

    @property
    def options(self) -> dict[str, Any]:
        return {"num_classes": self.num_classes, "dropout": self.dropout}

    @classmethod
    def heads_for(cls, **options: Any) -> Heads:
        return TOKEN_CLASSIFIER.of(options["num_classes"])

    @classmethod
    def from_pretrained(
        cls,
        ref: str | os.PathLike[str],
        num_classes: int | None = None,
        dropout: float | None = None,
        dtype: Any = None,
    ) -> Self:
        """Makes a token classifier with a checkpoint's weights.

        The head is new if the checkpoint has none. A report of what was loaded, left over and newly
        made is logged.

        Args:
            ref: a folder, or `pkg://package/path`, in the layout of Hugging Face, Google or
                KerasHub.
            num_classes: number of logits; that of the checkpoint's head unless given.
            dropout: see the class.
            dtype: see the class.

        Raises:
            InputError: the folder's files cannot be used, its head has another number of classes,
                or it has none and `num_classes` is not given.
        """
        return cls._load(ref, dtype, num_classes=num_classes, dropout=dropout)

    @classmethod
    def _choose(
        cls, checkpoint: load.Checkpoint, **options: Any
    ) -> tuple[BertConfig, dict[str, Any]]:
        own = load.num_classes(checkpoint, TOKEN_CLASSIFIER)
        num_classes = load.choose_classes(checkpoint, own, options["num_classes"], cls)
        return checkpoint.config, options | {"num_classes": num_classes}
