"""Being told to stop: Ctrl-C, or SIGTERM as machines send it that are about to be taken away."""

import signal
import threading


class Interruption:
    """Takes note of SIGTERM and SIGINT instead of ending at once, while it is entered.

    A second signal of the kind ends the process as it would have without this. A signal that the
    process was started to ignore stays ignored: shells have what they run in the background ignore
    Ctrl-C, which is meant for what runs in front.

    Attributes:
        signal: the number of the signal that came, 0 for none.
    """

    def __init__(self):
        self.signal = 0
        self._before = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():  # signals reach no other
            for number in (signal.SIGTERM, signal.SIGINT):
                if signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number, _):
        self.signal = number
        signal.signal(number, self._before[number])
