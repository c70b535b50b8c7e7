"""The line that says how far a long piece of work has come."""

import sys
import time

_PLAIN_EVERY = 10.0  # seconds between lines where there is no terminal to redraw one on
_REDRAW_EVERY = 0.2


class Progress:
    """Shows steps done, examples and tokens a second, and the time left, on standard error.

    On a terminal one line is redrawn; elsewhere a plain line is printed every ten seconds.

    Args:
        title: what is being done.
        total: steps in all, as far as is known: once there are more it is not shown.
        done: steps done before now, by an earlier process.
        shown: whether to show anything; of several workers, one does.
    """

    def __init__(self, title, total, done=0, shown=True):
        self._is_shown = shown
        self._title, self._total, self._done = title, total, done
        self._redraws = sys.stderr.isatty()
        self._every = _REDRAW_EVERY if self._redraws else _PLAIN_EVERY
        self._shown = self._start = time.monotonic()
        self._steps = self._examples = self._tokens = 0
        self._shown_steps = -1
        self._note = ""

    def advance(self, examples, tokens, note=None):
        """Counts one step.

        Args:
            examples: how many examples it held.
            tokens: how many tokens, padding left out.
            note: words to show from now on, such as the loss.
        """
        self._steps += 1
        self._examples += examples
        self._tokens += tokens
        self._note = self._note if note is None else note
        if time.monotonic() - self._shown >= self._every:
            self._show()

    def close(self):
        """Shows the last state, if it was not shown, and ends the line."""
        if self._redraws or self._shown_steps != self._steps:
            self._show()
        if self._redraws and self._is_shown:
            print(file=sys.stderr)

    def pause(self, seconds):
        """Leaves out time that was spent on something else, such as an evaluation."""
        self._start += seconds

    def _show(self):
        if not self._is_shown:
            return
        self._shown, self._shown_steps = time.monotonic(), self._steps
        elapsed = max(self._shown - self._start, 1e-9)
        done = self._done + self._steps
        left = (self._total - done) * elapsed / max(self._steps, 1)
        total = f"/{self._total:,}" if done <= self._total else ""
        line = (
            f"{self._title} {done:,}{total}  {self._note}"
            f"{self._examples / elapsed:,.0f} examples/s  {self._tokens / elapsed:,.0f} tokens/s  "
            f"{_clock(left) + ' left' if done < self._total else 'in ' + _clock(elapsed)}"
        )
        if self._redraws:
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)


def _clock(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
