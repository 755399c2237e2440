"""The documentation site: it builds without a warning, its examples run, and what it has to list is listed."""

from __future__ import annotations

import html
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.required import require

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
LONGEST_README = 150
SPHINX = ("sphinx", "furo", "myst_parser", "sphinx_click")


def sphinx(builder: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Build the site; the second builder finds what the first one has read."""
    command = ["-q", "-W", "--keep-going", "-b", builder, "-d", f"{folder}/doctrees", str(DOCS), f"{folder}/{builder}"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return subprocess.run(
        [sys.executable, "-m", "sphinx", *command], cwd=ROOT, env=kept, capture_output=True, text=True, timeout=900
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    missing = [name for name in SPHINX if importlib.util.find_spec(name) is None]
    require(not missing, f"not installed: {', '.join(missing)} (make docs installs them)")
    folder = tmp_path_factory.mktemp("site")
    built = sphinx("html", folder)
    assert built.returncode == 0, built.stderr[-4000:]
    return folder


def page(site: Path, name: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", (site / "html" / f"{name}.html").read_text(encoding="utf-8")))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_examples_of_the_pages_run(site: Path) -> None:
    done = sphinx("doctest", site)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    counted = re.search(r"(\d+) tests\s+(\d+) failures", (site / "doctest" / "output.txt").read_text())
    assert counted
    assert int(counted[1]) >= 20, "the pages have lost their examples"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_setting_is_on_its_page(site: Path) -> None:
    from apogee_labels.core.settings import PREFIX, Settings

    wanted = {"SAS_BASE_DIR"} | {PREFIX + name.upper() for name in Settings.model_fields if name != "sas_base_dir"}
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    wanted |= set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", example, re.MULTILINE))
    text = page(site, "settings")
    assert sorted(name for name in wanted if not re.search(rf"\b{name}\b", text)) == []


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_column_of_the_catalogue_and_of_a_table_of_labels_is_on_its_page(site: Path) -> None:
    from apogee_labels.catalog.db.schema import metadata
    from apogee_labels.fits.tables import FIT, STAR, label_columns

    text = page(site, "data_model")
    columns = {column.name for table in metadata.tables.values() for column in table.columns} | set(metadata.tables)
    columns |= {spec.name for spec in (*STAR, *FIT, *label_columns("TEFF"))}
    columns |= {"NORMID", "MODELFMT", "CONTENT", "INPUTS", "STARFLAG", "ROW", "OFFSET"}
    assert sorted(name for name in columns if not re.search(rf"\b{name}\b", text)) == []


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_param_of_every_dag_is_on_a_page(site: Path) -> None:
    text = "\n".join(page(site, name) for name in ("tutorial", "nights", "models", "training_sets", "operating"))
    forms = set(re.findall(r"^```\{dag-form\} (\w+)", _sources(), re.MULTILINE))
    dags = {path.stem for path in (ROOT / "dags").glob("*.py")} - {"apogee_nightly"} | {"apogee_nightly_apo25m"}
    assert forms == dags
    for word in ("reprocess", "regularization_path", "answer_days", "superseded_days", "batch_size", "least_share"):
        assert re.search(rf"\b{word}\b", text), word


def _sources() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md")))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_package_has_a_page(site: Path) -> None:
    for package in ("apogee_labels", "apogee_airflow"):
        (found,) = importlib.util.find_spec(package).submodule_search_locations  # type: ignore[union-attr]
        for path in Path(found).rglob("__init__.py"):
            parts = path.parent.relative_to(Path(found).parent).parts
            if "migrations" not in parts and "example_dags" not in parts:
                assert (site / "html" / "_api" / f"{'.'.join(parts)}.html").exists(), parts


def test_readme_is_read_in_one_sitting() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= LONGEST_README


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", (ROOT / name).read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), target


def test_changelog_has_this_version() -> None:
    from apogee_labels import __version__

    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", text, re.MULTILINE)
    assert "## [Unreleased]" in text
    assert __version__ in versions
    assert versions == sorted(versions, key=lambda version: [int(part) for part in version.split(".")], reverse=True)
    cited = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    assert cited
    assert cited[1] == versions[0]
