"""The documentation site: ``make docs`` builds it with warnings as errors and runs its doctests."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "_ext"))

# Airflow writes its configuration where this points to; the settings shown are those of an installation without any.
os.environ["AIRFLOW_HOME"] = home = tempfile.mkdtemp(prefix="docs-airflow-")
atexit.register(shutil.rmtree, home, ignore_errors=True)
os.environ |= {"AIRFLOW__CORE__LOAD_EXAMPLES": "false", "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
for variable in [name for name in os.environ if name.startswith("APOGEE_LABELS_") or name == "SAS_BASE_DIR"]:
    del os.environ[variable]

from apogee_labels import __version__  # noqa: E402 - after the environment is as it has to be

project = "APOGEE labels"
author = "the contributors"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.doctest",
    "sphinx_click",
    "generated_tables",
]
exclude_patterns = ["_build", "_ext"]
root_doc = "index"
suppress_warnings = ["ref.python"]  # fields of several classes have one name: no link is made

html_theme = "furo"
html_title = f"{project} {release}"
html_show_copyright = False
html_static_path = ["_static"]

myst_heading_anchors = 3

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
napoleon_google_docstring = False
napoleon_use_rtype = False

doctest_test_doctest_blocks = ""  # only what is marked {doctest}; docstrings are tested where pytest says so
