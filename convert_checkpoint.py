"""Writes a checkpoint in another library's layout, and adds words to its vocabulary.

python convert_checkpoint.py --init_checkpoint=runs/books --layout=google --output_dir=NEW
python convert_checkpoint.py --init_checkpoint=FOLDER --add_tokens=words.txt --output_dir=NEW
"""

from collections.abc import Sequence

from bert_keras.cli import script
from bert_keras.cli.flags import Flags
from bert_keras.errors import InputError

LAYOUTS = ("huggingface", "google", "keras_hub")


def main(argv: Sequence[str] | None = None) -> None:
    flags = Flags()
    flags.define("init_checkpoint", str, None, "Folder of weights to read, or pkg://name/path.")
    flags.define("output_dir", str, None, "The folder to write; a new one.")
    flags.define("layout", str, "huggingface", "In which to write it.", choices=LAYOUTS)
    flags.define("add_tokens", str, "", "File of tokens to add to the vocabulary, one a line.")
    flags.define(
        "most_tokens", int, None, "How many to add at most, the first in the file.", minimum=1
    )
    script.run(convert_checkpoint, flags, __doc__, argv)


def convert_checkpoint(flags: Flags) -> None:
    for name in ("init_checkpoint", "output_dir"):
        if not flags[name]:
            raise InputError(f"Expected --{name}; see --help.")
    script.start_tensorflow_quietly(flags["debug"])
    from bert_keras.checkpoints import convert, growth, load
    from bert_keras.files import resolve

    if flags["add_tokens"]:
        added = growth.grow(
            flags["init_checkpoint"],
            flags["add_tokens"],
            flags["output_dir"],
            flags["most_tokens"],
            flags["layout"],
        )
        print(f"{len(added)} tokens added: {', '.join(added[:8])}{', ...' if added[8:] else ''}.")
    else:
        convert.convert(flags["init_checkpoint"], flags["output_dir"], flags["layout"])
    with load.open_checkpoint(flags["output_dir"]) as checkpoint:
        heads = load.heads_in(checkpoint)
        print(f"{checkpoint.location}: {len(checkpoint.shapes)} tensors.")
        print(f"Heads: {', '.join(heads) or 'none'}.")
    for path in sorted(resolve(flags["output_dir"]).rglob("*")):
        if path.is_file():
            print(f"{path.stat().st_size:>12,} bytes  {path}")


if __name__ == "__main__":
    main()
