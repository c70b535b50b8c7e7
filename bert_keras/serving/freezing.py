"""A model with its weights as constants, as a served one's are, but for what is looked up in."""

import numpy as np
import tensorflow as tf

from bert_keras.errors import InputError

_MOST_BYTES = 2**31 - 2**24  # of a graph, less what is no weight
_TABLE = "word/embeddings"


def freeze(model):
    """Makes a function of a model in which the weights are constants.

    What can be computed from constants alone, such as a kernel in bfloat16 or the product of three
    projections side by side, is then computed once, when a server loads the graph, and matrix
    products keep their weights in the order that suits them. A graph with several functions of it
    holds the weights once.

    TensorFlow copies constants many times on the way. So the word embedding, half of a small model,
    stays a variable where it is only looked up in, and nothing could be computed beforehand.

    Args:
        model: a `BertModel`.

    Returns:
        A function of a dict of inputs, which may hold others beside, that gives what the model
        does. It takes the `training=False` that a model is called with.

    Raises:
        InputError: the weights do not fit into a graph, which has 2 GiB at most.
    """
    multiplies_table = "masked_lm" in model.heads
    trainable, others = (
        [_held(variable, multiplies_table) for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    )
    needed = sum(value.nbytes for value in trainable + others if isinstance(value, np.ndarray))
    if needed > _MOST_BYTES:
        raise InputError(
            f"The model's weights take {needed / 2**30:.1f} GiB; a graph holds less than 2 GiB."
        )
    spec = {name: tf.TensorSpec(each.shape, each.dtype, name) for name, each in model.input.items()}

    @tf.function(input_signature=[spec], autograph=False)
    def call(inputs):
        values = [[tf.convert_to_tensor(each) for each in held] for held in (trainable, others)]
        return model.stateless_call(*values, inputs, training=False)[0]

    def frozen(inputs, training=False):
        assert not training
        return call({name: inputs[name] for name in spec})

    return frozen


def _held(variable, multiplies_table):
    """A variable's value: an array, to be a constant, or a copy of the variable."""
    is_table = variable.path.endswith(_TABLE) and not multiplies_table
    return tf.Variable(variable.value, trainable=False) if is_table else variable.numpy()
