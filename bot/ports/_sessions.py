"""Who is signed in to the console."""

from dataclasses import dataclass
from typing import Protocol

from andon import wire


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in person."""

    person: wire.Actor
    csrf: str
    admin: bool = False
    """Do they set the service up, beside answering?"""


class SignIn(Protocol):
    """Console sessions: opened with a one-time link, ended by time or by the person."""

    async def begin(self, link: str) -> str | None:
        """Exchange a link's token, once, for a new session token; None when it is spent, old or made up."""
        ...

    async def session(self, token: str) -> Session | None:
        """The session of a cookie, its idle time renewed; None when it has ended."""
        ...

    async def end(self, token: str) -> None:
        """End it."""
        ...
