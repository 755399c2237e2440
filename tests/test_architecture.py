"""The house keeps its shape: imports go one way, and nothing heavy is imported where everything is parsed."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"numpy", "scipy", "astropy", "sdss_access", "sqlalchemy", "plotly", "matplotlib", "pandas"}
LAYERS = ({"cli", "pipeline"}, {"cannon", "simulation"}, {"apogee", "catalog"}, {"fits"}, {"core"})
"""Packages of include/apogee_labels, from the top: each may import what is beside or below it."""
MOST_MODULES = 15
"""Of one folder, so that a newcomer reads its listing at a glance."""


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imported(tree: ast.AST, *, everywhere: bool) -> Iterator[str]:
    """Names of the modules that a file imports: everywhere in it, or when it is loaded."""
    for node in ast.walk(tree) if everywhere else at_load(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield node.module or ""


def at_load(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when a module is imported: not the bodies of functions, nor what only a type checker reads."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from at_load(child)


def layer(module: str) -> int:
    name = module.split(".")[1]
    return next(height for height, names in enumerate(LAYERS) if name in names)


@pytest.mark.parametrize("path", sources("include"), ids=lambda path: str(path.relative_to(ROOT)))
def test_include_imports_downwards_and_no_airflow(path: Path) -> None:
    own = ".".join(path.relative_to(ROOT / "include").with_suffix("").parts)
    for module in imported(ast.parse(path.read_text()), everywhere=True):
        top = module.split(".")[0]
        assert top not in {"airflow", "apogee_airflow", "apogee_local", "plugins", "dags"}, f"{own} imports {module}"
        if top == "apogee_labels" and module.count("."):
            assert layer(own) <= layer(module), f"{own} imports {module}, which lies above it"


@pytest.mark.parametrize("path", [*sources("dags"), *sources("plugins")], ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_heavy_is_imported_when_dags_and_plugins_are_loaded(path: Path) -> None:
    modules = {module.split(".")[0] for module in imported(ast.parse(path.read_text()), everywhere=False)}
    assert not modules & HEAVY
    assert not modules & {"plugins", "dags"}, "a module that is loaded by two names is two modules"


def test_the_plugin_loader_sees_one_file() -> None:
    assert [path.name for path in (ROOT / "plugins").glob("*.py")] == ["apogee_labels_plugin.py"]
    assert "apogee_airflow/" in (ROOT / "plugins" / ".airflowignore").read_text().splitlines()


def test_no_folder_holds_more_modules_than_one_reads_at_a_glance() -> None:
    rooms = Counter(path.parent for folder in ("dags", "include", "plugins", "tools") for path in sources(folder))
    crowded = {
        str(room.relative_to(ROOT)): n for room, n in rooms.items() if n > MOST_MODULES and room.name != "versions"
    }
    assert not crowded
