"""Find a star's apStar file in the local archive, or fetch it from the SDSS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from apogee_airflow.outcomes import bad_input_skips
from apogee_airflow.templated import Templated, rendered_flag

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

        use_remote = rendered_flag(self.use_remote)
        with Workspace.open() as workspace, bad_input_skips(context, str(self.star.get("obj") or "star")):
            return str(find_or_fetch(workspace, self.star, use_remote=use_remote))
