"""Normalise the continuum of apStar files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from apogee_airflow.outcomes import finish, gather, set_label
from apogee_airflow.subjects import star_of, subject_of
from apogee_airflow.templated import Templated, is_on

if TYPE_CHECKING:
    from airflow.sdk import Context


class ContinuumNormalizeOperator(BaseOperator):
    """Normalise apStar files with sines and cosines, each detector on its own.

    Parameters
    ----------
    apstar_paths
        One path or several (templated).  Each is recorded, or rejected, on its own.
    continuum_regions_path
        File of continuum regions, two columns of vacuum Angstrom (templated).
    length
        Longest period of the fit, Angstrom.
    order
        Number of harmonics.
    sum_axis
        0 stacks the visits; None (default) keeps a row a visit.
    reprocess
        Do what is done already once more, and try what was rejected again (templated; default: no).

    Returns
    -------
    list of str
        Identities of the normalisations, in the order of the paths, without the rejected ones.  When all are rejected
        the task is skipped, with the reason as its label.
    """

    template_fields: Sequence[str] = (
        "apstar_paths",
        "continuum_regions_path",
        "length",
        "order",
        "sum_axis",
        "reprocess",
    )
    ui_color = "#d7e3f4"

    def __init__(
        self,
        *,
        apstar_paths: Templated,
        continuum_regions_path: Templated,
        length: Templated = 1400.0,
        order: Templated = 3,
        sum_axis: Templated = None,
        reprocess: Templated = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.apstar_paths = apstar_paths
        self.continuum_regions_path = continuum_regions_path
        self.length = length
        self.order = order
        self.sum_axis = sum_axis
        self.reprocess = reprocess

    def execute(self, context: Context) -> list[str]:
        """Normalise what is not normalised yet."""
        from apogee_labels.pipeline.analysis.normalize import normalize_files
        from apogee_labels.pipeline.identities import NormalizationParameters
        from apogee_labels.pipeline.workspace import Workspace

        paths = [self.apstar_paths] if isinstance(self.apstar_paths, str) else list(self.apstar_paths)
        subject = subject_of([star_of(path) for path in paths])
        set_label(context, subject)
        parameters = NormalizationParameters(
            regions=self.continuum_regions_path, length=self.length, order=self.order, sum_axis=self.sum_axis
        )
        with Workspace.open() as workspace:
            batch = gather(normalize_files(workspace, paths, parameters, again=is_on(self.reprocess)))
        return [item.normalization_id for item in finish(batch, context, subject)]
