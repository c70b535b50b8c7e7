"""Functions with a gradient of their own, under every backend."""

from collections.abc import Callable

from keras import ops

from bert_keras.layers.types import Tensor

# From the gradient of the result to the gradient of each argument.
Gradient = Callable[[Tensor], Tensor | tuple[Tensor, ...]]


def custom_gradient(function: Callable[..., tuple[Tensor, Gradient]]) -> Callable[..., Tensor]:
    """Makes a function of tensors whose gradient is computed as stated, not by differentiation.

    `keras.ops.custom_gradient` calls the gradient as its backend does: with the upstream gradient
    alone, or, under PyTorch, with the function's arguments and `upstream` as a keyword.

    Args:
        function: takes tensors; returns its result, and a function from the gradient of the result
            to the gradient of each argument.

    Returns:
        A function of the same tensors that returns the result.
    """

    def with_gradient(*arguments: Tensor) -> tuple[Tensor, Callable[..., Tensor]]:
        result, gradient = function(*arguments)

        def of_backend(*given: Tensor, upstream: Tensor | None = None, **_: object) -> Tensor:
            return gradient(given[0] if upstream is None else upstream)

        return result, of_backend

    return ops.custom_gradient(with_gradient)
