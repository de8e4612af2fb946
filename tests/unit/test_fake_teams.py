"""The stand-in for Teams is strict where Teams is: a fake that takes everything proves nothing."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.fakes.teams import Team, TeamsCloud, cards
from tests.fakes.teams.refusals import Refused
from tests.fakes.teams.throttles import Throttles

Json = dict[str, Any]


class Bot:
    """Calls the connector as any bot would."""

    def __init__(self, cloud: TeamsCloud, http: aiohttp.ClientSession) -> None:
        self.cloud = cloud
        self.http = http
        self.token = ""

    async def sign_in(self) -> int:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.cloud.app_id,
            "client_secret": self.cloud.app_password,
            "scope": "https://api.botframework.com/.default",
        }
        url = f"{self.cloud.login_url}/{self.cloud.home.id}/oauth2/v2.0/token"
        async with self.http.post(url, data=form) as answer:
            self.token = (await answer.json()).get("access_token", "")
            return answer.status

    async def call(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.cloud.service_url}v3/{path}"
        async with self.http.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def cloud() -> AsyncIterator[TeamsCloud]:
    async with TeamsCloud().serving() as cloud:
        yield cloud


@pytest.fixture
async def bot(cloud: TeamsCloud) -> AsyncIterator[Bot]:
    async with aiohttp.ClientSession() as http:
        bot = Bot(cloud, http)
        assert await bot.sign_in() == 200
        yield bot


@pytest.fixture
def ops(cloud: TeamsCloud) -> Team:
    return cloud.team("Operations", [cloud.person("Mira")])


def post(id: str) -> str:
    return f"conversations/{id}/activities"


HELLO: Json = {"type": "message", "text": "hello"}


async def test_a_call_without_a_good_token_is_refused(bot: Bot, cloud: TeamsCloud, ops: Team) -> None:
    good = bot.token
    cloud.clock.advance(3600)
    assert (await bot.call("POST", post(ops.id), HELLO))[0] == 401
    bot.token = f"{good}x"
    assert (await bot.call("POST", post(ops.id), HELLO))[0] == 401


async def test_a_message_over_the_limit_is_refused_by_its_length_in_utf_16(bot: Bot, ops: Team) -> None:
    fits, too_long = {**HELLO, "text": "x" * 50_000}, {**HELLO, "text": "x" * 51_200}

    assert (await bot.call("POST", post(ops.id), fits))[0] == 201
    status, told = await bot.call("POST", post(ops.id), too_long)
    assert (status, told["error"]["code"]) == (413, "MessageSizeTooBig")


async def test_the_eighth_message_in_a_second_waits(bot: Bot, cloud: TeamsCloud, ops: Team) -> None:
    statuses = [(await bot.call("POST", post(ops.id), HELLO))[0] for _ in range(8)]

    assert statuses == [201] * 7 + [429]
    cloud.clock.advance(2.0)
    assert (await bot.call("POST", post(ops.id), HELLO))[0] == 201


def test_throttles_are_those_that_are_documented(cloud: TeamsCloud) -> None:
    """7 in 1 s, 8 in 2 s, 60 in 30 s, 1800 in an hour."""
    throttles, sent, waits = Throttles(cloud.clock), 0, []
    for _ in range(4_000):
        if wait_s := throttles.spend("send", "a", "t"):
            waits.append((sent, wait_s))
            cloud.clock.advance(wait_s)
        else:
            sent += 1
        if sent == 1_801:
            break

    assert waits[0][0] == 7
    assert any(number == 1_800 for number, _ in waits)


async def test_only_a_place_with_the_app_takes_messages(bot: Bot, cloud: TeamsCloud, ops: Team) -> None:
    ops.is_installed = False
    person = cloud.person("Ana")

    status, told = await bot.call("POST", post(ops.id), HELLO)
    assert (status, told["error"]["code"]) == (403, "BotNotInConversationRoster")
    status, told = await bot.call("POST", post(person.direct.id), HELLO)
    assert (status, told["error"]["code"]) == (403, "ForbiddenOperationException")


async def test_a_group_chat_cannot_be_begun(bot: Bot, cloud: TeamsCloud, ops: Team) -> None:
    body = {"isGroup": True, "members": [{"id": "29:1"}], "tenantId": cloud.home.id}

    assert (await bot.call("POST", "conversations", body))[0] == 400


async def test_an_e_mail_address_is_nobody(bot: Bot, cloud: TeamsCloud, ops: Team) -> None:
    body = {"isGroup": False, "members": [{"id": ops.members[0].email}], "tenantId": cloud.home.id}

    assert (await bot.call("POST", "conversations", body))[0] == 400


async def test_only_its_own_messages_can_be_changed(bot: Bot, cloud: TeamsCloud, ops: Team) -> None:
    said = await ops.members[0].say(ops.general, "mine")

    status, _ = await bot.call("PUT", f"{post(ops.id)}/{said.id}", HELLO)

    assert status == 403


CARD: Json = {"type": "AdaptiveCard", "version": "1.5", "body": []}


@pytest.mark.parametrize(
    "card",
    [
        {**CARD, "version": "1.6"},
        {**CARD, "body": [{"type": "Marquee"}]},
        {**CARD, "body": [{"type": "Input.Text"}]},
        {**CARD, "body": [{"type": "Input.Text", "id": "a"}, {"type": "Input.Text", "id": "a"}]},
        {**CARD, "actions": [{"type": "Action.Http", "title": "x"}]},
        {**CARD, "actions": [{"type": "Action.Execute", "title": str(n)} for n in range(7)]},
        {**CARD, "actions": [{"type": "Action.ToggleVisibility", "title": "x", "targetElements": ["nothing"]}]},
        {**CARD, "refresh": {"action": {"type": "Action.Execute"}, "userIds": ["29:1"] * 61}},
        {**CARD, "refresh": {"action": {"type": "Action.Submit"}}},
        "text",
        None,
    ],
)
def test_a_card_that_no_client_shows_is_refused(card: Any) -> None:
    with pytest.raises(Refused):
        cards.check(card)


def test_inputs_go_with_the_press_of_their_own_card() -> None:
    inner = {**CARD, "body": [{"type": "Input.Text", "id": "why", "isRequired": True, "label": "Why?"}]}
    inner["actions"] = [{"type": "Action.Execute", "title": "Send", "data": {"a": 1}}]
    card = {**CARD, "body": [{"type": "Input.Toggle", "id": "all", "title": "All"}]}
    card["actions"] = [
        {"type": "Action.ShowCard", "title": "Reject", "card": inner},
        {"type": "Action.Execute", "title": "Approve", "associatedInputs": "none"},
    ]

    approve, send = cards.action_named(card, "Approve"), cards.action_named(card, "Send")

    assert cards.filled(approve, {}) == ({}, {})
    assert cards.filled(send, {}) == ({"a": 1, "all": "false"}, {"Why?": "required"})
    assert cards.filled(send, {"why": "no"}) == ({"a": 1, "all": "false", "why": "no"}, {})
