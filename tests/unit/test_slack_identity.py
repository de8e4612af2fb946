"""What Slack's word about a person means, one field at a time; and what is kept of it."""

import asyncio
from typing import Any

import pytest

from adapters.slack.memory import Memory
from adapters.slack.people import _actor, _home
from adapters.slack.tokens import Bot

OURS: dict[str, Any] = {"id": "U1", "team_id": "T1", "is_email_confirmed": True, "profile": {"email": "a@b.c"}}


def bot(enterprise: str = "") -> Bot:
    return Bot("T1", enterprise, "U0", "B0", "A0", "andon", "Acme", "", (), is_enterprise_install=False)


@pytest.mark.parametrize(
    "changed, enterprise, user_team, home, is_external",
    [
        ({}, "", None, "T1", False),
        ({}, "", "T1", "T1", False),
        ({}, "E1", None, "E1", False),
        ({"is_stranger": True}, "", None, "elsewhere", True),
        ({"is_stranger": True}, "E1", "T2", "T2", True),
        ({"team_id": "T2"}, "", None, "T2", True),
        ({"team_id": "T2"}, "E1", None, "T2", True),
        ({"team_id": "T2", "enterprise_user": {"enterprise_id": "E2"}}, "E1", None, "E2", True),
        ({"team_id": "T2", "enterprise_user": {"enterprise_id": "E1"}}, "E1", "T2", "E1", False),
        ({"team_id": "T2", "enterprise_user": {"enterprise_id": "E1"}}, "", None, "E1", True),
        ({"team_id": "T2", "enterprise_user": {"enterprise_id": ""}}, "", None, "T2", True),
        ({}, "", "T2", "T2", True),
        ({"team_id": None}, "", None, "elsewhere", True),
        ({"team_id": None, "profile": {"team": "T1"}}, "", None, "T1", False),
    ],
)
def test_whose_person_it_is(
    changed: dict[str, Any], enterprise: str, user_team: str | None, home: str, is_external: bool
) -> None:
    assert _home({**OURS, **changed}, bot(enterprise), user_team) == (home, is_external)


@pytest.mark.parametrize(
    "changed, trusted, email",
    [
        ({}, True, "a@b.c"),
        ({}, False, None),
        ({"is_email_confirmed": False}, True, None),
        ({"is_email_confirmed": None}, True, None),
        ({"is_email_confirmed": "true"}, True, None),
        ({"profile": {}}, True, None),
        ({"profile": None}, True, None),
    ],
)
def test_whose_address_is_vouched_for(changed: dict[str, Any], trusted: bool, email: str | None) -> None:
    """The policy lists people by it: an address is a permission."""
    assert _actor({**OURS, **changed}, "T1/U1", "U1", trusted=trusted).email == email


def test_an_address_of_which_slack_says_nothing_is_not_vouched_for() -> None:
    info = {name: value for name, value in OURS.items() if name != "is_email_confirmed"}

    assert _actor(info, "T1/U1", "U1", trusted=True).email is None


class Source:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.gate = asyncio.Event()
        self.answer = "old"

    async def ask(self, key: str) -> str:
        self.asked += 1
        answer = self.answer
        await self.gate.wait()
        if answer == "broken":
            raise OSError(key)
        return answer


async def test_many_who_want_the_same_ask_once() -> None:
    source = Source()
    memory = Memory(source.ask, life_s=60)
    source.gate.set()

    assert await asyncio.gather(*(memory.get("a") for _ in range(50))) == ["old"] * 50
    assert source.asked == 1


async def test_an_answer_that_was_on_its_way_when_it_changed_is_not_kept() -> None:
    """Not even when it comes after the new one."""
    gates = {"old": asyncio.Event(), "new": asyncio.Event()}
    now = "old"

    async def ask(_: str) -> str:
        answer = now
        await gates[answer].wait()
        return answer

    memory = Memory(ask, life_s=60)
    early = asyncio.create_task(memory.get("a"))
    await asyncio.sleep(0.01)

    now = "new"
    memory.forget(lambda key: key == "a")
    gates["new"].set()
    late = await memory.get("a")
    gates["old"].set()

    assert (await early, late, await memory.get("a")) == ("old", "new", "new")


async def test_who_gives_up_does_not_take_the_answer_from_the_others() -> None:
    source = Source()
    memory = Memory(source.ask, life_s=60)
    first, second = asyncio.create_task(memory.get("a")), asyncio.create_task(memory.get("a"))
    await asyncio.sleep(0)
    first.cancel()
    source.gate.set()

    assert await second == "old"


async def test_a_failure_is_told_to_all_and_kept_for_nobody() -> None:
    source = Source()
    memory = Memory(source.ask, life_s=60)
    source.answer = "broken"
    source.gate.set()
    for result in await asyncio.gather(*(memory.get("a") for _ in range(3)), return_exceptions=True):
        assert isinstance(result, OSError)
    source.answer = "well"

    assert await memory.get("a") == "well"


async def test_an_answer_is_as_old_as_its_question() -> None:
    """What Slack said a minute ago may have been changed for a minute."""
    now = [0.0]
    source = Source()
    memory = Memory(source.ask, life_s=60, clock=lambda: now[0])
    first = asyncio.create_task(memory.get("a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    now[0] = 30
    source.gate.set()
    await first
    now[0] = 60

    await memory.get("a")

    assert source.asked == 2


async def test_not_everything_is_kept_for_ever() -> None:
    source = Source()
    source.gate.set()
    memory = Memory(source.ask, life_s=60, most=10)

    for number in range(100):
        await memory.get(str(number))

    assert len(memory._kept) <= 10
