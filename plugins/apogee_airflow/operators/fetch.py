"""Find apStar files in the local archive, or fetch them from the SDSS: that of a star, or those of a night."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from apogee_airflow.observing_night import observing_mjd
from apogee_airflow.outcomes import bad_input_skips
from apogee_airflow.templated import Templated, is_on

if TYPE_CHECKING:
    from airflow.sdk import Context


class FetchApStarOperator(BaseOperator):
    """Return the path of a star's apStar file, fetching it first when it is not here and that is asked for.

    Parameters
    ----------
    star
        The keys of the file (templated): ``obj``, ``telescope``, and ``field`` (up to DR17) or ``healpix``; optionally
        ``release``, ``apred``, ``apstar``, ``prefix``, which default to the installation's and the release's own.
    use_remote
        Fetch a missing file from the SDSS server, or the mirror that APOGEE_LABELS_REMOTE_BASE names (templated).

    Returns
    -------
    str
        The local path.  A file that is neither here nor there leaves the task skipped, with the reason as its label; a
        transfer that broke off is retried; what came so far never has the file's name.
    """

    template_fields: Sequence[str] = ("star", "use_remote")
    ui_color = "#d7e3f4"

    def __init__(self, *, star: Templated, use_remote: Templated = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.star = star
        self.use_remote = use_remote

    def execute(self, context: Context) -> str:
        """Find or fetch the file."""
        from apogee_labels.pipeline.ingest.fetch import find_or_fetch
        from apogee_labels.pipeline.workspace import Workspace

        use_remote = is_on(self.use_remote)
        with Workspace.open() as workspace, bad_input_skips(context, str(self.star.get("obj") or "star")):
            return str(find_or_fetch(workspace, self.star, use_remote=use_remote))


class FetchNightOperator(BaseOperator):
    """Fetch what the run's night should have and is not here, several files at a time.

    What it should have, the catalogue tells (files that were here once) and the visit summary that
    APOGEE_LABELS_VISIT_SUMMARY names.  A file that the server does not have is put on record and is no error.  Trouble is
    raised after the other files are done: the retry finds those here.

    Parameters
    ----------
    telescope
        ``apo25m`` or ``lco25m`` (templated).
    use_remote
        Whether anything is fetched; if not, the task ends at once, as a success (templated).
    parallel
        Transfers at a time (templated).

    Returns
    -------
    dict
        How many files were expected, and how many were fetched, were here, are not at the server, came and are bad.
    """

    template_fields: Sequence[str] = ("telescope", "use_remote", "parallel")
    ui_color = "#d7e3f4"

    def __init__(
        self, *, telescope: Templated, use_remote: Templated = False, parallel: Templated = 4, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.telescope = telescope
        self.use_remote = use_remote
        self.parallel = parallel

    def execute(self, context: Context) -> dict[str, int]:
        """Fetch, or leave it."""
        from apogee_labels.pipeline.ingest.fetch_night import fetch_night, nothing_fetched
        from apogee_labels.pipeline.workspace import Workspace

        if not is_on(self.use_remote):
            self.log.info("nothing is fetched: the run's param use_remote is off")
            return nothing_fetched()
        telescope = str(self.telescope)
        with Workspace.open() as workspace:
            return fetch_night(workspace, telescope, observing_mjd(context, telescope), parallel=int(self.parallel))
