"""Vectors for TensorBoard's Projector, each with what it is the vector of."""

import pathlib

import tensorflow as tf
from tensorboard.plugins import projector

from bert_keras.files import atomic_write

# A browser draws so many; what it draws them from is text of 10 bytes a number.
MOST_POINTS = 10_000
_LONGEST_LABEL = 200  # characters


def write_projector(folder, vectors, labels, name="vectors"):
    """Writes vectors for the Projector tab, into a folder that TensorBoard shows as a run.

    Beside the events, by which TensorBoard finds the folder, these are `vectors.tsv`, its columns
    the vectors' numbers, `metadata.tsv`, a label a line, and `projector_config.pbtxt`, which names
    the two. projector.tensorflow.org reads the first two as well.

    Args:
        folder: where; made if it is not there. What an earlier call wrote is replaced.
        vectors: float32 [points, width]; the first `MOST_POINTS` are written.
        labels: list of str without tabs and line ends, one a vector; long ones are cut.
        name: what the vectors are called there.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    vectors, shown = vectors[:MOST_POINTS], labels[:MOST_POINTS]
    with atomic_write(folder / "vectors.tsv") as file:
        for vector in vectors:
            file.write("\t".join(f"{number:.6g}" for number in vector) + "\n")
    with atomic_write(folder / "metadata.tsv") as file:
        file.writelines(f"{_shorten(label)}\n" for label in shown)
    config = projector.ProjectorConfig()
    embedding = config.embeddings.add()
    embedding.tensor_name = name
    embedding.tensor_path, embedding.metadata_path = "vectors.tsv", "metadata.tsv"
    embedding.tensor_shape.extend(vectors.shape)
    projector.visualize_embeddings(str(folder), config)
    with tf.summary.create_file_writer(str(folder)).as_default(step=0):
        points = f"{len(vectors):,} of {len(labels):,} vectors are in the Projector tab."
        tf.summary.text(name, points)


def _shorten(label):
    return label if len(label) <= _LONGEST_LABEL else label[:_LONGEST_LABEL] + "…"
