"""A linear map whose bias also learns in bfloat16."""

import keras
from keras import ops

from bert_keras.layers.custom_gradient import Gradient, custom_gradient
from bert_keras.layers.types import Tensor


@keras.saving.register_keras_serializable(package="bert_keras")
class Dense(keras.layers.Dense):
    """Keras's Dense for matrices, with a bias gradient that is summed in float32.

    The gradient of a bias is a sum over all tokens, and most terms cancel. TensorFlow sums bfloat16
    in bfloat16, so 10% to 100% of the result is rounding noise (see `add_bias`). Adam moves such
    a bias as far as any weight.
    """

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Computes inputs · kernel + bias.

        Args:
            inputs: [rows, width].
            training: whether gradients will be computed.

        Returns:
            [rows, units].
        """
        outputs = add_bias(ops.matmul(inputs, self.kernel), self.bias, training)
        return outputs if self.activation is None else self.activation(outputs)


def add_bias(outputs: Tensor, bias: Tensor, training: bool = False) -> Tensor:
    """Adds a bias to each row; its gradient is a product with ones, which is summed in float32.

    For the masked language model on 3,072 tokens, the relative error of bfloat16 bias gradients is
    0.13 to 1.2 with TensorFlow's own sum and 0.01 to 0.03 with this one.

    Args:
        outputs: [rows, units], a product.
        bias: [units].
        training: whether gradients will be computed. TensorFlow's graph optimizer fuses product
            and bias. That helps if the weights are constants, whose layout is prepared once. If
            they change, oneDNN 3.7's fused operation takes two to three times as long as the
            product alone on a processor with AMX.

    Returns:
        [rows, units].
    """

    @custom_gradient
    def add(outputs: Tensor, bias: Tensor) -> tuple[Tensor, Gradient]:
        def gradient(upstream: Tensor) -> tuple[Tensor, Tensor]:  # [rows, units]
            ones = ops.ones((1, ops.shape(upstream)[0]), upstream.dtype)
            return upstream, ops.reshape(ops.matmul(ones, upstream), ops.shape(bias))

        # With one more axis, the two are not fused.
        return ops.add(outputs[None], bias)[0] if training else ops.add(outputs, bias), gradient

    # A tensor in place of the backend's variable: custom gradients take tensors only.
    return add(outputs, ops.reshape(bias, (-1,)))
