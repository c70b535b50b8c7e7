"""The progress line of a long task, the only output of this library that is not a log message."""

import sys
import time

_LINE_EVERY = 10.0  # seconds between lines of a log
_REDRAW_EVERY = 0.2  # seconds
_REDRAW_EVERY_IN_NOTEBOOK = 1.0  # seconds; each time is a message to the browser


class Progress:
    """Shows steps done, examples and tokens per second, and the time left, on standard error.

    On a terminal and in a notebook, one line is redrawn. Elsewhere, such as in a log file, a new
    line is written every ten seconds.

    Args:
        title: the name of the task.
        total: the expected number of steps. It is hidden once there are more.
        done: the number of steps done before, by an earlier process.
        shown: whether to show anything. Of several workers, only one does.
    """

    def __init__(self, title: str, total: int, done: int = 0, shown: bool = True) -> None:
        self._is_shown = shown
        self._title, self._total, self._done = title, total, done
        self._in_notebook = _in_notebook()
        self._redraws = self._in_notebook or sys.stderr.isatty()
        self._every = _LINE_EVERY
        if self._redraws:
            self._every = _REDRAW_EVERY_IN_NOTEBOOK if self._in_notebook else _REDRAW_EVERY
        self._shown = self._start = time.monotonic()
        self._steps = self._examples = self._tokens = 0
        self._shown_steps = -1
        self._width = 0  # of the last line
        self._note = ""

    def advance(self, examples: int, tokens: int, note: str | None = None) -> None:
        """Counts one step.

        Args:
            examples: the number of examples in it.
            tokens: the number of tokens in it, without padding.
            note: text to show from now on, such as the loss. Default: unchanged.
        """
        self._steps += 1
        self._examples += examples
        self._tokens += tokens
        self._note = self._note if note is None else note
        if time.monotonic() - self._shown >= self._every:
            self._show()

    def close(self) -> None:
        """Shows the last state, if it was not shown yet, and ends the line."""
        if self._redraws or self._shown_steps != self._steps:
            self._show()
        if self._redraws and self._is_shown:
            print(file=sys.stderr)

    def pause(self, seconds: float) -> None:
        """Excludes time that was spent on something else, such as an evaluation."""
        self._start += seconds

    def _show(self) -> None:
        if not self._is_shown:
            return
        self._shown, self._shown_steps = time.monotonic(), self._steps
        elapsed = max(self._shown - self._start, 1e-9)
        done = self._done + self._steps
        left = (self._total - done) * elapsed / max(self._steps, 1)
        total = f"/{self._total:,}" if done <= self._total else ""
        self._write(
            f"{self._title} {done:,}{total}  {self._note}"
            f"{self._examples / elapsed:,.0f} examples/s  {self._tokens / elapsed:,.0f} tokens/s  "
            f"{_clock(left) + ' left' if done < self._total else 'in ' + _clock(elapsed)}"
        )

    def _write(self, line: str) -> None:
        if self._in_notebook:  # whose output area has no escape sequence that erases a line
            print(f"\r{line.ljust(self._width)}", end="", file=sys.stderr, flush=True)
            self._width = len(line)
        elif self._redraws:
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)


def _in_notebook() -> bool:
    """Returns whether this process is the kernel of a notebook (Jupyter, Colab)."""
    ipython = sys.modules.get("IPython")  # a kernel has imported it
    if ipython is None:
        return False
    # Colab's shell is a subclass.
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(ipython.get_ipython()).mro())


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
