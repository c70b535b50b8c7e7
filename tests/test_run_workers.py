"""Several workers of a script that is over in no time."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

import run_workers

STARTER = run_workers.__file__


@pytest.fixture
def script(tmp_path):
    """Returns a function that writes a worker's script; each finds its number in `index`."""

    def script(*lines):
        path = tmp_path / "worker.py"
        header = "import json, os, signal, sys, time"
        index = "index = json.loads(os.environ['TF_CONFIG'])['task']['index']"
        path.write_text("\n".join([header, index, *lines]))
        return path

    return script


def run(*arguments):
    return subprocess.run(
        [sys.executable, STARTER, *map(str, arguments)], capture_output=True, text=True, timeout=30
    )


def test_every_worker_knows_all_and_itself(script):
    path = script("print(os.environ['TF_CONFIG'], json.dumps(sys.argv[1:]))")
    done = run("--workers=3", path, "--do_train", "--workers=7", "--help")
    assert done.returncode == 0
    *others, end = done.stderr.splitlines()
    assert end == "All 3 workers have ended well."
    lines = {0: done.stdout} | {int(line[1]): line[4:] for line in others}
    found = {}
    for index, line in lines.items():
        found[index], end = json.JSONDecoder().raw_decode(line)
        # The script has its flags, also those that are called as the starter's own.
        assert json.loads(line[end:]) == ["--do_train", "--workers=7", "--help"]
    assert [found[index]["task"] for index in range(3)] == [
        {"type": "worker", "index": index} for index in range(3)
    ]
    assert found[0]["cluster"] == found[1]["cluster"] == found[2]["cluster"]
    addresses = found[0]["cluster"]["worker"]
    assert len(set(addresses)) == 3
    assert all(address.startswith("127.0.0.1:") for address in addresses)


def test_the_others_lines_are_marked(script):
    path = script("print('out', flush=True)", "print('err', file=sys.stderr, flush=True)")
    done = run(path)
    assert done.stdout == "out\n"
    assert sorted(done.stderr.splitlines()) == [
        "All 2 workers have ended well.",
        "[1] err",
        "[1] out",
        "err",
    ]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="cores cannot be chosen here")
def test_cores_are_shared_out():
    cores = os.sched_getaffinity(0)
    if len(cores) > 1:
        shares = run_workers._shares_of_cores(2)
        assert len(shares[0]) == len(shares[1]) == len(cores) // 2
        assert shares[0].isdisjoint(shares[1]) and shares[0] | shares[1] <= cores
    assert run_workers._shares_of_cores(len(cores) + 1) == [None] * (len(cores) + 1)


@pytest.mark.parametrize(
    ("end", "sentence"),
    [
        ("sys.exit(3)", "Worker 1 of 2, counted from 0, ended with 3."),
        (
            "os.kill(os.getpid(), signal.SIGKILL)",
            "Worker 1 of 2, counted from 0, was killed by SIGKILL.",
        ),
    ],
)
def test_which_worker_failed(script, end, sentence):
    # The chief ends by itself, as a training does whose other worker is gone.
    done = run(script(f"if index: {end}", "time.sleep(0.5)", "sys.exit(5)"))
    assert done.returncode == 1
    assert done.stderr == f"{sentence}\n"


def test_who_was_lost_is_named_and_not_who_noticed(script):
    path = script("sys.exit(3 if index else os.EX_TEMPFAIL)")
    workers = run_workers.start([sys.executable, path], 2)
    for worker in workers:
        worker.wait()  # both have ended when they are looked at
    assert run_workers.wait(workers) == "Worker 1 of 2, counted from 0, ended with 3."


def test_those_that_hang_are_killed(script):
    path = script("if index == 1: sys.exit(3)", "time.sleep(60)")
    begin = time.monotonic()
    workers = run_workers.start([sys.executable, path], 3)
    sentence = run_workers.wait(workers, grace=0.5)
    assert sentence == (
        "Worker 1 of 3, counted from 0, ended with 3. 0.5 seconds later 0 and 2 still ran and had "
        "to be killed."
    )
    assert [worker.wait() for worker in workers] == [-signal.SIGKILL, 3, -signal.SIGKILL]
    assert time.monotonic() - begin < 20


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_reach_every_worker_once(script, tmp_path, number):
    path = script(
        "seen = []",
        f"signal.signal({int(number)}, lambda number, frame: seen.append(number))",
        f"open(f'{tmp_path}/{{index}}', 'w').close()",
        "while not seen: time.sleep(0.01)",
        "time.sleep(0.3)",  # a second one would come meanwhile
        "print(len(seen))",
    )
    starter = subprocess.Popen(
        [sys.executable, STARTER, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not all((tmp_path / index).exists() for index in "01"):
        assert starter.poll() is None
        time.sleep(0.01)
    starter.send_signal(number)
    out, err = starter.communicate(timeout=20)
    assert (starter.returncode, out, err) == (
        0,
        "1\n",
        "[1] 1\nAll 2 workers have ended well.\n",
    )


def test_a_group_that_was_told_to_stop(script):
    """It is no failure, and the exit code tells a scheduler to start the group again."""
    done = run(script("sys.exit(143 if index else 0)"))
    assert (done.returncode, done.stderr) == (143, "")


def test_what_cannot_be_started(tmp_path):
    done = run()
    assert done.returncode == 1
    assert done.stderr == "Expected a script and its flags: run_workers.py --workers=2 SCRIPT ...\n"
    done = run(tmp_path / "none.py")
    assert done.returncode == 1
    assert done.stderr == f"{tmp_path / 'none.py'}: expected a script, found no such file.\n"
