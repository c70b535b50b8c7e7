"""The script of a task: flags from its settings, and what they ask for, done with a run."""

import functools
from collections.abc import Callable, Sequence

from bert_keras.cli.console import format_table
from bert_keras.cli.flags import Flags
from bert_keras.cli.script import run, start_tensorflow_quietly
from bert_keras.errors import InputError
from bert_keras.options import from_record
from bert_keras.run import Plan, Run, recorded
from bert_keras.serving.formats import EXPORTS, check_format
from bert_keras.tasks.registry import SCRIPT, task_class
from bert_keras.training.settings import TrainingSettings
from bert_keras.training.task import Task, format_scores

_DO = ("do_train", "do_eval", "do_predict", "do_export")


def run_task(
    task: type[Task],
    description: str,
    argv: Sequence[str] | None = None,
    of_predictions: Sequence[str] = (),
    needs_predict_file: bool = False,
) -> None:
    """Runs the script of a task.

    Args:
        task: the task's class.
        description: the text that the script's help begins with.
        argv: the command line, the script's name first; the process's unless given.
        of_predictions: flags that may be given with --do_predict alone.
        needs_predict_file: whether --do_predict is refused without --predict_file before anything
            is read, because reading may take long.
    """
    flags = Flags()
    flags.define_options(task)
    flags.define("predict_file", str, "", "Inputs to predict, in any of those forms.", field="file")
    _define_common(flags, task)

    def main(flags: Flags) -> None:
        for name in of_predictions:
            if name in flags.given() and not flags["do_predict"]:
                raise InputError(f"--{name} needs --do_predict.")
        if needs_predict_file and flags["do_predict"] and not flags["predict_file"]:
            raise InputError("--do_predict needs --predict_file.")
        _main(task, flags)

    run(main, flags, description, argv)


def _define_common(flags: Flags, task: type[Task]) -> None:
    """Declares the flags that every task's script has."""
    precisions = dict.fromkeys(name for every in EXPORTS.values() for name in every)
    flags.define("output_dir", str, None, "The run's folder: all that the run makes is here.")
    flags.define("do_train", bool, False, "Train, or continue a training that was cut off.")
    flags.define("do_eval", bool, False, "Print the scores and write eval_results.json.")
    flags.define("do_predict", bool, False, "Write the inputs to predict with their answers.")
    flags.define("do_export", bool, False, "Write a SavedModel into export/<number>.")
    flags.define(
        "export_format",
        str,
        "saved_model",
        "litert: ids in, for least time.",
        choices=list(EXPORTS),
        field="format",
    )
    flags.define(
        "export_precision",
        str,
        "float32",
        "int8 is litert's, bfloat16 is not.",
        choices=list(precisions),
    )
    flags.define(
        "init_checkpoint", str, None, "Folder of weights to start from, or pkg://name/path."
    )
    flags.define_options(TrainingSettings, {"eval_batch_size": task.eval_batch_size})


def _main(task: type[Task], flags: Flags) -> None:
    if not any(flags[name] for name in _DO):
        raise InputError("Expected --do_train, --do_eval, --do_predict or --do_export; see --help.")
    if not flags["output_dir"]:
        raise InputError("Expected --output_dir, the run's folder.")
    plan = Plan(
        evaluates=flags["do_eval"],
        predict_file=flags["predict_file"] if flags["do_predict"] else None,
        export=(flags["export_format"], flags["export_precision"]) if flags["do_export"] else None,
    )
    if plan.export:
        check_format(*plan.export)
    open_run = _opener(task, flags)
    start_tensorflow_quietly(flags["debug"])
    one_run = open_run()
    if flags["do_train"]:
        one_run.train(plan)
    if not one_run.writes:
        return  # what follows is the chief's
    if not flags["do_train"]:
        one_run.prepare(plan)
    _use(one_run, plan)


def _opener(task: type[Task], flags: Flags) -> Callable[[], Run]:
    """Makes the task and the settings; returns a function that opens the run, which takes longer.

    A flag that is not given has the value that the run was begun with.
    """
    record = recorded(flags["output_dir"])
    if record.get(SCRIPT, task.recorded_as) != task.recorded_as:
        record = {}  # another task's: `Run` says so
    values = flags.values() | record | flags.given()
    return functools.partial(
        Run,
        flags["output_dir"],
        from_record(task_class(values | {SCRIPT: task.recorded_as}), values),
        init_checkpoint=values["init_checkpoint"],
        settings=from_record(TrainingSettings, values),
    )


def _use(one_run: Run, plan: Plan) -> None:
    """Evaluates, predicts and exports, as far as that is planned, and prints what comes out."""
    if plan.evaluates:
        scores = one_run.evaluate()
        for title, table in scores.evaluation.tables.items():
            print(f"\n{title}\n{format_table(table)}")
        print("\n" + format_scores(scores))
    if plan.predict_file is not None:
        files = one_run.predict_file(plan.predict_file)
        for title, table in files.tables.items():
            print(f"\n{title}\n{format_table(table)}")
        print(f"Predictions: {files.path}")
    if plan.export is not None:
        path = one_run.export(*plan.export)
        print(f"{'LiteRT' if plan.export[0] == 'litert' else 'SavedModel'}: {path}")
