"""What Prometheus reads: names and units as its conventions have them, a bounded number of lines, and true numbers."""

import asyncio
import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from andon import wire
from bot.config import Settings
from bot.metrics import GATES, Metrics
from bot.store import Numbers, Queue
from tests.fakes.board import Board
from tests.fakes.desk import EMAIL, NOON, handoff
from tests.flows.paper_house import NOWHERE, OPS, replica, settled
from tests.people import Caller
from tests.servers import Live, Valkey, live, until

DOCS: Final = Path(__file__).parents[2] / "docs"
OPERATIONS: Final = (DOCS / "operations.md").read_text()
NUMBERS: Final = Numbers(3, 1, 2, 9, 1, 4, 8, timedelta(seconds=9), (Queue("cards:slack", 5, 6, timedelta(seconds=7)),))
PERSON: Final = wire.Actor(kind="person", id="slack:T1/U1", name="Mira", surface="slack")

BASE_UNITS: Final = ("_seconds", "_bytes")
OTHER_UNITS: Final = re.compile(r"_(ms|milliseconds|minutes|hours|days|kb|mb|kilobytes|percent)(_|$)")


def full() -> Metrics:
    """Metrics with something in every one of them."""
    metrics = Metrics(waiting=lambda: 1, streams=lambda: 2, version="1.2.3")
    metrics.watch_policy(loads=lambda: {"loaded": 1}, trouble=lambda: False)
    one = handoff(EMAIL)
    done = wire.Approved(
        by=PERSON, at=NOON, revision=1, digest=one.digest, args={}, policy="none", message_for_agent="go on"
    )
    decided = replace(one, decision=done)
    claimed = replace(decided, claim=wire.Claimed(claimant="c", at=NOON))
    metrics.opened(one)
    metrics.decided(decided)
    metrics.told(decided, NOON)
    metrics.claimed(one.id, decided, "permit", NOON)
    metrics.closed("executed", claimed, NOON)
    metrics.delivered("slack", "posted")
    metrics.shown(one, "slack", NOON, NOON)
    metrics.braked("stop", "pulled", 0.01)
    metrics.answered("GET", "/v1/handoffs/{id}", 200, 0.01)
    metrics.tripped(0.001)
    metrics.troubled()
    return metrics


def read(text: bytes | str) -> dict[str, Metric]:
    decoded = text.decode() if isinstance(text, bytes) else text
    return {family.name: family for family in text_string_to_metric_families(decoded)}


def value(text: str, sample: str) -> float | None:
    found = re.search(rf"^{re.escape(sample)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


async def scrape(here: Live) -> str:
    return str((await here.agent.call("GET", "/metrics")).body)


FAMILIES: Final = read(full().text(NUMBERS))


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())
def test_names_and_units_are_as_prometheus_has_them(family: Metric) -> None:
    """As `promtool check metrics` looks at them."""
    assert re.fullmatch(r"[a-z][a-z0-9_]*", family.name)
    assert family.documentation.strip()
    assert not OTHER_UNITS.search(family.name)
    assert not family.name.endswith(("_total", "_count", "_sum", "_bucket", f"_{family.type}"))
    if family.type == "counter":
        assert {sample.name for sample in family.samples} <= {f"{family.name}_total", f"{family.name}_created"}
    if family.type == "histogram":
        assert family.name.endswith(BASE_UNITS)
    for sample in family.samples:
        assert not {
            name for name in sample.labels if not re.fullmatch(r"[a-z][a-z_]*", name) or name in {"job", "instance"}
        }


def test_every_metric_has_its_line() -> None:
    """Guard: the page lists each name as it is queried."""
    ours = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in FAMILIES.values()
        if family.name.startswith("andon_")
    }
    assert {name for name in ours if not re.search(rf"^\| [^|]*`{name}`", OPERATIONS, re.MULTILINE)} == set()
    listed = set(re.findall(r"`(andon_[a-z_]+)`", OPERATIONS))
    assert listed - ours == set(), "the page names what there is not"


def queries() -> dict[str, str]:
    """What the page's alerts and dashboard ask Prometheus, by their names."""
    alerts = yaml.safe_load((DOCS / "alerts.yaml").read_text())
    board = json.loads((DOCS / "dashboard.json").read_text())
    found = {rule["alert"]: rule["expr"] for group in alerts["groups"] for rule in group["rules"]}
    return found | {f"{p['title']} {t['refId']}": t["expr"] for p in board["panels"] for t in p["targets"]}


@pytest.mark.parametrize("query", queries().values(), ids=queries().keys())
def test_alerts_and_dashboard_name_what_there_is(query: str) -> None:
    """A query of a metric or label that is not there is always quiet."""
    series: dict[str, set[str]] = {}
    for family in FAMILIES.values():
        for sample in family.samples:
            series.setdefault(sample.name, set()).update(sample.labels)
    names = re.findall(r"\bandon_[a-z_]+", query)
    assert names
    assert set(names) <= set(series)
    known = set().union(*(series[name] for name in names))
    wanted = {label.strip() for by in re.findall(r"by \(([^)]*)\)", query) for label in by.split(",")}
    wanted |= set(re.findall(r"[{,]([a-z]+)=", query))
    assert wanted <= known
    assert query.count("(") == query.count(")")


def test_ten_thousand_gates_make_a_hundred_and_one_labels() -> None:
    """Guard: agents name gates, so without a bound one agent would fill the memory of everybody's monitoring."""
    metrics = Metrics(waiting=int, streams=int)
    one = handoff(EMAIL)
    for number in range(10_000):
        ask = one.ask.model_copy(update={"gate": f"gate-{number}"})
        metrics.opened(replace(one, ask=ask))
    families = read(metrics.text(None))
    gates = {
        sample.labels["gate"]: sample.value
        for sample in families["andon_gate_asks"].samples
        if sample.name.endswith("_total")
    }
    assert len(gates) == GATES + 1
    assert gates["other"] == 10_000 - GATES
    assert gates["gate-0"] == 1


async def test_addresses_that_nobody_serves_make_one_label(service: Live) -> None:
    """Guard: whoever can reach the port could otherwise make as many lines as they like."""
    for number in range(20):
        await service.agent.call("GET", f"/nowhere/{number}")
        await service.agent.call("GET", f"/v1/handoffs/hf_{number:022}")
        await service.agent.call("PROPFIND", "/v1/handoffs")
    families = read(await scrape(service))
    seen = {
        (s.labels["method"], s.labels["route"], s.labels["status"]): s.value
        for s in families["andon_http_requests"].samples
        if s.name.endswith("_total")
    }
    assert seen["GET", "none", "4xx"] == 20
    assert seen["GET", "/v1/handoffs/{id}", "4xx"] == 20
    assert seen["other", "none", "4xx"] == 20


async def test_a_handoffs_way_is_counted_and_timed(service: Live) -> None:
    agent, mira = service.agent, service.person
    asked = await agent.ask(gate="send_email")
    wait = asyncio.create_task(agent.wait(asked["id"]))

    async def waits() -> bool:
        return value(await scrape(service), "andon_waiting") == 1

    await until(waits)
    await mira.approve(asked)
    permit = await agent.claim(await wait)
    assert permit.status == 200
    assert (await agent.report(asked, "executed", claimant="try-1")).status == 200
    text = await scrape(service)
    for sample in (
        'andon_gate_asks_total{gate="send_email"}',
        'andon_gate_decisions_total{gate="send_email",kind="approved"}',
        'andon_decision_seconds_count{kind="approved",surface="api"}',
        "andon_told_seconds_count",
        "andon_claim_seconds_count",
        'andon_outcome_seconds_count{status="executed"}',
    ):
        assert value(text, sample) == 1, sample
    assert (value(text, "andon_told_seconds_sum") or 9) < 5
    assert (value(text, "andon_store_round_trip_seconds_count") or 0) > 5
    assert "process_resident_memory_bytes" in text
    assert 'andon_build_info{python="' in text


async def test_what_is_shown_and_what_waits_is_counted_by_surface(settings: Settings) -> None:
    async with Board("ops").serving() as board, replica(settings, board) as here:
        asked = await here.agent.ask(to=[OPS, NOWHERE])
        await settled(here)
        await here.person.approve(asked)
        await settled(here)
        text = await scrape(here)
    assert value(text, 'andon_deliveries_total{result="posted",surface="paper"}') == 1
    assert (value(text, 'andon_deliveries_total{result="updated",surface="paper"}') or 0) >= 1
    assert value(text, 'andon_deliveries_total{result="refused",surface="paper"}') == 1
    assert value(text, 'andon_card_seconds_count{surface="paper"}') == 1
    assert value(text, 'andon_outbox_pending{queue="cards:paper"}') == 0
    assert value(text, 'andon_outbox_oldest_seconds{queue="cards:paper"}') == 0


async def test_a_surface_that_is_down_shows_its_backlog(settings: Settings) -> None:
    """What waits, and for how long, is there to be seen while nothing can be shown."""
    async with Board("ops").serving() as board:
        board.is_down = True
        async with replica(settings, board) as here:
            await here.agent.ask(to=[OPS])

            async def seen() -> bool:
                text = await scrape(here)
                failed = value(text, 'andon_deliveries_total{result="failed",surface="paper"}') or 0
                pending = value(text, 'andon_outbox_pending{queue="cards:paper"}') or 0
                return (
                    failed >= 1
                    and pending >= 1
                    and (value(text, 'andon_outbox_oldest_seconds{queue="cards:paper"}') or 0) > 1
                )

            await until(seen, within_s=15)
            board.is_down = False
            await settled(here)


async def test_brakes_are_counted_and_what_they_hold(service: Live) -> None:
    await service.agent.ask()
    run = await service.agent.run()
    assert (await service.person.call("POST", f"/v1/runs/{run}/brake", {"action": "stop"})).status == 200
    text = await scrape(service)
    assert value(text, 'andon_brakes_total{action="stop",result="pulled"}') == 1
    assert value(text, "andon_brake_seconds_count") == 1
    assert (value(text, "andon_brakes_standing"), value(text, "andon_held"), value(text, "andon_pending")) == (1, 1, 1)


async def test_scrapes_share_one_count(service: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guard: whoever scrapes in a loop loads this process, and not the store of all."""
    await scrape(service)
    before = (await service.store._client.info("commandstats")).get("cmdstat_zcount", {}).get("calls", 0)
    await asyncio.gather(*(scrape(service) for _ in range(50)))
    after = (await service.store._client.info("commandstats")).get("cmdstat_zcount", {}).get("calls", 0)
    assert after - before <= 2


async def test_a_scrape_works_while_the_store_is_away(
    service: Live, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.api.operations.KEPT_S", 0.2)
    monkeypatch.setattr("bot.api.operations.PATIENCE_S", 0.5)
    assert value(await scrape(service), "andon_store_up") == 1
    valkey.kill()
    try:

        async def told() -> bool:
            return value(await scrape(service), "andon_store_up") == 0

        await until(told, within_s=15)
        text = await scrape(service)
        assert "andon_pending" not in text, "a number that nobody could count"
        assert (value(text, "andon_store_troubles_total") or 0) >= 1
        assert value(text, "andon_waiting") == 0
    finally:
        valkey.start()

    async def back() -> bool:
        return value(await scrape(service), "andon_store_up") == 1

    await until(back, within_s=15)


async def test_with_a_token_it_is_for_who_has_it(settings: Settings) -> None:
    """Guard: it tells which gates there are, and how busy they are."""
    async with live(settings.model_copy(update={"metrics_token": SecretStr("scrape-me-if-you-can")})) as here:
        url = "/metrics"
        for key in ("", "wrong", "scrape-me-if-you-ca", here.agent.key, "\u00e9"):
            async with Caller(here.url, key) as stranger:
                assert (await stranger.call("GET", url)).status == 401
        async with Caller(here.url, "scrape-me-if-you-can") as prometheus:
            assert (await prometheus.call("GET", url)).status == 200
