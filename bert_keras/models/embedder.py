"""One vector for each example, to be compared with others by their angle."""

import dataclasses

import keras

from bert_keras.errors import InputError
from bert_keras.layers.first_token import FirstToken
from bert_keras.layers.max_pooling import MaxPooling
from bert_keras.layers.mean_pooling import MeanPooling
from bert_keras.models.bert_model import BertModel
from bert_keras.models.encoder import BertEncoder, encoder_inputs

POOLINGS = {"mean": MeanPooling, "cls": FirstToken, "max": MaxPooling}


@keras.saving.register_keras_serializable(package="bert_keras")
class BertEmbedder(BertModel):
    """Sentence embeddings: the tokens of each example pooled into one vector.

    Reimers & Gurevych 2019 (arXiv 1908.10084), section 3. Inputs are the encoder's (see
    `BertEncoder`); the output is float32 [examples, hidden] under every dtype policy, row by row
    and from left to right within a row.

    The model has no block above the layer that it takes: its `config` tells how many are left, and
    what is written of it is an ordinary, shallower BERT, whose last layer is the one taken.

    Args:
        config: a `BertConfig`.
        pooling: "mean", over all tokens, [CLS] and [SEP] included; "cls", the vector of [CLS]; or
            "max".
        normalize: whether vectors are scaled to length 1, so that the dot product of two is the
            cosine of their angle.
        layer: whose output to pool, as Hugging Face counts `hidden_states`: 0 is the embeddings,
            1 the first block, -1 the last, -2 the one before it.
        dtype: a Keras dtype policy, such as "mixed_bfloat16"; Keras's global one unless given.
        name: the model's name.
        **kwargs: `trainable`.

    Raises:
        InputError: there is no such pooling or layer.

    Example:
        tokenizer = BertTokenizer.from_pretrained(ref)
        model = BertEmbedder.from_pretrained(ref)
        vectors = model(tokenizer(["A man eats.", "Somebody is eating."]))  # [2, hidden]
        vectors @ keras.ops.transpose(vectors)  # their similarities
    """

    def __init__(
        self,
        config,
        pooling="mean",
        normalize=True,
        layer=-1,
        dtype=None,
        name="bert_embedder",
        **kwargs,
    ):
        # Layers.
        if pooling not in POOLINGS:
            raise InputError(f"pooling is {pooling!r}, expected one of {', '.join(POOLINGS)}.")
        config = _up_to(config, layer)
        encoder = BertEncoder(config, dtype=dtype, name="encoder")
        encoder.get_layer("pooler").trainable = False  # it takes no part
        pool = POOLINGS[pooling](dtype="float32", name=f"{pooling}_pooling")
        scale = keras.layers.UnitNormalization(dtype="float32", name="normalization")

        # The graph.
        inputs = encoder_inputs()
        tokens = encoder(inputs)["sequence_output"]
        vectors = pool(tokens, inputs["example_ids"])  # [examples, hidden]
        if normalize:
            vectors = scale(vectors)
        super().__init__(inputs=inputs, outputs=vectors, name=name, **kwargs)
        self.dtype_policy = encoder.dtype_policy
        self.config = config
        self.pooling = pooling
        self.normalize = normalize
        self.encoder = encoder

    @property
    def reads_first_token_alone(self):
        return self.pooling == "cls"

    @classmethod
    def from_pretrained(cls, ref, pooling=None, normalize=None, layer=-1, dtype=None):
        """Makes an embedder on a checkpoint's weights.

        What was loaded and what was left over is printed on stderr.

        Args:
            ref: a folder, or `pkg://package/path`, in the layout of Hugging Face, Google or
                KerasHub.
            pooling: see the class; what the folder says, in the way of sentence-transformers,
                unless given, or else "mean".
            normalize: see the class; what the folder says unless given, or else True.
            layer: see the class.
            dtype: a Keras dtype policy.

        Returns:
            A `BertEmbedder`.

        Raises:
            InputError: the folder's files cannot be used, or ask for what this model does not do.
        """
        from bert_keras.checkpoints import load
        from bert_keras.checkpoints.sentence_transformers import read_pooling

        kept = {"pooling": "mean", "normalize": True} | read_pooling(ref)
        pooling = kept["pooling"] if pooling is None else pooling
        normalize = kept["normalize"] if normalize is None else normalize
        with load.open_checkpoint(ref) as checkpoint:
            load.check_shapes(checkpoint, _up_to(checkpoint.config, layer))
            model = cls(checkpoint.config, pooling, normalize, layer, dtype)
            load.announce(load.copy_weights(checkpoint, model))
        return model

    def get_config(self):
        return super().get_config() | {"pooling": self.pooling, "normalize": self.normalize}


def _up_to(config, layer):
    """The config of an encoder that ends with a layer."""
    deepest = config.num_hidden_layers
    if not -deepest - 1 <= layer <= deepest:
        raise InputError(
            f"layer is {layer!r}, expected {-deepest - 1} to {deepest}, for there are {deepest} "
            "blocks."
        )
    return dataclasses.replace(config, num_hidden_layers=layer % (deepest + 1))
