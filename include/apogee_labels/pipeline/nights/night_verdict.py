"""Whether a night is done, and if not, why and what to do about it: one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from apogee_labels.apogee.archive.nights import observatory
from apogee_labels.catalog.records import KEEPS_OPEN, NIGHT_STATUSES, FileStatus, Night, RunOfNight

MEANING: Mapping[FileStatus, str] = {
    FileStatus.DONE: "it has a result by the model in force",
    FileStatus.REJECTED: "bad input",
    FileStatus.FAILED: "a run took it and has ended, and there is neither a result nor a rejection",
    FileStatus.UNDER_WAY: "a run took it, and has not published yet",
    FileStatus.WRITING: "it is still being written: no run takes it",
    FileStatus.WAITING: "no run has taken it since its content came",
    FileStatus.NORMALIZED: "normalised, and no model is in force",
    FileStatus.OUTDATED: "normalised, and taken by a run of another model than the one in force",
    FileStatus.GONE: "not in the archive any more: what was made of it stays",
}
"""What each state of a file means, for people."""

NAMES: Mapping[FileStatus, str] = {status: status.value.replace("_", " ") for status in NIGHT_STATUSES} | {
    FileStatus.WRITING: "being written",
    FileStatus.NORMALIZED: "without a model",
}
"""The states as they are counted in a sentence: ``3 failed, 2 waiting``."""


@dataclass(frozen=True)
class NightVerdict:
    """Whether a night is done, and a sentence that says why not and what to do."""

    is_done: bool
    sentence: str


def night_verdict(
    night: Night, counts: Mapping[FileStatus, int], runs: Sequence[RunOfNight], now: datetime
) -> NightVerdict:
    """Judge a night by how many of its files have which state, and by its runs (the last one last).

    A night is done when a run has published it and every file that is there has a result or a rejection.
    """
    last = runs[-1] if runs else None
    still_open = [status for status in KEEPS_OPEN if counts.get(status)]
    if still_open:
        counted = ", ".join(f"{counts[status]} {NAMES[status]}" for status in still_open)
        return NightVerdict(False, f"Not done: {counted}. {_advice(still_open[0], last)}")
    if last is None:
        return _without_a_run(night, counts, now)
    if last.published_at is None:
        return NightVerdict(False, f"Not done: {_under_way(last)}")
    done, rejected = counts.get(FileStatus.DONE, 0), counts.get(FileStatus.REJECTED, 0)
    if not done + rejected:
        return NightVerdict(True, "Done: the night had no files.")
    return NightVerdict(True, f"Done: {done} file(s) with labels, {rejected} rejected.")


def _without_a_run(night: Night, counts: Mapping[FileStatus, int], now: datetime) -> NightVerdict:
    end = observatory(night.telescope).interval(night.mjd)[1]
    if now < end:
        return NightVerdict(False, f"Not done: the night is not over before {end:%Y-%m-%d %H:%M} UTC.")
    there = counts.get(FileStatus.DONE, 0) + counts.get(FileStatus.REJECTED, 0)
    if there:
        return NightVerdict(
            False, f"Not done: its {there} file(s) are, but no run has published the night. Backfill it."
        )
    return NightVerdict(False, "Not done: no run has looked for its files. Backfill it.")


def _advice(status: FileStatus, last: RunOfNight | None) -> str:
    """What to do about the most urgent state of a night's files."""
    if status is FileStatus.FAILED:
        return (
            f"Clear the failed tasks of run {last.run_id}."
            if last
            else "Clear the failed tasks of the run that took them."
        )
    if status is FileStatus.UNDER_WAY:
        return _under_way(last) if last and last.published_at is None else "Wait for the run that took them."
    if status is FileStatus.WAITING:
        return (
            "Run the night again: it does only what is not done."
            if last
            else "No run has listed them: backfill the night."
        )
    return {
        FileStatus.WRITING: "Wait until they are whole, and run the night again if the next night's run does not take them.",
        FileStatus.NORMALIZED: "Put a model in force with the DAG cannon_training: cannon_reanalysis infers them by it.",
        FileStatus.OUTDATED: "The DAG cannon_reanalysis infers them by the model in force: wait for it, or start it.",
    }[status]


def _under_way(run: RunOfNight) -> str:
    return (
        f"Run {run.run_id} listed its files at {run.listed_at:%Y-%m-%d %H:%M} UTC and has not published: wait for it, or "
        "clear its failed tasks if it is not running any more."
    )
