"""A label for each token."""

import keras

from bert_keras.layers.dropout import Dropout
from bert_keras.models.bert_model import BertModel
from bert_keras.models.encoder import BertEncoder, encoder_inputs

HEAD = "token_classifier"


@keras.saving.register_keras_serializable(package="bert_keras")
class BertTokenClassifier(BertModel):
    """A linear layer on the vector of each token.

    Devlin et al. 2018 (arXiv 1810.04805), section 5.3: logits = T Wᵀ + b, with dropout on T. Which
    tokens count, and how their labels make up a sequence, is not the model's business.
    Inputs are the encoder's (see `BertEncoder`); the output is float32
    [batch, length, num_classes] under every dtype policy, because a softmax and its loss follow.
    The pooler takes no part and is not trained.

    `compile`, `fit` and `.keras` files work as for any Keras model; such a file loads wherever
    `BertTokenClassifier` has been imported.

    Args:
        config: a `BertConfig`.
        num_classes: how many logits a token has.
        dropout: share of the tokens' vectors dropped in training; the config's
            `hidden_dropout_prob` unless given.
        dtype: a Keras dtype policy, such as "mixed_bfloat16"; Keras's global one unless given.
        name: the model's name.
        **kwargs: `trainable`.

    Example:
        tokenizer = BertTokenizer.from_pretrained(ref)
        model = BertTokenClassifier.from_pretrained(ref, num_classes=9)
        model(tokenizer(["Ada Lovelace wrote it."]))  # logits [1, tokens, 9]
    """

    def __init__(
        self,
        config,
        num_classes,
        dropout=None,
        dtype=None,
        name="bert_token_classifier",
        **kwargs,
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
            name=HEAD,
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
    def heads(self):
        return {HEAD: {"num_classes": self.num_classes}}

    @classmethod
    def from_pretrained(cls, ref, num_classes=None, dropout=None, dtype=None):
        """Makes a token classifier on a checkpoint's weights.

        What was loaded, what was left over and what was newly made is printed on stderr: from a
        checkpoint without a token classifier, the head is new.

        Args:
            ref: a folder, or `pkg://package/path`, in the layout of Hugging Face, Google or
                KerasHub.
            num_classes: how many logits; that of the checkpoint's own head unless given.
            dropout: see the class.
            dtype: a Keras dtype policy.

        Returns:
            A `BertTokenClassifier`.

        Raises:
            InputError: the folder's files cannot be used, its head has another number of classes,
                or there is none and no number was given.
        """
        from bert_keras.checkpoints import load

        with load.open_checkpoint(ref) as checkpoint:
            found = load.classifier_size(checkpoint, HEAD)
            num_classes = load.choose_classes(checkpoint, found, num_classes, cls)
            heads = {HEAD: {"num_classes": num_classes}}
            load.check_shapes(checkpoint, checkpoint.config, heads)
            model = cls(checkpoint.config, num_classes, dropout, dtype)
            load.announce(load.copy_weights(checkpoint, model))
        return model

    def get_config(self):
        return super().get_config() | {"num_classes": self.num_classes, "dropout": self.dropout}
