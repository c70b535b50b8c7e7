"""Who may import whom: the direction that docs/design.md draws, and no cycle."""

import ast
import pathlib
import re

import pytest

PACKAGE = pathlib.Path(__file__).parents[1] / "bert_keras"
# From the lowest to the highest. A module imports from its own layer or from lower ones; rooms of
# one layer do not import each other.
LAYERS = (
    ("errors",),
    ("files",),
    ("config", "options", "progress", "quiet"),
    ("layers", "text"),
    ("checkpoints",),
    ("models",),
    ("data",),
    ("corpus",),
    ("training",),
    ("notebook", "serving", "tensorboard"),
    ("tasks",),
    ("run",),
    ("cli",),
)
HEIGHT = {room: height for height, layer in enumerate(LAYERS) for room in layer}
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}


def room_of(module):
    return module.split(".")[1] if "." in module else ""


def is_type_checking(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) in (
        "TYPE_CHECKING",
        "typing.TYPE_CHECKING",
    )


def imports_of(path, for_types=False):
    """The modules of the package that a module imports, those inside of functions included."""
    found, nodes = set(), [ast.parse(path.read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if is_type_checking(node) and not for_types:
            continue
        nodes += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
    return {name for name in found if name in MODULES and name != "bert_keras"}


def test_every_room_has_its_layer():
    rooms = {room_of(module) for module in MODULES} - {""}
    assert rooms == set(HEIGHT)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_point_downwards(module):
    room = room_of(module)
    if not room:  # bert_keras/__init__.py names everything that is public
        return
    for imported in imports_of(MODULES[module], for_types=True):
        other = room_of(imported)
        assert other == room or HEIGHT[other] < HEIGHT[room], f"{module} imports {imported}"


def test_there_is_no_cycle():
    graph = {module: imports_of(path, for_types=True) for module, path in MODULES.items()}
    done, path = set(), []

    def visit(module):
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module in done:
            return
        path.append(module)
        for imported in graph[module]:
            visit(imported)
        path.pop()
        done.add(module)

    for module in graph:
        visit(module)


def test_a_task_knows_no_other_task():
    for module, path in MODULES.items():
        parts = module.split(".")
        if parts[:2] == ["bert_keras", "tasks"] and len(parts) > 3:
            for imported in imports_of(path, for_types=True):
                other = imported.split(".")
                if other[:2] == ["bert_keras", "tasks"] and len(other) > 3:
                    assert other[2] in (parts[2], "shared"), f"{module} imports {imported}"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_has_one_name(module):
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom | ast.Import):
            for alias in node.names:
                usual = {"numpy": "np", "tensorflow": "tf", "tensorflow_datasets": "tfds"}
                if alias.asname and alias.asname not in usual.values():
                    full = f"{node.module}.{alias.name}" if isinstance(node, ast.ImportFrom) else ""
                    assert full not in MODULES, f"{module} calls {full} {alias.asname}"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_library_module_knows_the_command_line(module):
    if room_of(module) == "cli":
        return
    source = MODULES[module].read_text(encoding="utf-8")
    tree = ast.parse(source)
    imported = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [getattr(node, "module", None) or node.names[0].name]
    }
    assert not any(name.split(".")[0] == "absl" for name in imported)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    if room_of(module) != "progress":
        printing = [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"]
        assert not printing, f"{module} prints in line {printing[0].lineno}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            flag = re.search(r"(?<![\w-])--[a-z]\w+", node.value)
            # Apache Beam's own options are flags.
            assert flag is None or module == "bert_keras.corpus.prepared", (
                f"{module}:{node.lineno} names the flag {flag[0]}"
            )
