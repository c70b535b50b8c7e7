"""Fine-tunes BERT to find entities in texts, and evaluates, predicts and exports what it learned.

  python run_tagger.py --do_train --do_eval --do_export --output_dir=runs/entities \\
      --init_checkpoint=FOLDER --train_file=data/entities.conll
"""

from absl import flags

from bert_keras.cli import flags as common
from bert_keras.cli import script

FLAGS = flags.FLAGS

flags.DEFINE_string("train_file", "", "A word and its tag a line (CoNLL), or .jsonl with entities.")
flags.DEFINE_string("dev_file", "", "Texts to evaluate on, in either form.")
flags.DEFINE_string("predict_file", "", "Texts to predict, in either form; tags may be missing.")
flags.DEFINE_enum(
    "scheme",
    "auto",
    ["auto", "iob1", "iob2", "iobes", "bilou", "bmes"],
    "How words are tagged.",
)
flags.DEFINE_float("dev_fraction", 0.1, "Share of training texts held out if there is no dev_file.")


def main():
    folder, run_flags, strategy = common.open_run()
    from bert_keras.tasks.tagging.source import TaggedSource
    from bert_keras.tasks.tagging.task import Tagging

    source = TaggedSource(
        FLAGS.train_file,
        FLAGS.dev_file,
        FLAGS.predict_file,
        FLAGS.scheme,
        FLAGS.dev_fraction,
        FLAGS.seed,
    )
    task = Tagging(source, FLAGS.max_seq_length)
    common.run_job(task, folder, run_flags, strategy)


if __name__ == "__main__":
    script.run(main)
