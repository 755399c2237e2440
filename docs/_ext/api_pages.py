"""One page of the API a package: its own docstring, and that of each of its modules with what is public in it."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

PACKAGES = ("apogee_labels", "apogee_airflow")
LEFT_OUT = ("migrations", "example_dags", "__main__")
"""Modules that only a tool or Airflow runs."""


def write_pages(folder: Path) -> list[str]:
    """Write the pages and their list; return the names of the packages."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [name for package in PACKAGES for name in packages_below(package)]
    for name in names:
        _write(folder / f"{name}.rst", "\n".join(_page(name)))
    _write(folder / "index.rst", "\n".join(_index(names)))
    for path in folder.glob("*.rst"):
        if path.stem not in (*names, "index"):
            path.unlink()
    return names


def packages_below(name: str) -> Iterator[str]:
    """Yield a package and those in it, each before its own."""
    yield name
    for module in _modules(name):
        if module.ispkg:
            yield from packages_below(module.name)


def _modules(package: str) -> list[pkgutil.ModuleInfo]:
    found = pkgutil.iter_modules(import_module(package).__path__, f"{package}.")
    return [module for module in found if module.name.rpartition(".")[2] not in LEFT_OUT]


def _page(package: str) -> Iterator[str]:
    yield from _titled(package, "=")
    yield f".. automodule:: {package}\n   :members:\n   :ignore-module-all:\n"
    for module in _modules(package):
        if not module.ispkg:
            yield from _titled(module.name, "-")
            yield f".. automodule:: {module.name}\n   :members:\n   :ignore-module-all:\n   :show-inheritance:\n"


def _index(names: list[str]) -> Iterator[str]:
    yield from _titled("Packages", "=")
    yield "A page a package.  What a module's name does not tell, its first sentence does.\n"
    yield ".. toctree::\n"
    yield from (f"   {name}" for name in names)
    yield ""
    for name in names:
        yield from _titled(name, "-")
        yield f"{_summary(name)}\n"
        for module in _modules(name):
            if not module.ispkg:
                yield f"- :mod:`{module.name}`: {_summary(module.name)}"
        yield ""


def _summary(name: str) -> str:
    """Return a module's first sentence, as its docstring has it."""
    return " ".join((import_module(name).__doc__ or "").strip().split("\n\n")[0].split())


def _titled(text: str, line: str) -> tuple[str, str, str]:
    return text, line * len(text), ""


def _write(path: Path, text: str) -> None:
    """Leave a page alone that is the same, so that Sphinx does not read it again."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
