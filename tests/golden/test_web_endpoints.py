"""How endpoints look in the console, compared with the files in `endpoints/`; UPDATE_GOLDEN=1 writes them anew."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.web.endpoint_view import endpoint_line
from adapters.web.endpoints import EVENTS, EndpointForm
from adapters.web.pages import Notice, Pages
from andon import wire
from bot.ports import Session
from tests.fakes.desk import MIRA, NOON
from tests.golden.test_web_cards import HOSTILE_TEXT, Elements

GOLDEN = Path(__file__).parent / "endpoints"
SESSION = Session(MIRA, "csrf-token", admin=True)
ID = "ep_" + "e" * 22


def endpoint(**more: Any) -> wire.Endpoint:
    fields: dict[str, Any] = {
        "id": ID,
        "url": "https://agents.example.com/andon",
        "agent": "*",
        "events": wire.DEFAULT_EVENTS,
        "created_at": NOON - timedelta(days=3),
        "created_by": "mira@example.com",
        "state": "enabled",
        "delivered": 1_234,
    }
    return wire.Endpoint(**{**fields, **more})


def failing(**more: Any) -> wire.Endpoint:
    fields = {"failing_since": NOON, "last_error": "it answered 500", "failed": 7, "waiting": 2, "dead": 1}
    return endpoint(**{**fields, "agent": "mailer", **more})


def disabled(**more: Any) -> wire.Endpoint:
    fields = {"state": "disabled", "disabled_why": "it answered 410: it wants no more", "disabled_at": NOON}
    return endpoint(**{**fields, "rotated_until": NOON + timedelta(hours=24), **more})


def letter(**more: Any) -> wire.DeadLetter:
    fields: dict[str, Any] = {
        "id": "cb_" + "c" * 22,
        "endpoint": ID,
        "webhook_id": "msg_1",
        "type": "handoff.decided",
        "handoff": "hf_" + "h" * 22,
        "first_at": NOON - timedelta(hours=18),
        "last_at": NOON,
        "tries": 10,
        "error": "it answered 500",
        "dead_at": NOON,
    }
    return wire.DeadLetter(**{**fields, **more})


def page_of(one: wire.Endpoint, *dead: wire.DeadLetter, total: int = 0, **more: Any) -> str:
    letters = wire.DeadLetterList(dead_letters=dead, total=total or len(dead))
    given: dict[str, Any] = {"dead": letters, "once": "once", "secret": "", "notice": None, **more}
    return Pages(None).endpoint(endpoint_line(one), SESSION, **given)


def page_of_all(*all_of_them: wire.Endpoint, **more: Any) -> str:
    given: dict[str, Any] = {
        "agents": ["mailer"],
        "events": EVENTS,
        "form": EndpointForm("once"),
        "notice": None,
        **more,
    }
    return Pages(None).endpoints([endpoint_line(each) for each in all_of_them], SESSION, **given)


def hostile_one() -> str:
    said = {"created_by": HOSTILE_TEXT, "last_error": HOSTILE_TEXT, "url": f"https://x.example/{HOSTILE_TEXT}"}
    notice = Notice(HOSTILE_TEXT)
    return page_of(failing(**said), letter(error=HOSTILE_TEXT, type=HOSTILE_TEXT), total=1_000, notice=notice)


def mistaken() -> str:
    errors = {"url": HOSTILE_TEXT, "events": "Pick what it is told of."}
    return page_of_all(form=EndpointForm("once", HOSTILE_TEXT, "mailer", (), errors), notice=Notice("Sent before."))


PAGES: dict[str, Callable[[], str]] = {
    "none": page_of_all,
    "list": lambda: page_of_all(endpoint(), failing(), disabled()),
    "mistaken": mistaken,
    "created": lambda: page_of(endpoint(), secret="whsec_secret", notice=Notice("It is registered.", good=True)),
    "failing": lambda: page_of(failing(), letter(), letter(handoff=None, tries=1, first_at=None, last_at=None)),
    "disabled": lambda: page_of(disabled()),
    "hostile": hostile_one,
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_looks_as_it_did(name: str) -> None:
    path, page = GOLDEN / f"{name}.html", PAGES[name]().replace(Pages(None).version, "VERSION")
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(page, encoding="utf-8")
    assert page == path.read_text(encoding="utf-8")


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.html")} == set(PAGES)


def test_no_text_becomes_markup() -> None:
    hostile, tame = Elements(PAGES["hostile"]()), Elements(PAGES["failing"]() + PAGES["created"]())
    assert set(hostile.tags) <= {*tame.tags, "span"}
    assert hostile.tags.count("script") == 1
    assert not {name for name in hostile.attributes if name.startswith("on")}
