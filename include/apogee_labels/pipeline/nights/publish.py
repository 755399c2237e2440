"""What became of a night: its table and its summary.

Takes a run's listing; the table is there already when its content is the same; makes the FITS table and the summary.  Both
come from the catalogue, so that neither a lost message nor a cleared task can make them wrong.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from apogee_labels.apogee.archive.nights import observatory
from apogee_labels.apogee.spectra.apstar import READER_VERSION
from apogee_labels.catalog.records import OUTCOMES, FileStatus, ModelRecord, NightOutcome
from apogee_labels.core.identity import short
from apogee_labels.pipeline.identities import ResultIdentities
from apogee_labels.pipeline.nights.drift import NightDrift, drift_of_night
from apogee_labels.pipeline.nights.night import NightKey
from apogee_labels.pipeline.products.label_product import LabelProduct, write_labels

if TYPE_CHECKING:
    from apogee_labels.pipeline.workspace import Workspace

log = logging.getLogger(__name__)
SHOWN = 20
"""Files of each kind that a summary names."""


@dataclass(frozen=True)
class NightSummary:
    """What became of a night's files, in the way of Luigi's execution summary."""

    outcome: NightOutcome
    evening: date
    timezone: str
    table: Path
    n_stars: int
    n_made_twice: int = 0
    """Results of this run's files that were made although they were there: another run had the same files in hand."""
    drift: NightDrift | None = None
    """The night's medians and what stands out; None: no model was in force."""
    content: str = ""
    """Digest of the table's content, if it is new."""
    written: bool = False
    """Whether the table's content was new."""

    def lines(self) -> list[str]:
        """Return the summary as people read it."""
        counts = self.outcome.counts
        night = f"{self.outcome.telescope}, SDSS MJD {self.outcome.mjd}, evening of {self.evening} ({self.timezone})"
        model = f"model {short(self.outcome.model_id)}" if self.outcome.model_id else "no model in force"
        lines = [
            f"===== Night summary: {night} =====",
            f"Listed {len(self.outcome.files)} file(s), with {model}, of which:",
            f"* {counts[FileStatus.COMPLETE]} already complete: no work was done for them",
            f"* {counts[FileStatus.DONE]} done",
            f"* {counts[FileStatus.NORMALIZED]} normalised, waiting for a model",
            f"* {self.n_made_twice} done twice, here or by another run that met the same files; recorded once",
            *self._named(FileStatus.REJECTED, "rejected"),
            *self._named(FileStatus.FAILED, "unfinished: clear their failed tasks, or see the tasks' logs"),
            f"Table: {self.table} ({self.n_stars} star(s))",
            *(self.drift.lines() if self.drift else ()),
            f"===== {self._verdict()} =====",
        ]
        return [line for line in lines if not line.startswith("* 0 ")]

    def fault(self, *, max_rejected_share: float) -> str | None:
        """Return why a person must act, or None."""
        counts, listed = self.outcome.counts, len(self.outcome.files)
        if unfinished := counts[FileStatus.FAILED]:
            return f"{unfinished} of {listed} files have neither a result nor a rejection: clear their failed tasks."
        rejected = counts[FileStatus.REJECTED]
        if listed and rejected > max_rejected_share * listed:
            return (
                f"{rejected} of {listed} files were rejected, more than the tolerated share of {max_rejected_share:g}: "
                "look at the reasons above, and at the reduction of this night."
            )
        return None

    def as_json(self) -> dict[str, object]:
        """Return the counts, for the catalogue and the task's return value."""
        counts = {OUTCOMES[outcome]: count for outcome, count in self.outcome.counts.items()}
        return {
            "telescope": self.outcome.telescope,
            "mjd": self.outcome.mjd,
            "evening": self.evening.isoformat(),
            "model_id": self.outcome.model_id,
            "listed": len(self.outcome.files),
            **counts,
            "made_twice": self.n_made_twice,
            "table": str(self.table),
            "stars": self.n_stars,
            "drift": self.drift.as_json() if self.drift else None,
        }

    def _named(self, outcome: FileStatus, title: str) -> list[str]:
        files = self.outcome.having(outcome)
        messages = [file.message.removeprefix(f"{file.path}: ") for file in files]
        reasons = [
            f": {file.reason}: {text}" if file.reason else "" for file, text in zip(files, messages, strict=True)
        ]
        named = zip(files[:SHOWN], reasons, strict=False)
        lines = [f"* {len(files)} {title}", *(f"    - {Path(file.path).name}{reason}" for file, reason in named)]
        if len(files) > SHOWN:
            lines.append(f"    - and {len(files) - SHOWN} more")
        return lines

    def _verdict(self) -> str:
        counts = self.outcome.counts
        if counts[FileStatus.FAILED]:
            return "This night is not done"
        if not self.outcome.files:
            return "This night had no files"
        if not counts[FileStatus.DONE] and not counts[FileStatus.NORMALIZED]:
            return "This night was done already: nothing was to do"
        return "This night is done"


def publish_night(workspace: Workspace, night: NightKey, identities: ResultIdentities) -> NightSummary:
    """Write the night's table, if its content changed, and record the summary.

    Raises
    ------
    CatalogError
        The run never listed its files: its listing failed.
    """
    site = observatory(night.telescope)
    outcome = workspace.catalog.nights.outcome(
        night.telescope, night.mjd, night.run_id, expected=identities, reader_version=READER_VERSION
    )
    product = write_night_table(workspace, night.telescope, night.mjd, outcome.model_id, identities)
    for mjd in _other_nights(workspace, night, outcome, visits=identities.visits):
        write_night_table(workspace, night.telescope, mjd, outcome.model_id, identities)
    listing = workspace.catalog.nights.listing(night.telescope, night.mjd, night.run_id)
    results = [file.result_id for file in outcome.files if file.result_id]
    twice = workspace.catalog.duplicates.count_since(results, listing.listed_at) if listing else 0
    drift = drift_of_night(workspace, night.telescope, night.mjd, outcome.model_id, results, identities)
    evening = site.local_date(night.mjd)
    summary = NightSummary(
        outcome, evening, site.timezone, product.path, product.n_stars, twice, drift,
        product.content if product.written else "", product.written,
    )  # fmt: skip
    workspace.catalog.nights.record_publication(night.telescope, night.mjd, night.run_id, summary.as_json())
    return summary


def _other_nights(workspace: Workspace, night: NightKey, outcome: NightOutcome, *, visits: bool) -> list[int]:
    """Nights whose tables are there and list, or have to list, a star of which this run found out something new.

    It came late, was seen again, or what its file holds now is bad, or lacks a visit that it had: then it is listed still.
    """
    news = [file.path for kind in (FileStatus.DONE, FileStatus.REJECTED) for file in outcome.having(kind)]
    others = workspace.catalog.archive.nights_of_stars(news) - {night.mjd}
    return sorted(mjd for mjd in others if workspace.night_path(night.telescope, mjd, visits=visits).exists())


def write_night_table(
    workspace: Workspace, telescope: str, mjd: int, model_id: str | None, identities: ResultIdentities
) -> LabelProduct:
    """Write the current results of a night's stars: a row a star or, with such identities, a row a visit.

    Only results with the night's own parameters count: what a notebook tried with others is in the catalogue as well.
    One publisher at a time reads and writes, so that the last table has all that was known to any.
    """
    path = workspace.night_path(telescope, mjd, visits=identities.visits)
    with workspace.lock(path.stem):
        model = _model_of_table(workspace, path, model_id)
        labels = partial(workspace.catalog.labels, night=mjd, telescope=telescope, visits=identities.visits)
        if model:
            table = labels(model=model.id, expected=identities)
        else:  # the table is empty, as the summary says: a model that came since is the next run's
            table = labels()[:0]
            table.meta |= {"MODEL": "", "MODNAME": ""}
        return write_labels(path, [table], model, identities, {"TELESCOP": telescope, "MJD": mjd})


def _model_of_table(workspace: Workspace, path: Path, model_id: str | None) -> ModelRecord | None:
    """Return the model that a night's table is to be by: the run's, or the one in force if the table is by that already.

    A run that is pinned to an older model, and ends after one that is not, does not bring the old labels back.
    """
    from apogee_labels.fits.table_files import kept_header

    in_force = workspace.catalog.models.in_force(workspace.settings.model_name)
    there = kept_header(path)
    if in_force and there and there.get("MODEL") == in_force.id != model_id:
        log.info("%s is by model %s, which came into force since: it stays so", path.name, short(in_force.id))
        return in_force
    return workspace.catalog.models.get(model_id) if model_id else None
