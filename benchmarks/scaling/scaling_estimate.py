"""What to expect of eight GPUs and of 64 workers: an estimate, not a measurement.

    .venv/bin/python -m benchmarks.scaling.scaling_estimate

Counts the weights of a model in pretraining at each published size, and so the bytes of gradients
that the devices sum in a step. With the speeds of devices and links assumed below, it prints the
share of the time in which the devices compute, with the rows of a step computed in 1 part and in 16
(`--gradient_accumulation_steps`).
"""

from benchmarks.harness import arguments, environment, results

LENGTH, ROWS = 128, 64  # of a device, in one part
MASKED = 0.15
# H100 SXM: 989 TFLOP/s in bfloat16 by its data sheet. A faster device waits more, so this is high.
FLOPS = 0.4 * 989e12
# Devices, and bytes a second that a device sends while it receives as many: the link's published
# rate in one direction times the share of it that all-reduces are assumed to reach.
LINKS = {
    "8 GPUs, NVLink 4": (8, 0.5 * 450e9),
    "8 GPUs, PCIe 4": (8, 0.5 * 32e9),
    "64 workers, 100 Gbit/s": (64, 0.8 * 100e9 / 8),
    "64 workers, 25 Gbit/s": (64, 0.8 * 25e9 / 8),
}
SIZES = ("tiny", "mini", "small", "medium", "base", "large")


def count_weights(config):
    """Trainable weights of a model in pretraining."""
    from bert_keras import BertPretrainer

    return BertPretrainer(config).count_params()


def compute_seconds(config):
    """Forward and backward pass of one part, at six operations a weight and token."""
    layers, width = config.num_hidden_layers, config.hidden_size
    blocks = 12 * layers * width**2
    attention = 2 * layers * LENGTH * width  # scores and sums, which have no weights
    vocabulary = MASKED * width * (config.vocab_size + width)
    return 6 * (blocks + attention + vocabulary) * ROWS * LENGTH / FLOPS


def sum_seconds(size, devices, bandwidth):
    """A ring: each device sends 2 (n - 1) / n times the size of the gradients."""
    return 2 * (devices - 1) / devices * size / bandwidth


def estimate(size):
    """The row of one size."""
    from bert_keras import BertConfig

    config = BertConfig.from_size(size)
    count, compute = count_weights(config), compute_seconds(config)
    cells = [
        size,
        f"{count / 1e6:.1f} M",
        f"{4 * count / 1e6:,.0f} MB",
        f"{1000 * compute:.2f} ms",
    ]
    for devices, bandwidth in LINKS.values():
        total = sum_seconds(4 * count, devices, bandwidth)
        shares = (parts * compute / (parts * compute + total) for parts in (1, 16))
        cells.append(", ".join(f"{share:.0%}" for share in shares))
    return cells


def main():
    flags = arguments.parser(__doc__)
    flags.add_argument("--results", help="a file to write the table to")
    args = flags.parse_args()
    environment.start_tensorflow()
    columns = ["size", "weights", "gradients a step", "forward and backward of a part", *LINKS]
    results.show_table(
        args.results,
        columns,
        [""] * len(columns),
        [estimate(size) for size in SIZES],
        command="benchmarks.scaling.scaling_estimate",
        measured="an estimate, not a measurement",
    )


if __name__ == "__main__":
    main()
