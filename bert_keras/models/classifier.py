"""One or several labels, or a number, for each example."""

import keras

from bert_keras.errors import InputError
from bert_keras.layers.dropout import Dropout
from bert_keras.layers.mean_pooling import MeanPooling
from bert_keras.models.bert_model import BertModel
from bert_keras.models.encoder import BertEncoder, encoder_inputs

# How an example becomes one vector, and what the linear layer on it is called.
POOLINGS = {"cls": "classifier", "mean": "mean_classifier"}


@keras.saving.register_keras_serializable(package="bert_keras")
class BertClassifier(BertModel):
    """A linear layer on one vector for each example.

    Devlin et al. 2018 (arXiv 1810.04805), section 4.1: logits = C Wᵀ + b, with dropout on C. The
    vector C is the pooler's, from [CLS], or the mean of the example's tokens; the latter learns
    from fewer examples where the weights were tuned for sentence similarity, because such a tuning
    leaves the pooler out.
    Inputs are the encoder's (see `BertEncoder`); the output is float32 [examples, num_classes]
    under every dtype policy, because a softmax and its loss follow.

    `compile`, `fit` and `.keras` files work as for any Keras model; such a file loads wherever
    `BertClassifier` has been imported.

    Args:
        config: a `BertConfig`.
        num_classes: how many logits; 1 for regression.
        dropout: share of the pooled vector dropped in training; the config's
            `hidden_dropout_prob` unless given.
        pooling: "cls" or "mean".
        dtype: a Keras dtype policy, such as "mixed_bfloat16"; Keras's global one unless given.
        name: the model's name.
        **kwargs: `trainable`.

    Example:
        tokenizer = BertTokenizer.from_pretrained(ref)
        model = BertClassifier.from_pretrained(ref, num_classes=2)
        model(tokenizer(["This is a sample sentence."]))  # logits [1, 2]
    """

    def __init__(
        self,
        config,
        num_classes,
        dropout=None,
        pooling="cls",
        dtype=None,
        name="bert_classifier",
        **kwargs,
    ):
        # Layers.
        if pooling not in POOLINGS:
            raise InputError(f"pooling is {pooling!r}, expected one of {', '.join(POOLINGS)}.")
        if dropout is None:
            dropout = config.hidden_dropout_prob
        reads = "first" if pooling == "cls" else "all"
        encoder = BertEncoder(config, dtype=dtype, name="encoder", reads=reads)
        policy = encoder.dtype_policy
        drop = Dropout(dropout, dtype=policy, name="dropout")
        classifier = keras.layers.Dense(
            num_classes,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=config.initializer_range),
            dtype="float32",
            name=POOLINGS[pooling],
        )

        # The graph.
        inputs = encoder_inputs()
        encoded = encoder(inputs)
        if pooling == "mean":
            encoder.get_layer("pooler").trainable = False  # it takes no part
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
    def heads(self):
        return {POOLINGS[self.pooling]: {"num_classes": self.num_classes}}

    @property
    def reads_first_token_alone(self):
        return self.pooling == "cls"

    @classmethod
    def from_pretrained(cls, ref, num_classes=None, dropout=None, pooling=None, dtype=None):
        """Makes a classifier on a checkpoint's weights.

        What was loaded, what was left over and what was newly made is printed on stderr: from a
        checkpoint without a classifier, the head is new.

        Args:
            ref: a folder, or `pkg://package/path`, in the layout of Hugging Face, Google or
                KerasHub.
            num_classes: how many logits; that of the checkpoint's own head unless given.
            dropout: see the class.
            pooling: see the class; that of the checkpoint's own head unless given, or else "cls".
            dtype: a Keras dtype policy.

        Returns:
            A `BertClassifier`.

        Raises:
            InputError: the folder's files cannot be used, the head there is on another pooling or
                has another number of classes, or there is none and no number was given.
        """
        from bert_keras.checkpoints import load

        with load.open_checkpoint(ref) as checkpoint:
            sizes = {p: load.classifier_size(checkpoint, head) for p, head in POOLINGS.items()}
            own = next((p for p, size in sizes.items() if size), None)
            if own and pooling not in (None, own):
                raise InputError(
                    f"{checkpoint.location}: its classifier is on the pooling {own!r} and {pooling!r} "
                    "was asked for."
                )
            pooling = pooling or own or "cls"
            found = sizes.get(own)
            num_classes = load.choose_classes(checkpoint, found, num_classes, cls)
            heads = {POOLINGS[pooling]: {"num_classes": num_classes}}
            load.check_shapes(checkpoint, checkpoint.config, heads)
            model = cls(checkpoint.config, num_classes, dropout, pooling, dtype)
            load.announce(load.copy_weights(checkpoint, model))
        return model

    def get_config(self):
        return super().get_config() | {
            "num_classes": self.num_classes,
            "dropout": self.dropout,
            "pooling": self.pooling,
        }
