"""A scorer at an HTTP address: one POST, no redirects, a small answer."""

from typing import Final

import aiohttp
from pydantic import BaseModel, ConfigDict, ValidationError

from bot.handoff import Risk
from bot.risk._question import CannotScore, RiskQuestion

_ANSWER_BYTES: Final = 65_536
_CONNECTIONS: Final = 16
_OK: Final = 200


class _Answer(BaseModel):
    """What it answers; more fields are fine."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    score: float
    reasons: tuple[str, ...] | list[str] = ()


class Remote:
    """Posts `{tool, args, agent, gate, reversible}` and reads `{"score": 0..1, "reasons": […]}`."""

    def __init__(self, url: str) -> None:
        """The policy's author names the address; no agent can."""
        self._url = url
        self._http: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Hang up."""
        if self._http:
            await self._http.close()

    async def score(self, action: RiskQuestion) -> Risk:
        """Ask it.

        Raises:
            CannotScore: It answers something else than 200 and a score.
            aiohttp.ClientError: It cannot be reached.
        """
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS), cookie_jar=aiohttp.DummyCookieJar()
            )
        asked = {
            "tool": action.tool,
            "args": dict(action.args),
            "agent": action.agent,
            "gate": action.gate,
            "reversible": action.reversible,
        }
        async with self._http.post(self._url, json=asked, allow_redirects=False) as response:
            if response.status != _OK:
                raise CannotScore(f"it answered with status {response.status}")
            body = bytearray()
            async for chunk in response.content.iter_chunked(_ANSWER_BYTES):
                body += chunk
                if len(body) > _ANSWER_BYTES:
                    raise CannotScore(f"its answer is over {_ANSWER_BYTES} bytes")
        try:
            answer = _Answer.model_validate_json(bytes(body))
        except ValidationError as error:
            raise CannotScore(f"its answer is no score: {error.errors()[0]['msg']}") from error
        return Risk(answer.score, tuple(answer.reasons))
