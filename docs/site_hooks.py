"""Hooks of mkdocs: pages show pictures that benchmarks write, which lie outside of docs/."""

import pathlib
import re
from typing import Any

from mkdocs.structure.files import File, Files

_RESULTS = pathlib.Path(__file__).parents[1] / "benchmarks" / "results"
_LINK = re.compile(r"\]\(\.\./benchmarks/results/([^)]+\.png)\)")


def on_files(files: Files, config: Any) -> Files:
    """Adds the pictures to the files of the site."""
    for picture in sorted(_RESULTS.glob("*.png")):
        files.append(File.generated(config, f"results/{picture.name}", abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Points a page's links to pictures at the copies in the site."""
    return _LINK.sub(r"](results/\1)", markdown)
