import concurrent.futures
import logging
import socket
import time

import pytest

from bert_keras.errors import InputError, WorkerLost
from bert_keras.training.worker_group import wait_for_workers


def free_addresses(count):
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    addresses = [f"localhost:{s.getsockname()[1]}" for s in sockets]
    for s in sockets:
        s.close()
    return addresses


def test_none_goes_on_before_all_have_come():
    addresses = free_addresses(3)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        early = [pool.submit(wait_for_workers, addresses, i, 30) for i in (2, 0)]
        time.sleep(1)
        assert not any(worker.done() for worker in early)
        last = pool.submit(wait_for_workers, addresses, 1, 30)
        for worker in (*early, last):
            worker.result(timeout=10)
    for address in addresses:  # TensorFlow can have the ports
        socket.create_server(("", int(address.rpartition(":")[2]))).close()


def test_who_has_not_come_is_named(caplog):
    caplog.set_level(logging.INFO)
    here, there = free_addresses(2)
    with pytest.raises(WorkerLost, match=f"Waited 1 seconds .* no answer from {there}"):
        wait_for_workers([there, here], 1, patience=1, log_interval=0.1)
    assert f"Waiting for other workers; no answer yet from {there}." in caplog.messages


def test_a_port_that_is_taken():
    with socket.create_server(("", 0)) as taken:
        address = f"localhost:{taken.getsockname()[1]}"
        with pytest.raises(InputError, match=f"TF_CONFIG: .* found {address}: Address already"):
            wait_for_workers([address, "localhost:1"], 0, patience=1)
