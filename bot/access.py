"""Who may come in: API keys, one-time sign-in links, console sessions, handoff tokens.

Secrets are shown once and kept hashed.
"""

import base64
import hashlib
import hmac
import re
import secrets
import string
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from andon import wire
from bot.errors import BadRequest, Gone, Unauthenticated
from bot.handoff import Handoff, no_handoff
from bot.ports import Session
from bot.store import Limits, Store

LINK_LIFE: Final = timedelta(minutes=15)
SESSION_IDLE: Final = timedelta(minutes=30)
SESSION_LIFE: Final = timedelta(hours=12)
_CACHED: Final = timedelta(seconds=60)
_ALPHABET: Final = string.ascii_letters + string.digits
_BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_CHARS, _SECRET_CHARS, _CHECK_CHARS = 8, 43, 6
_BAD_KEY: Final = (
    "this call needs a valid key: send `Authorization: Bearer apk_…`; "
    "make one with `python -m bot keys create --agent NAME`"
)


KeyKind = Literal["agent", "person", "admin"]
"""An agent's key asks, a person's answers, an admin's sets the service up; none can do what is another's."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever holds a key."""

    key_id: str
    kind: KeyKind
    name: str
    limits: Limits
    created: str = ""
    last_used: str = ""
    owner: str = ""
    """Of an agent: e-mail address of the person whose it is."""

    @property
    def actor(self) -> wire.Actor:
        """As who acts."""
        kind: Literal["agent", "person"] = "agent" if self.kind == "agent" else "person"
        return wire.Actor(kind=kind, id=self.name, name=self.name.partition("@")[0], surface="api")


class Access:
    """Checks and makes credentials."""

    def __init__(
        self, store: Store, secret: bytes, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """`secret` keys every hash: all processes on one store need the same."""
        self._store = store
        self._secret = secret
        self._clock = clock
        self._known: dict[str, tuple[Principal, datetime]] = {}

    # --- keys ---

    async def create_key(self, kind: KeyKind, name: str, limits: Limits | None = None, *, owner: str = "") -> str:
        """Make a key and return it: the only time that anybody sees it whole. `owner` is whose agent it is."""
        limits = limits or Limits()
        key_id = "".join(secrets.choice(_ALPHABET) for _ in range(_ID_CHARS))
        body = f"apk_live_{key_id}_{secrets.token_urlsafe(32)}"
        key = body + _check(body)
        fields = {
            "hash": self._hash("key", key),
            "kind": kind,
            "name": name,
            "per_minute": str(limits.per_minute),
            "burst": str(limits.burst),
            "open": str(limits.open),
            "created": self._clock().isoformat(timespec="seconds"),
            "last_used": "",
            "owner": owner,
        }
        await self._store.access.save_key(key_id, fields)
        return key

    async def keys(self) -> list[Principal]:
        """Every key that stands."""
        found = [(i, await self._store.access.key(i)) for i in await self._store.access.key_ids()]
        return [_principal(i, fields) for i, fields in found if fields]

    async def revoke_key(self, key_id: str) -> bool:
        """End a key, at once and everywhere; False when there is none."""
        return await self._store.access.revoke_key(key_id)

    def forget_key(self, key_id: str) -> None:
        """Drop a key that was revoked from the ones known to be good."""
        self._known = {h: known for h, known in self._known.items() if known[0].key_id != key_id}

    async def authenticate(self, key: str) -> Principal:
        """Whose key this is.

        Raises:
            Unauthenticated: For every bad key alike.
            StoreUnavailable: Nothing can be checked now.
        """
        now = self._clock()
        if (known := self._known.get(key)) and known[1] > now:
            return known[0]
        key_id = key_id_of(key)
        if key_id is None:
            raise Unauthenticated(_BAD_KEY)
        fields = await self._store.access.key(key_id)
        if not fields or not hmac.compare_digest(fields["hash"], self._hash("key", key)):
            raise Unauthenticated(_BAD_KEY)
        principal = _principal(key_id, fields)
        await self._store.access.touch_key(key_id, now.isoformat(timespec="seconds"))
        if len(self._known) > 10_000:  # noqa: PLR2004  # bounds the memory; a full one starts again
            self._known.clear()
        self._known[key] = (principal, now + _CACHED)
        return principal

    # --- ids and handoff tokens ---

    def derive_id(self, prefix: str, *parts: str, mark: str = "") -> str:
        """An id that the same parts always give and nobody without the secret can guess (128 bits).

        `mark` says where its record is, and is its end.
        """
        text = "\0".join(("id/v1", prefix, *parts)).encode()
        return f"{prefix}_{_b64(hmac.digest(self._secret, text, 'sha256')[:16])}{mark}"

    def draw(self, handoff_id: str) -> float:
        """A number from 0 up to 1 that the same id always gives, and nobody without the secret can tell."""
        mac = hmac.digest(self._secret, f"draw/v1\0{handoff_id}".encode(), "sha256")
        return int.from_bytes(mac[:6]) / 2**48

    def token(self, handoff_id: str) -> str:
        """Reads one handoff."""
        mac = hmac.digest(self._secret, f"handoff-token/v1\0{handoff_id}".encode(), "sha256")
        return f"{handoff_id}.{_b64(mac)}"

    def token_opens(self, token: str, handoff_id: str) -> bool:
        """Does this token read that handoff?"""
        return hmac.compare_digest(_bytes(token), self.token(handoff_id).encode())

    # --- sign-in: the `SignIn` port ---

    async def create_link(self, person: wire.Actor, *, admin: bool = False) -> str:
        """A one-time link's token, good for a quarter of an hour; an `admin` may also set the service up."""
        token = secrets.token_urlsafe(32)
        about = {"id": person.id, "name": person.name, **({"admin": "yes"} if admin else {})}
        await self._store.access.save_link(self._hash("link", token), about, LINK_LIFE)
        return token

    async def begin(self, link: str) -> str | None:
        """Spend a link; returns a new session's token."""
        person = await self._store.access.take_link(self._hash("link", link))
        if person is None:
            return None
        token = secrets.token_urlsafe(32)
        session = {**person, "csrf": secrets.token_urlsafe(32), "until": (self._clock() + SESSION_LIFE).isoformat()}
        await self._store.access.save_session(self._hash("session", token), session, SESSION_IDLE)
        return token

    async def session(self, token: str) -> Session | None:
        """The session, renewed; None when it has ended."""
        hashed = self._hash("session", token)
        found = await self._store.access.session(hashed)
        if found is None:
            return None
        left = datetime.fromisoformat(found["until"]) - self._clock()
        if left <= timedelta():
            await self._store.access.end_session(hashed)
            return None
        await self._store.access.renew_session(hashed, min(SESSION_IDLE, left))
        person = wire.Actor(kind="person", id=found["id"], name=found["name"], surface="web")
        return Session(person=person, csrf=found["csrf"], admin=found.get("admin") == "yes")

    async def end(self, token: str) -> None:
        """End a session."""
        await self._store.access.end_session(self._hash("session", token))

    def _hash(self, what: str, secret: str) -> str:
        return hmac.digest(self._secret, _bytes(f"{what}/v1\0{secret}"), "sha256").hex()


def key_id_of(key: str) -> str | None:
    """The public part of a key; None when it is no key: wrong shape or a typing error."""
    parts = key.split("_", 3)
    if len(parts) != 4 or parts[0] != "apk":  # noqa: PLR2004  # apk, environment, id, secret and checksum
        return None
    key_id, rest = parts[2], parts[3]
    if len(key_id) != _ID_CHARS or len(rest) != _SECRET_CHARS + _CHECK_CHARS or not key.isascii():
        return None
    return key_id if _check(key[:-_CHECK_CHARS]) == key[-_CHECK_CHARS:] else None


def fingerprint(secret: bytes) -> str:
    """Tells whether two services have the same secret, without telling it."""
    return hashlib.sha256(b"fingerprint/v1\0" + secret).hexdigest()[:32]


def person(email: str) -> wire.Actor:
    """A person known by an e-mail address.

    Raises:
        BadRequest: It is none.
    """
    name, at, host = email.partition("@")
    if not (name and at and host) or not email.isprintable() or any(c.isspace() for c in email):
        msg = f"{email!r} is not an e-mail address; a person is named by one, e.g. ana@example.com"
        raise BadRequest(msg)
    return wire.Actor(kind="person", id=email.casefold(), name=name, surface="web")


def agent_name(name: str) -> str:
    """An agent's name, checked.

    Raises:
        BadRequest: It is none.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name):
        msg = f"{name!r} is no name for an agent; use letters, digits, dot, dash and underscore, up to 64"
        raise BadRequest(msg)
    return name


def _principal(key_id: str, fields: dict[str, str]) -> Principal:
    limits = Limits(per_minute=int(fields["per_minute"]), burst=int(fields["burst"]), open=int(fields["open"]))
    kind: KeyKind = "person" if fields["kind"] == "person" else "admin" if fields["kind"] == "admin" else "agent"
    created, last_used, owner = fields["created"], fields["last_used"], fields.get("owner", "")
    return Principal(key_id, kind, fields["name"], limits, created, last_used, owner)


def _check(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    while number:
        number, rest = divmod(number, 62)
        digits = _BASE62[rest] + digits
    return digits.rjust(_CHECK_CHARS, "0")


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """Of what came in a header or a cookie: bytes that are no UTF-8 arrive as lone surrogates."""
    return text.encode("utf-8", "surrogatepass")


def check_owner(handoff: Handoff, agent: str) -> None:
    """Refuse another agent's handoff as if it did not exist.

    Raises:
        Gone: It is another agent's.
    """
    if handoff.agent != agent:
        raise Gone(no_handoff(handoff.id), handoff=handoff.id)
