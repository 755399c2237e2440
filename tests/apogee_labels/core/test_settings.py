"""Settings: defaults that work, names that are checked, values that are typed."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from apogee_labels.core.settings import PREFIX, PROJECT_ROOT, REDUCTION_OF_RELEASE, SHIPPED_REGIONS, Settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting but the test's own."""
    for name in os.environ:
        if name.startswith((PREFIX, "SAS_")):
            monkeypatch.delenv(name)


def test_defaults_work_without_any_setting() -> None:
    settings = Settings()
    assert settings.data_dir == PROJECT_ROOT / "data"
    assert settings.sas_base_dir == settings.data_dir / "sas"
    assert settings.catalog_url == f"sqlite:///{settings.data_dir / 'catalog.db'}"
    assert settings.training_set == settings.data_dir / "training_set.pkl"
    assert settings.continuum_regions == SHIPPED_REGIONS
    assert SHIPPED_REGIONS.is_file()
    assert (settings.release, settings.apred) == ("dr17", "dr17")
    assert (settings.label_names, settings.order, settings.regularization) == (("TEFF", "LOGG", "FE_H"), 2, 0.0)
    assert (settings.model_name, settings.start_date) == ("giants", None)
    assert (settings.notify, settings.night_deadline_hours) == ((), 18.0), "nobody is written to unless asked for"


def test_each_setting_is_a_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = {
        "DATA_DIR": str(tmp_path), "RELEASE": "sdss5", "APRED": "1.2", "CATALOG_URL": "postgresql://h/db",
        "TRAINING_SET": "/t.npz", "CONTINUUM_REGIONS": "/r.txt", "LABEL_NAMES": "TEFF", "ORDER": "1",
        "REGULARIZATION": "1e3", "TRAINING_MEMORY_GB": "6.5", "MODEL_NAME": "dwarfs",
        "START_DATE": "2021-03-06", "REMOTE_BASE": "http://mirror",
        "VISIT_SUMMARY": "/sas/allVisit.fits", "REFERENCE_STARS": "/stars.txt",
        "NOTIFY": "night@example.org", "NIGHT_DEADLINE_HOURS": "20",
    }  # fmt: skip
    assert {name.lower() for name in given} | {"sas_base_dir"} == set(Settings.model_fields)
    for name, value in given.items():
        monkeypatch.setenv(PREFIX + name, value)
    monkeypatch.setenv("SAS_BASE_DIR", "/sas")
    assert Settings().model_dump() == {
        "data_dir": tmp_path, "sas_base_dir": Path("/sas"), "release": "sdss5", "apred": "1.2",
        "catalog_url": "postgresql://h/db", "training_set": Path("/t.npz"), "continuum_regions": Path("/r.txt"),
        "label_names": ("TEFF",), "order": 1, "regularization": 1000.0, "training_memory_gb": 6.5,
        "model_name": "dwarfs",
        "start_date": date(2021, 3, 6), "remote_base": "http://mirror",
        "visit_summary": Path("/sas/allVisit.fits"), "reference_stars": Path("/stars.txt"),
        "notify": ("night@example.org",), "night_deadline_hours": 20.0,
    }  # fmt: skip


def test_what_follows_from_other_settings_follows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(PREFIX + "DATA_DIR", str(tmp_path))
    settings = Settings()
    assert settings.sas_base_dir == tmp_path / "sas"
    assert settings.training_set.parent == tmp_path
    assert str(tmp_path) in settings.catalog_url
    for release, reduction in REDUCTION_OF_RELEASE.items():
        assert Settings(release=release).apred == reduction
    assert Settings(release="dr99").apred == "dr99"


def test_paths_are_absolute_whatever_folder_a_process_starts_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv(PREFIX + "DATA_DIR", "products")
    monkeypatch.setenv("SAS_BASE_DIR", "~/sas")
    settings = Settings()
    assert settings.data_dir == tmp_path / "products"
    assert settings.sas_base_dir == tmp_path / "home" / "sas"


@pytest.mark.parametrize(
    "text", ["TEFF,LOGG,FE_H", "TEFF LOGG  FE_H", '["TEFF", "LOGG", "FE_H"]', " TEFF, LOGG ,FE_H "]
)
def test_a_list_is_written_in_any_of_three_ways(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(PREFIX + "LABEL_NAMES", text)
    assert Settings().label_names == ("TEFF", "LOGG", "FE_H")


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker compose passes ``NAME=`` for what .env leaves out."""
    expected = Settings()
    for name in Settings.model_fields:
        monkeypatch.setenv("SAS_BASE_DIR" if name == "sas_base_dir" else PREFIX + name.upper(), "")
    assert Settings() == expected


@pytest.mark.parametrize(
    ("name", "hint"), [("LABELNAMES", "did you mean APOGEE_LABELS_LABEL_NAMES"), ("QQQ", "known are APRED, ")]
)
def test_a_misspelt_name_is_refused_with_a_hint(monkeypatch: pytest.MonkeyPatch, name: str, hint: str) -> None:
    monkeypatch.setenv(PREFIX + name, "x")
    with pytest.raises(ValidationError, match=hint):
        Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ORDER", "0"), ("ORDER", "5"), ("ORDER", "two"), ("REGULARIZATION", "-1"), ("REGULARIZATION", "nan"),
        ("REGULARIZATION", "inf"), ("RELEASE", "../dr17"), ("MODEL_NAME", "a/b"), ("LABEL_NAMES", "TEFF TEFF"),
        ("LABEL_NAMES", ","), ("LABEL_NAMES", '["TEFF"'), ("LABEL_NAMES", "[1, 2]"), ("START_DATE", "yesterday"),
        ("REMOTE_BASE", "ftp://x"), ("TRAINING_MEMORY_GB", "0"), ("TRAINING_MEMORY_GB", "all"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(ValidationError):
        Settings()


def test_a_name_of_before_is_an_error_with_the_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APOGEE_CANNON_LABEL_NAMES", "TEFF")
    with pytest.raises(ValidationError, match=r"since version 0\.6 its name is APOGEE_LABELS_LABEL_NAMES"):
        Settings()


def test_settings_do_not_change_and_take_no_unknown_argument() -> None:
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.order = 3
    with pytest.raises(ValidationError):
        Settings(oder=3)


def test_addresses_are_written_with_commas_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + "NOTIFY", "night@example.org, astronomer+apogee@obs.example, root@localhost")
    assert Settings().notify == ("night@example.org", "astronomer+apogee@obs.example", "root@localhost")
    for wrong in ("night", "night@example.org;@obs", "Night <night@example.org>"):
        monkeypatch.setenv(PREFIX + "NOTIFY", wrong)
        with pytest.raises(ValidationError, match="is not an e-mail address: expected"):
            Settings()
    monkeypatch.setenv(PREFIX + "NOTIFY", "")
    assert Settings().notify == ()
