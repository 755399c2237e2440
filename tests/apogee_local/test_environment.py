"""The environment of a local Airflow: its own, private, on this machine alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from apogee_labels.core.settings import Settings
from apogee_local.environment import Installation


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "home", tmp_path / "data", 8090)


def test_secrets_are_made_once_and_only_their_owner_reads_them(installation: Installation) -> None:
    first = installation.environment()
    again = Installation(installation.home, installation.data_dir, installation.port)
    assert again.environment() == first
    assert again.password == installation.password
    for name in ("secrets.json", "passwords.json"):
        assert (installation.home / name).stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in installation.home.iterdir()) == ["passwords.json", "secrets.json"]


def test_secrets_are_each_another(installation: Installation, tmp_path: Path) -> None:
    names = ["AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__API__SECRET_KEY", "AIRFLOW__CORE__FERNET_KEY"]
    other = Installation(tmp_path / "other", tmp_path / "data")
    secrets = [each.environment()[name] for each in (installation, other) for name in names]
    secrets += [installation.password, other.password]
    assert len(set(secrets)) == len(secrets)
    assert min(map(len, secrets)) >= 12


def test_the_passwords_that_airflow_reads_are_those_that_are_shown(installation: Installation) -> None:
    environment = installation.environment()
    passwords = json.loads(Path(environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]).read_text())
    users = environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"]
    assert {user.partition(":")[0] for user in users.split(",")} == set(passwords)
    assert passwords["admin"] == installation.password


def test_an_interrupted_first_start_is_made_good_by_the_next(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file without the other would be an Airflow that nobody can log in to."""
    from apogee_local import environment

    write, written = environment._write_private, list[Path]()

    def fail_at_the_second(path: Path, content: dict[str, str]) -> None:
        written.append(path)
        if len(written) == 2:
            raise OSError("no space left")
        write(path, content)

    monkeypatch.setattr(environment, "_write_private", fail_at_the_second)
    with pytest.raises(OSError, match="space"):
        installation.environment()
    monkeypatch.undo()
    installation.environment()
    passwords = json.loads((installation.home / "passwords.json").read_text())
    assert passwords["admin"] == installation.password


def test_the_caller_s_settings_do_not_leak_in(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A synthetic archive must never be written into a real one."""
    foreign = {
        "SAS_BASE_DIR": "/real/sas", "SAS_ROOT": "/real",
        "APOGEE_LABELS_CATALOG_URL": "postgresql://real", "APOGEE_LABELS_ORDER": "3",
        "APOGEE_LABELS_TRAINING_SET": "/real/set.pkl", "AIRFLOW_HOME": "/real/home", "AIRFLOW__API__PORT": "1",
        "AIRFLOW_CONN_X": "real",
    }  # fmt: skip
    for name, value in foreign.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SOMETHING_ELSE", "stays")
    environment = installation.environment()
    assert not environment.items() & foreign.items()
    assert "APOGEE_LABELS_ORDER" not in environment
    assert environment["AIRFLOW__API__PORT"] == "8090"
    assert environment["SOMETHING_ELSE"] == "stays"


def test_tasks_find_the_project_compiled(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert "PYTHONDONTWRITEBYTECODE" not in installation.environment()


def test_the_project_s_settings_follow_the_installation(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = installation.environment(model_name="dwarfs", start_date="2021-03-06")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.data_dir == installation.data_dir
    assert settings.sas_base_dir == installation.data_dir / "sas"
    assert (settings.model_name, str(settings.start_date)) == ("dwarfs", "2021-03-06")


def test_it_listens_on_loopback_alone(installation: Installation) -> None:
    environment = installation.environment()
    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"
    for name in ("AIRFLOW__API__BASE_URL", "AIRFLOW__CORE__EXECUTION_API_SERVER_URL"):
        assert environment[name].startswith("http://127.0.0.1:8090")
    assert installation.url == "http://127.0.0.1:8090"
    assert not [value for value in environment.values() if "0.0.0.0" in value]  # noqa: S104 - it is what must not be


def test_everything_of_airflow_s_is_below_its_home(installation: Installation) -> None:
    environment = installation.environment()
    assert environment["AIRFLOW_HOME"] == str(installation.home)
    assert environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == f"sqlite:///{installation.home / 'airflow.db'}"
