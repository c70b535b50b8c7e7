"""What to expect of eight GPUs and of 64 workers: reckoned, not measured.

    PYTHONPATH=. python benchmarks/on_paper.py

Counts the weights of a model in pretraining at each published size, and with them the bytes that
are summed over the devices in a step; assumes how fast devices compute and links carry, as said
below; and prints the share of the time in which devices compute. docs/costs.md tells the reasoning.
"""

from absl import app

from bert_keras.cli.script import start_tensorflow_quietly
from bert_keras.config import BertConfig

LENGTH, ROWS = 128, 64  # of a device, in one part
MASKED = 0.15
# H100 SXM: 989 TFLOP/s in bfloat16 by its data sheet. A faster device waits more, so this is high.
FLOPS = 0.4 * 989e12
# Bytes a second that a device sends while it receives as many; what a link is said to carry in one
# direction, and the share of it that all-reduces are taken to reach.
LINKS = {
    "8 GPUs, NVLink 4": (8, 0.5 * 450e9),
    "8 GPUs, PCIe 4": (8, 0.5 * 32e9),
    "64 workers, 100 Gbit/s": (64, 0.8 * 100e9 / 8),
    "64 workers, 25 Gbit/s": (64, 0.8 * 25e9 / 8),
}


def weights(config):
    """Trainable weights of a model in pretraining."""
    from bert_keras.models.pretrainer import BertPretrainer

    return BertPretrainer(config).count_params()


def seconds_of_compute(config):
    """Forward and backward pass of one part, at six operations a weight and token."""
    layers, width = config.num_hidden_layers, config.hidden_size
    blocks = 12 * layers * width**2
    attention = 2 * layers * LENGTH * width  # scores and sums, which have no weights
    vocabulary = MASKED * width * (config.vocab_size + width)
    return 6 * (blocks + attention + vocabulary) * ROWS * LENGTH / FLOPS


def seconds_of_sum(size, devices, bandwidth):
    """A ring: each device sends 2 (n - 1) / n times what is summed."""
    return 2 * (devices - 1) / devices * size / bandwidth


def main(_):
    start_tensorflow_quietly()
    print("| size | weights | summed a step | computing a part |", end="")
    print("".join(f" {name}: in 1 part, in 16 |" for name in LINKS))
    print("|-|-|-|-|" + "-|" * len(LINKS))
    for size in ("tiny", "mini", "small", "medium", "base", "large"):
        config = BertConfig.from_size(size)
        count = weights(config)
        compute = seconds_of_compute(config)
        cells = [
            size,
            f"{count / 1e6:.1f} M",
            f"{4 * count / 1e6:,.0f} MB",
            f"{1000 * compute:.2f} ms",
        ]
        for devices, bandwidth in LINKS.values():
            total = seconds_of_sum(4 * count, devices, bandwidth)
            shares = (parts * compute / (parts * compute + total) for parts in (1, 16))
            cells.append(", ".join(f"{share:.0%}" for share in shares))
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    app.run(main)
