"""Wait for apStar files: those of a night, of a list, of a folder, or that of one star."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowSkipException

from apogee_airflow.observing_night import night_end, observing_mjd
from apogee_airflow.outcomes import bad_input_skips, set_label
from apogee_airflow.templated import Templated, is_on

if TYPE_CHECKING:
    from airflow.sdk import Context

    from apogee_labels.pipeline.nights.night import NightLook
    from apogee_labels.pipeline.workspace import Workspace

DEFERRAL_MARGIN = timedelta(hours=1)
"""The triggerer's own time limit lies this much after the sensor's deadline, which normally ends the wait."""
log = logging.getLogger(__name__)
LONGEST_LIST = 1000
"""Files that a trigger may be asked to look at, each with a ``stat``, again and again."""


class ApStarSensor(BaseSensorOperator):
    """Wait, without a worker slot, until apStar files have come and settled, or until an absolute deadline.

    For a night, a list or a folder it neither fails nor skips the run: what has not come is no error, and a night without
    files is a clean no-op.  The worker looks at the archive or the folder, and between two looks a timer runs in the
    triggerer, where nothing walks a tree.  For a list, or one star, the triggerer looks at their paths.  A star that does
    not come is skipped, with that reason as its label.

    Parameters
    ----------
    telescope
        Wait for the files of the run's night at this telescope (templated).
    star
        Or wait for the file of the star with these keys, as :class:`FetchApStarOperator` takes them (templated).
    paths
        Or wait until all of these files are here (templated).
    folder
        Or wait until this folder holds apStar files whose content is not on record yet (templated).
    wait
        How long: after the end of the night, or after the first look (hours, templated).
    settle_time
        Seconds for which no file of the night, the list, the folder, or not the star's, must have changed (templated).
    use_remote
        A star that is not here is looked for at the remote archive, and not waited for when it is there (templated).

    Returns
    -------
    dict
        Why the wait ended (``because``), and of a night its ``mjd``, the number of ``files``, and the moment since which the
        archive was scanned for it, of a list or a folder the
        number of ``files`` and which are ``missing``, of a star its name.
    """

    template_fields: Sequence[str] = ("telescope", "star", "paths", "folder", "wait", "settle_time", "use_remote")
    ui_color = "#fcf3cf"

    def __init__(
        self,
        *,
        telescope: Templated = None,
        star: Templated = None,
        paths: Templated = None,
        folder: Templated = None,
        wait: Templated = 12.0,
        settle_time: Templated = 600.0,
        use_remote: Templated = False,
        poke_interval: float = 300.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        if sum(what is not None for what in (telescope, star, paths, folder)) != 1:
            raise ValueError(
                "ApStarSensor waits for a night (telescope=...), a star (star={...}), files (paths=[...]) or a folder "
                "(folder=...): give one of them."
            )
        self.telescope = telescope
        self.star = star
        self.paths = paths
        self.folder = folder
        self.wait = wait
        self.settle_time = settle_time
        self.use_remote = use_remote

    def execute(self, context: Context) -> dict[str, Any]:
        """Look once; defer only if there is something to wait for."""
        if self.star is not None:
            return self.look_at_star(context)
        if self.paths is not None:
            return self._look_at_list(list(self.paths))
        if self.folder is not None:
            return self.look_at_folder(context)
        return self.look_at_night(context)

    # -- a night -------------------------------------------------------------------------------------------------------

    def look_at_night(
        self, context: Context, event: Any = None, seen: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Scan, and end the wait or sleep until the next look.

        Parameters
        ----------
        seen
            Which contents the last look saw (``contents``), and since when nothing else was seen (``since``).
        """
        from apogee_labels.pipeline.nights.night import look_at_night
        from apogee_labels.pipeline.workspace import Workspace

        telescope = str(self.telescope)
        mjd = observing_mjd(context, telescope)
        asked = datetime.now(UTC)
        with Workspace.open() as workspace:
            look = look_at_night(workspace, telescope, mjd, settle_time=float(self.settle_time))
            expected = _all_are_here(workspace, telescope, mjd)
        now = datetime.now(UTC)
        deadline = night_end(telescope, mjd) + timedelta(hours=float(self.wait))
        changed = _last_change(look, seen, now)
        reason = self._why_end(look, now, deadline, changed, expected)
        if reason is None:
            seen = {"contents": look.contents, "since": changed.isoformat()}
            self._sleep("look_at_night", deadline, now, seen=seen)
        self.log.info("%s, MJD %d: %d files, waiting ends: %s", telescope, mjd, look.n_files, reason)
        return {"mjd": mjd, "files": look.n_files, "because": reason, "scanned_since": asked.isoformat()}

    def _why_end(
        self, look: NightLook, now: datetime, deadline: datetime, changed: datetime, expected: int | None
    ) -> str | None:
        if now >= deadline:
            return f"the deadline was {deadline.isoformat(timespec='seconds')}"
        if look.n_writing:
            return None
        if expected:
            return f"all of {expected} expected files are here"
        # A time stamp of the future is a clock's that is ahead: what counts is that it is not of just now.
        if look.newest and (quiet := abs((now - changed).total_seconds())) >= float(self.settle_time):
            return f"the files have come and were quiet for {quiet:.0f} s"
        return None

    # -- a star --------------------------------------------------------------------------------------------------------

    def look_at_star(self, context: Context, event: Any = None, until: str | None = None) -> dict[str, Any]:
        """Look for a star's file here, and at the remote archive if that is asked; defer if it may still come."""
        from apogee_airflow.triggers.files import FilesSettledTrigger
        from apogee_labels.pipeline.ingest.fetch import is_at_remote, local_path
        from apogee_labels.pipeline.workspace import Workspace

        set_label(context, self.star_name)
        remote, now = is_on(self.use_remote), datetime.now(UTC)
        deadline = datetime.fromisoformat(until) if until else now + timedelta(hours=float(self.wait))
        with Workspace.open() as workspace, bad_input_skips(context, self.star_name):
            path = str(local_path(workspace, self.star or {}))
            trigger = FilesSettledTrigger([path], deadline.isoformat(), float(self.settle_time), self.poke_interval)
            if trigger.settled():
                return self.star_settled(context, {"settled": True})
            if remote and (now >= deadline or is_at_remote(workspace, self.star or {})):
                return {"star": self.star_name, "because": "it is fetched, not waited for"}
        if now >= deadline:
            return self.star_settled(context, {"settled": False})
        if remote:
            self._sleep("look_at_star", deadline, now, until=deadline.isoformat())
        return self.defer(trigger=trigger, method_name="star_settled", timeout=deadline - now + DEFERRAL_MARGIN)

    @property
    def star_name(self) -> str:
        """The star, as people see it in the grid."""
        return str((self.star or {}).get("obj") or "star")

    def star_settled(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        """Go on, or skip a star that did not come."""
        set_label(context, self.star_name)
        if not event["settled"]:
            set_label(context, f"{self.star_name}: did not come")
            raise AirflowSkipException(
                f"{self.star_name}: no file in the archive after {self.wait} h; "
                "fetch it with use_remote, or wait longer with wait_hours"
            )
        return {"star": self.star_name, "because": "its file is here"}

    # -- a list --------------------------------------------------------------------------------------------------------

    def _look_at_list(self, paths: list[str]) -> dict[str, Any]:
        from apogee_airflow.triggers.files import FilesSettledTrigger

        if len(paths) > LONGEST_LIST:
            raise ValueError(
                f"expected at most {LONGEST_LIST} paths to wait for, got {len(paths)}: wait for their night or folder."
            )
        wait = timedelta(hours=float(self.wait))
        deadline = (datetime.now(UTC) + wait).isoformat()
        trigger = FilesSettledTrigger(paths, deadline, float(self.settle_time), poll_interval=self.poke_interval)
        if not wait or trigger.settled():
            return self.list_settled(None, {})
        return self.defer(trigger=trigger, method_name="list_settled", timeout=wait + DEFERRAL_MARGIN)

    def list_settled(self, context: Context | None, event: Mapping[str, Any]) -> dict[str, Any]:
        """Say which files of the list are here, and which have not come."""
        from apogee_airflow.triggers.files import signature

        paths = list(self.paths)
        missing = [path for path in paths if signature(path) is None]
        because = f"{len(missing)} have not come in {self.wait} h" if missing else "all files of the list are here"
        self.log.info("%d of %d files are here, waiting ends: %s", len(paths) - len(missing), len(paths), because)
        for path in missing:
            self.log.warning("did not come: %s", path)
        return {"files": len(paths) - len(missing), "missing": missing, "because": because}

    # -- a folder ------------------------------------------------------------------------------------------------------

    def look_at_folder(self, context: Context, event: Any = None, until: str | None = None) -> dict[str, Any]:
        """Look into the folder, and end the wait or sleep until the next look."""
        from apogee_labels.pipeline.ingest.folder import look_at_folder
        from apogee_labels.pipeline.workspace import Workspace

        with Workspace.open() as workspace:
            look = look_at_folder(workspace, self.folder, settle_time=float(self.settle_time))
        now = datetime.now(UTC)
        deadline = datetime.fromisoformat(until) if until else now + timedelta(hours=float(self.wait))
        if look.new and not look.n_moving:
            because = f"{len(look.new)} new files have come and are quiet"
        elif now >= deadline:
            because = f"the deadline was {deadline.isoformat(timespec='seconds')}"
        else:
            self._sleep("look_at_folder", deadline, now, until=deadline.isoformat())
        self.log.info("%s: %d files, waiting ends: %s", self.folder, look.n_files, because)
        return {"files": look.n_files, "new": len(look.new), "because": because}

    def _sleep(self, method: str, deadline: datetime, now: datetime, **kwargs: Any) -> NoReturn:
        """Defer until the next look, which `method` takes with `kwargs`."""
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        self.defer(
            trigger=DateTimeTrigger(moment=min(now + timedelta(seconds=self.poke_interval), deadline)),
            method_name=method,
            kwargs=kwargs,
            timeout=deadline - datetime.now(UTC) + DEFERRAL_MARGIN,
        )


def _last_change(look: NightLook, seen: Mapping[str, str] | None, now: datetime) -> datetime:
    """When the night last changed: by time stamps, and by what the looks saw.

    A mirror that preserves times makes files of just now look old: what an earlier look did not see came after it.
    """
    stamped = look.newest or now
    if seen is None:
        return stamped
    since = datetime.fromisoformat(seen["since"]) if seen["contents"] == look.contents else now
    return max(stamped, since)


def _all_are_here(workspace: Workspace, telescope: str, mjd: int) -> int | None:
    """Return how many files the night should have by the visit summary, when they are all here; otherwise None."""
    from apogee_labels.apogee.tables.visit_summary import VisitSummaryError
    from apogee_labels.pipeline.ingest.expected import expected_files

    if workspace.settings.visit_summary is None:
        return None
    try:
        expected = expected_files(workspace, telescope, mjd)
    except (VisitSummaryError, OSError) as fault:
        log.warning("the visit summary does not help to wait: %s", fault)
        return None
    return len(expected.files) if expected.files and not expected.missing else None
