"""``make`` on a bare machine: the environment is made, repaired and left alone when it should be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.checkout import Checkout, bare_checkout, with_uv
from tests.support.required import require


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    require(shutil.which("make"), "make is not installed")
    return bare_checkout(tmp_path)


@pytest.fixture
def quick(checkout: Checkout) -> Checkout:
    return with_uv(checkout)


def test_run_makes_the_environment_with_pip_in_a_folder_with_spaces(checkout: Checkout) -> None:
    run = checkout.make("run")
    assert run.returncode == 0, run.stderr
    assert "venv and pip" in run.stderr
    assert f"{checkout.folder}/.venv/lib" in run.stdout, "the command of this environment was run"


def test_second_run_needs_neither_python_nor_installer(quick: Checkout) -> None:
    assert quick.make("run").returncode == 0
    quick.program("uv", "exit 1")
    quick.program("python3", "exit 1")
    again = quick.make("run")
    assert (again.returncode, again.stderr) == (0, "")


def test_test_adds_to_the_environment_of_run(quick: Checkout) -> None:
    quick.make("run")
    mark = quick.folder / ".venv" / "mark"
    mark.touch()
    quick.make("test")  # fails for want of pytest, after the installation
    assert mark.exists()
    assert [call.split()[-4:] for call in quick.installations()][-1] == [
        "-r",
        "requirements.txt",
        "-r",
        "requirements-dev.txt",
    ]


@pytest.mark.parametrize("trouble", ["lock", "interrupted", "python", "moved"])
def test_environment_that_does_not_agree_is_made_anew(quick: Checkout, trouble: str) -> None:
    quick.make("run")
    mark = quick.folder / ".venv" / "mark"
    mark.touch()
    match trouble:
        case "lock":
            (quick.folder / "requirements.txt").write_text("# something else\n")
        case "interrupted":
            (quick.folder / ".venv" / ".installed").unlink()
        case "python":
            (quick.folder / ".venv" / "bin" / "python").unlink()
        case "moved":
            quick = Checkout(quick.folder.rename(quick.folder.with_name("elsewhere")), quick.bin)
    run = quick.make("run")
    assert run.returncode == 0, run.stderr
    assert not (quick.folder / ".venv" / "mark").exists()
    assert len(quick.installations()) == 2
    assert f"{quick.folder}/.venv/lib" in run.stdout


def test_project_alone_is_installed_again_when_only_its_description_differs(quick: Checkout) -> None:
    quick.make("test")
    (quick.folder / ".venv" / "mark").touch()
    (quick.folder / "pyproject.toml").write_text("# something else\n")
    for target in ("run", "test"):
        quick.make(target)
    assert (quick.folder / ".venv" / "mark").exists()
    log = (quick.bin / "uv.log").read_text().splitlines()
    assert [call.split()[-4:] for call in log[2:3]] == [["--no-deps", "--no-build-isolation", "--editable", "."]]


def test_installation_that_fails_is_not_taken_for_done(quick: Checkout) -> None:
    quick.program("uv", 'case "$1" in venv) exec python3 -m venv --without-pip .venv ;; pip) exit 2 ;; esac')
    failed = quick.make("run")
    assert failed.returncode != 0
    assert "needs the network" in failed.stderr
    assert with_uv(quick).make("run").returncode == 0


def test_addition_that_fails_leaves_nothing_to_trust(quick: Checkout) -> None:
    quick.make("run")
    quick.program("uv", 'case "$1" in pip) exit 2 ;; esac')
    assert quick.make("test").returncode != 0
    with_uv(quick).make("run")
    assert len(quick.installations()) == 2


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (
            '[ "$1" = --version ] && echo Python 3.9.18 || exit 1',
            "Python 3.11, 3.12 or 3.13 is needed; python3 is: Python 3.9.18",
        ),
        ("exit 127", "python3 is: none"),
        ('case "$2" in *ensurepip*) exit 1;; esac', "python3 cannot make a virtual environment"),
    ],
    ids=["old", "none", "no-venv"],
)
def test_unfit_python_is_named_in_a_sentence(checkout: Checkout, script: str, sentence: str) -> None:
    checkout.program("python3", script)
    run = checkout.make("run")
    assert run.returncode != 0
    assert sentence in run.stderr
    assert not (checkout.folder / ".venv").exists()


def test_python_can_be_named(quick: Checkout) -> None:
    (quick.bin / "python3").rename(quick.bin / "a python")
    quick.program("python3", "exit 1")
    with_uv(quick, 'exec "$5" -m venv --without-pip .venv')
    run = quick.make("run", f"PYTHON={quick.bin}/a python")
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("home", ["", "/nonexistent/home"])
def test_broken_home_is_replaced_and_said(quick: Checkout, home: str) -> None:
    run = quick.make("run", HOME=home)
    assert run.returncode == 0, run.stderr
    assert "HOME is not a writable folder" in run.stderr
    assert f"HOME {quick.folder}/.airflow/home" in run.stdout


def test_packages_of_the_user_do_not_shadow_the_lock(quick: Checkout) -> None:
    assert "/elsewhere" not in quick.make("run", PYTHONPATH="/elsewhere").stdout


def test_clean_removes_what_was_made_and_nothing_else(quick: Checkout, tmp_path: Path) -> None:
    outside = tmp_path / "archive"
    outside.mkdir()
    (outside / "star.fits").touch()
    quick.make("run")
    (quick.folder / "logs").symlink_to(outside)
    (quick.folder / "data").mkdir()
    cleaned = quick.make("clean")
    assert cleaned.returncode == 0, cleaned.stderr
    assert not (quick.folder / ".venv").exists()
    assert not (quick.folder / "logs").exists()
    assert (outside / "star.fits").exists()
    assert "data/ stays" in cleaned.stdout
    (quick.folder / "data" / ".made-by-make-run").touch()
    quick.make("clean")
    assert not (quick.folder / "data").exists()


def test_help_is_the_default_and_lists_every_target(checkout: Checkout) -> None:
    listed = [line.split()[1] for line in checkout.make().stdout.splitlines()]
    makefile = (checkout.folder / "Makefile").read_text()
    phony = next(line for line in makefile.splitlines() if line.startswith(".PHONY:"))
    assert listed == phony.split()[1:]
