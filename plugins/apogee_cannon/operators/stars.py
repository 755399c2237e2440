"""The first and the last task of the tutorial DAG: which stars were asked for, and their labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from apogee_cannon.templated import Templated, rendered_axis

if TYPE_CHECKING:
    from airflow.sdk import Context

KEYS = ("release", "apred", "apstar", "telescope", "field", "prefix", "obj", "healpix")


class ListStarsOperator(BaseOperator):
    """Return the stars that a run's form names: the one of the fields, or those of the list.

    What an entry of the list does not say is taken from the form's fields.
    """

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Read the params.

        Raises
        ------
        AirflowFailException
            No star is named.
        """
        params = context["params"]
        form = {key: params.get(key) for key in KEYS}
        stars = [form | dict(star) for star in params.get("stars") or []] or [form]
        stars = [{key: value for key, value in star.items() if value not in (None, "")} for star in stars]
        if nameless := [star for star in stars if not star.get("obj")]:
            raise AirflowFailException(
                f"{len(nameless)} of {len(stars)} stars without a name: fill in the field obj, or give each entry of the "
                'list one, e.g. {"obj": "2M16505794-2118004", "field": "000+14"}.'
            )
        return stars


class ReportStarsOperator(BaseOperator):
    """Log the labels of the stars that were asked for, from the catalogue; fail when one is unfinished.

    Parameters
    ----------
    stars
        As :class:`ListStarsOperator` returns them (templated).
    model_id
        Identity of the model (templated); None when there is none.
    continuum_regions_path, sum_axis
        As the normalising tasks of the same DAG have them (templated).
    """

    template_fields: Sequence[str] = ("stars", "model_id", "continuum_regions_path", "sum_axis")
    ui_color = "#e8daef"

    def __init__(
        self,
        *,
        stars: Templated,
        model_id: Templated,
        continuum_regions_path: Templated,
        sum_axis: Templated = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.stars = stars
        self.model_id = model_id
        self.continuum_regions_path = continuum_regions_path
        self.sum_axis = sum_axis

    def execute(self, context: Context) -> list[str]:
        """Report a line a spectrum."""
        from pathlib import Path

        from include.pipeline.identities import InferenceParameters, NormalizationParameters, ResultIdentities
        from include.pipeline.stars import star_outcomes
        from include.pipeline.workspace import Workspace

        parameters = NormalizationParameters(
            regions=Path(self.continuum_regions_path), sum_axis=rendered_axis(self.sum_axis)
        )
        identities = ResultIdentities.of(parameters, InferenceParameters())
        with Workspace.open() as workspace:
            outcomes = star_outcomes(workspace, self.stars or [], identities, self.model_id)
        lines = [line for outcome in outcomes for line in outcome.lines()]
        for line in lines:
            self.log.info("%s", line)
        unfinished = [outcome.obj for outcome in outcomes if outcome.result is None and outcome.reason is None]
        if unfinished or not outcomes:
            raise AirflowFailException(
                f"unfinished: {', '.join(unfinished) or 'no star was listed'}; see the failed tasks of this run."
            )
        return lines
