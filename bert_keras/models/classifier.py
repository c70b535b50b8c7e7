"""One or several labels, or a number, for each example."""

from __future__ import annotations

import os
from typing import Any, Self

import keras

from bert_keras.checkpoints import load
from bert_keras.checkpoints.heads import CLASSIFIER, MEAN_CLASSIFIER, Heads
from bert_keras.config import BertConfig
from bert_keras.errors import InputError
from bert_keras.layers.dropout import Dropout
from bert_keras.layers.pooling import MeanPooling
from bert_keras.models.bert_model import BertModel
from bert_keras.models.encoder import BertEncoder, encoder_inputs

# The head on each pooling.
POOLINGS = {"cls": CLASSIFIER, "mean": MEAN_CLASSIFIER}


@keras.saving.register_keras_serializable(package="bert_keras")
class BertClassifier(BertModel):
    """A linear layer on one vector for each example.

    Devlin et al. 2018 (arXiv 1810.04805), section 4.1: logits = C Wᵀ + b, with dropout on C. The
    vector C is the pooler's, from [CLS], or the mean of the example's tokens. The mean learns from
    fewer examples if the weights were tuned for sentence similarity, because such a tuning leaves
    the pooler untrained.

    Inputs are the encoder's (see `BertEncoder`). The output is float32 [examples, num_classes]
    under every dtype policy, because a softmax and its loss follow.

    Args:
        config: the sizes of the encoder.
        num_classes: number of logits; 1 for regression.
        dropout: share of the pooled vector that is dropped in training; the config's
            `hidden_dropout_prob` unless given.
        pooling: "cls" or "mean".
        dtype: a Keras dtype policy or its name, such as "mixed_bfloat16"; Keras's global one
            unless given.
        name: the model's name.
        **kwargs: `trainable`.

    Raises:
        InputError: there is no such pooling.

    Example:
        from bert_keras import BertClassifier, BertTokenizer

        tokenizer = BertTokenizer.from_pretrained(ref)
        model = BertClassifier.from_pretrained(ref, num_classes=2)
        model(tokenizer(["This is a sample sentence."]))  # logits [1, 2]
    """

    def __init__(
        self,
        config: BertConfig,
        num_classes: int,
        dropout: float | None = None,
        pooling: str = "cls",
        dtype: Any = None,
        name: str = "bert_classifier",
        **kwargs: Any,
    ):
        # Layers.
        if pooling not in POOLINGS:
            raise InputError(
                f"expected one of {', '.join(POOLINGS)}, found {pooling!r}.", field="pooling"
            )
        if dropout is None:
            dropout = config.hidden_dropout_prob
        output_tokens = "first" if pooling == "cls" else "all"
        encoder = BertEncoder(config, dtype=dtype, name="encoder", output_tokens=output_tokens)
        policy = encoder.dtype_policy
        drop = Dropout(dropout, dtype=policy, name="dropout")
        classifier = keras.layers.Dense(
            num_classes,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=config.initializer_range),
            dtype="float32",
            name=POOLINGS[pooling].name,
        )

        # The graph.
        inputs = encoder_inputs()
        encoded = encoder(inputs)
        if pooling == "mean":
            encoder.get_layer("pooler").trainable = False  # it is not used
            average = MeanPooling(dtype=policy, name="mean_pooling")
            pooled = average(encoded["sequence_output"], inputs["example_ids"])
        else:
            pooled = encoded["pooled_output"]  # [examples, hidden]
        logits = classifier(drop(pooled))  # [examples, num_classes]
        super().__init__(inputs=inputs, outputs=logits, name=name, **kwargs)
        self.dtype_policy = policy
        self.config = config
        self.num_classes = num_classes
        self.dropout = dropout
        self.pooling = pooling
        self.encoder = encoder

    @property
    def options(self) -> dict[str, Any]:
        return {"num_classes": self.num_classes, "dropout": self.dropout, "pooling": self.pooling}

    @classmethod
    def heads_for(cls, **options: Any) -> Heads:
        return POOLINGS[options["pooling"]].of(options["num_classes"])

    @property
    def uses_first_token_only(self) -> bool:
        return self.pooling == "cls"

    @classmethod
    def from_pretrained(
        cls,
        ref: str | os.PathLike[str],
        num_classes: int | None = None,
        dropout: float | None = None,
        pooling: str | None = None,
        dtype: Any = None,
    ) -> Self:
        """Makes a classifier with a checkpoint's weights.

        The head is new if the checkpoint has none. A report of what was loaded, left over and newly
        made is logged.

        Args:
            ref: a folder, or `pkg://package/path`, in the layout of Hugging Face, Google or
                KerasHub.
            num_classes: number of logits; that of the checkpoint's head unless given.
            dropout: see the class.
            pooling: see the class; that of the checkpoint's head unless given, or else "cls".
            dtype: see the class.

        Raises:
            InputError: the folder's files cannot be used, its head has another pooling or number
                of classes, or it has none and `num_classes` is not given.
        """
        return cls._load(ref, dtype, num_classes=num_classes, dropout=dropout, pooling=pooling)

    @classmethod
    def _choose(
        cls, checkpoint: load.Checkpoint, **options: Any
    ) -> tuple[BertConfig, dict[str, Any]]:
        sizes = {pool: load.num_classes(checkpoint, head) for pool, head in POOLINGS.items()}
        own = next((pool for pool, size in sizes.items() if size), None)
        pooling = options["pooling"]
        if own and pooling not in (None, own):
            raise InputError(
                f"{checkpoint.location}: its classifier is on the pooling {own!r} and {pooling!r} "
                "was requested."
            )
        size = sizes[own] if own else None
        num_classes = load.choose_classes(checkpoint, size, options["num_classes"], cls)
        chosen = {"num_classes": num_classes, "pooling": pooling or own or "cls"}
        return checkpoint.config, options | chosen
