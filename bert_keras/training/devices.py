"""The devices that a run uses: one, those of a machine, or those of several machines."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import tensorflow as tf

from bert_keras.errors import InputError, WorkerLost
from bert_keras.training.worker_group import wait_for_workers

T = TypeVar("T")
_OF_A_LOST_WORKER = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)


def open_strategy(cpu_devices: int = 1) -> tf.distribute.Strategy:
    """Chooses the devices to compute on; to be called once in a process.

    `TF_CONFIG` in the environment makes this process one of several workers, and waits for the
    others. Otherwise all GPUs of the machine are used, or the processor.

    Args:
        cpu_devices: how many devices the processor is divided into where there is no GPU.
            TensorFlow can divide it only before it has computed anything.

    Raises:
        InputError: `TF_CONFIG` does not have the form that TensorFlow expects, or TensorFlow has
            computed something already, so that the processor cannot be divided any more.
        WorkerLost: other workers have not started in time.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if cpu_devices > 1 and not gpus:
        _divide_processor(cpu_devices)
    if "TF_CONFIG" in os.environ:
        wait_for_workers(*_workers_in(os.environ["TF_CONFIG"]))
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(gpus) > 1:
        return tf.distribute.MirroredStrategy()
    if cpu_devices > 1 and not gpus:
        return tf.distribute.MirroredStrategy([f"CPU:{index}" for index in range(cpu_devices)])
    return tf.distribute.get_strategy()


def _divide_processor(count: int) -> None:
    """Divides the processor into logical devices, if it does not have as many already."""
    (processor,) = tf.config.list_physical_devices("CPU")
    before = tf.config.get_logical_device_configuration(processor) or []
    if len(before) >= count:
        return
    devices = [tf.config.LogicalDeviceConfiguration()] * count
    try:
        tf.config.set_logical_device_configuration(processor, devices)
    except RuntimeError:  # "... cannot be modified after being initialized"
        raise InputError(
            f"expected {max(len(before), 1)}, because TensorFlow has started in this process "
            f"already and cannot divide the processor any more, found {count}; ask for it before "
            "anything else is computed.",
            field="cpu_devices",
        ) from None


def _workers_in(text: str) -> tuple[list[str], int]:
    """The addresses of all workers, and which of them this one is."""
    try:
        config = json.loads(text)
        task, workers = config["task"], config["cluster"]["worker"]
        index = int(task["index"])
        is_valid = list(config["cluster"]) == ["worker"] and task["type"] == "worker"
        is_valid = is_valid and 0 <= index < len(workers)
        is_valid = is_valid and all(worker.rpartition(":")[2].isdecimal() for worker in workers)
    except (ValueError, KeyError, TypeError, AttributeError):
        is_valid = False
    if not is_valid:
        raise InputError(
            'TF_CONFIG: expected {"cluster": {"worker": ["host:port", ...]}, "task": {"type": '
            f'"worker", "index": 0}}}}, where index is one of the workers, found {text}.'
        )
    return workers, index


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes: the only one, or the first worker."""
    return worker_index(strategy) == 0


def worker_index(strategy: tf.distribute.Strategy) -> int:
    """Which of the workers this process is, from 0."""
    resolver = strategy.cluster_resolver
    return resolver.task_id or 0 if resolver else 0


def replicas_in_process(strategy: tf.distribute.Strategy) -> int:
    """How many of the replicas this process runs."""
    if strategy.num_replicas_in_sync == 1:
        return 1
    return len(strategy.extended.worker_devices)


def has_workers(strategy: tf.distribute.Strategy) -> bool:
    """Whether there are processes beside this one."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def run(strategy: tf.distribute.Strategy, function: Callable[..., T], *arguments: Any) -> T:
    """Runs a function on every replica, with the same arguments.

    Args:
        strategy: runs it.
        function: from tensors to a structure of tensors.
        *arguments: structures of tensors.

    Returns:
        What the first replica of this process returned.
    """
    results = strategy.run(function, args=arguments)
    return tf.nest.map_structure(lambda x: strategy.experimental_local_results(x)[0], results)


def current_replica(strategy: tf.distribute.Strategy) -> tuple[tf.Tensor, int]:
    """Which replica computes, int32 scalar, and how many there are; to be called in `run`."""
    context = tf.distribute.get_replica_context()
    replica = tf.convert_to_tensor(context.replica_id_in_sync_group, tf.int32)
    return replica, strategy.num_replicas_in_sync


def sum_over_replicas(strategy: tf.distribute.Strategy, values: T) -> T:
    """Sums a structure of tensors over all replicas of all workers; to be called in `run`.

    No tensor may be int32: TensorFlow keeps those in host memory and reduces them another way.
    """
    if strategy.num_replicas_in_sync == 1:
        return values
    # Onto the replica's own device: what came from outside may be on another.
    values = tf.nest.map_structure(tf.identity, values)
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)


@contextlib.contextmanager
def worker_errors(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Turns what TensorFlow raises when another worker has died into a `WorkerLost`."""
    try:
        yield
    except _OF_A_LOST_WORKER:
        if not has_workers(strategy):
            raise
        raise WorkerLost(
            "Another worker is gone, so this one ends; the same command, started again for all "
            "workers, continues from the last checkpoint."
        ) from None


def broadcast_from_chief(strategy: tf.distribute.Strategy, number: int) -> int:
    """Returns, in every worker, the chief's number."""
    if not has_workers(strategy):
        return number

    def on_replica(number: tf.Tensor) -> tf.Tensor:
        replica, _ = current_replica(strategy)
        return sum_over_replicas(strategy, tf.where(replica == 0, number, tf.zeros_like(number)))

    return int(tf.function(lambda n: run(strategy, on_replica, n))(tf.constant(number, tf.int64)))
