"""A slice of `make soak`: the store and the services die under load, replies are lost, and every promise holds."""

from dataclasses import replace
from pathlib import Path

from tests.soak.story import ROLLING, Plan, Story

SHORT = Plan(
    handoffs=150, workers=12, people=4, store_dies_s=(2.0, 3.0), service_dies_s=(4.0, 6.0), twice=0.05, cords_s=2
)
ORDERLY = replace(ROLLING, handoffs=400, workers=6, people=3, restarts_s=0.5, rest_s=0.0)


async def test_no_promise_is_broken_while_stores_and_services_are_killed(tmp_path: Path) -> None:
    story = Story(SHORT, tmp_path)
    report = await story.tell()
    assert report.store_kills, report
    assert report.lost, report
    assert report.callbacks["handled"] >= report.handoffs == SHORT.handoffs, report
    story.history.check()
    assert report.violations == [], report


async def test_agents_hear_while_replicas_are_replaced_one_after_the_other(tmp_path: Path) -> None:
    """How soon is for `make soak ARGS=--rolling`, on a machine that does nothing else."""
    story = Story(ORDERLY, tmp_path)
    report = await story.tell()
    assert report.restarts, report
    assert report.violations == [], report
    assert report.percentile(0.99) < 5_000, report
