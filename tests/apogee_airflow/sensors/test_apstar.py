"""Waiting for a night's files, or for a star's."""

from __future__ import annotations

import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from apogee_airflow import ApStarSensor
from apogee_airflow.triggers.files import FilesSettledTrigger
from apogee_labels.apogee.archive.nights import observatory
from apogee_labels.core.settings import Settings
from apogee_labels.simulation.survey import SyntheticStar, SyntheticSurvey
from tests.apogee_airflow.conftest import MakeContext, Server

HOUR = timedelta(hours=1)


def sensor(**arguments: Any) -> Any:
    return ApStarSensor(task_id="wait", **arguments)


def keys(star: SyntheticStar) -> dict[str, Any]:
    return {"obj": star.obj, "telescope": star.telescope, "field": star.field}


def deferred(call: Any, *arguments: Any) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as caught:
        call(*arguments)
    return caught.value


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


@pytest.mark.parametrize("arguments", [{}, {"telescope": "apo25m", "star": {"obj": "a"}}, {"paths": [], "folder": "a"}])
def test_it_waits_for_one_kind_of_thing(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give one of them"):
        sensor(**arguments)


# -- a night -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def tonight() -> int:
    return observatory("apo25m").mjd(datetime.now(UTC))


@pytest.fixture
def files_of_tonight(installation: Settings, tonight: int) -> list[Path]:
    """The archive holds this night's files alone, and they were written just now."""
    shutil.rmtree(installation.sas_base_dir)
    survey = SyntheticSurvey(installation.sas_base_dir, n_stars=4, first_mjd=tonight, nights=1)
    return survey.observe("apo25m", tonight)


def test_a_past_night_is_not_waited_for(survey: SyntheticSurvey, make_context: MakeContext) -> None:
    """Its files were written just now: it is the deadline that ends it, and not that they are quiet."""
    context = make_context(mjd=59280)
    answer = sensor(telescope="apo25m").execute(context)
    assert answer["mjd"] == 59280
    assert answer["files"] > 0
    assert "deadline was 2021-03-08T04:48:00+00:00" in answer["because"]
    assert sensor(telescope="apo25m").execute(make_context(mjd=50000))["files"] == 0


def test_tonight_is_waited_for_until_an_absolute_deadline(
    installation: Settings, tonight: int, make_context: MakeContext
) -> None:
    shutil.rmtree(installation.sas_base_dir)
    end = observatory("apo25m").interval(tonight)[1]
    before = datetime.now(UTC)
    pause = deferred(sensor(telescope="apo25m", wait="6", poke_interval=300).execute, make_context(mjd=tonight))
    after = datetime.now(UTC)
    assert isinstance(pause.trigger, DateTimeTrigger)
    assert pause.method_name == "look_at_night"
    moment = pause.trigger.serialize()[1]["moment"]
    assert before + timedelta(seconds=300) <= moment <= after + timedelta(seconds=300)
    limit = pause.timeout
    assert limit is not None
    assert before + limit >= end + 6 * HOUR, "Airflow's own time limit does not end the wait before the deadline"
    assert after + limit <= end + 8 * HOUR + (after - before)


def test_it_does_not_sleep_beyond_the_deadline(installation: Settings, tonight: int, make_context: MakeContext) -> None:
    shutil.rmtree(installation.sas_base_dir)
    end = observatory("apo25m").interval(tonight)[1]
    pause = deferred(sensor(telescope="apo25m", wait=1, poke_interval=1e6).execute, make_context(mjd=tonight))
    assert pause.trigger.serialize()[1]["moment"] == end + HOUR


def test_files_that_still_come_are_waited_for(
    files_of_tonight: list[Path], tonight: int, make_context: MakeContext
) -> None:
    for path in files_of_tonight[1:]:
        age(path, 3600)
    deferred(sensor(telescope="apo25m", settle_time="600").execute, make_context(mjd=tonight))


def test_the_wait_ends_when_all_are_quiet(
    files_of_tonight: list[Path], tonight: int, make_context: MakeContext
) -> None:
    for path in files_of_tonight:
        age(path, 700)
    answer = sensor(telescope="apo25m", settle_time="600").execute(make_context(mjd=tonight))
    assert answer["files"] == len(files_of_tonight)
    assert "quiet for 7" in answer["because"]


def test_it_looks_again_when_it_is_woken(files_of_tonight: list[Path], tonight: int, make_context: MakeContext) -> None:
    waiting, context = sensor(telescope="apo25m", settle_time=600), make_context(mjd=tonight)
    pause = deferred(waiting.execute, context)
    resume = getattr(waiting, pause.method_name)
    deferred(resume, context, datetime.now(UTC))
    for path in files_of_tonight:
        age(path, 700)
    assert resume(context, event=datetime.now(UTC))["files"] == len(files_of_tonight)


def test_a_mirror_that_preserves_times_is_waited_for_all_the_same(
    files_of_tonight: list[Path], tonight: int, make_context: MakeContext
) -> None:
    """What an earlier look did not see came after it, however old it looks."""
    *first, last = files_of_tonight
    content = last.read_bytes()
    last.unlink()
    for path in first:
        age(path, 300)
    waiting, context = sensor(telescope="apo25m", settle_time=600), make_context(mjd=tonight)
    pause = deferred(waiting.execute, context)
    last.write_bytes(content)
    for path in files_of_tonight:
        age(path, 86400)
    resume = getattr(waiting, pause.method_name)
    pause = deferred(lambda: resume(context, event=datetime.now(UTC), **(pause.kwargs or {})))
    seen = dict((pause.kwargs or {})["seen"])
    seen["since"] = (datetime.fromisoformat(seen["since"]) - timedelta(seconds=601)).isoformat()
    assert "quiet for 60" in resume(context, event=datetime.now(UTC), seen=seen)["because"]


def test_the_wait_ends_when_all_that_a_summary_lists_is_here(
    files_of_tonight: list[Path],
    tonight: int,
    make_context: MakeContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stars = [path.stem.split("-", 2)[2] for path in files_of_tonight]
    field = files_of_tonight[0].parent.name
    summary = tmp_path / "allVisit.csv"
    rows = [f"{star},apo25m,{tonight},{field}" for star in stars]
    summary.write_text(
        "\n".join(["APOGEE_ID,TELESCOPE,MJD,FIELD", *rows, f"2M00000000+0000000,apo25m,{tonight},{field}"])
    )
    monkeypatch.setenv("APOGEE_LABELS_VISIT_SUMMARY", str(summary))
    deferred(sensor(telescope="apo25m").execute, make_context(mjd=tonight))
    summary.write_text("\n".join(["APOGEE_ID,TELESCOPE,MJD,FIELD", *rows]))
    answer = sensor(telescope="apo25m").execute(make_context(mjd=tonight))
    assert answer["because"] == f"all of {len(rows)} expected files are here"
    summary.write_text("nothing of the kind")
    deferred(sensor(telescope="apo25m").execute, make_context(mjd=tonight))


def test_a_file_that_is_still_being_written_is_waited_for(
    files_of_tonight: list[Path], tonight: int, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in files_of_tonight:
        age(path, 86400)
    monkeypatch.setattr(
        "apogee_labels.pipeline.ingest.scan._has_changed", lambda found: found.path == str(files_of_tonight[0])
    )
    deferred(sensor(telescope="apo25m").execute, make_context(mjd=tonight))


def test_a_slow_transfer_of_another_nights_file_is_not_waited_for(
    files_of_tonight: list[Path],
    installation: Settings,
    tonight: int,
    make_context: MakeContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for path in files_of_tonight:
        age(path, 86400)
    (slow,) = SyntheticSurvey(installation.sas_base_dir, seed=2, n_stars=1, nights=1).observe("apo25m", 59280)
    monkeypatch.setattr("apogee_labels.pipeline.ingest.scan._has_changed", lambda found: found.path == str(slow))
    answer = sensor(telescope="apo25m").execute(make_context(mjd=tonight))
    assert "were quiet" in answer["because"]
    slow.write_bytes(slow.read_bytes()[:100])  # its header is not here yet: it may be of any night
    deferred(sensor(telescope="apo25m").execute, make_context(mjd=tonight))


def test_the_night_of_the_other_site_is_another(survey: SyntheticSurvey, make_context: MakeContext) -> None:
    counts = {
        telescope: sensor(telescope=telescope).execute(make_context(mjd=59281))["files"]
        for telescope in ("apo25m", "lco25m")
    }
    assert counts == {
        telescope: sum(star.telescope == telescope and 59281 in survey.visits(star, 59281) for star in survey.stars)
        for telescope in counts
    }


# -- a star ------------------------------------------------------------------------------------------------------------


def test_a_star_that_is_here_is_not_waited_for(survey: SyntheticSurvey, make_context: MakeContext) -> None:
    context, star = make_context(), survey.stars[0]
    answer = sensor(star=keys(star), wait=0, settle_time=0).execute(context)
    assert answer["star"] == context["label"] == star.obj


def test_a_star_that_may_come_is_waited_for(survey: SyntheticSurvey, make_context: MakeContext) -> None:
    context, star = make_context(), survey.stars[0]
    content = survey.path(star).read_bytes()
    survey.path(star).unlink()
    waiting = sensor(star=keys(star), wait="2", settle_time="0", poke_interval=7)
    before = datetime.now(UTC)
    pause = deferred(waiting.execute, context)
    assert isinstance(pause.trigger, FilesSettledTrigger)
    assert (pause.trigger.paths, pause.trigger.poll_interval) == ([str(survey.path(star))], 7)
    assert before + 2 * HOUR <= datetime.fromisoformat(pause.trigger.deadline or "") <= datetime.now(UTC) + 2 * HOUR
    assert pause.timeout is not None
    assert pause.timeout > 2 * HOUR
    survey.path(star).write_bytes(content)
    assert pause.trigger.settled()
    assert getattr(waiting, pause.method_name)(context, {"settled": True})["star"] == star.obj
    assert context["label"] == star.obj


def test_a_file_that_is_being_written_is_waited_for(survey: SyntheticSurvey, make_context: MakeContext) -> None:
    star = survey.stars[0]
    survey.path(star).touch()
    deferred(sensor(star=keys(star), wait=1, settle_time=600).execute, make_context())
    age(survey.path(star), 700)
    sensor(star=keys(star), wait=1, settle_time=600).execute(make_context())


@pytest.mark.parametrize("wait", [0, "0", 0.0])
def test_a_star_that_is_not_here_and_not_waited_for_is_a_skip(
    survey: SyntheticSurvey, make_context: MakeContext, wait: object
) -> None:
    context, star = make_context(), survey.stars[0]
    survey.path(star).unlink()
    with pytest.raises(AirflowSkipException, match="use_remote"):
        sensor(star=keys(star), wait=wait).execute(context)
    assert context["label"] == f"{star.obj}: did not come"


def test_a_star_that_did_not_come_is_a_skip(survey: SyntheticSurvey, make_context: MakeContext) -> None:
    context = make_context()
    with pytest.raises(AirflowSkipException, match="after 2 h"):
        sensor(star={"obj": "2M16505794-2118004"}, wait="2").star_settled(context, {"settled": False})
    assert context["label"] == "2M16505794-2118004: did not come"


@pytest.mark.parametrize("use_remote", [True, "True", "true", "1"])
def test_a_star_that_the_remote_archive_has_is_not_waited_for(
    survey: SyntheticSurvey,
    make_context: MakeContext,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    use_remote: object,
) -> None:
    monkeypatch.setenv("APOGEE_LABELS_REMOTE_BASE", server.base)
    context, star = make_context(), survey.stars[0]
    survey.path(star).unlink()
    server.answers[f"HEAD /sas/{survey.path(star).relative_to(survey.root)}"] = (200, b"")
    answer = sensor(star=keys(star), wait=5, use_remote=use_remote).execute(context)
    assert answer["star"] == context["label"] == star.obj


@pytest.mark.parametrize("status", [404, 503])
def test_a_star_that_is_not_at_the_remote_archive_yet_is_waited_for(
    survey: SyntheticSurvey, make_context: MakeContext, server: Server, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """The worker asks again at each waking; at the deadline it is the fetch that says what is the matter."""
    monkeypatch.setenv("APOGEE_LABELS_REMOTE_BASE", server.base)
    context, star = make_context(), survey.stars[0]
    survey.path(star).unlink()
    request = f"HEAD /sas/{survey.path(star).relative_to(survey.root)}"
    server.answers[request] = (status, b"")
    waiting = sensor(star=keys(star), wait=5, use_remote=True)
    pause = deferred(waiting.execute, context)
    assert isinstance(pause.trigger, DateTimeTrigger)
    assert request in server.asked
    resume = getattr(waiting, pause.method_name)
    server.answers[request] = (200, b"")
    assert "fetched" in resume(context, event=datetime.now(UTC), **(pause.kwargs or {}))["because"]
    server.asked.clear()
    past = datetime.now(UTC).isoformat()
    assert "fetched" in resume(context, event=datetime.now(UTC), until=past)["because"]
    assert server.asked == []


def test_keys_that_name_no_file_are_a_skip_and_not_a_wait(installation: Settings, make_context: MakeContext) -> None:
    context = make_context()
    with pytest.raises(AirflowSkipException, match="feild"):
        sensor(star={"obj": "2M16505794-2118004", "feild": "000+14"}, wait=5).execute(context)
    assert context["label"] == "2M16505794-2118004: missing"


# -- a list and a folder -----------------------------------------------------------------------------------------------


def test_a_list_is_waited_for_until_all_its_files_are_here(survey: SyntheticSurvey, make_context: MakeContext) -> None:
    paths = [survey.path(star) for star in survey.stars[:3]]
    content = paths[0].read_bytes()
    paths[0].unlink()
    waiting = sensor(paths=[str(path) for path in paths], wait=2, settle_time=0)
    pause = deferred(waiting.execute, make_context())
    assert isinstance(pause.trigger, FilesSettledTrigger)
    assert not pause.trigger.settled()
    paths[0].write_bytes(content)
    assert pause.trigger.settled()
    answer = getattr(waiting, pause.method_name)(make_context(), {"settled": True})
    assert (answer["files"], answer["missing"]) == (3, [])


def test_what_did_not_come_of_a_list_is_named(survey: SyntheticSurvey, make_context: MakeContext) -> None:
    paths = [str(survey.path(star)) for star in survey.stars[:2]]
    survey.path(survey.stars[0]).unlink()
    answer = sensor(paths=paths, wait=0, settle_time=0).execute(make_context())
    assert (answer["files"], answer["missing"]) == (1, paths[:1])


def test_a_list_may_not_be_a_survey(make_context: MakeContext, installation: Settings) -> None:
    with pytest.raises(ValueError, match="at most 1000 paths"):
        sensor(paths=["a"] * 1001).execute(make_context())


def test_a_folder_is_waited_for_until_what_is_new_in_it_is_quiet(
    survey: SyntheticSurvey, installation: Settings, make_context: MakeContext
) -> None:
    folder = installation.data_dir / "incoming"
    folder.mkdir()
    waiting, context = sensor(folder=str(folder), wait=1, settle_time=60), make_context()
    pause = deferred(waiting.execute, context)
    assert isinstance(pause.trigger, DateTimeTrigger)
    resume = getattr(waiting, pause.method_name)
    copy = Path(shutil.copy(survey.path(survey.stars[0]), folder))
    again = deferred(lambda: resume(context, event=datetime.now(UTC), **(pause.kwargs or {})))
    assert again.kwargs == pause.kwargs, "the deadline is absolute"
    age(copy, 61)
    assert resume(context, event=datetime.now(UTC), **(pause.kwargs or {}))["new"] == 1


def test_a_quiet_folder_ends_the_wait_at_its_deadline(
    installation: Settings, survey: SyntheticSurvey, make_context: MakeContext
) -> None:
    folder = installation.data_dir / "incoming"
    folder.mkdir()
    assert "deadline" in sensor(folder=str(folder), wait=0).execute(make_context())["because"]
