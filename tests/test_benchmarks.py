"""The benchmarks: every command is listed and can say what it does, and pages have its figures."""

import ast
import importlib
import json
import pathlib
import sys

import pytest

from benchmarks import figures
from benchmarks.harness import compare_time, data, environment, results
from benchmarks.harness.tables import TABLES
from benchmarks.speed import startup_phases

ROOT = pathlib.Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
README = (BENCHMARKS / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for room in ("accuracy", "speed", "scaling")
    for path in sorted((BENCHMARKS / room).glob("[!_]*.py"))
]
PEERS = [path.stem for path in sorted((BENCHMARKS / "peers").glob("peer_*.py"))]


@pytest.mark.parametrize(
    "name",
    [
        *COMMANDS,
        *(f"benchmarks.peers.{peer}" for peer in PEERS),
        "benchmarks.harness.matmul_peak",
        "benchmarks.figures",
    ],
)
def test_every_command_says_what_it_does(name, monkeypatch, capsys):
    module = importlib.import_module(name)
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as end:
        module.main()
    assert end.value.code == 0
    assert module.__doc__.splitlines()[0] in capsys.readouterr().out
    source = ast.parse(pathlib.Path(module.__file__).read_text(encoding="utf-8"))
    assert ast.unparse(source.body[-1]) == "if __name__ == '__main__':\n    main()"


def test_the_readme_lists_every_command_and_every_file_of_results():
    for name in COMMANDS:
        assert f"`{name}`" in README or f"`{name} " in README, name
    for peer in PEERS:
        assert f"`{peer}`" in README, peer
    files = {path.name for path in (BENCHMARKS / "results").iterdir()}
    linked = {part.split(")")[0] for part in README.split("](results/")[1:]}
    assert linked == files


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.module


def test_a_peer_imports_nothing_of_bert_keras():
    for path in (BENCHMARKS / "peers").glob("*.py"):
        assert not [name for name in imports(path) if name.startswith("bert_keras")], path.name


def test_what_the_phases_of_a_start_wrap_exists():
    for module, name, method, phase in startup_phases.PHASES:
        assert callable(getattr(startup_phases.find(module, name), method)), phase


# The figures in pages.


def test_the_pages_have_the_figures_of_the_results(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["figures", "--check"])
    with pytest.raises(SystemExit) as end:
        figures.main()
    assert end.value.code == 0, capsys.readouterr().out
    assert ROOT / "README.md" in figures.pages()


def test_every_table_is_in_the_index_of_results():
    index = (BENCHMARKS / "results" / "README.md").read_text(encoding="utf-8")
    assert [name for name in TABLES if f"<!-- results: {name} -->" not in index] == []


@pytest.mark.parametrize(
    ("marker", "figure"),
    [
        ("pretraining.json held_out.masked_lm_loss .2f", "3.94"),
        ("glue.jsonl SST-2.accuracy.ours .1f", "89.3"),
        ("bbc_news.json accuracy", "95.6"),
    ],
)
def test_a_value_is_put_into_a_sentence(marker, figure):
    text = f"It is <!-- results: {marker} -->1<!-- end --> now."
    new = figures.rewrite(text)
    assert new == f"It is <!-- results: {marker} -->{figure}<!-- end --> now."
    assert figures.rewrite(new) == new


def test_a_changed_number_is_noticed(tmp_path, monkeypatch, capsys):
    page = tmp_path / "page.md"
    page.write_text(figures.rewrite("# A\n\n<!-- results: speed -->\n<!-- end -->\n\nEnd.\n"))
    assert "| 0.71 | 0.71 |" in page.read_text()
    assert figures.differences(page) == []
    right = page.read_text()
    page.write_text(right.replace("647 ms", "646 ms"))
    changed = [line for line in figures.differences(page) if line.startswith(("-|", "+|"))]
    assert [line[0] for line in changed] == ["-", "+"]
    assert "646 ms" in changed[0] and "647 ms" in changed[1]
    monkeypatch.setattr(figures, "ROOT", tmp_path)
    for flags, code, left in (["--check"], 1, "646 ms"), ([], 0, "647 ms"), (["--check"], 0, "647"):
        monkeypatch.setattr(sys, "argv", ["figures", *flags])
        with pytest.raises(SystemExit) as end:
            figures.main()
        assert end.value.code == code
        assert left in page.read_text()
    assert page.read_text() == right
    capsys.readouterr()


def test_a_changed_result_is_noticed(tmp_path, monkeypatch):
    page = figures.rewrite("accuracy <!-- results: bbc_news.json accuracy .1f --><!-- end -->")
    (tmp_path / "bbc_news.json").write_text(json.dumps({"accuracy": 94.0}))
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    assert ">94.0<" in figures.rewrite(page) != page


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a <!-- results: no_such_table --><!-- end -->", "there is no 'no_such_table'"),
        ("a <!-- results: bbc_news.json no_key --><!-- end -->", "there is no 'no_key'"),
        ("a <!-- results: no_file.json key --><!-- end -->", "no_file.json"),
        ("<!-- results: speed -->\n| a |\n", "without its other half"),
        ("| a |\n<!-- end -->\n", "without its other half"),
        ("of\n<!-- results: bbc_news.json accuracy --><!-- end -->", "start of a line"),
    ],
)
def test_a_wrong_marker_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        figures.rewrite(text)


def test_markers_in_code_blocks_are_left_alone():
    text = "Write:\n\n```markdown\n<!-- results: speed -->\n<!-- end -->\n```\n"
    assert figures.rewrite(text) == text


# What the benchmarks share.


def test_a_new_measurement_replaces_the_figures_of_its_entry_alone(tmp_path):
    path = tmp_path / "speed.json"
    results.record(path, "a", {"what": "a step", "ratio": 2.0})
    results.record(path, "b", {"ratio": 3.0})
    results.record(path, "a", {"ratio": 1.0})
    assert json.loads(path.read_text()) == {
        "a": {"what": "a step", "ratio": 1.0},
        "b": {"ratio": 3.0},
    }


def test_scores_are_compared_where_both_sides_ran_alone():
    schedule = {"learning_rate": 1e-4, "num_train_epochs": 3.0, "train_batch_size": 32}
    run = {"task": "T", "metric": "f1", "schedule": schedule}
    runs = [run | {"side": "ours", "score": score} for score in (0.8, 0.9)]
    other = run | {"side": "ours", "score": 0.1, "schedule": schedule | {"learning_rate": 1.0}}
    assert results.summary([*runs, other]) == {}
    summary = results.summary([*runs, other, run | {"side": "peer", "score": 0.84}])
    figures_of_f1 = summary["T"]["f1"]
    assert figures_of_f1["ours"] == pytest.approx(85.0)
    assert figures_of_f1["ours_error"] == pytest.approx(5.0)  # sqrt(50) / sqrt(2)
    assert figures_of_f1["difference"] == pytest.approx(1.0)
    assert figures_of_f1["allowed"] == pytest.approx(-10.0)
    assert (figures_of_f1["ours_runs"], figures_of_f1["peer_runs"]) == (2, 1)


def side(work):
    """The command of a side that does some work in its turn."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    code += "import time\nfrom benchmarks.harness import compare_time\n"
    return [sys.executable, "-c", code + f"compare_time.take_turns(lambda: {work})"]


def test_sides_are_timed_in_turns(capsys):
    sides = {"ours": side("time.sleep(0.02)"), "slow": side("time.sleep(0.06)")}
    seconds = compare_time.measure(sides, turns=3, warm_up=1)
    assert [len(times) for times in seconds.values()] == [3, 3]
    assert min(seconds["ours"]) >= 0.02 and min(seconds["slow"]) >= 0.06
    seconds[compare_time.MATMUL_PEAK] = [0.01] * 3
    entry = compare_time.report("sleep", seconds, compare_time.matmul_operations())
    assert entry["ours"]["unit"] == "ms" and entry["ours"]["value"] >= 20
    assert entry["ratio"] == pytest.approx(entry["ours"]["value"] / entry["peer"]["value"])
    assert entry["ours"]["share"] == pytest.approx(10 / entry["ours"]["value"])
    assert "ratio" in capsys.readouterr().out


def test_a_side_that_fails_is_named():
    with pytest.raises(SystemExit, match=r"broken: exit code 1"):
        compare_time.measure({"broken": side("1 / 0")}, turns=1)


def run(name, *arguments, **settings):
    """Runs a benchmark to its end; returns what it printed."""
    command = environment.module(name, *arguments)
    return environment.call(command, cwd=ROOT, **settings)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "arguments", "sent", "shown"),
    [
        ("harness.matmul_peak", ["--dtype=bfloat16"], "go\n", "seconds: "),
        ("speed.training_step", ["--side", "--size=tiny", "--rows=2"], "go\n", "seconds: "),
        ("speed.operations", ["--size=tiny", "--rows=2", "--calls=2"], "", "| _MklMatMul |"),
        ("speed.packing", [], "", "µs an example"),
        ("speed.recompute", ["--side=on", "--layers=1", "--rows=2", "--length=8"], "", "loss"),
        ("scaling.scaling_estimate", [], "", TABLES["scaling_estimate"]()),
    ],
)
def test_what_needs_no_peer_runs(name, arguments, sent, shown):
    assert shown in run(name, *arguments, input=sent)


@pytest.mark.long
@pytest.mark.parametrize("serving", [[], ["--serving"]])
def test_the_growth_of_cost_is_measured(tmp_path, serving):
    path = tmp_path / "scaling.json"
    run("scaling.cost_growth", "--studies=rows", "--points=2", f"--results={path}", *serving)
    study = json.loads(path.read_text())["studies"]["rows"]
    assert study["places"] == [4, 8] and study["exponents"]["seconds"] > 0
    assert path.with_suffix(".png").is_file()


@pytest.mark.long
def test_the_phases_of_a_start_are_measured(tmp_path):
    path, weights = tmp_path / "phases.json", tmp_path / "weights"
    data.write_new_weights(weights, 100, "tiny")
    words = [f"--train_file={ROOT / 'data/glue/SST-2/train.tsv'}", f"--weights={weights}"]
    run("speed.startup_phases", *words, f"--results={path}")
    phases = [row[0] for row in json.loads(path.read_text())["rows"]]
    for *_, phase in startup_phases.PHASES:
        assert phase in phases


@pytest.mark.long
def test_a_flag_of_training_is_measured(tmp_path):
    path = tmp_path / "flags.json"
    words = ["--only=--recompute", "--steps=4", "--loss_steps=2", f"--results={path}"]
    assert "| `--recompute` |" in run("speed.training_flags", *words)
    assert json.loads(path.read_text())["--recompute"]["numbers"] < 1e-6
