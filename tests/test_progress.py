import sys
import types

import pytest

from bert_keras import progress
from bert_keras.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    clock = types.SimpleNamespace(now=100.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock.now)
    return clock


def test_plain_lines_where_there_is_no_terminal(capsys, clock):
    line = Progress("training", total=1000)
    for _ in range(100):
        clock.now += 0.25
        line.advance(examples=4, tokens=50, note="loss 0.500  ")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "training 40/1,000  loss 0.500  16 examples/s  200 tokens/s  4:00 left",
        "training 80/1,000  loss 0.500  16 examples/s  200 tokens/s  3:50 left",
    ]
    assert "\r" not in err and "\x1b" not in err


def test_the_last_state_always_shows(capsys, clock):
    line = Progress("evaluating", total=2)
    for _ in range(2):
        clock.now += 1.0
        line.advance(examples=10, tokens=100)
    line.close()
    assert capsys.readouterr().err == "evaluating 2/2  10 examples/s  100 tokens/s  in 0:02\n"


def test_a_terminal_has_one_line_redrawn(capsys, clock, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    line = Progress("training", total=4)
    for _ in range(4):
        clock.now += 1.0
        line.advance(examples=1, tokens=1)
    line.close()
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and err.endswith("\n")
    assert err.count("\r\x1b[K") == 5


class ZMQInteractiveShell:
    """As the shell of a notebook's kernel is called."""


class Shell(ZMQInteractiveShell):
    """As Colab's is."""


class TerminalInteractiveShell:
    """As the shell of the program ipython is called."""


@pytest.mark.parametrize("shell", [ZMQInteractiveShell, Shell])
def test_a_notebook_has_one_line_redrawn_without_escape_sequences(
    capsys, clock, monkeypatch, shell
):
    ipython = types.SimpleNamespace(get_ipython=shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    line = Progress("training", total=3)
    for note in ("a long note  ", "short  ", None):
        for _ in range(2):
            clock.now += 0.5
            line.advance(examples=0, tokens=0, note=note)
    line.close()
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and err.endswith("\n") and "\x1b" not in err
    first, *others = err.rstrip("\n").split("\r")
    drawn = [text.rstrip() for text in others]
    assert first == "" and drawn == [
        "training 2/3  a long note  0 examples/s  0 tokens/s  0:00 left",
        "training 4  short  0 examples/s  0 tokens/s  in 0:02",
        *["training 6  short  0 examples/s  0 tokens/s  in 0:03"] * 2,
    ]
    assert len(others[1]) == len(others[0])  # so that nothing of the longer line stays


@pytest.mark.parametrize("shell", [TerminalInteractiveShell, lambda: None])
def test_ipython_outside_of_a_notebook_is_nothing_special(capsys, clock, monkeypatch, shell):
    ipython = types.SimpleNamespace(get_ipython=shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    Progress("evaluating", total=1).close()
    assert capsys.readouterr().err == "evaluating 0/1  0 examples/s  0 tokens/s  0:00 left\n"


def test_what_was_done_before_and_time_spent_elsewhere_do_not_count(capsys, clock):
    line = Progress("training", total=10_000, done=5000)
    clock.now += 30
    line.pause(20)
    line.advance(examples=100, tokens=1000)
    assert capsys.readouterr().err == (
        "training 5,001/10,000  10 examples/s  100 tokens/s  13:53:10 left\n"
    )


def test_a_total_that_was_too_small_is_not_shown(capsys, clock):
    line = Progress("Preparing, MB", total=1)
    for _ in range(2):
        clock.now += 10.0
        line.advance(examples=10, tokens=100)
    assert capsys.readouterr().err.splitlines() == [
        "Preparing, MB 1/1  1 examples/s  10 tokens/s  in 0:10",
        "Preparing, MB 2  1 examples/s  10 tokens/s  in 0:20",
    ]


def test_nothing_left_to_do(capsys, clock):
    Progress("training", total=5, done=5).close()
    assert capsys.readouterr().err.startswith("training 5/5 ")
