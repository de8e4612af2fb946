"""Endpoints by the API: for an admin's key alone, which can do nothing else."""

from collections.abc import AsyncIterator, Mapping
from typing import Final

import pytest

from bot.api.calls import CALLS
from bot.config import Settings
from tests.fakes.post_office import QUICK
from tests.fakes.receiver import receiver, says
from tests.people import Admin, Agent, Caller, Person
from tests.servers import Live, live, until

MAY: Final[Mapping[str, set[str]]] = {
    "agent": {"agent"},
    "person": {"person"},
    "either": {"agent", "person"},
    "reader": {"agent", "person"},
    "admin": {"admin"},
}
"""Written down here once more, so that a looser table in the service is noticed."""


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[Live]:
    async with live(settings.model_copy(update={"callback_allow": "127.0.0.1"}), schedule=QUICK) as running:
        yield running


@pytest.fixture
async def admin(house: Live) -> Admin:
    return await house.new_admin()


async def test_every_kind_of_key_may_make_the_calls_that_are_for_it_and_no_other(house: Live, admin: Admin) -> None:
    """The whole matrix: a key of another kind is refused before the call looks at anything else."""
    keys: dict[str, Caller] = {"agent": house.agent, "person": house.person, "admin": admin}
    ids = {
        "id": f"hf_{'x' * 22}",
        "run": f"run_{'x' * 22}",
        "key": f"tr_{'0' * 24}",
        "endpoint": f"ep_{'x' * 22}",
        "delivery": f"cb_{'x' * 22}",
    }
    refused: set[tuple[str, str]] = set()
    for call in CALLS:
        if call.name == "events":
            continue  # it does not end; the two below are its row
        for kind, caller in keys.items():
            body: dict[str, object] | None = {} if call.body is not None else None
            reply = await caller.call(call.method, call.path.format(**ids), body)
            if reply.status == 403:
                assert reply.problem == "forbidden"
                refused.add((call.name, kind))
            else:
                assert reply.status != 401, (call.name, kind, reply)
    wanted = {(call.name, kind) for call in CALLS if call.who in MAY and call.name != "events" for kind in keys} - {
        (call.name, kind) for call in CALLS if call.who in MAY for kind in MAY[call.who]
    }
    assert refused == wanted
    of_endpoints = {call.name for call in CALLS if "/endpoints" in call.path or "/dead-letters" in call.path}
    assert len(of_endpoints) == 11
    assert {(name, kind) for name in of_endpoints for kind in ("agent", "person")} <= refused
    for kind in ("person", "admin"):
        assert (await keys[kind].call("GET", "/v1/events")).status == 403


@pytest.mark.parametrize("key", ["", "apk_live_x"])
async def test_without_a_key_there_is_nothing_to_see(house: Live, key: str) -> None:
    async with Caller(house.url, key) as nobody:
        for call in CALLS:
            if call.who == "admin":
                path = call.path.format(endpoint=f"ep_{'x' * 22}", delivery=f"cb_{'x' * 22}")
                assert (await nobody.call(call.method, path)).status == 401


async def test_an_endpoint_s_whole_life(house: Live, admin: Admin) -> None:
    async with receiver(says(503)) as hook:
        made = await admin.endpoint(hook.url, agent="mailer", events=["handoff.decided", "handoff.decided"])
        assert made["secret"].startswith("whsec_")
        assert (made["events"], made["created_by"], made["state"]) == (["handoff.decided"], "ops", "enabled")
        stood = {name: value for name, value in made.items() if name != "secret"}
        assert await admin.look_at(made) == stood, "a secret is told once"
        assert (await admin.call("GET", "/v1/endpoints")).ok() == {"endpoints": [stood]}

        await house.person.approve(await house.agent.ask())

        async def given_up() -> bool:
            return bool(await admin.dead(made))

        await until(given_up)
        (letter,) = await admin.dead()
        assert letter["error"] == "it answered 503"
        beside = await admin.call("GET", f"/v1/endpoints/{made['id']}:dead")
        assert beside.status == 404, "it is a key of the store, and no endpoint"

        rotated = (await admin.change(made, "rotate")).ok()
        assert rotated["secret"] != made["secret"]
        assert (await admin.change(made, "disable", {"why": "moving"})).ok()[
            "disabled_why"
        ] == "ops disabled it: moving"
        assert (await admin.change(made, "enable")).ok()["state"] == "enabled"
        hook.manner = says(204)
        assert (await admin.change(made, "test")).ok()["status"] == 204
        assert (await admin.call("POST", f"/v1/dead-letters/{letter['id']}/replay")).ok() == {"count": 1}

        async def taken() -> bool:
            return bool((await admin.look_at(made))["delivered"] == 1)

        await until(taken)
        hook.requests[-1].verify(rotated["secret"])
        hook.requests[-1].verify(made["secret"])
        assert (await admin.change(made, "replay")).ok() == {"count": 0}
        assert (await admin.call("DELETE", f"/v1/endpoints/{made['id']}")).ok()["id"] == made["id"]
        assert (await admin.call("GET", f"/v1/endpoints/{made['id']}")).status == 404


async def test_a_second_try_makes_no_second_endpoint_and_no_second_secret(house: Live, admin: Admin) -> None:
    """Its reply may be lost; the secret that it told must not be."""
    wanted = {"url": "https://hooks.example.com/a", "agent": "mailer"}
    async with Admin(house.url, await house.access.create_key("admin", "ops two")) as other:
        made = await admin.call("POST", "/v1/endpoints", wanted, key="one")
        again = await admin.call("POST", "/v1/endpoints", wanted, key="one")
        assert (again.status, again.body) == (made.status, made.body)
        for caller, key in ((admin, "two"), (admin, None), (other, "one")):
            new = (await caller.call("POST", "/v1/endpoints", wanted, key=key)).ok()
            assert new["id"] != made.body["id"]
            assert new["secret"] != made.body["secret"]
        reused = await admin.call("POST", "/v1/endpoints", {**wanted, "agent": "*"}, key="one")
        assert (reused.status, reused.problem) == (409, "idempotency-key-reused")
        assert len((await admin.call("GET", "/v1/endpoints")).ok()["endpoints"]) == 4


async def test_a_second_try_rotates_once(admin: Admin) -> None:
    """If it rotated twice, the secret that the receiver has would sign no more."""
    made = (await admin.call("POST", "/v1/endpoints", {"url": "https://hooks.example.com/a"}, key="make")).ok()
    path = f"/v1/endpoints/{made['id']}/rotate"
    first = await admin.call("POST", path, key="r1")
    assert first.ok()["secret"] != made["secret"]
    again = await admin.call("POST", path, key="r1")
    assert (again.status, again.body) == (200, first.body)
    late = await admin.call("POST", "/v1/endpoints", {"url": "https://hooks.example.com/a"}, key="make")
    assert (late.status, late.problem) == (409, "conflict"), "its secret is another by now"
    assert (await admin.call("POST", path, key="r2")).ok()["secret"] not in {made["secret"], first.body["secret"]}
    late = await admin.call("POST", path, key="r1")
    assert (late.status, late.problem) == (409, "conflict")
    assert "once more since" in late.body["detail"]


@pytest.mark.parametrize(
    "body, field",
    [
        ({"url": "http://hooks.example.com/"}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "https://x.example/", "agent": "mail*"}, "agent"),
        ({"url": "https://x.example/", "events": []}, "events"),
        ({"url": "https://x.example/", "events": ["handoff.opened"]}, "events.0"),
        ({"url": "https://x.example/", "secret": "mine"}, "secret"),
        ({}, "url"),
    ],
)
async def test_what_cannot_be_an_endpoint_is_refused_by_field(
    admin: Admin, body: dict[str, object], field: str
) -> None:
    reply = await admin.call("POST", "/v1/endpoints", body)
    assert (reply.status, reply.problem) == (422, "invalid-body")
    assert reply.body["errors"][0]["field"] == field


async def test_the_service_itself_is_no_endpoint(house: Live, admin: Admin) -> None:
    reply = await admin.call("POST", "/v1/endpoints", {"url": f"{house.url}/v1/runs"})
    assert reply.status == 422
    assert "this service itself" in reply.body["detail"]


@pytest.mark.parametrize("name", ["ep_x", "ep_" + "x" * 22, f"ep_{'x' * 22}:due", "..%2Fkeys", "ep_%0A"])
async def test_what_names_no_endpoint_is_not_found(admin: Admin, name: str) -> None:
    """Nothing of a name gets into a key of the store unless it is one."""
    assert (await admin.call("GET", f"/v1/endpoints/{name}")).status == 404
    assert (await admin.call("POST", f"/v1/endpoints/{name}/enable")).status == 404
    assert (await admin.call("POST", f"/v1/dead-letters/{name}/replay")).status == 404
    assert (await admin.call("GET", "/v1/dead-letters", params={"endpoint": name})).status in {400, 404}


async def test_an_agent_names_no_target_anywhere(house: Live, admin: Admin) -> None:
    """Neither a run nor an ask has a field for one."""
    for name in ("callback", "callback_url", "endpoint", "webhook", "url"):
        for path, body in (
            ("/v1/runs", {"name": "weekly"}),
            ("/v1/handoffs", await house.agent.confirmation()),
        ):
            reply = await house.agent.call("POST", path, {**body, name: "https://evil.example/"})
            assert reply.status == 422, (path, name)
    place = {"surface": "callback", "channel": "https://evil.example/"}
    opened = await house.agent.open(await house.agent.confirmation(to=[place]))
    assert (await admin.call("GET", "/v1/endpoints")).ok() == {"endpoints": []}, opened


async def test_an_admin_s_key_is_nobody_s_and_ends_when_it_is_revoked(house: Live, admin: Admin) -> None:
    async with Agent(house.url, admin.key) as agent, Person(house.url, admin.key) as person:
        assert (await agent.call("POST", "/v1/runs", {"name": "x"})).status == 403
        asked = await house.agent.ask()
        assert (await person.approve(asked)).status == 403
        assert (await agent.call("GET", f"/v1/handoffs/{asked['id']}")).status == 403
    (mine,) = [key for key in await house.access.keys() if key.kind == "admin"]
    assert mine.name not in await agents_of(house)
    await house.access.revoke_key(mine.key_id)

    async def ended() -> bool:
        return (await admin.call("GET", "/v1/endpoints")).status == 401

    await until(ended)


async def agents_of(house: Live) -> list[str]:
    return [key.name for key in await house.access.keys() if key.kind == "agent"]


async def test_the_metrics_count_callbacks(house: Live, admin: Admin) -> None:
    queue = 'andon_outbox_waiting{queue="callbacks"}'
    async with receiver() as hook:
        await house.agent.ask()
        assert queue not in (await admin.call("GET", "/metrics")).body, "nobody reads it while there is no endpoint"
        await admin.endpoint(hook.url)
        await house.person.approve(await house.agent.ask())
        await hook.got(1)

        async def counted() -> bool:
            text = (await admin.call("GET", "/metrics")).body
            wanted = ('andon_callbacks_total{result="delivered"} 1.0', "andon_callbacks_waiting 0.0", f"{queue} 0.0")
            return all(each in text for each in wanted)

        await until(counted)
        assert "andon_callbacks_late_seconds 0.0" in (await admin.call("GET", "/metrics")).body
