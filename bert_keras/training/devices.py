"""The devices that a run is spread over: one, those of a machine, or those of several."""

import contextlib
import json
import os

import tensorflow as tf

from bert_keras.errors import InputError, WorkerLost
from bert_keras.training.worker_group import wait_for_workers

_OF_A_LOST_WORKER = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)


def open_strategy(cpu_devices=1):
    """Takes up what there is to compute on; to be called before anything is computed.

    `TF_CONFIG` in the environment makes this process one of several workers, and waits for the
    others. Otherwise all GPUs of the machine are used, or the processor.

    Args:
        cpu_devices: as how many devices the processor is taken where there is no GPU.

    Returns:
        A `tf.distribute.Strategy`.

    Raises:
        InputError: `TF_CONFIG` is not what TensorFlow wants.
        WorkerLost: other workers have not come.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if cpu_devices > 1 and not gpus:
        (processor,) = tf.config.list_physical_devices("CPU")
        parts = [tf.config.LogicalDeviceConfiguration()] * cpu_devices
        tf.config.set_logical_device_configuration(processor, parts)
    if "TF_CONFIG" in os.environ:
        wait_for_workers(*_group_in(os.environ["TF_CONFIG"]))
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(gpus) > 1:
        return tf.distribute.MirroredStrategy()
    if cpu_devices > 1 and not gpus:
        return tf.distribute.MirroredStrategy([f"CPU:{index}" for index in range(cpu_devices)])
    return tf.distribute.get_strategy()


def _group_in(text):
    """The addresses of all workers, and which of them this one is."""
    try:
        config = json.loads(text)
        task, workers = config["task"], config["cluster"]["worker"]
        index = int(task["index"])
        fits = list(config["cluster"]) == ["worker"] and task["type"] == "worker"
        fits = fits and 0 <= index < len(workers)
        fits = fits and all(worker.rpartition(":")[2].isdecimal() for worker in workers)
    except (ValueError, KeyError, TypeError, AttributeError):
        fits = False
    if not fits:
        raise InputError(
            'TF_CONFIG: expected {"cluster": {"worker": ["host:port", ...]}, "task": {"type": '
            f'"worker", "index": 0}}}}, the index one of the workers\', found {text}.'
        )
    return workers, index


def is_chief(strategy):
    """Whether this process is the one that writes: the only one, or the first worker."""
    return worker_index(strategy) == 0


def worker_index(strategy):
    """Which of the workers this process is, from 0."""
    resolver = strategy.cluster_resolver
    return resolver.task_id or 0 if resolver else 0


def replicas_in_process(strategy):
    """How many of the replicas this process runs."""
    if strategy.num_replicas_in_sync == 1:
        return 1
    return len(strategy.extended.worker_devices)


def has_workers(strategy):
    """Whether there are processes beside this one."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def run(strategy, function, *arguments):
    """Runs a function on every replica, with the same arguments; returns this process's first.

    Args:
        strategy: a `tf.distribute.Strategy`.
        function: from tensors to a structure of tensors.
        *arguments: structures of tensors.
    """
    found = strategy.run(function, args=arguments)
    return tf.nest.map_structure(lambda x: strategy.experimental_local_results(x)[0], found)


def current_replica(strategy):
    """Which replica computes, int32 scalar, and how many there are, int; to be asked in `run`."""
    context = tf.distribute.get_replica_context()
    replica = tf.convert_to_tensor(context.replica_id_in_sync_group, tf.int32)
    return replica, strategy.num_replicas_in_sync


def sum_over_replicas(strategy, values):
    """Sums a structure of tensors over all replicas of all workers; to be called in `run`.

    None of them may be int32: TensorFlow takes those another way than the rest.
    """
    if strategy.num_replicas_in_sync == 1:
        return values
    # Onto the replica's own device: what came from outside may be on another.
    values = tf.nest.map_structure(tf.identity, values)
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)


@contextlib.contextmanager
def worker_errors(strategy):
    """Makes what TensorFlow raises when another worker is gone a `WorkerLost`."""
    try:
        yield
    except _OF_A_LOST_WORKER:
        if not has_workers(strategy):
            raise
        raise WorkerLost(
            "Another worker is gone, so this one ends; for all workers, the same command goes on "
            "from the last checkpoint."
        ) from None


def broadcast_from_chief(strategy, number):
    """Returns, in every worker, the chief's int."""
    if not has_workers(strategy):
        return number

    def on_replica(number):
        replica, _ = current_replica(strategy)
        return sum_over_replicas(strategy, tf.where(replica == 0, number, tf.zeros_like(number)))

    return int(tf.function(lambda n: run(strategy, on_replica, n))(tf.constant(number, tf.int64)))
