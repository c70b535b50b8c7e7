"""Vectors and their labels, for TensorBoard's Projector."""

import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorboard.plugins import projector

from bert_keras.files import atomic_write

# As many as a browser draws; it reads them as text of 10 bytes a number.
MOST_POINTS = 10_000
_LONGEST_LABEL = 200  # characters


def write_projector(
    folder: str | pathlib.Path,
    vectors: np.ndarray,
    labels: Sequence[str],
    name: str = "vectors",
) -> None:
    """Writes vectors for the Projector tab, into a folder that TensorBoard shows as a run.

    The files are `vectors.tsv`, a vector a line, `metadata.tsv`, a label a line, and
    `projector_config.pbtxt`, which names the two; and an events file, by which TensorBoard finds
    the folder. projector.tensorflow.org reads the first two as well.

    Args:
        folder: where to write; made if it does not exist. An earlier call's files are replaced.
        vectors: float32 [points, width]; the first `MOST_POINTS` are written.
        labels: one for each vector, without tabs and line ends; long ones are cut.
        name: the name of the vectors in the tab.
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


def _shorten(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else label[:_LONGEST_LABEL] + "…"
