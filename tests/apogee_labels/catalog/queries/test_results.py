"""What a night's stars and earlier nights say, on both databases."""

from __future__ import annotations

from dataclasses import replace

from apogee_labels.catalog import Catalog
from apogee_labels.catalog.records import FileStatus, NightFile
from tests.apogee_labels.catalog.catalog_samples import (
    NIGHT,
    analysed,
    content,
    model,
    moment,
    normalization,
    result,
    row,
    spectrum,
)  # fmt: skip


def publish(
    catalog: Catalog, mjd: int, run: str, *, minutes: float = 0, by: str = "first", telescope: str = "apo25m"
) -> None:
    files = [NightFile(path="/sas/a.fits", digest=None, state=FileStatus.DUE)]
    catalog.nights.record_listing(telescope, mjd, run, model(by).id, files, listed_at=moment(minutes))
    catalog.nights.record_publication(telescope, mjd, run, {"run": run}, published_at=moment(minutes))


def test_stacks_of_the_night_s_stars_come_with_their_older_contents(with_model: Catalog) -> None:
    with_model.models.record(model("second"))
    old = analysed(with_model, "star", digest=content("old"), nights=(NIGHT - 4,), teff=4400.0)
    new = analysed(with_model, "star", digest=content("new"), nights=(NIGHT - 4, NIGHT), teff=4500.0)
    analysed(with_model, "star", digest=content("new"), by="second", nights=(NIGHT - 4, NIGHT))
    analysed(with_model, "stranger", nights=(NIGHT - 4,))
    found = {
        each.result_id: each for each in with_model.results.of_stars_seen("apo25m", NIGHT, model().id, visits=False)
    }
    assert set(found) == {old.id, new.id}
    star = found[new.id]
    assert (star.obj, star.digest, star.newest, star.of_night, star.mjd) == ("star", content("new"), NIGHT, True, None)
    assert (star.reduced_chi_sq, star.snr) == (1.01, 99.0)
    assert star.labels == {"TEFF": (4500.0, 0.01), "LOGG": (2.5, 0.01), "FE_H": (-0.25, 0.01)}
    assert (found[old.id].newest, found[old.id].of_night) == (NIGHT - 4, False)
    assert with_model.results.of_stars_seen("lco25m", NIGHT, model().id, visits=False) == []


def test_visits_come_with_the_other_visits_of_their_file(with_model: Catalog) -> None:
    digest = content("star")
    with_model.spectra.record(spectrum(nights=(NIGHT - 1, NIGHT)))
    by_visit = normalization(digest, sum_axis=None)
    with_model.normalizations.record(by_visit)
    rows = (row(0, mjd=NIGHT - 1), row(1, mjd=NIGHT), replace(row(2, mjd=NIGHT), labels=()))
    made = result(by_visit.id, model().id, rows=rows)
    with_model.results.record(made)
    found = with_model.results.of_stars_seen("apo25m", NIGHT, model().id, visits=True)
    assert [(each.result_id, each.row, each.mjd, len(each.labels)) for each in found] == [
        (made.id, 0, NIGHT - 1, 3), (made.id, 1, NIGHT, 3), (made.id, 2, NIGHT, 0),
    ]  # fmt: skip
    assert with_model.results.of_stars_seen("apo25m", NIGHT, model().id, visits=False) == []


def test_earlier_nights_are_those_that_runs_of_the_model_published(with_model: Catalog) -> None:
    with_model.models.record(model("second"))
    for mjd, run, minutes in ((8, "first", 1), (8, "again", 9), (9, "nine", 2), (7, "seven", 3), (10, "the night", 4)):
        publish(with_model, mjd, run, minutes=minutes)
    publish(with_model, 9, "by another model", by="second")
    publish(with_model, 9, "elsewhere", telescope="lco25m")
    with_model.nights.record_listing("apo25m", 9, "under way", model().id, [])
    found = with_model.nights.summaries_before("apo25m", 10, model().id, 30)
    assert [(mjd, summary["run"]) for mjd, summary in found] == [(9, "nine"), (8, "again"), (8, "first"), (7, "seven")]
    assert len(with_model.nights.summaries_before("apo25m", 10, model().id, 0)) == 0
