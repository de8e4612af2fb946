"""Who may come in. On a real store, because that is where keys, links and sessions live; the clock is the test's."""

from datetime import UTC, datetime, timedelta

import pytest

from andon import wire
from bot.access import SESSION_IDLE, SESSION_LIFE, Access, agent_name, fingerprint, key_id_of, person
from bot.errors import BadRequest, Unauthenticated
from bot.store import Limits, Store

SECRET = b"a secret for tests, of more than 32 characters"
MIRA = wire.Actor(kind="person", id="mira@example.com", name="mira", surface="web")


class Clock:
    """Moves when told."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def access(store: Store, clock: Clock) -> Access:
    return Access(store, SECRET, clock=clock)


async def test_a_key_has_the_form_that_secret_scanners_know(access: Access) -> None:
    key = await access.create_key("agent", "mailer")
    prefix, environment, key_id, rest = key.split("_", 3)
    assert (prefix, environment, len(key_id), len(rest)) == ("apk", "live", 8, 49)
    assert key_id_of(key) == key_id


async def test_a_typing_error_is_seen_before_the_store_is_asked(access: Access) -> None:
    """The checksum: nearly every slip is found without a look-up."""
    key = await access.create_key("agent", "mailer")
    for place in range(9, len(key)):
        other = "A" if key[place] != "A" else "B"
        assert key_id_of(key[:place] + other + key[place + 1 :]) is None, place
    for wrong in ("", "apk", key[:-1], f"{key}x", key.replace("apk", "abc"), key.upper(), f" {key}", "ä" * len(key)):
        assert key_id_of(wrong) is None, wrong


async def test_every_bad_key_is_told_the_same(access: Access, store: Store) -> None:
    """Well formed and unknown, of another secret, revoked, or no key at all: nothing to learn from the answer."""
    unknown = await Access(store, b"another secret, of more than 32 characters").create_key("agent", "mailer")
    revoked = await access.create_key("agent", "mailer")
    await access.revoke_key(str(key_id_of(revoked)))
    said = set()
    for key in (unknown, revoked, "apk_live_x", ""):
        with pytest.raises(Unauthenticated) as caught:
            await access.authenticate(key)
        said.add(str(caught.value))
    assert len(said) == 1


async def test_only_a_keyed_hash_of_a_key_is_kept(access: Access, store: Store) -> None:
    key = await access.create_key("agent", "mailer")
    fields = await store.access.key(str(key_id_of(key)))
    assert fields
    assert not any(key[18:] in value for value in fields.values())
    assert len(fields["hash"]) == 64


async def test_a_key_says_whose_it_is_and_what_it_may(access: Access) -> None:
    agent = await access.authenticate(await access.create_key("agent", "mailer", Limits(6, 3, 9)))
    someone = await access.authenticate(await access.create_key("person", "ana@example.com"))
    assert (agent.kind, agent.name, agent.limits) == ("agent", "mailer", Limits(6, 3, 9))
    assert (someone.actor.kind, someone.actor.id, someone.actor.name) == ("person", "ana@example.com", "ana")
    assert {key.name for key in await access.keys()} == {"mailer", "ana@example.com"}


async def test_a_revoked_key_is_forgotten(access: Access, clock: Clock) -> None:
    key = await access.create_key("agent", "mailer")
    key_id = (await access.authenticate(key)).key_id
    assert await access.revoke_key(key_id)
    assert not await access.revoke_key(key_id)
    access.forget_key(key_id)
    with pytest.raises(Unauthenticated):
        await access.authenticate(key)
    assert await access.keys() == []


async def test_a_process_that_did_not_hear_of_a_revocation_asks_again_within_a_minute(
    access: Access, store: Store, clock: Clock
) -> None:
    key = await access.create_key("agent", "mailer")
    key_id = (await access.authenticate(key)).key_id
    await Access(store, SECRET, clock=clock).revoke_key(key_id)
    clock.now += timedelta(seconds=61)
    with pytest.raises(Unauthenticated):
        await access.authenticate(key)


async def test_a_key_s_last_use_is_noted(access: Access, clock: Clock) -> None:
    key = await access.create_key("agent", "mailer")
    assert [found.last_used for found in await access.keys()] == [""]
    await access.authenticate(key)
    assert [found.last_used for found in await access.keys()] == [clock.now.isoformat(timespec="seconds")]


# --- links and sessions ---


async def test_a_link_signs_in_once(access: Access) -> None:
    link = await access.create_link(MIRA)
    first = await access.begin(link)
    assert first
    assert await access.begin(link) is None
    assert await access.begin("made up") is None
    session = await access.session(first)
    assert session
    assert session.person == MIRA


async def test_only_an_operators_link_begins_a_session_that_sets_the_service_up(access: Access) -> None:
    for admin in (False, True):
        session = await access.session(str(await access.begin(await access.create_link(MIRA, admin=admin))))
        assert session
        assert (session.admin, session.person) == (admin, MIRA)


async def test_sessions_differ_and_so_do_their_csrf_tokens(access: Access) -> None:
    tokens = [await access.begin(await access.create_link(MIRA)) for _ in range(2)]
    sessions = [await access.session(str(token)) for token in tokens]
    assert tokens[0] != tokens[1]
    assert len({session.csrf for session in sessions if session}) == 2


async def test_a_link_and_a_session_end_by_themselves(access: Access, store: Store) -> None:
    """Their lives are the store's: the keys go away, whoever looks."""
    link = await access.create_link(MIRA)
    left = await store._pipe.call("PTTL", store.keys.link(access._hash("link", link)))
    assert 14 * 60_000 < left <= 15 * 60_000
    token = str(await access.begin(link))
    left = await store._pipe.call("PTTL", store.keys.session(access._hash("session", token)))
    assert 0 < left <= SESSION_IDLE / timedelta(milliseconds=1)


async def test_a_session_in_use_lives_twelve_hours_and_no_longer(access: Access, store: Store, clock: Clock) -> None:
    token = str(await access.begin(await access.create_link(MIRA)))
    key = store.keys.session(access._hash("session", token))
    clock.now += SESSION_LIFE - timedelta(minutes=10)
    assert await access.session(token)
    assert await store._pipe.call("PTTL", key) <= 600_000, "the idle time never outlives the twelve hours"
    clock.now += timedelta(minutes=10)
    assert await access.session(token) is None
    assert not await store._pipe.call("EXISTS", key)


async def test_looking_renews_the_idle_time(access: Access, store: Store) -> None:
    token = str(await access.begin(await access.create_link(MIRA)))
    key = store.keys.session(access._hash("session", token))
    await store._pipe.call("PEXPIRE", key, 1_000)
    assert await access.session(token)
    assert await store._pipe.call("PTTL", key) > SESSION_IDLE / timedelta(milliseconds=1) - 10_000


async def test_signing_out_ends_the_session(access: Access) -> None:
    token = str(await access.begin(await access.create_link(MIRA)))
    await access.end(token)
    assert await access.session(token) is None


# --- ids and tokens ---


def test_ids_are_the_same_for_the_same_parts_and_cannot_be_guessed(access: Access) -> None:
    one = access.derive_id("hf", "mailer", "key")
    assert one == access.derive_id("hf", "mailer", "key")
    assert one.startswith("hf_")
    assert len(one) == len("hf_") + 22, "128 bits"
    others = {
        access.derive_id("run", "mailer", "key"),
        access.derive_id("hf", "other", "key"),
        access.derive_id("hf", "mailer", "key2"),
        Access(access._store, b"x" * 32).derive_id("hf", "mailer", "key"),
    }
    assert len({identity.partition("_")[2] for identity in [one, *others]}) == 5


def test_a_token_opens_its_own_handoff_alone(access: Access) -> None:
    token = access.token("hf_1")
    assert access.token_opens(token, "hf_1")
    assert not access.token_opens(token, "hf_2")
    assert not access.token_opens(token[:-1] + ("A" if token[-1] != "A" else "B"), "hf_1")
    assert not access.token_opens("ä", "hf_1")


def test_a_fingerprint_tells_secrets_apart_without_telling_them() -> None:
    assert fingerprint(b"a" * 32) != fingerprint(b"b" * 32)
    assert "a" * 8 not in fingerprint(b"a" * 32)


@pytest.mark.parametrize("name", ["", "a b", "-a", "a" * 65, "ü", "a/b", "a\n"])
def test_what_is_no_agent_s_name_is_refused(name: str) -> None:
    with pytest.raises(BadRequest, match="no name for an agent"):
        agent_name(name)


@pytest.mark.parametrize("email", ["", "ana", "@x", "ana@", "a na@x.org", "ana@x\u200b.org", "ana\n@x.org"])
def test_what_is_no_address_is_refused(email: str) -> None:
    with pytest.raises(BadRequest, match="not an e-mail address"):
        person(email)


def test_one_person_has_one_name_however_it_is_written() -> None:
    assert person("Ana@Example.com").id == person("ana@example.com").id == "ana@example.com"
    assert agent_name("mailer-2.x_y") == "mailer-2.x_y"
