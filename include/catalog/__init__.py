"""The catalogue: what was seen, normalised, inferred and rejected, and by which model.

>>> from include.catalog import Catalog

The records that its methods take and give are in :mod:`include.catalog.records`.
"""

from include.catalog.database import CatalogError
from include.catalog.store import Catalog

__all__ = ["Catalog", "CatalogError"]
