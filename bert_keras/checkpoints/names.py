"""Which of our variables is called what in other people's files: one table."""

# Which layouts keep a matrix the other way round than ours, which is [in, out].
_AS_OURS = ()
_TURNED_IN_HF = ("huggingface",)
_TURNED_IN_BOTH = ("huggingface", "google")

# Where a name of KerasHub's is: the file, then the place in it.
_HUB = "model.weights.h5/layers"
_HUB_TASK = "task.weights.h5/layers"

# Ours (layer, its parts, variable); Hugging Face's; Google's; KerasHub's, None if it has no such
# thing; our shape in the config's terms; who keeps it transposed. {} stands for the number of the
# layer.
EMBEDDINGS = (
    (
        "embeddings/word/embeddings",
        "embeddings.word_embeddings.weight",
        "bert/embeddings/word_embeddings",
        f"{_HUB}/reversible_embedding/vars/0",
        ("vocab_size", "hidden_size"),
        _AS_OURS,
    ),
    (
        "embeddings/position/embeddings",
        "embeddings.position_embeddings.weight",
        "bert/embeddings/position_embeddings",
        f"{_HUB}/position_embedding/vars/0",
        ("max_position_embeddings", "hidden_size"),
        _AS_OURS,
    ),
    (
        "embeddings/segment/embeddings",
        "embeddings.token_type_embeddings.weight",
        "bert/embeddings/token_type_embeddings",
        f"{_HUB}/embedding/vars/0",
        ("type_vocab_size", "hidden_size"),
        _AS_OURS,
    ),
)


def _dense(ours, huggingface, google, keras_hub, width_in, width_out, turned=_TURNED_IN_HF):
    kernel, bias = ("output_weights", "output_bias") if "google" in turned else ("kernel", "bias")
    return (
        (
            f"{ours}/kernel",
            f"{huggingface}.weight",
            f"{google}{kernel}",
            keras_hub and f"{keras_hub}/vars/0",
            (width_in, width_out),
            turned,
        ),
        (
            f"{ours}/bias",
            f"{huggingface}.bias",
            f"{google}{bias}",
            keras_hub and f"{keras_hub}/vars/1",
            (width_out,),
            _AS_OURS,
        ),
    )


def _layer_norm(ours, huggingface, google, keras_hub):
    return tuple(
        (
            f"{ours}/{name}",
            f"{huggingface}.LayerNorm.{theirs}",
            f"{google}/LayerNorm/{name}",
            f"{keras_hub}/vars/{index}",
            ("hidden_size",),
            _AS_OURS,
        )
        for index, (name, theirs) in enumerate((("gamma", "weight"), ("beta", "bias")))
    )


EMBEDDINGS += _layer_norm(
    "embeddings/layer_norm", "embeddings", "bert/embeddings", f"{_HUB}/layer_normalization"
)
_HF_LAYER, _GOOGLE_LAYER = "encoder.layer.{}", "bert/encoder/layer_{}"
_HUB_LAYER = f"{_HUB}/transformer_encoder_{{}}"
LAYER = (
    *(
        row
        for part in ("query", "key", "value")
        for row in _dense(
            f"layer_{{}}/attention/{part}",
            f"{_HF_LAYER}.attention.self.{part}",
            f"{_GOOGLE_LAYER}/attention/self/{part}/",
            f"{_HUB_LAYER}/_self_attention_layer/{part}_dense",
            "hidden_size",
            "hidden_size",
        )
    ),
    *_dense(
        "layer_{}/attention/output_projection",
        f"{_HF_LAYER}.attention.output.dense",
        f"{_GOOGLE_LAYER}/attention/output/dense/",
        f"{_HUB_LAYER}/_self_attention_layer/output_dense",
        "hidden_size",
        "hidden_size",
    ),
    *_layer_norm(
        "layer_{}/attention_norm",
        f"{_HF_LAYER}.attention.output",
        f"{_GOOGLE_LAYER}/attention/output",
        f"{_HUB_LAYER}/_self_attention_layer_norm",
    ),
    *_dense(
        "layer_{}/feed_forward/intermediate",
        f"{_HF_LAYER}.intermediate.dense",
        f"{_GOOGLE_LAYER}/intermediate/dense/",
        f"{_HUB_LAYER}/_feedforward_intermediate_dense",
        "hidden_size",
        "intermediate_size",
    ),
    *_dense(
        "layer_{}/feed_forward/output_projection",
        f"{_HF_LAYER}.output.dense",
        f"{_GOOGLE_LAYER}/output/dense/",
        f"{_HUB_LAYER}/_feedforward_output_dense",
        "intermediate_size",
        "hidden_size",
    ),
    *_layer_norm(
        "layer_{}/feed_forward_norm",
        f"{_HF_LAYER}.output",
        f"{_GOOGLE_LAYER}/output",
        f"{_HUB_LAYER}/_feedforward_layer_norm",
    ),
)
POOLER = _dense(
    "pooler/dense",
    "pooler.dense",
    "bert/pooler/dense/",
    f"{_HUB}/dense",
    "hidden_size",
    "hidden_size",
)
# Google's run_classifier.py names its head's variables at the top.
_CLASSIFIER = _dense(
    "classifier",
    "classifier",
    "",
    f"{_HUB_TASK}/dense",
    "hidden_size",
    "num_classes",
    _TURNED_IN_BOTH,
)
_MEAN_CLASSIFIER = _dense(
    "mean_classifier", "mean_classifier", "mean_classifier/", None, "hidden_size", "num_classes"
)
# Hugging Face calls it as it does the classifier of texts; `architectures` tells them apart.
_TOKEN_CLASSIFIER = _dense(
    "token_classifier", "classifier", "token_classifier/", None, "hidden_size", "num_classes"
)
_MASKED_LM = (
    *_dense(
        "masked_lm/dense",
        "cls.predictions.transform.dense",
        "cls/predictions/transform/dense/",
        f"{_HUB_TASK}/masked_lm_head/_intermediate_dense",
        "hidden_size",
        "hidden_size",
    ),
    *_layer_norm(
        "masked_lm/layer_norm",
        "cls.predictions.transform",
        "cls/predictions/transform",
        f"{_HUB_TASK}/masked_lm_head/_intermediate_layer_norm",
    ),
    (
        "masked_lm/bias",
        "cls.predictions.bias",
        "cls/predictions/output_bias",
        f"{_HUB_TASK}/masked_lm_head/vars/0",
        ("vocab_size",),
        _AS_OURS,
    ),
)
_NEXT_SENTENCE = _dense(
    "next_sentence",
    "cls.seq_relationship",
    "cls/seq_relationship/",
    None,
    "hidden_size",
    "two",
    _TURNED_IN_BOTH,
)

_QUESTION_ANSWERING = _dense(
    "qa_outputs", "qa_outputs", "cls/squad/", None, "hidden_size", "two", _TURNED_IN_BOTH
)

# What a model may have beside the encoder: the name of the layer, and its variables. A classifier
# on the mean of the tokens has a name that no other library knows, so that none takes it for one
# on the pooler's output.
HEADS = {
    "classifier": _CLASSIFIER,
    "mean_classifier": _MEAN_CLASSIFIER,
    "token_classifier": _TOKEN_CLASSIFIER,
    "masked_lm": _MASKED_LM,
    "next_sentence": _NEXT_SENTENCE,
    "qa_outputs": _QUESTION_ANSWERING,
}

# Hugging Face's names for what some of its files hold twice, and ours for it.
TIED = {
    "cls.predictions.decoder.weight": "embeddings/word/embeddings",
    "cls.predictions.decoder.bias": "masked_lm/bias",
}
