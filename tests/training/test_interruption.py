"""Signals are noted, and a second one is what it always was."""

import os
import signal

import pytest

from bert_keras.training.interruption import Interruption

pytestmark = pytest.mark.usefixtures("ctrl_c")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_noted(number):
    before = signal.getsignal(number)
    with Interruption() as interruption:
        assert interruption.signal == 0
        os.kill(os.getpid(), number)
        assert interruption.signal == number
        assert signal.getsignal(number) == before
    assert signal.getsignal(number) == before


def test_the_second_ctrl_c_ends_at_once():
    with pytest.raises(KeyboardInterrupt), Interruption():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


def test_what_is_ignored_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.signal == 0
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
