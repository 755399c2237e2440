"""Every kind of damage is refused by the reader for its own reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from apogee_labels.apogee.spectra.apstar import read_apstar, read_header
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.simulation.damage import Damage, damage
from apogee_labels.simulation.survey import SyntheticSurvey

REASONS = {
    Damage.EMPTY: Reason.EMPTY,
    Damage.TRUNCATED: Reason.UNREADABLE,
    Damage.WRONG_HDUS: Reason.WRONG_LAYOUT,
    Damage.WRONG_GRID: Reason.WRONG_GRID,
    Damage.ALL_MASKED: Reason.NO_INFORMATION,
    Damage.NO_VISITS: Reason.NO_VISITS,
    Damage.NAN_EVERYWHERE: Reason.NO_INFORMATION,
}


@pytest.mark.parametrize("kind", list(Damage))
@pytest.mark.parametrize("index", [0, 1])
def test_damage_is_refused_for_its_reason(survey: SyntheticSurvey, tmp_path: Path, kind: Damage, index: int) -> None:
    good = survey.path(survey.stars[index])
    path = tmp_path / good.name
    path.write_bytes(good.read_bytes())
    damage(path, kind)
    with pytest.raises(BadInputError) as caught:
        read_apstar(path)
    assert caught.value.reason is REASONS[kind]
    read_apstar(good)


def test_a_file_cut_short_still_tells_its_nights(survey: SyntheticSurvey, tmp_path: Path) -> None:
    for star in survey.stars:
        good = survey.path(star)
        path = tmp_path / good.name
        path.write_bytes(good.read_bytes())
        damage(path, Damage.TRUNCATED)
        nights = [visit.mjd for visit in read_header(path).visits]
        assert nights == list(survey.visits(star, survey.nights[-1]))
