"""Waiting for the other workers."""

import logging
import socket
import time

from bert_keras.errors import InputError, WorkerLost

_log = logging.getLogger(__name__)
_PATIENCE = 600  # seconds; machines that are lent may come one after another
_PAUSE = 0.2  # seconds before asking again
_SILENCE = 10  # seconds between two lines


def wait_for_workers(addresses, index, patience=_PATIENCE, silence=_SILENCE):
    """Waits until all workers of a group have begun to wait for each other, and says for which.

    TensorFlow would wait for an hour, without a word, and could not be told to stop meanwhile.

    Args:
        addresses: list of str, "host:port" of each worker.
        index: which of them this one is. Its port is free again afterwards.
        patience: seconds to wait.
        silence: seconds between two lines that say for whom.

    Raises:
        InputError: the own port is taken.
        WorkerLost: some have not come.
    """
    missing = [address for i, address in enumerate(addresses) if i != index]
    start = told = time.monotonic()
    with _listen(addresses[index], len(addresses)):
        while missing := [address for address in missing if not _answers(address)]:
            now = time.monotonic()
            if now - start >= patience:
                raise WorkerLost(
                    f"Waited {patience} seconds for the other workers; no answer from "
                    f"{', '.join(missing)}."
                )
            if now - told >= silence:
                told = now
                _log.info("Waiting for other workers; no answer yet from %s.", ", ".join(missing))
            time.sleep(_PAUSE)
        time.sleep(5 * _PAUSE)  # for others to see this one, who came last


def _listen(address, workers):
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


def _answers(address):
    try:
        socket.create_connection(_split(address), timeout=1).close()
    except OSError:
        return False
    return True


def _split(address):
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
