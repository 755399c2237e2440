"""Make a training set: choose its stars, find their files, gather their spectra."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from apogee_airflow.assets import TRAINING_SET, describe_event, suppress_events
from apogee_airflow.templated import Templated, is_on
from apogee_labels.apogee.archive.nights import DEFAULT_TELESCOPE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context

BATCH = 64
"""Files that one task instance normalises."""


class SelectTrainingStarsOperator(BaseOperator):
    """Choose the stars of a training set from a table of labels.

    Parameters
    ----------
    label_table
        FITS or CSV, below the data folder or the archive (templated).
    label_names
        Labels of the set, in this order (templated).
    cuts
        Fields of :class:`apogee_labels.apogee.tables.cuts.Cuts` (templated); what is not given has its default.
    telescope
        Telescope of the entries that do not say (templated).
    least_share
        Pixels with weight in a smaller share of the stars are closed (templated).
    use_remote
        Whether files will be fetched; if not, only stars whose file is here are chosen from (templated).

    Returns
    -------
    str
        Identity of the plan, which is kept below the data folder.  The log has a table of what each cut took out.
    """

    template_fields: Sequence[str] = ("label_table", "label_names", "cuts", "telescope", "least_share", "use_remote")
    ui_color = "#fdebd0"

    def __init__(
        self,
        *,
        label_table: Templated,
        label_names: Templated,
        cuts: Templated,
        telescope: Templated = DEFAULT_TELESCOPE,
        least_share: Templated = 0.2,
        use_remote: Templated = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.label_table = label_table
        self.label_names = label_names
        self.cuts = cuts
        self.telescope = telescope
        self.least_share = least_share
        self.use_remote = use_remote

    def execute(self, context: Context) -> str:
        """Read the table, and choose.

        Raises
        ------
        AirflowFailException
            The table is not one, lies elsewhere, or a cut is impossible.
        """
        from apogee_labels.pipeline.parameters import NormalizationParameters, TrainingSetParameters
        from apogee_labels.pipeline.training_sets.training_plan import allowed_table, plan_training_set
        from apogee_labels.pipeline.workspace import Workspace

        with Workspace.open() as workspace, _fault_fails():
            parameters = TrainingSetParameters(
                label_names=self.label_names,
                normalization=NormalizationParameters(regions=workspace.settings.continuum_regions),
                cuts=self.cuts,
                telescope=self.telescope,
                least_share=self.least_share,
            )
            table = allowed_table(workspace, self.label_table)
            only_here = not is_on(self.use_remote)
            return plan_training_set(workspace, table, parameters, only_here=only_here).identity


class FindTrainingSpectraOperator(BaseOperator):
    """Find the files of the stars of a plan, fetching what is not here if that is asked.

    Parameters
    ----------
    plan_id
        As :class:`SelectTrainingStarsOperator` returns it (templated).
    use_remote
        Whether anything is fetched (templated).
    parallel
        Transfers at a time (templated).

    Returns
    -------
    list of list of str
        Paths of the files that are here, in batches.  A star without a file is left out of the set, and no error.
    """

    template_fields: Sequence[str] = ("plan_id", "use_remote", "parallel")
    ui_color = "#d7e3f4"

    def __init__(
        self, *, plan_id: Templated, use_remote: Templated = False, parallel: Templated = 4, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.plan_id = plan_id
        self.use_remote = use_remote
        self.parallel = parallel

    def execute(self, context: Context) -> list[list[str]]:
        """Find, and fetch."""
        from airflow.sdk.configuration import conf

        from apogee_labels.pipeline.nights.night import batches
        from apogee_labels.pipeline.training_sets.training_plan import read_plan
        from apogee_labels.pipeline.training_sets.training_spectra import find_spectra
        from apogee_labels.pipeline.workspace import Workspace

        with Workspace.open() as workspace:
            paths = find_spectra(
                workspace,
                read_plan(workspace, self.plan_id),
                use_remote=is_on(self.use_remote),
                parallel=int(self.parallel),
            )
        at_most = conf.getint("core", "max_map_length", fallback=1024)
        return batches(paths, max_batches=at_most, at_least=BATCH)


class WriteTrainingSetOperator(BaseOperator):
    """Gather the normalised spectra of a plan's stars, and write the training set.

    Parameters
    ----------
    plan_id
        As :class:`SelectTrainingStarsOperator` returns it (templated).
    output_path
        File to write, .pkl or .npz, below the data folder, or the installation's training set (templated).

    Returns
    -------
    dict
        Path, digest, number of stars, what each cut took out, and what else was left out, by reason.
    """

    template_fields: Sequence[str] = ("plan_id", "output_path")
    ui_color = "#fdebd0"

    def __init__(self, *, plan_id: Templated, output_path: Templated, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan_id = plan_id
        self.output_path = output_path

    def execute(self, context: Context) -> dict[str, Any]:
        """Gather, and write.

        Raises
        ------
        AirflowFailException
            No star is left, the output lies elsewhere, or the stars were not chosen or files not normalised.
        """
        from apogee_labels.pipeline.training_sets.make_training_set import write_training_set
        from apogee_labels.pipeline.training_sets.training_plan import allowed_output
        from apogee_labels.pipeline.workspace import Workspace

        if not self.plan_id:
            raise AirflowFailException("no star was chosen: see the task that selects the stars.")
        with Workspace.open() as workspace, _fault_fails():
            report = write_training_set(workspace, self.plan_id, allowed_output(workspace, self.output_path)).as_json()
        if report["is_new"]:
            about = {name: report[name] for name in ("digest", "stars", "path", "label_table", "labels")}
            describe_event(self, context, TRAINING_SET, **about)
        else:
            suppress_events(self, TRAINING_SET)
        return report


@contextmanager
def _fault_fails() -> Iterator[None]:
    """Turn what a person must change into a failure of one line, which is not tried again."""
    try:
        yield
    except (ValueError, LookupError) as fault:
        raise AirflowFailException(str(fault)) from None
