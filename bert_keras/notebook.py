"""How scores and runs look in a notebook: tables, pictures and curves as HTML.

Every text is escaped: rows of a data set are shown, and never run.
"""

import base64
import html
import io
import pathlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from bert_keras.training.task import Evaluation, Table

_SHOWN_ROWS = 20
_LONGEST_CELL = 200  # characters


def evaluation_html(evaluation: Evaluation) -> str:
    """Shows an evaluation: its scores, its tables and its pictures."""
    parts = [_table(list(evaluation.scores), [[f"{v:.4f}" for v in evaluation.scores.values()]])]
    for title, table in evaluation.tables.items():
        parts += [f"<h4>{html.escape(title)}</h4>", table_html(table)]
    for title, image in evaluation.images.items():
        parts += [f"<h4>{html.escape(title)}</h4>", _picture(image)]
    return "\n".join(parts)


def table_html(table: Table) -> str:
    """Shows the first rows of a table."""
    more = len(table.rows) - _SHOWN_ROWS
    note = f"<p>{more} more rows are in TensorBoard.</p>" if more > 0 else ""
    return _table(table.header, table.rows[:_SHOWN_ROWS]) + note


def run_html(path: pathlib.Path, facts: Mapping[str, object]) -> str:
    """Shows a run: facts about it, and the curves of its training.

    Args:
        path: the run's folder.
        facts: what to say of it, by name.
    """
    rows = [[name, str(value)] for name, value in facts.items()]
    figure = _curves(path)
    return _table(["run", str(path)], rows) + (figure or "")


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{_cell(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f"<table><thead>{line(header, 'th')}</thead><tbody>{body}</tbody></table>"


def _cell(text: str) -> str:
    text = str(text)
    short = text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…"
    return html.escape(short)


def _picture(image: np.ndarray) -> str:
    """An image uint8 [height, width, 3] as HTML."""
    from matplotlib import image as images

    png = io.BytesIO()
    images.imsave(png, image, format="png")
    return _png(png)


def _png(png: io.BytesIO) -> str:
    content = base64.b64encode(png.getvalue()).decode()
    return f'<img src="data:image/png;base64,{content}" style="max-width: 100%">'


def _curves(path: pathlib.Path) -> str | None:
    """Draws the loss and the scores of a run by step; None where there are no events yet."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    curves = {
        "loss": {"train": _scalars(path / "train").get("train/loss", [])},
        "scores": {
            tag.removeprefix("eval/"): points for tag, points in _scalars(path / "eval").items()
        },
    }
    if not curves["loss"]["train"]:
        return None
    figure = Figure(figsize=(9, 3), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    for axes, (title, lines) in zip(figure.subplots(1, 2), curves.items(), strict=True):
        for name, points in lines.items():
            axes.plot(
                *zip(*points, strict=True), marker="." if len(points) < 50 else "", label=name
            )
        axes.set_title(title)
        axes.set_xlabel("step")
        if any(lines.values()):
            axes.legend(fontsize=8)
    png = io.BytesIO()
    canvas.print_png(png)
    return _png(png)


def _scalars(folder: pathlib.Path) -> dict[str, list[tuple[int, float]]]:
    """The points of every curve in a folder of events: (step, value), by tag."""
    from tensorboard.backend.event_processing.plugin_event_accumulator import (
        EventAccumulator,
    )
    from tensorboard.util import tensor_util

    if not folder.is_dir():
        return {}
    events = EventAccumulator(str(folder), {"tensors": 0})
    events.Reload()
    curves: dict[str, list[tuple[int, float]]] = {}
    for tag in events.Tags()["tensors"]:
        for event in events.Tensors(tag):
            value = tensor_util.make_ndarray(event.tensor_proto)
            if value.shape == () and value.dtype.kind == "f":
                curves.setdefault(tag, []).append((event.step, float(value)))
    return curves
