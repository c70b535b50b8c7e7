"""Fine-tunes BERT to label texts, and evaluates, predicts and exports what it has learned.

  python run_classifier.py --do_train --do_eval --do_export --output_dir=runs/reviews \\
      --init_checkpoint=FOLDER --train_file=data/reviews.tsv
"""

from absl import flags

from bert_keras.cli import flags as common
from bert_keras.cli import script

FLAGS = flags.FLAGS

flags.DEFINE_string("task_name", "", "A task of GLUE, such as SST-2; needs --data_dir.")
flags.DEFINE_string("data_dir", "", "The folder of GLUE's tasks.")
flags.DEFINE_string("train_file", "", ".tsv, .csv, .jsonl, a folder a class, or tfds:NAME[:SPLIT].")
flags.DEFINE_string("dev_file", "", "Rows to evaluate on, in any of those forms.")
flags.DEFINE_string("predict_file", "", "Rows to predict, in any of those forms.")
flags.DEFINE_string("text_column", "", "Name of the text's column; a number if there is no header.")
flags.DEFINE_string("pair_column", "", "The second text's column, where there are two.")
flags.DEFINE_string("label_column", "", "The label's column.")
flags.DEFINE_list("entity_columns", [], "Two entities in the text, head,tail: their relation.")
flags.DEFINE_enum(
    "label_kind", "class", ["class", "multi", "number"], "One label, several, a number."
)
flags.DEFINE_float("dev_fraction", 0.1, "Share of training rows held out if there is no dev_file.")
flags.DEFINE_integer(
    "train_rows_per_class", 0, "Train on so many rows a class, hold out the rest.", 0
)
flags.DEFINE_enum("class_weights", "", ["", "balanced"], '"balanced": rare classes count as much.')

flags.DEFINE_enum(
    "pooling", None, ["cls", "mean"], "Head on [CLS] (default) or on the mean of the tokens."
)

_OF_THE_MODEL = ("pooling",)


def main():
    folder, run_flags, strategy = common.open_run(of_the_model=_OF_THE_MODEL)
    from bert_keras.data.source import Columns, Source
    from bert_keras.tasks.classification.relation_extraction import RelationExtraction
    from bert_keras.tasks.classification.task import Classification

    names = {"text": FLAGS.text_column, "pair": FLAGS.pair_column, "label": FLAGS.label_column}
    names = {name: column for name, column in names.items() if column}
    source = Source(
        task_name=FLAGS.task_name,
        data_dir=FLAGS.data_dir,
        train_file=FLAGS.train_file,
        dev_file=FLAGS.dev_file,
        predict_file=FLAGS.predict_file,
        columns=Columns(**names) if names else None,
        entities=tuple(FLAGS.entity_columns),
        kind=FLAGS.label_kind,
        dev_fraction=FLAGS.dev_fraction,
        rows_per_class=FLAGS.train_rows_per_class,
        seed=FLAGS.seed,
    )
    kind_of_task = RelationExtraction if FLAGS.entity_columns else Classification
    task = kind_of_task(source, FLAGS.max_seq_length, FLAGS.class_weights, FLAGS.pooling)
    common.run_job(task, folder, run_flags, strategy, hyperparameters=("class_weights", "pooling"))


if __name__ == "__main__":
    script.run(main)
