"""What is written to people about a night: first what to do, then what is known.  No Airflow, no catalogue: text only."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apogee_labels.apogee.archive.nights import observatory
from apogee_labels.catalog.records import Listing

SHOWN = 10
"""Tasks that a notice names."""
FAILED_STATES = ("failed", "upstream_failed")
ENDED_STATES = (*FAILED_STATES, "success", "skipped", "removed")
WORDS = {
    "already_complete": "were complete before",
    "done": "done",
    "no_model": "normalised, waiting for a model",
    "rejected": "rejected",
    "unfinished": "unfinished",
}
AGAIN = "what is done already is not done again."


@dataclass(frozen=True, kw_only=True)
class NightRun:
    """The run that a notice is about; ``mjd`` is None when the run names no night."""

    telescope: str
    mjd: int | None
    dag_id: str
    run_id: str
    run_type: str
    url: str

    @property
    def night(self) -> str:
        """The night as people name it."""
        if self.mjd is None:
            return f"{self.telescope}, run {self.run_id}"
        return f"{self.telescope}, evening of {observatory(self.telescope).local_date(self.mjd)} (SDSS MJD {self.mjd})"


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What could be found out about a run.

    Parameters
    ----------
    listing
        What the run set out to do, from the catalogue; None: it listed nothing yet, or the catalogue could not be read.
    catalogue_read
        Whether it could.
    states
        State by task; a mapped instance has its index behind the name.
    problems
        What could not be found out, and why: a notice with less in it is better than none.
    """

    listing: Listing | None = None
    catalogue_read: bool = True
    states: Mapping[str, str | None]
    problems: Sequence[str] = ()

    def failed(self) -> list[str]:
        """Tasks that failed themselves; publishing comes last, for it fails when another has."""
        failed = [task for task, state in self.states.items() if state == "failed"]
        return sorted(failed, key=lambda task: (task == "publish_night", task))

    def unfinished(self) -> list[str]:
        """Tasks that have not come to an end."""
        return sorted(task for task, state in self.states.items() if state not in ENDED_STATES)


@dataclass(frozen=True)
class Notice:
    """A message: its subject, and its text in lines."""

    subject: str
    text: str

    def as_html(self) -> str:
        """Return the text as Airflow's SMTP hook wants it; the line breaks stay, and addresses can be followed."""
        lines = [html.escape(line) for line in self.text.splitlines()]
        linked = [
            f'<a href="{line}">{line}</a>' if line.startswith(("http://", "https://")) else line for line in lines
        ]
        return "<pre>" + "\n".join(linked) + "</pre>"


def open_question(subject: str, reasons: str, url: str, days: float) -> Notice:
    """A model that waits for a person's answer.

    Parameters
    ----------
    subject
        Of the question.
    reasons
        Why it is not accepted by itself, with the numbers: text.
    url
        Of the task, where it is answered.
    days
        After which no answer means no.
    """
    text = f"{reasons}\n\nAnswer it within {days:g} days; no answer means no:\n{url}\n"
    return Notice(f"[APOGEE] {subject}", text)


def failed_night(run: NightRun, found: Findings) -> Notice:
    """Write about a night whose run has failed."""
    return _notice(f"FAILED: {run.night}", _what_to_do(found), run, found, "Failed", found.failed())


def late_night(run: NightRun, found: Findings, hours: float) -> Notice:
    """Write about a night that is not done so many hours after its run was queued."""
    subject = f"NOT DONE after {hours:g} hours: {run.night}"
    return _notice(subject, _what_it_waits_for(found), run, found, "Not done", found.unfinished())


def _notice(subject: str, advice: str, run: NightRun, found: Findings, title: str, tasks: Sequence[str]) -> Notice:
    lines = [
        advice,
        "",
        f"Night: {run.night}",
        *_counts(found),
        *([f"Tasks: {states_in_words(found.states)}"] if found.states else []),
        *_named(title, tasks),
        *(f"Not known: {problem}" for problem in found.problems),
        "",
        f"The run ({run.run_type}): {run.run_id}",
        run.url,
    ]
    return Notice(f"[APOGEE] {subject}", "\n".join(lines))


def _what_to_do(found: Findings) -> str:
    task = next(iter(found.failed()), "the red task")
    read = f"Read the log of {task}, remove the cause, then clear the run's failed tasks"
    if found.listing is None and found.catalogue_read:
        return f"{read}: its files are listed and analysed then."
    summary = found.listing.summary if found.listing else None
    if summary is None:
        return f"{read}: {AGAIN}"
    unfinished, rejected, listed = (summary.get(name, 0) for name in ("unfinished", "rejected", "listed"))
    if unfinished:
        return f"{unfinished} of {listed} files have neither a result nor a rejection.  {read}: {AGAIN}"
    if rejected and task in ("publish_night", "the red task"):
        return (
            f"{rejected} of {listed} files were rejected, more than is tolerated: look at the reduction of this night; the "
            "reasons are in the log of publish_night.  Files that are reduced anew are taken by the next nights' runs."
        )
    return f"{read}: {AGAIN}"


def _what_it_waits_for(found: Findings) -> str:
    unfinished = found.unfinished()
    if "wait_for_apstars" in unfinished:
        return (
            "Its files have not come, or still change: ask whether the reduction of this night is late.  Nothing has to be "
            "done here: the run goes on by itself when they are there or when its wait is over."
        )
    if found.listing is None and found.catalogue_read and unfinished:
        return f"Read the log of {unfinished[0]}: the night's files are not listed yet."
    return (
        "See in the run below whether its tasks are at work, wait for a slot (is a worker down, is a pool full?) or for "
        "another try (read the log of that task).  It goes on by itself; another message comes only if it fails."
    )


def _counts(found: Findings) -> list[str]:
    if found.listing is None:
        return ["Files: none listed by this run"] if found.catalogue_read else []
    summary = found.listing.summary
    if summary is None:
        return [
            f"Files: {len(found.listing.files)} listed; publish_night has not written its summary: the rest is not known"
        ]
    counts = [f"{summary[outcome]} {word}" for outcome, word in WORDS.items() if summary.get(outcome)]
    return [f"Files: {summary['listed']} listed, of which {', '.join(counts) or 'none is left to do'}"]


def _named(title: str, tasks: Sequence[str]) -> list[str]:
    if not tasks:
        return []
    more = f" and {len(tasks) - SHOWN} more" if len(tasks) > SHOWN else ""
    return [f"{title}: {', '.join(tasks[:SHOWN])}{more}"]


def states_in_words(states: Mapping[str, str | None]) -> str:
    """Count the states of a run's tasks.

    >>> states_in_words({"a": "success", "b_0": "running", "b_1": None, "b_2": None})
    '2 not yet scheduled, 1 success, 1 running'
    """
    counts = Counter(state or "not yet scheduled" for state in states.values())
    return ", ".join(f"{count} {state}" for state, count in counts.most_common())
