"""What BERT is pretrained on: the words behind the masks, and whether one text follows another."""

import keras

from bert_keras.layers.masked_lm_head import MaskedLMHead
from bert_keras.models.bert_model import BertModel
from bert_keras.models.encoder import BertEncoder, encoder_inputs


@keras.saving.register_keras_serializable(package="bert_keras")
class BertPretrainer(BertModel):
    """The encoder with the heads of pretraining.

    Devlin et al. 2018 (arXiv 1810.04805), section 3.1: a masked language model, and a linear layer
    on the pooled vector that tells whether sentence B follows sentence A.

    Inputs are the encoder's (see `BertEncoder`) and `masked`, int32 [batch, length], 1 at the
    tokens whose word is to be told.

    Outputs, a dict, float32 under every dtype policy:

    - `token_logits` [masked, vocab], row by row and from left to right within a row.
    - `sentence_logits` [examples, 2]; class 0 is "B follows A", as in the original. Not there
      without the sentence head.

    Args:
        config: a `BertConfig`.
        sentence_head: whether there is the head that looks at pairs of sentences. Without it
            nothing would train the pooler, which is then not trainable.
        dtype: a Keras dtype policy, such as "mixed_bfloat16"; Keras's global one unless given.
        name: the model's name.
        **kwargs: `trainable`.

    Example:
        tokenizer = BertTokenizer.from_pretrained(ref, protect_special_tokens=True)
        model = BertPretrainer.from_pretrained(ref)
        inputs = tokenizer(["paris is the capital of [MASK]."])
        masked = keras.ops.cast(inputs["token_ids"] == tokenizer.mask_id, "int32")
        model(inputs | {"masked": masked})["token_logits"]  # [1, vocab]
    """

    def __init__(self, config, sentence_head=True, dtype=None, name="bert_pretrainer", **kwargs):
        # Layers.
        encoder = BertEncoder(config, dtype=dtype, name="encoder", reads="masked")
        policy = encoder.dtype_policy
        masked_lm = MaskedLMHead(
            encoder.get_layer("embeddings").word,
            config.hidden_act,
            config.layer_norm_eps,
            config.initializer_range,
            dtype=policy,
            name="masked_lm",
        )
        next_sentence = keras.layers.Dense(
            2,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=config.initializer_range),
            dtype="float32",
            name="next_sentence",
        )

        # The graph.
        inputs = encoder_inputs() | {"masked": keras.Input((None,), dtype="int32", name="masked")}
        encoded = encoder(inputs)
        outputs = {"token_logits": masked_lm(encoded["sequence_output"], encoded["masked"])}
        if sentence_head:
            outputs["sentence_logits"] = next_sentence(encoded["pooled_output"])  # [examples, 2]
        else:
            encoder.get_layer("pooler").trainable = False  # it takes no part
        super().__init__(inputs=inputs, outputs=outputs, name=name, **kwargs)
        self.dtype_policy = policy
        self.config = config
        self.sentence_head = sentence_head
        self.encoder = encoder

    @property
    def heads(self):
        return {"masked_lm": {}} | ({"next_sentence": {}} if self.sentence_head else {})

    @classmethod
    def from_pretrained(cls, ref, sentence_head=None, dtype=None):
        """Makes a pretrainer on a checkpoint's weights.

        What was loaded, what was left over and what was newly made is printed on stderr: heads
        that the checkpoint does not hold are new.

        Args:
            ref: a folder, or `pkg://package/path`, in the layout of Hugging Face, Google or
                KerasHub.
            sentence_head: see the class; whether the checkpoint holds one unless given.
            dtype: a Keras dtype policy.

        Returns:
            A `BertPretrainer`.

        Raises:
            InputError: the folder's files cannot be used; the message says which and why.
        """
        from bert_keras.checkpoints import load

        with load.open_checkpoint(ref) as checkpoint:
            if sentence_head is None:
                sentence_head = "next_sentence" in load.heads_in(checkpoint)
            heads = {"masked_lm": {}} | ({"next_sentence": {}} if sentence_head else {})
            load.check_shapes(checkpoint, checkpoint.config, heads)
            model = cls(checkpoint.config, sentence_head, dtype=dtype)
            load.announce(load.copy_weights(checkpoint, model))
        return model

    def get_config(self):
        return super().get_config() | {"sentence_head": self.sentence_head}
