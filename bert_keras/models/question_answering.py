"""Where in a text the answer to a question begins, and where it ends."""

import keras

from bert_keras.models.bert_model import BertModel
from bert_keras.models.encoder import BertEncoder, encoder_inputs


@keras.saving.register_keras_serializable(package="bert_keras")
class BertQuestionAnswering(BertModel):
    """Two linear functions of each token's vector: does the answer begin here, does it end here?

    Devlin et al. 2018 (arXiv 1810.04805), section 4.2: an example is [CLS] question [SEP] text
    [SEP], and the score of the span from token i to token j is S·T_i + E·T_j. That there is no
    answer is the span of [CLS] alone (section 4.3).

    Inputs are the encoder's (see `BertEncoder`); the output is float32 [batch, length, 2], begin
    and end, under every dtype policy, because a softmax over the tokens of an example and its loss
    follow. Nothing trains the pooler, which is not trainable.

    Args:
        config: a `BertConfig`.
        dtype: a Keras dtype policy, such as "mixed_bfloat16"; Keras's global one unless given.
        name: the model's name.
        **kwargs: `trainable`.

    Example:
        tokenizer = BertTokenizer.from_pretrained(ref)
        model = BertQuestionAnswering.from_pretrained(ref)
        model(tokenizer(["Who came?"], ["Ada came."]))  # logits [1, 9, 2]
    """

    def __init__(self, config, dtype=None, name="bert_question_answering", **kwargs):
        # Layers.
        encoder = BertEncoder(config, dtype=dtype, name="encoder")
        encoder.get_layer("pooler").trainable = False  # it takes no part
        head = keras.layers.Dense(
            2,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=config.initializer_range),
            dtype="float32",
            name="qa_outputs",
        )

        # The graph.
        inputs = encoder_inputs()
        logits = head(encoder(inputs)["sequence_output"])  # [batch, length, 2]
        super().__init__(inputs=inputs, outputs=logits, name=name, **kwargs)
        self.dtype_policy = encoder.dtype_policy
        self.config = config
        self.encoder = encoder

    @property
    def heads(self):
        return {"qa_outputs": {}}

    @classmethod
    def from_pretrained(cls, ref, dtype=None):
        """Makes a model on a checkpoint's weights.

        What was loaded, what was left over and what was newly made is printed on stderr: from a
        checkpoint without such a head, the head is new.

        Args:
            ref: a folder, or `pkg://package/path`, in the layout of Hugging Face, Google or
                KerasHub.
            dtype: a Keras dtype policy.

        Returns:
            A `BertQuestionAnswering`.

        Raises:
            InputError: the folder's files cannot be used; the message says which and why.
        """
        from bert_keras.checkpoints import load

        with load.open_checkpoint(ref) as checkpoint:
            load.check_shapes(checkpoint, checkpoint.config, {"qa_outputs": {}})
            model = cls(checkpoint.config, dtype=dtype)
            load.announce(load.copy_weights(checkpoint, model))
        return model
