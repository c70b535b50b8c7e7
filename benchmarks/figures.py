"""Puts the figures into the Markdown pages from the files in benchmarks/results.

    .venv/bin/python -m benchmarks.figures            # rewrites README.md, docs/ and benchmarks/
    .venv/bin/python -m benchmarks.figures --check    # only says what differs; exit code 1 if any
    .venv/bin/python -m benchmarks.figures --list     # shows every table

A page marks what is generated with two HTML comments, which no reader sees:

    <!-- results: speed -->
    <!-- end -->

becomes the table `speed` of benchmarks/harness/tables.py. A single figure, in a sentence or in a
cell of a table that is written by hand, names a file in benchmarks/results, the keys of a value in
it with dots between them, and optionally a Python format specification:

    falls to <!-- results: pretraining.json held_out.masked_lm_loss .2f --><!-- end -->

Of a .jsonl file of scores the keys are the task, the metric and one of ours, ours_error, ours_runs,
peer, peer_error, peer_runs, difference and allowed, in points of 100:

    accuracy <!-- results: glue.jsonl SST-2.accuracy.ours .1f --><!-- end -->

A line must not start with the marker of a value, since Markdown would end the paragraph there.
Markers in code blocks between ``` are left alone.
"""

import difflib
import functools
import operator
import re
import sys

from benchmarks.harness import arguments, results
from benchmarks.harness.environment import ROOT
from benchmarks.harness.tables import TABLES

_CODE = re.compile(r"^ *```.*?^ *```[^\n]*$", re.DOTALL | re.MULTILINE)
_MARKED = re.compile(r"<!-- results: ([^>]*?) -->(.*?)<!-- end -->", re.DOTALL)
_MARKER = re.compile(r"<!-- (?:results:|end)")
_VALUE_FIRST = re.compile(r"^ *<!-- results: [^\s>]+ [^\s>]+[^>]* -->", re.MULTILINE)


def pages():
    """The Markdown files that may have figures."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/**/*.md")]
    return sorted(found)


def figure(words):
    """The text of a marker: a table on lines of its own, or one value.

    Args:
        words: what the marker names.

    Raises:
        KeyError: there is no such table or value.
    """
    name, *rest = words.split(maxsplit=2)
    if not rest:
        return f"\n{TABLES[name]()}\n"
    values = results.read(name)
    values = results.summary(values) if name.endswith(".jsonl") else values
    keys, form = rest[0].split("."), rest[1] if len(rest) > 1 else ""
    return format(functools.reduce(operator.getitem, keys, values), form)


def rewrite(text):
    """Returns the text of a page with its figures put in anew.

    Raises:
        ValueError: a marker has no end, an end has no marker, a marker names nothing, or the marker
            of a value is at the start of a line.
    """
    kept = []  # code blocks, which are put back as they were

    def keep(block):
        kept.append(block[0])
        return f"\0{len(kept) - 1}\0"

    def put(marked):
        try:
            return f"<!-- results: {marked[1]} -->{figure(marked[1])}<!-- end -->"
        except (KeyError, FileNotFoundError) as error:
            raise ValueError(f"`<!-- results: {marked[1]} -->`: there is no {error}.") from error

    hidden = _CODE.sub(keep, text)
    if stray := _MARKER.search(_MARKED.sub("", hidden)):
        line = _MARKED.sub("", hidden)[stray.start() :].split("\n")[0]
        raise ValueError(f"`{line}`: a marker without its other half.")
    if first := _VALUE_FIRST.search(hidden):
        raise ValueError(
            f"`{first[0].strip()}`: a value at the start of a line, where Markdown ends the "
            "paragraph at a comment; put a word before it."
        )
    return re.sub(r"\0(\d+)\0", lambda match: kept[int(match[1])], _MARKED.sub(put, hidden))


def differences(path):
    """What `rewrite` would change in a page, as lines of a diff; an empty list if nothing."""
    text = path.read_text(encoding="utf-8")
    new = rewrite(text)
    name = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
    return list(
        difflib.unified_diff(
            text.splitlines(), new.splitlines(), name, f"{name} by its results", lineterm="", n=0
        )
    )


def main():
    flags = arguments.parser(__doc__)
    flags.add_argument("--check", action="store_true", help="write nothing; show what differs")
    flags.add_argument("--list", action="store_true", help="show every table and end")
    args = flags.parse_args()
    if args.list:
        for name, render in TABLES.items():
            print(f"{name}\n\n{render()}\n")
        return
    found = False
    for path in pages():
        try:
            lines = differences(path)
        except ValueError as error:
            sys.exit(f"{path.relative_to(ROOT)}: {error}")
        found = found or bool(lines)
        print("\n".join(lines) if lines else f"{path.relative_to(ROOT)}: up to date")
        if lines and not args.check:
            path.write_text(rewrite(path.read_text(encoding="utf-8")), encoding="utf-8")
    sys.exit(1 if args.check and found else 0)


if __name__ == "__main__":
    main()
