"""Makes sentence embeddings, finds a query's nearest texts, and learns from pairs of texts.

  python run_embeddings.py --do_predict --init_checkpoint=FOLDER \\
      --predict_file=data/sentences.txt --output_dir=runs/sentences --query="Is it raining?"
"""

from absl import flags

from bert_keras.cli import flags as common
from bert_keras.cli import script
from bert_keras.errors import InputError

FLAGS = flags.FLAGS

flags.DEFINE_string("task_name", "", "STS-B: train and evaluate on GLUE's pairs in --data_dir.")
flags.DEFINE_string("data_dir", "", "The folder of GLUE's tasks.")
flags.DEFINE_string("train_file", "", "Pairs, scored or not: .tsv, .csv, .jsonl or tfds:NAME.")
flags.DEFINE_string("dev_file", "", "Pairs to evaluate on, in any of those forms.")
flags.DEFINE_string("predict_file", "", "Texts: .txt, one a line, or any of those forms.")
flags.DEFINE_string("text_column", "text", "Name of the text's column; a number without a header.")
flags.DEFINE_string("pair_column", "pair", "The second text's column.")
flags.DEFINE_string("label_column", "", "The score's column; 'score' where there is such a one.")
flags.DEFINE_float("dev_fraction", 0.1, "Share of training pairs held out if there is no dev_file.")
flags.DEFINE_enum("pooling", None, ["mean", "cls", "max"], "If not as the weights' folder says.")
flags.DEFINE_bool("normalize", None, "Vectors of length 1, likewise.")
flags.DEFINE_integer("layer", -1, "Whose output to pool: -1 the last, 0 the embeddings.")
flags.DEFINE_string("query", "", "With --do_predict: print the texts nearest to this one.")
flags.DEFINE_integer("num_neighbors", 10, "How many.", 1)

_OF_ONE_CALL = ("query", "num_neighbors")
_OF_THE_MODEL = ("pooling", "normalize", "layer")


def main():
    folder, run_flags, strategy = common.open_run(_OF_ONE_CALL, _OF_THE_MODEL)
    if FLAGS.query and not FLAGS.do_predict:
        raise InputError("--query needs --do_predict and --predict_file, where to look.")
    from bert_keras.data.source import Columns, Source
    from bert_keras.tasks.embedding.task import Embedding

    pairs = Source(
        task_name=FLAGS.task_name,
        data_dir=FLAGS.data_dir,
        train_file=FLAGS.train_file,
        dev_file=FLAGS.dev_file,
        columns=Columns(FLAGS.text_column, FLAGS.pair_column, FLAGS.label_column or "score"),
        kind="number",
        dev_fraction=FLAGS.dev_fraction,
        seed=FLAGS.seed,
        label_needed=bool(FLAGS.label_column),
    )
    task = Embedding(
        pairs,
        FLAGS.predict_file,
        FLAGS.text_column,
        FLAGS.max_seq_length,
        FLAGS.pooling,
        FLAGS.normalize,
        FLAGS.layer,
        FLAGS.query,
        FLAGS.num_neighbors,
    )
    common.run_job(task, folder, run_flags, strategy, hyperparameters=_OF_THE_MODEL)


if __name__ == "__main__":
    script.run(main)
