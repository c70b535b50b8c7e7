"""Pretrains BERT on running text, from nothing or from weights, and evaluates on held-out text.

  python run_vocabulary.py --input_file='texts/*.txt' --output_dir=runs/vocabulary
  python run_pretraining.py --do_train --do_eval --input_file='texts/*.txt' \\
      --vocab_dir=runs/vocabulary --model_size=mini --output_dir=runs/pretrained
"""

from absl import flags

from bert_keras import script
from bert_keras.training import flags as common

FLAGS = flags.FLAGS

flags.DEFINE_list("input_file", [], "Files, folders, globs, or tfds:NAME[:SPLIT]; .gz too.")
flags.DEFINE_enum(
    "layout",
    "auto",
    ["auto", "sentences", "files", "jsonl", "wikitext"],
    "See data/README.md.",
)
flags.DEFINE_string("text_column", "text", "Name of the text in JSON lines or a tfds data set.")
flags.DEFINE_string("language", "en", "Of the text, a code such as en: how its sentences end.")
flags.DEFINE_float("dev_fraction", 0.02, "Share of the documents held out to evaluate on.")
flags.DEFINE_string("prepared_dir", "prepared", "Where tokenised texts are kept for later runs.")
flags.DEFINE_bool("prepare_again", False, "Make the prepared texts again if they are broken.")
flags.DEFINE_integer("beam_workers", 0, "Prepare with Apache Beam, in so many processes.", 0)
flags.DEFINE_string("vocab_dir", "", "Folder of run_vocabulary.py, to start from nothing.")
flags.DEFINE_string("model_size", "", "tiny, mini, small, medium, base or large, likewise.")
flags.DEFINE_string("bert_config_file", "", "Any other shape, likewise.")
flags.DEFINE_enum("objective", "nsp", ["nsp", "sop", "none"], "Sentence B: next, order, or none.")
flags.DEFINE_enum("masking", "token", ["token", "word", "span"], "What is masked at a time.")
flags.DEFINE_float("masked_lm_prob", 0.15, "Share of the tokens to predict.")
flags.DEFINE_integer("short_seq_length", 0, "Tokens in a first phase; 0 for one phase.", 0)
flags.DEFINE_float("short_steps_share", 0.9, "Share of the steps in that phase.", 0.0, 1.0)


def main():
    folder, run_flags = common.open_run()
    from bert_keras.data.corpus import Corpus
    from bert_keras.data.prepared import prepare
    from bert_keras.tasks.pretraining import Objectives, Pretraining, make_config

    def prepare_passages(tokenizer, max_length):
        return prepare(
            Corpus(FLAGS.input_file, FLAGS.layout, FLAGS.text_column, FLAGS.language),
            tokenizer,
            max_length,
            FLAGS.prepared_dir,
            FLAGS.dev_fraction,
            FLAGS.beam_workers,
            again=FLAGS.prepare_again,
        )

    objectives = Objectives(
        sentences=FLAGS.objective,
        masking=FLAGS.masking,
        rate=FLAGS.masked_lm_prob,
        max_length=FLAGS.max_seq_length,
        short_length=FLAGS.short_seq_length,
        short_share=FLAGS.short_steps_share,
    )
    config = make_config(FLAGS.model_size, FLAGS.bert_config_file)
    task = Pretraining(prepare_passages, objectives, config, FLAGS.vocab_dir)
    common.run_job(task, folder, run_flags, needs_weights=not FLAGS.vocab_dir)


if __name__ == "__main__":
    script.run(main)
