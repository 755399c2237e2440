"""The house keeps its shape: imports go one way, and nothing heavy is imported where everything is parsed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"numpy", "scipy", "astropy", "sdss_access", "sqlalchemy", "plotly", "matplotlib", "pandas"}
LAYERS = (
    {"pipeline"},
    {"cannon", "simulation"},
    {"apogee", "catalog"},
    {
        "identity",
        "code_version",
        "files",
        "progress",
        "checked_fits",
        "fits_sums",
        "thread_warnings",
        "settings",
        "errors",
        "explained_flag",
        "data",
    },
)
"""Packages and modules of include/, from the top: each may import what is beside or below it."""


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
    own = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for module in imported(ast.parse(path.read_text()), everywhere=True):
        top = module.split(".")[0]
        assert top not in {"airflow", "apogee_cannon", "plugins", "dags"}, f"{own} imports {module}"
        if top == "include" and module.count(".") and not own.endswith("include.__init__"):
            assert layer(own) <= layer(module), f"{own} imports {module}, which lies above it"


@pytest.mark.parametrize("path", [*sources("dags"), *sources("plugins")], ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_heavy_is_imported_when_dags_and_plugins_are_loaded(path: Path) -> None:
    modules = {module.split(".")[0] for module in imported(ast.parse(path.read_text()), everywhere=False)}
    assert not modules & HEAVY
    assert not modules & {"plugins", "dags"}, "a module that is loaded by two names is two modules"


def test_the_plugin_loader_sees_one_file() -> None:
    assert [path.name for path in (ROOT / "plugins").glob("*.py")] == ["apogee_cannon_plugin.py"]
    assert "apogee_cannon/" in (ROOT / "plugins" / ".airflowignore").read_text().splitlines()
