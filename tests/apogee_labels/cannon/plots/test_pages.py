"""The folder of plots: complete, small, without network, the same bytes every time, and drawn by a browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.noise.repeatability import repeat_differences
from apogee_labels.cannon.plots import write_plots
from apogee_labels.cannon.vectorizer import PolynomialVectorizer
from tests.support.required import require

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

NAMES = ["theta", "scatter", "one-to-one", "chi-square", "error-snr"]


def test_each_plot_has_its_page_and_the_index_has_all(validated: CannonModel, tmp_path: Path) -> None:
    written = write_plots(validated, tmp_path / "plots")
    assert written == {name: tmp_path / "plots" / f"{name}.html" for name in [*NAMES, "index"]}
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {
        *(path.name for path in written.values()),
        "plotly.min.js",
    }
    index = written["index"].read_text()
    for name in NAMES:
        page = written[name].read_text()
        drawing = f'<div id="{name}" class="plotly-graph-div"'
        assert drawing in page
        assert drawing in index
        assert f'href="{name}.html"' in index
        (caption,) = re.findall("<figcaption>(.*?) <a", page)
        assert caption.endswith(".")
        assert caption in index


def test_pages_need_no_network_and_stay_small(validated: CannonModel, tmp_path: Path) -> None:
    for path in write_plots(validated, tmp_path).values():
        page = path.read_text()
        assert re.findall(r'src="([^"]*)"', page) == ["plotly.min.js"]
        assert "//" not in page.replace("</", ""), "neither an address nor one without its scheme"
        assert path.stat().st_size < 300_000


def test_a_second_call_writes_the_same_bytes(validated: CannonModel, tmp_path: Path) -> None:
    first = {name: path.read_bytes() for name, path in write_plots(validated, tmp_path).items()}
    script = (tmp_path / "plotly.min.js").stat()
    second = {name: path.read_bytes() for name, path in write_plots(validated, tmp_path).items()}
    assert first == second
    assert (tmp_path / "plotly.min.js").stat().st_mtime_ns == script.st_mtime_ns


def test_a_script_of_another_version_is_replaced(validated: CannonModel, tmp_path: Path) -> None:
    (tmp_path / "plotly.min.js").write_text("old")
    write_plots(validated, tmp_path)
    assert (tmp_path / "plotly.min.js").stat().st_size > 1_000_000


def test_without_validation_the_index_says_what_is_missing(
    bare: CannonModel, validated: CannonModel, tmp_path: Path
) -> None:
    write_plots(validated, tmp_path)
    written = write_plots(bare, tmp_path)
    assert [*written] == ["theta", "scatter", "index"]
    assert {path.name for path in tmp_path.glob("*.html")} == {"theta.html", "scatter.html", "index.html"}
    index = written["index"].read_text()
    for name in NAMES[2:]:
        assert f"<b>{name}.html</b> is missing. " in index
    assert index.count("train with validation") == 3


def test_repeats_reach_the_plot_of_errors(validated: CannonModel, tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    repeats = repeat_differences(rng.normal(size=(60, 3)), np.ones((60, 3)), np.full(60, 50.0), np.arange(60) // 2)
    assert "single visits" in write_plots(validated, tmp_path, repeats)["error-snr"].read_text()
    assert "single visits" not in write_plots(validated, tmp_path)["error-snr"].read_text()


def test_names_of_labels_run_nothing(bare: CannonModel, tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)></script>"
    vectorizer = PolynomialVectorizer((evil,), 1, np.zeros(1), np.ones(1))
    theta, labels = bare.theta[:, :2], bare.training_labels[:, :1]
    model = CannonModel(bare.wavelength, vectorizer, theta, bare.s2, labels)
    for path in write_plots(model, tmp_path).values():
        assert "<img" not in path.read_text()


@pytest.fixture
def browser() -> Iterator[Chrome]:
    """A browser without a window and without network."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    require(binary and driver, "no chromium with its driver: apt-get install chromium chromium-driver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(binary)
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(driver)))
    yield window
    window.quit()


@pytest.mark.slow
def test_a_browser_draws_all_plots_without_a_complaint(validated: CannonModel, tmp_path: Path, browser: Chrome) -> None:
    written = write_plots(validated, tmp_path)
    browser.get(written["index"].as_uri())
    drawn = "return document.getElementById(arguments[0]).querySelectorAll('.scatterlayer .trace, .bars').length"
    assert [browser.execute_script(drawn, name) for name in NAMES] == [4, 2, 6, 2, 9]
    assert browser.get_log("browser") == []
