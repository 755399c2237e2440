"""Wait for apStar files: those of a night, or that of one star."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowSkipException

from apogee_cannon.observing_night import night_end, observing_mjd
from apogee_cannon.outcomes import bad_input_skips, set_label
from apogee_cannon.templated import Templated

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.pipeline.night import NightLook

DEFERRAL_MARGIN = timedelta(hours=1)
"""The triggerer's own time limit lies this much after the sensor's deadline, which normally ends the wait."""


class ApStarSensor(BaseSensorOperator):
    """Wait, without a worker slot, until apStar files have come and settled, or until an absolute deadline.

    For a night it never fails nor skips the run: a night without files is a clean no-op.  The worker looks at the
    archive, and between two looks a timer runs in the triggerer, where nothing walks a tree.  For one star, the triggerer
    looks at the star's one path; a star that does not come is skipped, with that reason as its label.

    Parameters
    ----------
    telescope
        Wait for the files of the run's night at this telescope (templated).
    star
        Or wait for the file of the star with these keys, as :class:`FetchApStarOperator` takes them (templated).
    wait
        How long: after the end of the night, or after the first look for a star (hours, templated).
    settle_time
        Seconds for which no file of the night, or not the star's, must have changed (templated).
    use_remote
        A star that is to be fetched is not waited for (templated).
    """

    template_fields: Sequence[str] = ("telescope", "star", "wait", "settle_time", "use_remote")
    ui_color = "#fcf3cf"

    def __init__(
        self,
        *,
        telescope: Templated = None,
        star: Templated = None,
        wait: Templated = 12.0,
        settle_time: Templated = 600.0,
        use_remote: Templated = False,
        poke_interval: float = 300.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        if (telescope is None) == (star is None):
            raise ValueError(
                "ApStarSensor waits for a night (telescope=...) or for a star (star={...}): give one of them."
            )
        self.telescope = telescope
        self.star = star
        self.wait = wait
        self.settle_time = settle_time
        self.use_remote = use_remote

    def execute(self, context: Context) -> dict[str, Any]:
        """Look once; defer only if there is something to wait for."""
        if self.star is not None:
            return self._execute_star(context)
        return self.look_at_night(context)

    # -- a night -------------------------------------------------------------------------------------------------------

    def look_at_night(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Scan, and end the wait or sleep until the next look."""
        from include.pipeline.night import look_at_night
        from include.pipeline.workspace import Workspace

        telescope = str(self.telescope)
        mjd = observing_mjd(context, telescope)
        with Workspace.open() as workspace:
            look = look_at_night(workspace, telescope, mjd)
        now = datetime.now(UTC)
        deadline = night_end(telescope, mjd) + timedelta(hours=float(self.wait))
        reason = self._why_end(look, now, deadline)
        if reason is None:
            self._sleep_until(min(now + timedelta(seconds=self.poke_interval), deadline), deadline)
        self.log.info("%s, MJD %d: %d files, waiting ends: %s", telescope, mjd, look.n_files, reason)
        return {"mjd": mjd, "files": look.n_files, "because": reason}

    def _why_end(self, look: NightLook, now: datetime, deadline: datetime) -> str | None:
        if now >= deadline:
            return f"the deadline was {deadline.isoformat(timespec='seconds')}"
        # A time stamp of the future is a clock's that is ahead: what counts is that it is not of just now.
        if look.newest and (quiet := abs((now - look.newest).total_seconds())) >= float(self.settle_time):
            return f"the files have come and were quiet for {quiet:.0f} s"
        return None

    def _sleep_until(self, moment: datetime, deadline: datetime) -> None:
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        self.defer(
            trigger=DateTimeTrigger(moment=moment),
            method_name="look_at_night",
            timeout=deadline - datetime.now(UTC) + DEFERRAL_MARGIN,
        )

    # -- a star --------------------------------------------------------------------------------------------------------

    def _execute_star(self, context: Context) -> dict[str, Any]:
        from apogee_cannon.triggers.files import FilesSettledTrigger
        from include.pipeline.fetch import local_path
        from include.pipeline.workspace import Workspace

        if str(self.use_remote).lower() in ("true", "1"):
            set_label(context, str(self.star_name))
            return {"star": self.star_name, "because": "it is fetched, not waited for"}
        with Workspace.open() as workspace, bad_input_skips(context, self.star_name):
            path = str(local_path(workspace, self.star or {}))
        wait = timedelta(hours=float(self.wait))
        deadline = (datetime.now(UTC) + wait).isoformat()
        trigger = FilesSettledTrigger([path], deadline, float(self.settle_time), poll_interval=self.poke_interval)
        if trigger.settled():
            return self.star_settled(context, {"settled": True})
        if not wait:
            return self.star_settled(context, {"settled": False})
        return self.defer(trigger=trigger, method_name="star_settled", timeout=wait + DEFERRAL_MARGIN)

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
