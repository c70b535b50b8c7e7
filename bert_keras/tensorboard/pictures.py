"""Pictures for TensorBoard's Images tab."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

# With so many classes a cell is large enough for its count; with more it shows a colour alone.
_MOST_CLASSES_WITH_COUNTS = 30
_LONGEST_LABEL = 24
# matplotlib's own font lacks Chinese, Japanese and Korean; the others are used where installed.
_FONTS = ("DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "PingFang SC", "Microsoft YaHei")


def picture_of_confusion(labels: Sequence[str], matrix: np.ndarray) -> np.ndarray:
    """Draws a confusion matrix.

    A cell's colour is its share of the rows of the true class, so that rare classes show as well as
    frequent ones. The scale is that of square roots, so that a few mistakes show at all. With up to
    30 classes each cell has its number of rows.

    Args:
        labels: the classes' names.
        matrix: int [classes, classes]; entry (i, j) counts the rows of class i predicted as j.

    Returns:
        uint8 [height, width, 3].
    """
    from matplotlib import font_manager
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure

    matrix = np.asarray(matrix)
    share = matrix / np.maximum(1, matrix.sum(axis=1, keepdims=True))  # [classes, classes]
    classes = len(labels)
    with_counts = classes <= _MOST_CLASSES_WITH_COUNTS
    side = max(3.0, classes * (0.45 if with_counts else 0.12))  # inches
    figure = Figure(figsize=(side + 2.5, side + 1.5), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    image = axes.imshow(share, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=1), aspect="auto")
    figure.colorbar(image, shrink=0.6, label="share of the true class")

    installed = set(font_manager.get_font_names())
    style: dict[str, Any] = {
        "fontsize": 9 if with_counts else 7,
        "fontfamily": [font for font in _FONTS if font in installed],
    }
    names = [_name(label) for label in labels]
    axes.set_xticks(range(classes), names, rotation=90, **style)
    axes.set_yticks(range(classes), names, **style)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if with_counts:
        for (i, j), count in np.ndenumerate(matrix):
            colour = "0.7" if count == 0 else "white" if share[i, j] > 0.25 else "black"
            axes.text(j, i, str(count), ha="center", va="center", color=colour, **style)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a letter that no font has becomes a box
        canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]  # [height, width, 3]


def _name(label: str) -> str:
    name = " ".join(label.split())
    if len(name) > _LONGEST_LABEL:
        name = name[: _LONGEST_LABEL - 1] + "…"
    return name.replace("$", r"\$")  # a bare dollar sign starts a formula
