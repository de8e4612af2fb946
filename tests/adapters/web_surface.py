"""The console, driven as a browser drives it: pages read, forms sent."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from html import unescape

import aiohttp

from bot.config import Settings
from tests.adapters.surface import Told, nothing
from tests.people import Json
from tests.servers import Live

_KINDS = {"edit-approve": "edit", "edit-save": "edit"}


class WebSurface:
    """Each person has a browser; a stranger has one that is not signed in."""

    name = "web"
    can_be_down = False

    def __init__(self, stack: AsyncExitStack) -> None:
        self.place: Json = {"surface": "web"}
        self._stack = stack
        self._url = ""
        self._browsers: dict[str, aiohttp.ClientSession] = {}

    def settings(self, settings: Settings) -> Settings:
        return settings

    async def attach(self, service: Live) -> None:
        self._url = service.url
        for name in ("mira", "ana", "stranger"):
            if name in self._browsers:
                continue
            jar = aiohttp.CookieJar(unsafe=True)
            http = await self._stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar))
            self._browsers[name] = http
            if name != "stranger":
                link = (await service.sign_in(f"{name}@example.com")).partition("token=")[2]
                await self._post(name, "/sign-in", {"token": link})

    async def text(self, asked: Json) -> str:
        page = (await self._get("mira", f"/handoffs/{asked['id']}?full=1")).partition("<main")[2]
        return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))

    async def can(self, asked: Json) -> frozenset[str]:
        page = (await self._get("mira", f"/handoffs/{asked['id']}")).partition("<main")[2]
        found = re.findall(r'<button[^>]* name="kind" value="([^"]+)"|<a[^>]* id="(edit)"', page)
        return frozenset(kind or link for kind, link in found)

    async def remember(self, asked: Json, *, by: str = "mira") -> object:
        return await self._form(asked, by)

    async def approve(self, asked: Json, *, by: str = "mira") -> Told:
        return await self.approve_from(await self._form(asked, by), asked, by=by)

    async def approve_from(self, card: object, asked: Json, *, by: str = "mira") -> Told:
        assert isinstance(card, dict)
        return await self._send(asked, by, {**card, "kind": "approve"})

    async def send_again(self, card: object, asked: Json, *, by: str = "mira") -> Told:
        assert isinstance(card, dict)
        _, page = await self._post(by, f"/handoffs/{asked['id']}/again", {**card, **await self._form(asked, by)})
        return Told(re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page.partition('id="notice"')[2]))))

    async def reject(self, asked: Json, reason: str = "", *, by: str = "mira") -> Told:
        return await self._send(asked, by, {**await self._form(asked, by), "kind": "reject", "reason": reason})

    async def edit(self, asked: Json, changes: Mapping[str, str], *, save: bool = False, by: str = "mira") -> Told:
        form, names = await self._form(asked, by, "?edit=1"), await self._names(asked, by, "?edit=1")
        typed = {names[label]: value for label, value in changes.items()}
        return await self._send(asked, by, {**form, **typed, "kind": "edit-save" if save else "edit-approve"})

    async def choose(self, asked: Json, label: str, *, by: str = "mira") -> Told:
        candidate = next(each["id"] for each in asked["ask"]["candidates"] if each["label"] == label)
        return await self._send(asked, by, {**await self._form(asked, by), "kind": "choose", "choice": candidate})

    async def answer(self, asked: Json, fields: Mapping[str, str], *, by: str = "mira") -> Told:
        names = await self._names(asked, by, "")
        typed = {names[label]: f'"{value}"' if value.isalpha() else value for label, value in fields.items()}
        return await self._send(asked, by, {**await self._form(asked, by), **typed, "kind": "answer"})

    def down(self) -> AbstractAsyncContextManager[None]:
        return nothing()

    # --- a browser ---

    async def _get(self, by: str, path: str) -> str:
        async with self._browsers[by].get(f"{self._url}{path}") as response:
            return await response.text()

    async def _post(self, by: str, path: str, form: Mapping[str, str]) -> tuple[int, str]:
        sent = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}
        async with self._browsers[by].post(f"{self._url}{path}", data=form, headers=sent) as response:
            return response.status, await response.text()

    async def _form(self, asked: Json, by: str, query: str = "") -> dict[str, str]:
        page = (await self._get(by, f"/handoffs/{asked['id']}{query}")).partition("<main")[2]
        found = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page))
        found |= dict(re.findall(r'<input id="field-\d+" name="([^"]+)" value="([^"]*)"', page))
        found |= dict(re.findall(r'<textarea id="[^"]+" name="([^"]+)"[^>]*>\n?(.*?)</textarea>', page, re.DOTALL))
        return {name: unescape(value) for name, value in found.items()}

    async def _names(self, asked: Json, by: str, query: str) -> dict[str, str]:
        """The controls' names, by their labels."""
        page = await self._get(by, f"/handoffs/{asked['id']}{query}")
        labels = re.findall(r'<label for="(field-\d+)">(?:<code>)?([^<]+)', page)
        names = dict(re.findall(r'<(?:input|select|textarea) id="(field-\d+)" name="([^"]+)"', page))
        return {unescape(label).strip(): names[field] for field, label in labels}

    async def _send(self, asked: Json, by: str, form: Mapping[str, str]) -> Told:
        status, page = await self._post(by, f"/handoffs/{asked['id']}/answer", form)
        if status == 200:
            return Told()
        errors = dict(re.findall(r'<p class="error" id="(field-\d+)-error-\d+">([^<]+)', page))
        labels = dict(re.findall(r'<label for="(field-\d+)">(?:<code>)?([^<]+)', page))
        said = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page.partition("<main")[2])))
        return Told(said, {unescape(labels[name]).strip(): unescape(text) for name, text in errors.items()})


@asynccontextmanager
async def web_surface() -> AsyncIterator[WebSurface]:
    """The console's people."""
    async with AsyncExitStack() as stack:
        yield WebSurface(stack)
