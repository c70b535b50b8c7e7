"""Matrix products of a feed-forward layer in TensorFlow: a side of `compare_time`.

It shows what the machine reaches when it does nothing else: 20 products of [4096, 384] and
[384, 1536] a turn. It takes a turn for each line on its standard input:

    echo go | .venv/bin/python -m benchmarks.harness.matmul_peak
"""

from benchmarks.harness import arguments, compare_time, environment


def products(dtype):
    """The function that does a turn's products."""
    tf = environment.start_tensorflow()
    left = tf.cast(tf.random.normal([4096, 384]), dtype)
    right = tf.cast(tf.random.normal([384, 1536]), dtype)

    @tf.function
    def multiply(left, right):
        # A graph computes equal products once, so each depends on the one before it.
        total = tf.constant(0.0, dtype)
        for _ in range(20):
            product = tf.matmul(left + total, right)  # [4096, 1536]
            total = product[0, 0] * 0
        return total

    return lambda: multiply(left, right).numpy()


def main():
    flags = arguments.parser(__doc__)
    flags.add_argument("--dtype", default="float32")
    compare_time.take_turns(products(flags.parse_args().dtype))


if __name__ == "__main__":
    main()
