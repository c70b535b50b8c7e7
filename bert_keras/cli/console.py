"""Tables as a terminal shows them."""

import textwrap

from bert_keras.training.task import Table

_WIDEST_CELL = 60
_PRINTED_ROWS = 20


def format_table(table: Table) -> str:
    """A `Table` for a terminal, cut to what fits there; TensorBoard has all of it."""
    lines = [
        [textwrap.shorten(cell, _WIDEST_CELL, placeholder="…") for cell in line]
        for line in [table.header, *table.rows[:_PRINTED_ROWS]]
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    if len(table.rows) > _PRINTED_ROWS:
        lines.append([f"({len(table.rows) - _PRINTED_ROWS} more)"])
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=False)).rstrip()
        for line in lines
    )
