"""Values come back from every database as they were given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from sqlalchemy import text

from apogee_labels.catalog import Catalog
from apogee_labels.catalog.db.columns import canonical_json
from apogee_labels.catalog.records import FileState, LabelValue, ResultRow
from tests.apogee_labels.catalog.catalog_samples import (
    LABELS,
    archive_file,
    content,
    model,
    normalization,
    result,
    row,
    same,
    spectrum,
)


def test_json_is_the_same_text_for_the_same_value() -> None:
    assert canonical_json({"b": [1, 2.5], "a": None}) == canonical_json({"a": None, "b": (1, 2.5)})
    assert canonical_json({"b": [1, 2.5], "a": None}) == '{"a":null,"b":[1,2.5]}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"length": float("nan")})


def test_parameters_are_stored_as_canonical_json(catalog: Catalog) -> None:
    catalog.spectra.record(spectrum())
    catalog.normalizations.record(normalization(content("star")))
    with catalog._database.read() as connection:
        stored = connection.execute(text("SELECT CAST(parameters AS TEXT) FROM normalization")).scalar()
    assert stored == '{"length":1400.0,"order":3,"sum_axis":0}'


def test_times_come_back_in_utc_to_the_microsecond(catalog: Catalog) -> None:
    local = datetime(2024, 3, 1, 21, 5, 6, 123456, tzinfo=timezone(timedelta(hours=-7)))
    catalog.archive.index([archive_file(scanned_at=local)])
    found = catalog.archive.indexed()["/sas/star.fits"].scanned_at
    assert found == local
    assert found.tzinfo is UTC


def test_a_time_without_a_zone_is_refused(catalog: Catalog) -> None:
    with pytest.raises(Exception, match="expected a time with a zone, got 2024-03-01T00:00:00"):
        catalog.archive.index([archive_file(scanned_at=datetime(2024, 3, 1))])
    assert catalog.archive.indexed() == {}


def test_a_state_that_is_none_is_refused(catalog: Catalog) -> None:
    with pytest.raises(Exception, match="'vanished' is not a valid FileState"):
        catalog.archive.index([archive_file(state="vanished")])
    catalog.archive.index([archive_file(state="gone")])
    assert catalog.archive.indexed()["/sas/star.fits"].state is FileState.GONE


def test_numbers_of_numpy_are_taken_and_nan_comes_back(catalog: Catalog) -> None:
    odd = ResultRow(
        row=np.int64(0),
        mjd=np.int32(59000),
        labels=tuple(LabelValue(name, np.float64("nan"), np.float32(0.5), np.float64("nan")) for name in LABELS),
        covariance=tuple(np.array([[1.0, np.nan, np.inf]] * 3)),
        chi_sq=np.float32(2.5),
        reduced_chi_sq=float("nan"),
        snr=float("inf"),
        n_pixels=np.int64(3),
        converged=np.bool_(False),
        flags=np.uint64(1 << 40),
        n_iterations=np.int64(12),
        unexplained=np.float32(0.25),
    )
    catalog.spectra.record(spectrum())
    catalog.normalizations.record(normalization(content("star")))
    catalog.models.record(model())
    made = result(normalization(content("star")).id, model().id, rows=(odd,))
    catalog.results.record(made)
    nan = float("nan")
    expected = row(0, mjd=59000)
    found = catalog.results.get(made.id).rows[0]
    assert same(found.labels, tuple((name, nan, 0.5, nan) for name in LABELS))
    assert same(found.covariance, ((1.0, nan, nan),) * 3)
    assert same((found.chi_sq, found.reduced_chi_sq, found.snr), (2.5, nan, float("inf")))
    assert (found.row, found.mjd, found.n_pixels, found.flags) == (0, 59000, 3, expected.flags)
    assert found.converged is False
    assert (found.n_iterations, found.unexplained) == (12, 0.25)
    with catalog._database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM label WHERE value IS NULL")).scalar() == 3
