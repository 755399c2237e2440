"""The first and the last task of the tutorial DAG: which stars were asked for, and their labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from apogee_airflow.templated import Templated

if TYPE_CHECKING:
    from airflow.sdk import Context

    from apogee_labels.pipeline.stars.stars import StarOutcome


class ListStarsOperator(BaseOperator):
    """Return the stars that a run's form names: the one of its fields, or those of its list, table and file.

    What an entry does not say is taken from the form's fields; a star that is named twice is taken once.  Nothing is
    returned of a list with a fault.
    """

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Read the params.

        Raises
        ------
        AirflowFailException
            No star is named; an entry names no file that there can be; there are more than Airflow maps.
        """
        from apogee_labels.pipeline.stars.star_list import StarListError, planned_stars
        from apogee_labels.pipeline.workspace import Workspace

        params = context["params"]
        try:
            with Workspace.open() as workspace:
                stars = planned_stars(
                    workspace,
                    params,
                    stars=params.get("stars") or [],
                    table=params.get("stars_csv") or "",
                    file=params.get("stars_file") or "",
                )
        except StarListError as fault:
            raise AirflowFailException(f"nothing was started:\n{fault}") from None
        _check_number(len(stars))
        self.log.info("%d stars are asked for", len(stars))
        return stars


def _check_number(n_stars: int) -> None:
    from airflow.sdk.configuration import conf

    at_most = conf.getint("core", "max_map_length", fallback=1024)
    if n_stars > at_most:
        n_runs = -(-n_stars // at_most)
        raise AirflowFailException(
            f"nothing was started: {n_stars} stars, each of which is waited for on its own, and this Airflow maps at most "
            f"{at_most} ([core] max_map_length): split the list into {n_runs} runs."
        )


class ReportStarsOperator(BaseOperator):
    """Log the labels of the stars that were asked for, from the catalogue; fail when one is unfinished.

    Parameters
    ----------
    stars
        As :class:`ListStarsOperator` returns them (templated).
    model_id
        Identity of the model (templated); None when there is none.
    sum_axis
        As the normalising tasks of the same DAG have it (templated).
    fetch_task_id
        The mapped task, an instance a star, whose failure means that a star without a file is unfinished; without it,
        such a star did not come, which is a result.
    """

    template_fields: Sequence[str] = ("stars", "model_id", "sum_axis")
    ui_color = "#e8daef"

    def __init__(
        self,
        *,
        stars: Templated,
        model_id: Templated,
        sum_axis: Templated = 0,
        fetch_task_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.fetch_task_id = fetch_task_id
        self.stars = stars
        self.model_id = model_id
        self.sum_axis = sum_axis

    def execute(self, context: Context) -> list[str]:
        """Report a line a spectrum."""
        from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters, ResultIdentities
        from apogee_labels.pipeline.stars.stars import star_outcomes
        from apogee_labels.pipeline.workspace import Workspace

        with Workspace.open() as workspace:
            regions = workspace.settings.continuum_regions
            parameters = NormalizationParameters(regions=regions, sum_axis=self.sum_axis)
            identities = ResultIdentities.of(parameters, InferenceParameters())
            outcomes = star_outcomes(
                workspace, self.stars or [], identities, self.model_id, unfetched=self._unfetched(context)
            )
        lines = [line for outcome in outcomes for line in outcome.lines()]
        for line in lines:
            self.log.info("%s", line)
        found = Counter(_word(outcome) for outcome in outcomes)
        self.log.info("%d stars: %s", len(outcomes), ", ".join(f"{n} {word}" for word, n in found.items()) or "none")
        unfinished = [outcome.obj for outcome in outcomes if outcome.result is None and outcome.reason is None]
        if unfinished or not outcomes:
            raise AirflowFailException(
                f"unfinished: {', '.join(unfinished) or 'no star was listed'}; see the failed tasks of this run."
            )
        return lines

    def _unfetched(self, context: Context) -> list[int]:
        """Return which of the stars, counted from 0, could not be fetched for trouble that stayed."""
        if self.fetch_task_id is None:
            return []
        run = context["dag_run"]
        states = context["ti"].get_task_states(run.dag_id, task_ids=[self.fetch_task_id], run_ids=[run.run_id])
        return [
            int(instance.removeprefix(f"{self.fetch_task_id}_"))
            for instance, state in states.get(run.run_id, {}).items()
            if instance != self.fetch_task_id and state in ("failed", "upstream_failed")
        ]


def _word(outcome: StarOutcome) -> str:
    if outcome.result is not None:
        return "with labels"
    return str(outcome.reason or "unfinished")
