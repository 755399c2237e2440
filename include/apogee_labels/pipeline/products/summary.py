"""The labels of the whole catalogue as one table, in the way of Astra's summary products.

Takes a model; the table is there already when its content is the same; makes ``apogeeAllStarTheCannon-<model>.fits``, a row
a star, and ``apogeeAllVisitTheCannon-<model>.fits``, a row a visit, where visits were analysed one by one.
"""

from __future__ import annotations

import logging
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from apogee_labels.pipeline.identities import ResultIdentities
from apogee_labels.pipeline.products.label_product import LabelProduct, write_labels

if TYPE_CHECKING:
    from apogee_labels.catalog.records import ModelRecord
    from apogee_labels.pipeline.workspace import Workspace

log = logging.getLogger(__name__)


def publish_summary(
    workspace: Workspace, model: str | None = None, *, regions: Path | None = None, visits: bool = True
) -> list[LabelProduct]:
    """Write the current results of all stars by a model; memory does not grow with their number.

    Only results with the parameters of the nightly DAGs count: what a notebook tried with others is in the catalogue as
    well.

    Parameters
    ----------
    model
        Its identity, the first 12 characters of that, or the name under which it is in force; default: the model that is
        in force in this installation.
    regions
        The continuum regions of the nightly DAGs; default: the settings'.
    visits
        Write the table of visits as well, if there are results of visits.

    Returns
    -------
    list of LabelProduct
        The table of stars and, where there are, that of visits.  Empty when no model is asked for and none is in force.

    Raises
    ------
    CatalogError
        `model` is not one.
    """
    catalog = workspace.catalog
    chosen = catalog.models.choose(model) if model else catalog.models.in_force(workspace.settings.model_name)
    if chosen is None:
        log.warning("no model named %s is in force: there is nothing to summarise", workspace.settings.model_name)
        return []
    regions = regions or workspace.settings.continuum_regions
    kinds = (False, True) if visits else (False,)
    products = [_publish(workspace, chosen, ResultIdentities.nightly(regions, visits=kind)) for kind in kinds]
    return [product for product in products if product is not None]


def _publish(workspace: Workspace, model: ModelRecord, identities: ResultIdentities) -> LabelProduct | None:
    """Write one table; None where there is not a single visit, and never was."""
    path = workspace.summary_path(model.id, visits=identities.visits)
    with workspace.lock(path.stem):
        parts = workspace.catalog.label_tables.parts(model.id, visits=identities.visits, expected=identities)
        first = next(parts)
        if identities.visits and not len(first) and not path.exists():
            return None
        return write_labels(path, chain([first], parts), model, identities, {})
