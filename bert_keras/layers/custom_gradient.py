"""Functions that tell their own gradient, whatever the backend."""

from keras import ops


def custom_gradient(function):
    """Makes a function of tensors whose gradient is computed as it says, not by differentiating it.

    `keras.ops.custom_gradient` calls the gradient as its backend does: with what comes from above
    alone, or, under PyTorch, with the function's arguments and what comes from above by name.

    Args:
        function: takes tensors; returns its result, and a function from the gradient of that to
            the gradient of each argument.

    Returns:
        A function of the same tensors that returns the result.
    """

    def told(*arguments):
        result, gradient = function(*arguments)

        def called(*given, upstream=None, **_):
            return gradient(given[0] if upstream is None else upstream)

        return result, called

    return ops.custom_gradient(told)
