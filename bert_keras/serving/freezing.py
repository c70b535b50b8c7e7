"""A model with its weights as constants, as a served one's are."""

import tensorflow as tf

from bert_keras.errors import InputError

_MOST_BYTES = 2**31 - 2**24  # of a graph, less what is no weight


def freeze(model):
    """Makes a function of a model in which the weights are constants.

    What can be computed from constants alone, such as a kernel in bfloat16 or the product of three
    projections side by side, is then computed once, when a server loads the graph, and matrix
    products keep their weights in the order that suits them. A graph with several functions of it
    holds the weights once.

    Args:
        model: a Keras model whose inputs are a dict.

    Returns:
        A function of a dict of inputs, which may hold others beside, that gives what the model
        does. It takes the `training=False` that a model is called with.

    Raises:
        InputError: the weights do not fit into a graph, which has 2 GiB at most.
    """
    trainable = [variable.numpy() for variable in model.trainable_variables]
    others = [variable.numpy() for variable in model.non_trainable_variables]
    needed = sum(array.nbytes for array in trainable + others)
    if needed > _MOST_BYTES:
        raise InputError(
            f"The model's weights take {needed / 2**30:.1f} GiB; a graph holds less than 2 GiB."
        )
    spec = {name: tf.TensorSpec(each.shape, each.dtype, name) for name, each in model.input.items()}

    @tf.function(input_signature=[spec], autograph=False)
    def call(inputs):
        constants = [[tf.constant(array) for array in arrays] for arrays in (trainable, others)]
        return model.stateless_call(*constants, inputs, training=False)[0]

    def frozen(inputs, training=False):
        assert not training
        return call({name: inputs[name] for name in spec})

    return frozen
