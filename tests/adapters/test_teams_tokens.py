"""Who may speak to the bot: a token for every wrong way to sign, and the status that it meets. None is ever a 500."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from coverage import Coverage

from adapters.teams.config import TeamsConfig
from bot.errors import ConfigError
from tests.adapters.teams_plumbing import Parts, config, plumbing
from tests.fakes.teams import Ack, Key, TeamsCloud, payloads, signing
from tests.timing import Watchdog

Json = dict[str, Any]
BLOCKED_S = 0.05


@pytest.fixture
async def cloud() -> AsyncIterator[TeamsCloud]:
    async with TeamsCloud().serving() as cloud:
        _ = cloud.tokens.key.private  # made now: it takes a moment
        yield cloud


@pytest.fixture
async def parts(cloud: TeamsCloud) -> AsyncIterator[Parts]:
    async with plumbing(cloud) as made:
        yield made


def said(cloud: TeamsCloud) -> Json:
    """An activity as it should be."""
    mira = cloud.person("Mira")
    return payloads.activity(cloud, "message", cloud.personal(mira), mira) | {"text": "hello"}


@dataclass
class Try:
    """One request, before it is sent: cases change it."""

    cloud: TeamsCloud
    activity: Json
    header: str | None
    body: bytes | None = None

    def token(self, **changed: Any) -> None:
        self.header = f"Bearer {self.cloud.tokens.mint(self.cloud.service_url, **changed)}"

    async def send(self) -> Ack:
        body = json.dumps(self.activity).encode() if self.body is None else self.body
        return await self.cloud.courier.post(body, {} if self.header is None else {"Authorization": self.header})


def attempt(cloud: TeamsCloud) -> Try:
    made = Try(cloud, said(cloud), None)
    made.token()
    return made


def _header(value: str | None) -> Callable[[Try], None]:
    def change(it: Try) -> None:
        it.header = value

    return change


def _claims(**changed: Any) -> Callable[[Try], None]:
    return lambda it: it.token(**changed)


def _ahead(name: str, seconds: int) -> Callable[[Try], None]:
    return lambda it: it.token(**{name: int(it.cloud.clock.now()) + seconds})


def _body(change: Callable[[Json], Any]) -> Callable[[Try], None]:
    def changed(it: Try) -> None:
        change(it.activity)

    return changed


def _cut(it: Try) -> None:
    it.token()
    it.header = str(it.header).rpartition(".")[0]


def _flipped(it: Try) -> None:
    it.token()
    head, claims, _ = str(it.header).split(".")
    _, _, other = it.cloud.tokens.mint(it.cloud.service_url, nbf=1).split(".")
    it.header = f"{head}.{claims}.{other}"


def _swapped_claims(it: Try) -> None:
    """The signature of a good token under other claims."""
    head, _, signature = str(it.header).split(".")
    claims = signing.encoded(it.cloud.tokens.claims(it.cloud.service_url, exp=9_999_999_999))
    it.header = f"{head}.{claims}.{signature}"


def _unsigned(it: Try) -> None:
    it.header = f"Bearer {it.cloud.tokens.mint_unsigned(it.cloud.service_url)}"


def _public_key_as_secret(it: Try) -> None:
    it.header = f"Bearer {it.cloud.tokens.mint_by_public_key(it.cloud.service_url)}"


def _own_key(it: Try) -> None:
    """A key of the sender's own, under the name of Microsoft's."""
    it.token(key=Key(kid=it.cloud.tokens.key.kid))


def _key_in_the_token(it: Try) -> None:
    own = Key()
    it.token(key=own, header={"jwk": own.jwk})


def _key_by_address(it: Try) -> None:
    it.token(key=Key(), header={"jku": f"{it.cloud.url}/v1/.well-known/keys", "x5u": it.cloud.url})


def _odd_claims(it: Try) -> None:
    it.token(exp={"a": 1}, nbf=[1], aud={"x": it.cloud.app_id}, iss=7)


def _endless(it: Try) -> None:
    it.token(exp=float("inf"))


def _not_endorsed(it: Try) -> None:
    key = Key(endorsements=["webchat", "directline"])
    it.cloud.tokens.published.append(key)
    it.token(key=key)


def _endorsed_for_nothing(it: Try) -> None:
    key = Key(endorsements=None)
    it.cloud.tokens.published.append(key)
    it.token(key=key)


def _by_webchat(it: Try) -> None:
    """A key that speaks for both, and a channel in which anybody may call themselves anything."""
    key = Key(endorsements=["msteams", "webchat"])
    it.cloud.tokens.published.append(key)
    it.token(key=key)
    it.activity["channelId"] = "webchat"


def _weak_key(it: Try) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = Key()
    key.__dict__["private"] = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505  # too short
    it.cloud.tokens.published.append(key)
    it.token(key=key)


def _other_tenant(it: Try) -> None:
    other = it.cloud.tenant("Fabrikam").id
    it.activity["channelData"]["tenant"]["id"] = other
    it.activity["conversation"]["tenantId"] = other


def _elsewhere(it: Try) -> None:
    """Token and activity agree on an address that is none of Microsoft's: where our own token would go."""
    it.activity["serviceUrl"] = "http://attacker.example/"
    it.header = f"Bearer {it.cloud.tokens.mint('http://attacker.example/')}"


def _with_password(it: Try) -> None:
    it.activity["serviceUrl"] = "https://a:b@smba.example/"
    it.header = f"Bearer {it.cloud.tokens.mint('https://a:b@smba.example/')}"


BAD: dict[str, Callable[[Try], None]] = {
    "no header": _header(None),
    "an empty header": _header(""),
    "another scheme": _header("Basic bWlyYTpzZWNyZXQ="),
    "a scheme alone": _header("Bearer"),
    "no token": _header("Bearer "),
    "no token at all": _header("Bearer hello"),
    "two dots and nothing": _header("Bearer .."),
    "three parts of nonsense": _header("Bearer a.b.c"),
    "a number as header": _header(f"Bearer {signing.b64(b'7')}.{signing.b64(b'7')}.x"),
    "a list as header": _header(f"Bearer {signing.b64(b'[]')}.{signing.b64(b'[]')}.x"),
    "deep nonsense": _header(f"Bearer {signing.b64(b'[' * 5000)}.x.x"),
    "a long token": _header("Bearer " + "a" * 7_000),
    "no signature": _cut,
    "another token's signature": _flipped,
    "other claims under a good signature": _swapped_claims,
    "alg none": _unsigned,
    "HS256 with the public key as the secret": _public_key_as_secret,
    "HS256 in the header alone": _claims(header={"alg": "HS256"}),
    "an unknown alg": _claims(header={"alg": "RS1024"}),
    "alg as a list": _claims(header={"alg": ["RS256"]}),
    "no kid": _claims(header={"kid": None}),
    "kid as a number": _claims(header={"kid": 7}),
    "kid with a path": _claims(header={"kid": "../../etc/passwd"}),
    "a kid that nobody knows": _claims(key=Key()),
    "a key of the sender's own": _own_key,
    "a key in the token": _key_in_the_token,
    "a key at an address in the token": _key_by_address,
    "a key that is too short": _weak_key,
    "expired": _ahead("exp", -301),
    "no expiry": _claims(exp=None),
    "expiry as text": _claims(exp="tomorrow"),
    "an endless expiry": _endless,
    "not yet valid": _ahead("nbf", 600),
    "issued in the future": _ahead("iat", 600),
    "claims of strange shapes": _odd_claims,
    "another audience": _claims(aud="00000000-0000-0000-0000-000000000000"),
    "no audience": _claims(aud=None),
    "many audiences": _claims(aud=["x", "y"]),
    "our audience among others": lambda it: it.token(aud=[it.cloud.app_id, "y"]),
    "another issuer": _claims(iss="https://sts.windows.net/d6d49420-f39b-4df7-a1dc-d59a935871db/"),
    "no issuer": _claims(iss=None),
    "no serviceurl in the token": _claims(serviceurl=None),
    "another serviceurl in the token": _claims(serviceurl="https://smba.trafficmanager.net/emea/"),
    "serviceurl as a list": _claims(serviceurl=["http://127.0.0.1"]),
    "another serviceUrl in the activity": _body(lambda sent: sent.update(serviceUrl="https://attacker.example/")),
    "an address over plain HTTP elsewhere": _elsewhere,
    "an address with a password": _with_password,
    "a key that does not speak for Teams": _not_endorsed,
    "a key that speaks for nobody": _endorsed_for_nothing,
    "another channel": _by_webchat,
    "another tenant": _other_tenant,
    "no tenant": _body(lambda sent: [sent.pop("channelData"), sent["conversation"].pop("tenantId")]),
    "two tenants": _body(lambda sent: sent["conversation"].update(tenantId="another")),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_token_is_met_with_401(parts: Parts, name: str) -> None:
    it = attempt(parts.cloud)
    BAD[name](it)

    ack = await it.send()

    assert ack.status == 401
    assert parts.inbox.came == []
    assert parts.shelf.lasts == {}, "nothing is learnt from it"


async def test_a_good_token_is_let_in(parts: Parts) -> None:
    """Without this the cases above could all be refused for the same wrong reason."""
    ack = await attempt(parts.cloud).send()

    assert ack.status == 200
    assert parts.inbox.kinds() == ["message"]


@pytest.mark.parametrize("seconds", [-270, 3600])  # the machine that tests it may be slow
async def test_clocks_may_differ_by_five_minutes(parts: Parts, seconds: int) -> None:
    it = attempt(parts.cloud)
    _ahead("exp", seconds)(it)

    assert (await it.send()).status == 200


async def test_a_tenant_that_is_allowed_may_come(cloud: TeamsCloud) -> None:
    other = cloud.tenant("Fabrikam")
    async with plumbing(cloud, config(cloud, allowed_tenants=(other.id.upper(),))):
        it = attempt(cloud)
        it.activity["channelData"]["tenant"]["id"] = it.activity["conversation"]["tenantId"] = other.id

        assert (await it.send()).status == 200


# --- bodies ---


def nested(depth: int) -> Json:
    """An object in an object, so often."""
    return {"a": nested(depth - 1)} if depth else {}


MALFORMED: dict[str, Callable[[Try], None]] = {
    "no body": lambda it: setattr(it, "body", b""),
    "no JSON": lambda it: setattr(it, "body", b"{'type': message}"),
    "no text": lambda it: setattr(it, "body", b"\xff\xfe\x00"),
    "a list": lambda it: setattr(it, "body", b"[]"),
    "a number": lambda it: setattr(it, "body", b"7"),
    "deep": lambda it: setattr(it, "body", b'{"type":' * 20_000 + b"1" + b"}" * 20_000),
    "deeper than any form": _body(lambda sent: sent.update(value=nested(300))),
    "no type": _body(lambda sent: sent.pop("type")),
    "type as a list": _body(lambda sent: sent.update(type=["message"])),
    "no channelId": _body(lambda sent: sent.pop("channelId")),
    "no serviceUrl": _body(lambda sent: sent.pop("serviceUrl")),
    "serviceUrl as a number": _body(lambda sent: sent.update(serviceUrl=7)),
    "no conversation": _body(lambda sent: sent.pop("conversation")),
    "a conversation without an id": _body(lambda sent: sent.update(conversation={"tenantId": "x"})),
    "no sender": _body(lambda sent: sent.pop("from")),
    "sender as text": _body(lambda sent: sent.update({"from": "mira"})),
    "no recipient": _body(lambda sent: sent.pop("recipient")),
    "channelData as text": _body(lambda sent: sent.update(channelData="x")),
    "entities as a number": _body(lambda sent: sent.update(entities=7)),
    "entities with nothing in them": _body(lambda sent: sent.update(entities=[None])),
    "timestamp as nonsense": _body(lambda sent: sent.update(timestamp="soon")),
    "attachments as text": _body(lambda sent: sent.update(attachments="x")),
    "text as a list": _body(lambda sent: sent.update(text=["stop"])),
    "members as text": _body(lambda sent: sent.update(type="conversationUpdate", membersAdded="x")),
    "an invoke without a name": _body(lambda sent: sent.update(type="invoke", value={"action": {}})),
    "a press without an action": _body(lambda sent: sent.update(type="invoke", name="adaptiveCard/action", value=[])),
    "a press with text for data": _body(
        lambda sent: sent.update(type="invoke", name="adaptiveCard/action", value={"action": {"data": "x"}})
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_a_malformed_body_is_met_with_400(parts: Parts, name: str) -> None:
    it = attempt(parts.cloud)
    MALFORMED[name](it)

    assert (await it.send()).status == 400
    assert parts.inbox.came == []


@pytest.mark.parametrize("name", MALFORMED)
async def test_a_stranger_learns_nothing_about_bodies(parts: Parts, name: str) -> None:
    it = attempt(parts.cloud)
    MALFORMED[name](it)
    it.header = None

    assert (await it.send()).status == 401


async def test_a_body_of_another_kind_or_size_is_refused(parts: Parts) -> None:
    it = attempt(parts.cloud)
    assert it.header

    form = await parts.cloud.courier.post(b"a=b", {"Authorization": it.header, "Content-Type": "text/plain"})
    it.activity["text"] = "x" * 600_000
    large = await it.send()

    assert (form.status, large.status) == (400, 413)


async def test_an_invoke_that_is_none_of_ours_is_not_implemented(parts: Parts) -> None:
    """As the Bot Framework answers it."""
    it = attempt(parts.cloud)
    it.activity |= {"type": "invoke", "name": "composeExtension/query", "value": {}}

    assert (await it.send()).status == 501


# --- keys that change, and a key server that fails ---


async def test_a_new_key_is_found_at_once(parts: Parts) -> None:
    assert (await attempt(parts.cloud).send()).status == 200
    parts.cloud.tokens.rotate()
    parts.now.at += 11

    assert (await attempt(parts.cloud).send()).status == 200


async def test_a_key_that_is_not_published_any_more_is_refused_after_the_next_fetch(parts: Parts) -> None:
    cloud = parts.cloud
    old = attempt(cloud)
    assert (await old.send()).status == 200
    cloud.tokens.rotate()
    parts.now.at += 11
    assert (await attempt(cloud).send()).status == 200

    assert (await old.send()).status == 401


async def test_keys_are_fetched_once_a_day_beside_the_work(parts: Parts) -> None:
    cloud = parts.cloud
    for _ in range(3):
        assert (await attempt(cloud).send()).status == 200
    assert cloud.calls["keys"] == 1
    parts.now.at += timedelta(hours=25).total_seconds()
    cloud.door_faults.slow_s["keys"] = 0.3

    ack = await attempt(cloud).send()

    assert ack.status == 200
    assert ack.seconds < 0.3, "the keys of before were used"


async def test_a_flood_of_unknown_keys_asks_the_key_server_once_in_ten_seconds(parts: Parts) -> None:
    cloud, unknown = parts.cloud, Key()
    _ = unknown.private
    assert (await attempt(cloud).send()).status == 200
    parts.now.at += 11

    async def flood() -> list[int]:
        tries = [attempt(cloud) for _ in range(50)]
        for number, it in enumerate(tries):
            it.token(key=unknown, header={"kid": f"unknown-{number}"})
        return [ack.status for ack in await asyncio.gather(*(it.send() for it in tries))]

    assert set(await flood()) == {401}
    assert set(await flood()) == {401}
    assert cloud.calls["keys"] == 2
    assert (await attempt(cloud).send()).status == 200, "those who are known do not suffer"


async def test_those_who_come_first_together_wait_for_one_fetch(parts: Parts) -> None:
    parts.cloud.door_faults.slow_s["keys"] = 0.1

    acks = await asyncio.gather(*(attempt(parts.cloud).send() for _ in range(20)))

    assert {ack.status for ack in acks} == {200}
    assert (parts.cloud.calls["metadata"], parts.cloud.calls["keys"]) == (1, 1)


@pytest.mark.parametrize("door", ["metadata", "keys"])
@pytest.mark.parametrize("mode", ["down", "garbage", "empty", "odd", "reset"])
async def test_without_any_key_nobody_is_let_in(parts: Parts, door: str, mode: str) -> None:
    """Not 401: the token may be good, and Teams sends it again."""
    parts.cloud.door_faults.modes[door] = mode

    assert (await attempt(parts.cloud).send()).status == 503
    assert parts.inbox.came == []
    del parts.cloud.door_faults.modes[door]
    parts.now.at += 11
    assert (await attempt(parts.cloud).send()).status == 200


@pytest.mark.parametrize("mode", ["down", "garbage", "empty", "odd", "reset"])
async def test_with_keys_of_before_a_key_server_may_fail(parts: Parts, mode: str) -> None:
    cloud = parts.cloud
    assert (await attempt(cloud).send()).status == 200
    cloud.door_faults.modes["keys"] = mode
    parts.now.at += timedelta(hours=25).total_seconds()

    assert (await attempt(cloud).send()).status == 200
    unknown = attempt(cloud)
    unknown.token(key=Key())
    assert (await unknown.send()).status == 401


async def test_keys_of_before_do_not_count_for_ever(parts: Parts) -> None:
    cloud = parts.cloud
    assert (await attempt(cloud).send()).status == 200
    cloud.door_faults.modes["keys"] = "down"
    parts.now.at += timedelta(days=4, seconds=1).total_seconds()

    assert (await attempt(cloud).send()).status == 503


async def test_a_key_server_that_hangs_is_given_up(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    import aiohttp

    monkeypatch.setattr("adapters.teams.keys._TIMEOUT", aiohttp.ClientTimeout(total=0.1))
    parts.cloud.door_faults.hangs.add("keys")

    assert (await attempt(parts.cloud).send()).status == 503


@pytest.mark.skipif(Coverage.current() is not None, reason="every line is being traced")
async def test_a_slow_key_server_and_a_slow_directory_never_block_the_loop(parts: Parts) -> None:
    cloud = parts.cloud
    cloud.door_faults.slow_s |= {"metadata": 0.3, "keys": 0.3, "token": 0.5}
    team = cloud.team("Operations", [cloud.person("Mira")])
    tries = [attempt(cloud) for _ in range(30)]
    await attempt(cloud).send()  # what the first of everything costs is not what is measured
    parts.keys._known = None
    parts.now.at += 11

    async with Watchdog() as watchdog:
        acks = await asyncio.gather(*(it.send() for it in tries))
        await cloud.announce()
        here = await parts.references.find(team.id)
        assert here
        sends = [{"type": "message", "text": str(number)} for number in range(3)]
        await asyncio.gather(*(parts.connector.send(here, each) for each in sends))

    assert {ack.status for ack in acks} == {200}
    assert cloud.calls["token"] == 1
    assert watchdog.longest_s < BLOCKED_S


# --- without tokens ---


def anonymous(cloud: TeamsCloud, **changed: Any) -> TeamsConfig:
    return config(cloud, app_id="", app_password="", tenant="", allow_anonymous=True, on_loopback=True, **changed)


async def test_an_emulator_on_this_machine_may_come_without_a_token(cloud: TeamsCloud) -> None:
    async with plumbing(cloud, anonymous(cloud)) as parts:
        it = attempt(cloud)
        it.header = None

        assert (await it.send()).status == 200
        assert parts.inbox.kinds() == ["message"]


async def test_without_tokens_calls_go_to_this_machine_alone(cloud: TeamsCloud) -> None:
    """Nobody vouches for the address."""
    async with plumbing(cloud, anonymous(cloud)):
        it = attempt(cloud)
        it.activity["serviceUrl"] = "https://attacker.example/"

        assert (await it.send()).status == 401


@pytest.mark.parametrize(
    "changed, said",
    [
        ({"on_loopback": False}, "ANDON_HOST"),
        ({"app_id": "x"}, "TEAMS_APP_ID exclude each other"),
        ({"app_password": "x"}, "TEAMS_APP_ID exclude each other"),
        ({"allow_anonymous": False}, "TEAMS_APP_PASSWORD is empty"),
    ],
)
def test_nobody_is_let_in_without_a_token_by_mistake(changed: Json, said: str) -> None:
    given: Json = {"app_id": "", "app_password": "", "tenant": "", "allow_anonymous": True, "on_loopback": True}

    with pytest.raises(ConfigError, match=said):
        TeamsConfig(**(given | changed))
