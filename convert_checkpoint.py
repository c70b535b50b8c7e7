"""Writes a checkpoint in another library's layout, and adds words to its vocabulary.

python convert_checkpoint.py --init_checkpoint=runs/books --layout=google --output_dir=NEW
python convert_checkpoint.py --init_checkpoint=FOLDER --add_tokens=words.txt --output_dir=NEW
"""

from absl import flags

from bert_keras.cli import script
from bert_keras.errors import InputError

FLAGS = flags.FLAGS

flags.DEFINE_string("init_checkpoint", None, "Folder of weights to read, or pkg://name/path.")
flags.DEFINE_string("output_dir", None, "The folder to write; a new one.")
flags.DEFINE_enum(
    "layout", "huggingface", ["huggingface", "google", "keras_hub"], "In which to write it."
)
flags.DEFINE_string("add_tokens", "", "File of tokens to add to the vocabulary, one a line.")
flags.DEFINE_integer("most_tokens", None, "How many to add at most, the first in the file.", 1)


def main():
    for name in ("init_checkpoint", "output_dir"):
        if not FLAGS[name].value:
            raise InputError(f"Expected --{name}; see --help.")
    script.start_tensorflow_quietly()
    from bert_keras.checkpoints import convert, growth, load
    from bert_keras.files import resolve

    if FLAGS.add_tokens:
        added = growth.grow(
            FLAGS.init_checkpoint,
            FLAGS.add_tokens,
            FLAGS.output_dir,
            FLAGS.most_tokens,
            FLAGS.layout,
        )
        print(f"{len(added)} tokens added: {', '.join(added[:8])}{', ...' if added[8:] else ''}.")
    else:
        convert.convert(FLAGS.init_checkpoint, FLAGS.output_dir, FLAGS.layout)
    with load.open_checkpoint(FLAGS.output_dir) as checkpoint:
        heads = load.heads_in(checkpoint)
        print(f"{checkpoint.location}: {len(checkpoint.shapes)} tensors.")
        print(f"Heads: {', '.join(heads) or 'none'}.")
    for path in sorted(resolve(FLAGS.output_dir).rglob("*")):
        if path.is_file():
            print(f"{path.stat().st_size:>12,} bytes  {path}")


if __name__ == "__main__":
    script.run(main)
