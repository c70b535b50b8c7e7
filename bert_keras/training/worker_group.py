"""Waiting for the other workers."""

import logging
import socket
import time
from collections.abc import Sequence

from bert_keras.errors import InputError, WorkerLost

_log = logging.getLogger(__name__)
_PATIENCE = 600  # seconds; machines of a cluster may start one after another
_POLL_INTERVAL = 0.2  # seconds
_LOG_INTERVAL = 10  # seconds


def wait_for_workers(
    addresses: Sequence[str],
    index: int,
    patience: float = _PATIENCE,
    log_interval: float = _LOG_INTERVAL,
) -> None:
    """Waits until all workers of a group have started to wait for each other; logs which have not.

    TensorFlow would wait for an hour without a message, and could not be interrupted meanwhile.

    Args:
        addresses: "host:port" of each worker.
        index: which of them this one is. Its port is free again afterwards.
        patience: seconds to wait.
        log_interval: seconds between two log lines that name the missing workers.

    Raises:
        InputError: another process uses this worker's port.
        WorkerLost: some workers have not started in time.
    """
    missing = [address for i, address in enumerate(addresses) if i != index]
    start = logged = time.monotonic()
    with _listen(addresses[index], len(addresses)):
        while missing := [address for address in missing if not _is_listening(address)]:
            now = time.monotonic()
            if now - start >= patience:
                raise WorkerLost(
                    f"Waited {patience} seconds for the other workers; no answer from "
                    f"{', '.join(missing)}."
                )
            if now - logged >= log_interval:
                logged = now
                _log.info("Waiting for other workers; no answer yet from %s.", ", ".join(missing))
            time.sleep(_POLL_INTERVAL)
        time.sleep(5 * _POLL_INTERVAL)  # so that others see this one, which may be the last


def _listen(address: str, workers: int) -> socket.socket:
    """A socket that others can connect to; as each does so once, none has to be accepted."""
    _, port = _split(address)
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        return socket.create_server(("", port), family=family, backlog=workers, dualstack_ipv6=both)
    except OSError as error:
        raise InputError(
            f"TF_CONFIG: expected a port that this worker can listen on, found {address}: "
            f"{error.strerror}."
        ) from None


def _is_listening(address: str) -> bool:
    try:
        socket.create_connection(_split(address), timeout=1).close()
    except OSError:
        return False
    return True


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
