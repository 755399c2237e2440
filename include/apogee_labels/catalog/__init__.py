"""The catalogue: what was seen, normalised, inferred and rejected, and by which model.

>>> from apogee_labels.catalog import Catalog

The records that its methods take and give are in :mod:`apogee_labels.catalog.records`.
"""

from apogee_labels.catalog.catalog import Catalog
from apogee_labels.catalog.db.database import CatalogError

__all__ = ["Catalog", "CatalogError"]
