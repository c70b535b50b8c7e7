"""The documentation names what exists, and its examples for clusters work."""

import ast
import json
import pathlib
import re
import subprocess
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md"), ROOT / "data" / "README.md"])
# In the place of Slurm's tools: lists nodes, and runs what srun is given as two tasks.
SLURM = """
scontrol() { [ "$1" = show ] && printf 'node1\\nnode2\\n' || echo "requeued $2"; }
srun() {
  while [[ $1 == --* ]]; do shift; done
  for SLURM_PROCID in 0 1; do export SLURM_PROCID; "$@" || code=$?; done
  return "${code:-0}"
}
export SLURM_JOB_NODELIST=node[1-2] SLURM_JOB_ID=7
"""


def blocks(language):
    text = (DOCS / "distribution.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def workers(folder, code=0):
    """Puts a script in the place of the training; returns a function that reads what it saw."""
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/bash\necho "$TF_CONFIG" | tr "\\n" " "; echo " $*"\nexit {code}\n')
    python.chmod(0o755)

    def read(line):
        config, end = json.JSONDecoder().raw_decode(line)
        return config, line[end:].split()

    return read


def run(script, folder, **environment):
    path = folder / "script.sh"
    path.write_text(script)
    path_to_python = f"{folder}/.venv/bin:/usr/bin:/bin"
    return subprocess.run(
        ["bash", path],
        cwd=folder,
        env={"PATH": path_to_python} | environment,
        capture_output=True,
        text=True,
    )


def test_the_slurm_script_tells_every_worker_who_it_is(tmp_path):
    script = blocks("bash")[-1]
    read = workers(tmp_path)
    done = run(SLURM + script, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = [read(line) for line in done.stdout.splitlines()]
    assert [config["task"] for config, _ in found] == [
        {"type": "worker", "index": index} for index in range(2)
    ]
    for config, arguments in found:
        assert config["cluster"] == {"worker": ["node1:20007", "node2:20007"]}
        assert arguments[0] == "run_pretraining.py" and len(arguments) == 10


@pytest.mark.parametrize(("count", "again"), [(None, True), ("19", True), ("20", False)])
def test_the_slurm_script_starts_the_group_again(tmp_path, count, again):
    script = blocks("bash")[-1]
    workers(tmp_path, code=143)
    environment = {} if count is None else {"SLURM_RESTART_COUNT": count}
    done = run(SLURM + script, tmp_path, **environment)
    assert done.returncode == 143
    assert ("requeued 7" in done.stdout) == again


def test_the_manifest_tells_every_pod_who_it_is(tmp_path):
    (manifest,) = blocks("yaml")
    service, job = yaml.safe_load_all(manifest)
    name, pods = job["metadata"]["name"], job["spec"]["completions"]
    template = job["spec"]["template"]["spec"]
    assert service["spec"]["selector"] == {"job-name": name}
    assert template["subdomain"] == service["metadata"]["name"]
    assert job["spec"]["parallelism"] == pods
    (container,) = template["containers"]
    (port,) = [port["containerPort"] for port in container["ports"]]
    read = workers(tmp_path)
    *shell, script = container["command"]
    assert shell == ["bash", "-c"]
    for index in range(pods):
        config, arguments = read(run(script, tmp_path, JOB_COMPLETION_INDEX=str(index)).stdout)
        assert config["task"] == {"type": "worker", "index": index}
        assert config["cluster"]["worker"] == [
            f"{name}-{pod}.{template['subdomain']}:{port}" for pod in range(pods)
        ]
        assert arguments[0] == "run_classifier.py" and len(arguments) == 6


def test_the_json_is_json():
    (text,) = blocks("json")
    assert json.loads(text)["task"]["type"] == "worker"


def anchors(page):
    """The names of a page's headings in links, as GitHub and mkdocs make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if link.startswith("http"):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_are_named_exist(page):
    for name in re.findall(r"`([\w/.-]+/[\w.-]+\.(?:py|md|tsv|jsonl))`", page.read_text("utf-8")):
        assert any((root / name).exists() for root in (ROOT, ROOT / "bert_keras")), name


def test_modules_that_are_named_exist():
    for page in PAGES:
        for name in re.findall(r"`(benchmarks(?:\.\w+)+)`", page.read_text(encoding="utf-8")):
            assert (ROOT / f"{name.replace('.', '/')}.py").is_file(), name


def test_the_import_direction_is_the_one_that_is_tested():
    tested = (ROOT / "tests" / "test_imports.py").read_text(encoding="utf-8")
    layers = ast.literal_eval(
        re.search(r"^LAYERS = (\(.*?^\))", tested, re.DOTALL | re.MULTILINE)[1]
    )
    text = (DOCS / "design.md").read_text(encoding="utf-8")
    drawing = re.search(r"^    errors\n(?:      <- .*\n)+", text, re.MULTILINE)[0]
    drawn = [tuple(line.split("<-")[-1].strip().split(", ")) for line in drawing.splitlines()]
    assert drawn == [*layers, ("the scripts",)]


def test_every_setting_of_a_training_is_described():
    from bert_keras.options import options_of
    from bert_keras.training.settings import TrainingSettings

    text = (DOCS / "training.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| `(\w+)` \| `--(\w+)` \| (.*?) \|", text, re.MULTILINE)
    described = {field: (flag, default.strip("`")) for field, flag, default in table}
    shown = {True: "on", False: "off", "": '""', None: "by the task"}
    for option in options_of(TrainingSettings):
        flag, default = described.pop(option.field)
        assert flag == option.name
        known = isinstance(option.default, bool) or option.default in ("", None)
        value = shown[option.default] if known else option.default
        assert default == value or float(default) == value, option.field
    assert not described


def test_every_public_name_is_in_the_reference():
    import bert_keras

    text = (DOCS / "reference.md").read_text(encoding="utf-8")
    listed = {line.split(".")[-1] for line in re.findall(r"^::: (\S+)$", text, re.MULTILINE)}
    assert set(bert_keras.__all__) <= listed


@pytest.mark.long
def test_the_site_is_built_without_warnings(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "search" / "search_index.json").is_file()
