"""Which MJD a run is for."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from apogee_airflow.observing_night import night_end, observing_mjd

START, END = datetime(2021, 3, 7, 16, 48, tzinfo=UTC), datetime(2021, 3, 8, 16, 48, tzinfo=UTC)


def context(mjd: int | None = None, **run: Any) -> dict[str, Any]:
    values = {"data_interval_start": START, "data_interval_end": END, "logical_date": START, "run_id": "r"} | run
    return {"params": {"mjd": mjd}, "dag_run": SimpleNamespace(**values)}


def test_it_is_the_data_interval() -> None:
    assert observing_mjd(context(), "apo25m") == 59281


def test_the_param_comes_first_and_needs_no_interval() -> None:
    assert observing_mjd(context(57150, data_interval_start=None, data_interval_end=None), "apo25m") == 57150


def test_a_run_that_names_no_night_says_how_to_name_one() -> None:
    with pytest.raises(AirflowFailException, match="mjd"):
        observing_mjd(context(data_interval_start=None, data_interval_end=None, logical_date=None), "apo25m")


def test_an_interval_beside_the_logical_date_is_refused() -> None:
    """`airflow dags trigger --logical-date` takes the interval from the present moment: it would be the wrong night."""
    with pytest.raises(AirflowFailException, match="another night"):
        observing_mjd(context(logical_date=datetime(2015, 5, 8, tzinfo=UTC)), "apo25m")


def test_the_end_of_a_night_is_when_its_mjd_ends() -> None:
    assert night_end("apo25m", 59281) == END
    assert night_end("lco25m", 59281) == datetime(2021, 3, 8, 14, 24, tzinfo=UTC)
