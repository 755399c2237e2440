"""The environment of Airflow's processes on one machine, with the reason for each setting that is not Airflow's default."""

from __future__ import annotations

import json
import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

from apogee_labels.core.files import atomic_write
from apogee_labels.core.settings import FORMER_PREFIX, PREFIX, PROJECT_ROOT

USER = "admin"
COMMAND = str(Path(sys.executable).with_name("apogee-labels"))
"""The command of this very Python environment."""

IS_CHECKOUT = (PROJECT_ROOT / "dags").is_dir()
PACKAGE = Path(__file__).resolve().parent
DAGS, CONFIG = (
    (PROJECT_ROOT / "dags", PROJECT_ROOT / "config")
    if IS_CHECKOUT
    else (PACKAGE.with_name("apogee_airflow") / "example_dags", PACKAGE / "config")
)
"""As they lie in a checkout, or as the wheel has them."""
DEFAULT_HOME = PROJECT_ROOT / ".airflow" if IS_CHECKOUT else Path.home() / "apogee-labels-airflow"
OWN = (PREFIX, FORMER_PREFIX, "SAS_")
"""How the variables begin that are a user's own settings."""


@dataclass(frozen=True)
class Installation:
    """One local Airflow: its home, its data, its port.

    Parameters
    ----------
    home
        AIRFLOW_HOME: database, logs, secrets.
    data_dir
        The project's products, catalogue and archive.
    port
        Port of the API server and the UI, on 127.0.0.1.
    """

    home: Path
    data_dir: Path
    port: int = 8080

    @property
    def url(self) -> str:
        """Where the UI is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def password(self) -> str:
        """The password of the user ``admin``: made at the first start, kept in a file that only its owner reads."""
        return self._secrets()["password"]

    def environment(self, *, own_settings: bool = False, **settings: str) -> dict[str, str]:
        """Return the whole environment of a process; `settings` are project settings by their names without prefix.

        Settings of the caller's environment do not leak in unless they are asked for (`own_settings`): a synthetic archive
        must never be written into a real one that SAS_BASE_DIR happens to name.
        """
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", *OWN))}
        # Every task is a new process: without the compiled files each would compile the project's modules again (50 ms).
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        project = {
            "SAS_BASE_DIR": str(self.data_dir / "sas"),
            f"{PREFIX}DATA_DIR": str(self.data_dir),
            **{PREFIX + name.upper(): value for name, value in settings.items()},
        }
        own = {key: value for key, value in os.environ.items() if key.startswith(OWN)}
        return kept | self._airflow() | project | (own if own_settings else {})

    def _airflow(self) -> dict[str, str]:
        secret = self._secrets()
        return {
            "AIRFLOW_HOME": str(self.home),
            # What Airflow looks for in $AIRFLOW_HOME/config: the module that preloads the science stack.
            "PYTHONPATH": str(CONFIG),
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str((PROJECT_ROOT if IS_CHECKOUT else self.home) / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            # Two tasks a core: more than four gave nothing, and SQLite has one writer.
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home / 'airflow.db'}",
            # Loopback only; the tasks find the API by the same address.
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin,watcher:viewer",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home / "passwords.json"),
            "AIRFLOW__API_AUTH__JWT_SECRET": secret["jwt"],
            "AIRFLOW__API__SECRET_KEY": secret["session"],
            "AIRFLOW__CORE__FERNET_KEY": secret["fernet"],
            # A finished task is noticed at the next heartbeat: short tasks would wait for most of their time ...
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            # ... and a busy API server must not cost a task its life after three of them.
            "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "60",
            # A file is one task on one processor: threads of the linear algebra would compete with the other tasks.
            "OMP_NUM_THREADS": "1",
            # A DAG file is looked at again after this many seconds.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
        }

    def _secrets(self) -> dict[str, str]:
        path = self.home / "secrets.json"
        if not path.exists():
            self.home.mkdir(parents=True, exist_ok=True)
            made = {name: secrets.token_urlsafe(32) for name in ("jwt", "session")}
            made |= {"password": secrets.token_urlsafe(9), "watcher": secrets.token_urlsafe(9), "fernet": _fernet_key()}
            _write_private(self.home / "passwords.json", {USER: made["password"], "watcher": made["watcher"]})
            _write_private(path, made)  # the last: it says that both are there
        secret: dict[str, str] = json.loads(path.read_text())
        return secret


def _fernet_key() -> str:
    import base64

    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _write_private(path: Path, content: dict[str, str]) -> None:
    with atomic_write(path, mode=0o600) as temporary:
        temporary.write_text(json.dumps(content))
