"""Fine-tunes BERT to answer questions from a text, and evaluates, predicts and exports that.

  python run_qa.py --do_train --do_eval --do_export --output_dir=runs/questions \\
      --init_checkpoint=FOLDER --train_file=data/questions.json
"""

from absl import flags

from bert_keras.cli import flags as common
from bert_keras.cli import script

FLAGS = flags.FLAGS

flags.DEFINE_string("train_file", "", "Questions in SQuAD's layout, 1.1 or 2.0.")
flags.DEFINE_string("dev_file", "", "Questions to evaluate on, likewise.")
flags.DEFINE_string("predict_file", "", "Questions to predict, likewise, with or without answers.")
flags.DEFINE_float("dev_fraction", 0.1, "Share of the contexts held out if there is no dev_file.")
flags.DEFINE_integer("doc_stride", 128, "Tokens between the beginnings of windows.", 1)
flags.DEFINE_integer("max_query_length", 64, "Tokens of a question; longer ones are cut.", 1)
flags.DEFINE_integer("max_answer_length", 30, "Tokens an answer may have.", 1)
flags.DEFINE_integer("n_best_size", 20, "Answers weighed against each other.", 1)
flags.DEFINE_float(
    "null_score_diff_threshold", None, "No answer if it is better by more; else found on dev."
)
flags.DEFINE_enum("scoring", "squad", ["squad", "cmrc"], '"cmrc": by character, for Chinese.')

FLAGS.set_default("max_seq_length", 384)
FLAGS.set_default("eval_batch_size", 64)


def main():
    folder, run_flags, strategy = common.open_run()
    from bert_keras.tasks.question_answering.source import QuestionSource
    from bert_keras.tasks.question_answering.task import QuestionAnswering
    from bert_keras.tasks.question_answering.windows import WindowSizes

    source = QuestionSource(
        train_file=FLAGS.train_file,
        dev_file=FLAGS.dev_file,
        predict_file=FLAGS.predict_file,
        dev_fraction=FLAGS.dev_fraction,
        seed=FLAGS.seed,
    )
    task = QuestionAnswering(
        source,
        WindowSizes(FLAGS.max_seq_length, FLAGS.max_query_length, FLAGS.doc_stride),
        max_answer_length=FLAGS.max_answer_length,
        n_best=FLAGS.n_best_size,
        threshold=FLAGS.null_score_diff_threshold,
        scoring=FLAGS.scoring,
    )
    common.run_job(task, folder, run_flags, strategy)


if __name__ == "__main__":
    script.run(main)
