"""One or several labels, or a number, for each example."""

import keras

from bert_keras.config import BertConfig
from bert_keras.errors import InputError
from bert_keras.layers.dropout import Dropout
from bert_keras.models.encoder import BertEncoder, encoder_inputs


@keras.saving.register_keras_serializable(package="bert_keras")
class BertClassifier(keras.Model):
    """A linear layer on the pooled vector of each example.

    Devlin et al. 2018 (arXiv 1810.04805), section 4.1: logits = C Wᵀ + b, with dropout on C.
    Inputs are the encoder's (see `BertEncoder`); the output is float32 [examples, num_classes]
    under every dtype policy, because a softmax and its loss follow.

    `compile`, `fit` and `.keras` files work as for any Keras model; such a file loads wherever
    `BertClassifier` has been imported.

    Args:
        config: a `BertConfig`.
        num_classes: how many logits; 1 for regression.
        dropout: share of the pooled vector dropped in training; the config's
            `hidden_dropout_prob` unless given.
        dtype: a Keras dtype policy, such as "mixed_bfloat16"; Keras's global one unless given.
        name: the model's name.
        **kwargs: `trainable`.

    Example:
        tokenizer = BertTokenizer.from_pretrained(ref)
        model = BertClassifier.from_pretrained(ref, num_classes=2)
        model(tokenizer(["This is a sample sentence."]))  # logits [1, 2]
    """

    def __init__(
        self, config, num_classes, dropout=None, dtype=None, name="bert_classifier", **kwargs
    ):
        # Layers.
        if dropout is None:
            dropout = config.hidden_dropout_prob
        encoder = BertEncoder(config, dtype=dtype, name="encoder")
        policy = encoder.dtype_policy
        drop = Dropout(dropout, dtype=policy, name="dropout")
        classifier = keras.layers.Dense(
            num_classes,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=config.initializer_range),
            dtype="float32",
            name="classifier",
        )

        # The graph.
        inputs = encoder_inputs()
        pooled = encoder(inputs)["pooled_output"]  # [examples, hidden]
        logits = classifier(drop(pooled))  # [examples, num_classes]
        super().__init__(inputs=inputs, outputs=logits, name=name, **kwargs)
        self.dtype_policy = policy
        self.config = config
        self.num_classes = num_classes
        self.dropout = dropout
        self.encoder = encoder

    @classmethod
    def from_pretrained(cls, ref, num_classes=None, dropout=None, dtype=None):
        """Makes a classifier on a checkpoint's weights.

        What was loaded, what was left over and what was newly made is printed on stderr: from a
        checkpoint without a classifier, the head is new.

        Args:
            ref: a folder, or `pkg://package/path`, in Hugging Face's layout (config.json,
                model.safetensors) or Google's (bert_config.json, bert_model.ckpt.*).
            num_classes: how many logits; that of the checkpoint's own head unless given.
            dropout: see the class.
            dtype: a Keras dtype policy.

        Returns:
            A `BertClassifier`.

        Raises:
            InputError: the folder's files cannot be used, the head there has another number of
                classes, or there is none and no number was given.
        """
        from bert_keras.checkpoints import load

        with load.open_checkpoint(ref) as checkpoint:
            found = load.head_size(checkpoint)
            if num_classes is None and found is None:
                raise InputError(
                    f"{checkpoint.place}: holds no classifier, so num_classes must be given."
                )
            if num_classes is not None and found not in (None, num_classes):
                raise InputError(
                    f"{checkpoint.place}: its classifier has {found} classes and {num_classes} "
                    "were asked for; to start from its encoder alone, make a BertClassifier and "
                    "call load_weights on its encoder."
                )
            num_classes = found if num_classes is None else num_classes
            load.check_shapes(checkpoint, checkpoint.config, num_classes)
            model = cls(checkpoint.config, num_classes, dropout=dropout, dtype=dtype)
            load.announce(load.copy_weights(checkpoint, model))
        return model

    def get_config(self):
        return {
            "config": self.config.to_dict(),
            "num_classes": self.num_classes,
            "dropout": self.dropout,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "name": self.name,
            "trainable": self.trainable,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**(config | {"config": BertConfig.from_dict(config["config"])}))
