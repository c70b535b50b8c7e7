"""Matrix products of a feed-forward layer in TensorFlow, in turns with others; see turns.py."""

import argparse

import tensorflow as tf
import turns

flags = argparse.ArgumentParser()
flags.add_argument("--dtype", default="float32")
dtype = flags.parse_args().dtype

left = tf.cast(tf.random.normal([4096, 384]), dtype)
right = tf.cast(tf.random.normal([384, 1536]), dtype)


@tf.function
def multiply(left, right):
    # One after the other, and none like the other: a graph computes what is equal once.
    total = tf.constant(0.0, dtype)
    for _ in range(20):
        product = tf.matmul(left + total, right)  # [4096, 1536]
        total = product[0, 0] * 0
    return total


turns.answer(lambda: multiply(left, right).numpy())
