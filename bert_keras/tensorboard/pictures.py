"""Pictures for TensorBoard's Images tab."""

import numpy as np

# Up to here each cell is large enough for its count; beyond, a cell is a patch of colour.
_MOST_CLASSES_WITH_COUNTS = 30
_LONGEST_LABEL = 24


def picture_of_confusion(labels, matrix):
    """Draws a confusion matrix.

    A cell's colour is its share of the rows of the true class, so that rare classes show as well as
    frequent ones; its text is the number of rows.

    Args:
        labels: the classes' names.
        matrix: int [classes, classes]; entry (i, j) counts the rows of class i predicted as j.

    Returns:
        uint8 [height, width, 3].
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    matrix = np.asarray(matrix)
    classes = len(labels)
    with_counts = classes <= _MOST_CLASSES_WITH_COUNTS
    side = max(3.0, classes * (0.45 if with_counts else 0.12))  # inches
    figure = Figure(figsize=(side + 2.5, side + 2), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    share = matrix / np.maximum(1, matrix.sum(axis=1, keepdims=True))  # [classes, classes]
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    names = [_name(label) for label in labels]
    size = 9 if with_counts else 7
    axes.set_xticks(range(classes), names, rotation=90, fontsize=size)
    axes.set_yticks(range(classes), names, fontsize=size)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    figure.colorbar(image, shrink=0.6, label="share of the true class")
    if with_counts:
        for i, j in np.ndindex(*matrix.shape):
            colour = "white" if share[i, j] > 0.5 else "black"
            axes.text(j, i, matrix[i, j], ha="center", va="center", color=colour, fontsize=size)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]  # [height, width, 3]


def _name(label):
    name = " ".join(label.split())
    if len(name) > _LONGEST_LABEL:
        name = name[: _LONGEST_LABEL - 1] + "…"
    return name.replace("$", r"\$")  # a bare dollar sign starts a formula
