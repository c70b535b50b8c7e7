"""Starts a script as several workers of one training, on this machine.

  python run_workers.py --workers=2 run_classifier.py --do_train --output_dir=runs/reviews ...

It is there to try distribution out, and for machines with several sockets: each worker gets its
share of the cores. A machine with several GPUs needs one process and no workers. What comes after
the script's name is the script's. The chief writes to the terminal as it always does; the lines of
the others are shown with their number. Across machines each worker is started by itself, with
TF_CONFIG set: see docs/distribution.md.
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

from absl import app, flags

FLAGS = flags.FLAGS

flags.DEFINE_integer("workers", 2, "How many copies of the script to start.", 1)

_GRACE = 60.0  # seconds that the others have to end by themselves when one has failed
_POLL = 0.1
_STOPPED = 128 + signal.SIGTERM  # what a worker ends with that was told to stop, all saved
_LOST_ANOTHER = os.EX_TEMPFAIL  # what a worker ends with whose group has lost another one


def start(command, count):
    """Starts a command `count` times, with TF_CONFIG and cores of its own; returns `Popen`s."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]  # until all have a port
    addresses = [f"127.0.0.1:{server.getsockname()[1]}" for server in held]
    for server in held:
        server.close()
    workers = []
    for index, cores in enumerate(_shares_of_cores(count)):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if index else {}
        # In a session of its own a Ctrl-C reaches it once, from here, and not from the terminal.
        worker = subprocess.Popen(
            command,
            env=os.environ | {"TF_CONFIG": json.dumps(task)},
            start_new_session=True,
            **output,
        )
        if cores:  # before it counts them to start as many threads
            os.sched_setaffinity(worker.pid, cores)
        if index:
            threading.Thread(target=_show, args=(worker.stdout, index)).start()
        workers.append(worker)
    return workers


def wait(workers, signals=(), grace=_GRACE):
    """Waits for all workers, and passes on to them what is put into the list `signals`.

    Returns:
        What to exit with: 0 if all ended well, `_STOPPED` if one was told to stop, or a sentence:
        which failed first, and which had to be killed since they had not ended `grace` seconds
        later.
    """
    failed, deadline = None, float("inf")
    while any(worker.poll() is None for worker in workers):
        while signals:
            number = signals.pop(0)
            for worker in workers:
                worker.send_signal(number)
        if not failed and (failed := _failure(workers)):
            deadline = time.monotonic() + grace
        if time.monotonic() > deadline:
            late = [index for index, worker in enumerate(workers) if worker.poll() is None]
            for index in late:
                os.killpg(workers[index].pid, signal.SIGKILL)
            named = " and ".join(map(str, late))
            return f"{failed} {grace:g} seconds later {named} still ran and had to be killed."
        time.sleep(_POLL)
    return failed or _failure(workers) or max(worker.returncode for worker in workers)


def _failure(workers):
    """A sentence on a worker that failed, before one that lost another; None if none did."""
    ended = [(worker.poll(), index) for index, worker in enumerate(workers)]
    failed = [(code, index) for code, index in ended if code not in (None, 0, _STOPPED)]
    if not failed:
        return None
    code, index = min(failed, key=lambda one: one[0] == _LOST_ANOTHER)
    how = f"ended with {code}" if code > 0 else f"was killed by {signal.Signals(-code).name}"
    return f"Worker {index} of {len(workers)}, counted from 0, {how}."


def _show(lines, index):
    """Copies a worker's output, its number before each line."""
    for line in lines:
        sys.stderr.write(f"[{index}] {line.decode(errors='replace')}")
        sys.stderr.flush()


def _shares_of_cores(count):
    """A set of cores a worker, by socket; None where there are too few, or none can be chosen."""

    def place(core):  # socket, core: its two threads stand side by side
        folder = pathlib.Path(f"/sys/devices/system/cpu/cpu{core}/topology")
        names = [folder / "physical_package_id", folder / "core_id"]
        return [int(name.read_text()) for name in names if name.is_file()]

    cores = sorted(os.sched_getaffinity(0), key=place) if hasattr(os, "sched_getaffinity") else []
    each = len(cores) // count
    return [set(cores[k * each : (k + 1) * each]) or None for k in range(count)]


def main(argv):
    if not argv[1:]:
        sys.exit("Expected a script and its flags: run_workers.py --workers=2 SCRIPT ...")
    if not pathlib.Path(argv[1]).is_file():
        sys.exit(f"{argv[1]}: expected a script, found no such file.")
    signals = []
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:  # as the workers leave it, too
            signal.signal(number, lambda number, frame: signals.append(number))
    code = wait(start([sys.executable, *argv[1:]], FLAGS.workers), signals)
    if code == 0:  # TensorFlow's last words may sound otherwise
        print(f"All {FLAGS.workers} workers have ended well.", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    FLAGS.set_gnu_getopt(False)  # flags after the script's name are left to the script
    app.run(main)
