from html.parser import HTMLParser

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tensorboard import plugin_util

from bert_keras.tensorboard.markdown import markdown_table
from bert_keras.training.task import Table


class Cells(HTMLParser):
    """Collects the texts of a page's table cells, row by row, and all tags."""

    def __init__(self):
        super().__init__()
        self.rows, self.tags = [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1] and data.strip():
            self.rows[-1][-1] += data


def shown(table):
    """What the Text tab's own renderer makes of the table."""
    cells = Cells()
    cells.feed(plugin_util.markdown_to_safe_html(markdown_table(table)))
    return cells


TABLE_TAGS = {"table", "thead", "tbody", "tr", "th", "td"}


def test_a_plain_table():
    page = shown(Table(["text", "probability"], [["one", "0.5"], ["two", "0.25"]]))
    assert page.rows == [["text", "probability"], ["one", "0.5"], ["two", "0.25"]]
    assert page.tags == TABLE_TAGS


# What Unicode says will never be a character (section 23.7).
NONCHARACTERS = [
    *map(chr, range(0xFDD0, 0xFDF0)),
    *(chr(plane * 0x10000 + last) for plane in range(17) for last in (0xFFFE, 0xFFFF)),
]
SHOWN = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=NONCHARACTERS)


# Control characters and noncharacters are left out: no browser shows them.
@settings(deadline=None)
@given(st.text(SHOWN, max_size=40))
@example("a | b \\| c")
@example("*bold* _italic_ `code` # head\n- item\r\n1. item")
@example("<script>alert(1)</script> &lt; <b>")
@example("[link](http://example.com) ![image](x) http://example.com")
@example("")
@example("|")
@example("---")
def test_any_text_is_shown_as_it_is(text):
    page = shown(Table(["text", "last"], [[text, "end"]]))
    assert page.rows == [["text", "last"], [" ".join(text.split()), "end"]]
    assert page.tags == TABLE_TAGS


def test_long_texts_are_cut():
    page = shown(Table(["text"], [["x" * 300], ["y" * 301], ["z|" * 300]]))
    [_, [whole], [cut], [with_signs]] = page.rows
    assert whole == "x" * 300
    assert cut == "y" * 299 + "…"
    assert with_signs == ("z|" * 150)[:299] + "…"
