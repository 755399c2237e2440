"""The story of a month at an observatory: what comes when, and what goes wrong meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from apogee_labels.apogee.archive.nights import OBSERVATORIES
from apogee_labels.simulation.damage import Damage
from tests.support import month_audit
from tests.support.airflow_month import DAGS, Nightly
from tests.support.observatory import Content, GrowingFile, Observatory, choose_plates

APO, LCO = "apo25m", "lco25m"
NIGHTS = range(58043, 58064)
"""Twenty nights of the log in a row, and one among them on which nobody observed."""
FIRST, SECOND = NIGHTS[:11], NIGHTS[11:]
LATE = 58045
"""Its files come after its run."""
GROWING = 58051
SOUTHERN = range(58052, 58058)
"""Nights at LCO, whose backfill runs at the same time."""
STARS_A_PLATE = 2
Sighting = tuple[Any, dict[str, Any]]


def recent_nights() -> list[int]:
    """The last three nights at APO that have ended: those that the scheduler catches up with."""
    today = OBSERVATORIES[APO].mjd(datetime.now(UTC))
    return list(range(today - 3, today))


def observatory_of(make_nights: ModuleType, root: Path, recent: list[int]) -> Observatory:
    """The telescopes with the plates of the real nights, and some more that are observed on recent ones.

    On the first recent night two fields, of which one is seen again on the third; on the second another one.
    """
    log = make_nights.plates()
    plates = choose_plates(log, NIGHTS, {APO: 2, LCO: 1})
    used = {plate["location"] for plate in plates}
    other = {plate["location"]: plate for plate in log if plate["location"] not in used and plate["dec"] > 0}
    seen_again, once, between = [recent[0], recent[2]], recent[:1], recent[1:2]
    plates += [
        {**plate, "mjds": mjds} for plate, mjds in zip(other.values(), (seen_again, once, between), strict=False)
    ]
    return Observatory(make_nights, root, plates, STARS_A_PLATE)


@dataclass
class Month:
    """The cast, and which file has which fate; :meth:`live` is the story."""

    observatory: Observatory
    recent: list[int]
    model: str
    growing: GrowingFile = field(init=False)
    late_star: Sighting = field(init=False)
    fates: dict[str, Content] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    """What was seen on the way."""

    def prepare(self) -> None:
        """Write what is there before anybody looks."""
        here = self.observatory
        written = here.reduce(APO, [mjd for mjd in FIRST[:8] if mjd != LATE])
        here.reduce(LCO, SOUTHERN[:2])
        empty, _, truncated, gone = (content for content in written if content.mjds == (FIRST[0],))
        rewritten = next(content for content in written if content.mjds == (FIRST[1], FIRST[3]))
        self.fates = {
            "mended": here.spoil(empty, Damage.EMPTY, unseen=True),
            "truncated": here.spoil(truncated, Damage.TRUNCATED, unseen=True),
            "gone": gone,
            "masked": rewritten,
        }
        self.growing = here.begin(*here.stars(APO, GROWING)[-1], GROWING)
        self.late_star = here.stars(APO, self.recent[0])[-1]
        here.reduce(APO, self.recent[:1], skip=[here.path(*self.late_star)])

    def live(self, nightly: Nightly) -> None:
        """Let it all happen."""
        nightly.backfill(APO, FIRST)
        nightly.backfill(LCO, SOUTHERN)
        self.facts["manual"] = nightly.rest.trigger(DAGS[APO], conf={"mjd": FIRST[1]})
        self._crashes(nightly)
        self._scheduled(nightly)
        nightly.wait_for_backfill(APO, FIRST)
        nightly.wait_for_backfill(LCO, SOUTHERN)
        self._again(nightly)
        nightly.backfill(APO, SECOND)
        nightly.wait_for_backfill(APO, SECOND)
        nightly.until("every run has ended", lambda: not self.under_way(nightly))

    def _crashes(self, nightly: Nightly) -> None:
        """Files come while the triggerer and the scheduler are killed and started again."""
        nightly.until(
            f"the scheduled run of {self.recent[1]} waits",
            lambda: self._task_state(nightly, "wait_for_apstars") == "deferred",
        )
        nightly.processes.kill("triggerer")
        self.reduce(nightly, APO, FIRST[8:9], later=FIRST[9:])
        nightly.processes.start("triggerer")
        nightly.until("two tasks run", lambda: nightly.n_running() >= 2)
        nightly.processes.kill("scheduler")
        self.reduce(nightly, LCO, SOUTHERN[2:3], later=SOUTHERN[3:])
        nightly.processes.start("scheduler")
        self.reduce(nightly, APO, FIRST[9:])
        self.reduce(nightly, LCO, SOUTHERN[3:])
        self.settle(nightly, self.fates["gone"])
        self.fates["gone"].path.unlink()

    def _scheduled(self, nightly: Nightly) -> None:
        """The newest night's files come, and one that is late by two nights, while the night between still waits."""
        first, between, last = self.recent
        nightly.until(f"{first} is done", lambda: self._scheduled_state(nightly, first) == "success")
        self.reduce(nightly, APO, [last])
        self.fates["late"] = self.observatory.write(*self.late_star)
        nightly.until(f"{last} is done", lambda: self._scheduled_state(nightly, last) == "success")
        self.facts["waiting"] = self._scheduled_state(nightly, between), self._task_state(nightly, "list_apstars")
        self.reduce(nightly, APO, [between])

    def _again(self, nightly: Nightly) -> None:
        """What came late, was mended, finished or spoilt since is found by running those nights again."""
        here = self.observatory
        self.reduce(nightly, APO, [LATE])
        self.fates["grown"] = self.growing.finish()
        self.fates["masked"] = here.spoil(self.fates["masked"], Damage.ALL_MASKED)
        (mended,) = (each for each in here.stars(APO, FIRST[0]) if here.path(*each) == self.fates["mended"].path)
        self.fates["mended"] = here.write(*mended)
        nightly.backfill(APO, FIRST[2:], reprocess="completed")
        nightly.backfill(LCO, SOUTHERN[2:], reprocess="completed")
        nightly.rest.trigger(DAGS[APO], conf={"mjd": FIRST[0]})
        nightly.rest.trigger(DAGS[LCO], conf={"mjd": SOUTHERN[0], "reprocess": True})
        self.reduce(nightly, APO, SECOND)
        nightly.wait_for_backfill(APO, FIRST[2:])
        nightly.wait_for_backfill(LCO, SOUTHERN[2:])

    def reduce(self, nightly: Nightly, telescope: str, mjds: Sequence[int], *, later: Sequence[int] = ()) -> None:
        """Files of these nights come; a star is seen again when what its file holds was analysed."""
        skip = [self.growing.content.path]
        self.observatory.reduce(
            telescope, mjds, skip=skip, later=later, before=lambda there: self.settle(nightly, there)
        )

    def settle(self, nightly: Nightly, content: Content) -> None:
        """Wait until a content has a result or a rejection."""
        nightly.until(f"{content} has an outcome", lambda: sum(month_audit.outcomes(nightly, content, self.model)) > 0)

    def under_way(self, nightly: Nightly) -> list[str]:
        """The runs that have not ended, without those of nights that wait for files that nobody will write."""
        return [
            run["dag_run_id"]
            for telescope, dag_id in DAGS.items()
            for run in nightly.rest.runs(dag_id)
            if run["state"] in ("queued", "running") and not self._waits_for_ever(telescope, run)
        ]

    def _waits_for_ever(self, telescope: str, run: dict[str, Any]) -> bool:
        end = datetime.fromisoformat(run["data_interval_end"] or run["run_after"])
        newest = OBSERVATORIES[telescope].interval(self.recent[-1])[1]
        return run["run_type"] == "scheduled" and (telescope == LCO or end > newest)

    def _scheduled_state(self, nightly: Nightly, mjd: int) -> str | None:
        run = nightly.by_mjd(APO, "scheduled").get(mjd)
        return run and run["state"]

    def _task_state(self, nightly: Nightly, task: str) -> str | None:
        """How a task is of the night that waits."""
        run = nightly.by_mjd(APO, "scheduled").get(self.recent[1])
        return run and nightly.task_states(APO, run["dag_run_id"]).get(task)
