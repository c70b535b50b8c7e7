"""The flags of fine-tuning; apart from `fine_tuning`, so that --help needs no PyTorch."""

import argparse
import importlib.util
import pathlib

from benchmarks.harness import arguments


def parser(doc):
    """The flags that every fine-tuning has."""
    flags = arguments.parser(doc)
    flags.add_argument(
        "--init_checkpoint", required=True, help="a folder, or pkg://package/path in a package"
    )
    flags.add_argument("--seed", type=int, default=1)
    flags.add_argument("--learning_rate", type=float, default=1e-4)
    flags.add_argument("--num_train_epochs", type=float, default=3)
    flags.add_argument("--train_batch_size", type=int, default=32)
    flags.add_argument("--warmup_proportion", type=float, default=0.1)
    flags.add_argument("--max_seq_length", type=int, default=128)
    flags.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True)
    flags.add_argument("--max_train_rows", type=int, help="use the first rows only")
    return flags


def resolve(reference):
    """The folder of a path, or of `pkg://package/path` inside an installed package."""
    if not reference.startswith("pkg://"):
        return pathlib.Path(reference)
    package, _, path = reference.removeprefix("pkg://").partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{reference}: no package named {package} is installed.")
    return pathlib.Path(spec.submodule_search_locations[0]) / path
