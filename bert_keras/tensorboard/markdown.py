"""Tables as the markdown that TensorBoard's Text tab renders."""

import re

from bert_keras.training.task import Table

# Enough to recognise a text by; nobody can read a table of whole documents.
_LONGEST_CELL = 300


def markdown_table(table: Table) -> str:
    """Formats a table as markdown.

    Args:
        table: the table. Its texts are escaped, so that nothing in them acts as markdown or HTML.
            White space of any kind becomes one space, and texts are cut after 300 characters.
    """
    header, *rows = [[_cell(text) for text in line] for line in [table.header, *table.rows]]
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(text: str) -> str:
    text = " ".join(str(text).split())
    if len(text) > _LONGEST_CELL:
        text = text[: _LONGEST_CELL - 1] + "…"
    # A character reference is the one escape that works in markdown, its tables and HTML.
    return re.sub(r"[^\w\s]|_", lambda sign: f"&#{ord(sign[0])};", text)
