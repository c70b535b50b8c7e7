"""Tables as the markdown that TensorBoard's Text tab renders."""

import re

# Enough of a text to recognise it by; a table of whole documents cannot be read.
_LONGEST_CELL = 300


def markdown_table(table):
    """Writes a table as markdown.

    Args:
        table: a `Table`. Its texts are shown as they are, nothing in them acts as markdown or HTML;
            but white space of any kind becomes one space, and after 300 characters they are cut.

    Returns:
        A string.
    """
    header, *rows = [[_cell(text) for text in line] for line in [table.header, *table.rows]]
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(text):
    text = " ".join(str(text).split())
    if len(text) > _LONGEST_CELL:
        text = text[: _LONGEST_CELL - 1] + "…"
    # A character reference is the one escape that holds in markdown, its tables and HTML alike.
    return re.sub(r"[^\w\s]|_", lambda sign: f"&#{ord(sign[0])};", text)
