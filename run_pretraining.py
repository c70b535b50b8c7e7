"""Pretrains BERT on running text, evaluates it on held-out text, and fills in [MASK] with it.

  python run_pretraining.py --do_train --do_eval --input_file='texts/*.txt' \\
      --vocab_dir=runs/vocabulary --model_size=mini --output_dir=runs/pretrained
"""

from absl import flags

from bert_keras.cli import flags as common
from bert_keras.cli import script
from bert_keras.cli.corpus_flags import open_corpus
from bert_keras.errors import InputError

FLAGS = flags.FLAGS

flags.DEFINE_string("prepared_dir", "prepared", "Where tokenised texts are kept for later runs.")
flags.DEFINE_bool("prepare_again", False, "Make the prepared texts again if they are broken.")
flags.DEFINE_integer("beam_workers", 0, "Prepare with Apache Beam, in so many processes.", 0)
flags.DEFINE_list("beam_options", [], "Beam's own flags, such as a runner on many machines.")
flags.DEFINE_string("vocab_dir", "", "Folder of run_vocabulary.py, to start from nothing.")
flags.DEFINE_string("model_size", "", "tiny, mini, small, medium, base or large, likewise.")
flags.DEFINE_string("bert_config_file", "", "Any other shape, likewise.")
flags.DEFINE_enum("objective", "nsp", ["nsp", "sop", "none"], "Sentence B: next, order, or none.")
flags.DEFINE_enum("masking", "token", ["token", "word", "span"], "What is masked at a time.")
flags.DEFINE_float("masked_lm_prob", 0.15, "Share of the tokens to predict.")
flags.DEFINE_integer("short_seq_length", 0, "Tokens in a first phase; 0 for one phase.", 0)
flags.DEFINE_float("short_steps_share", 0.9, "Share of the steps in that phase.", 0.0, 1.0)
flags.DEFINE_string("predict_file", "", "Texts with [MASK] to fill in: .txt, one a line, or rows.")
flags.DEFINE_integer("num_fillings", 5, "How many fillings of each [MASK] to give.", 1)

# Logits over the vocabulary take more memory than those over classes.
FLAGS.set_default("eval_batch_size", 32)
_OF_ONE_CALL = ("prepare_again", "beam_workers", "beam_options", "num_fillings")
_OF_THE_MODEL = ("vocab_dir", "model_size", "bert_config_file")


def main():
    folder, run_flags, strategy = common.open_run(_OF_ONE_CALL, _OF_THE_MODEL)
    if FLAGS.do_predict and not FLAGS.predict_file:
        raise InputError("--do_predict needs --predict_file, texts with [MASK].")
    from bert_keras.corpus.prepared import prepare
    from bert_keras.tasks.pretraining.fill_mask import FillMask
    from bert_keras.tasks.pretraining.task import Objectives, Pretraining, make_config

    def prepare_passages(tokenizer, max_length):
        return prepare(
            open_corpus(),
            tokenizer,
            max_length,
            FLAGS.prepared_dir,
            FLAGS.dev_fraction,
            FLAGS.beam_workers,
            FLAGS.beam_options,
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
    fill_mask = FillMask(FLAGS.predict_file, FLAGS.text_column, FLAGS.num_fillings)
    task = Pretraining(prepare_passages, objectives, config, FLAGS.vocab_dir, fill_mask)
    hyperparameters = ("objective", "masking", "masked_lm_prob", "model_size", "bert_config_file")
    common.run_job(task, folder, run_flags, strategy, False, hyperparameters)


if __name__ == "__main__":
    script.run(main)
