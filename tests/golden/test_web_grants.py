"""What grants look like in the console, compared with the files in `grants/`; UPDATE_GOLDEN=1 writes them anew."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.web.pages import Form, Notice, Pages
from bot.cards import card, given, grant_line, offers
from bot.handoff import Handoff, Offer, Route
from bot.ports import Session
from bot.scope import Granted
from tests.fakes.desk import EMAIL, MIRA, NOON, handoff
from tests.golden.test_web_cards import HOSTILE, HOSTILE_TEXT, Elements

GOLDEN = Path(__file__).parent / "grants"
SESSION = Session(MIRA, "csrf-token")
OFFERS = (
    Offer("the same recipient", ("to",), "run", 3600),
    Offer("any mail", (), "agent", 600),
    Offer("same subject, for the requester", ("to", "subject", "priority"), "requester", 7 * 86_400),
    Offer("with a blind copy", ("bcc",), "run", 60),
)


def asked(ask: dict[str, Any] = EMAIL, **more: Any) -> Handoff:
    return handoff(ask, route=Route("0123456789ab/mail", 1800, "deny", (), offers=OFFERS), **more)


def granted(asks: Handoff, *, name: str = "Mira") -> list[Granted]:
    by = MIRA.model_copy(update={"name": name})
    at = NOON - timedelta(minutes=5)
    made = [
        Granted(replace(given(asks, each, by), id=f"gr_{number:022d}"), at, at + timedelta(hours=1))
        for number, each in enumerate(offers(asks))
    ]
    return [replace(made[0], uses=3, last_used=NOON), *made[1:]]


def part_of_card() -> str:
    """What grants put on a card; the rest of it has golden files of its own."""
    page = Pages(None).card(card(asked(), now=NOON), SESSION, form=Form(answer_id="a"), notice=None, full=False)
    start = page.index('<fieldset class="next-time">')
    return page[start : page.index("</fieldset>", start)] + "</fieldset>\n"


def page_of_list() -> str:
    return Pages(None).grants([grant_line(each) for each in granted(asked())], SESSION)


def page_of_none() -> str:
    return Pages(None).grants([], SESSION, notice=Notice("That grant had ended already."))


def hostile_list() -> str:
    short = {
        **HOSTILE,
        "action": {
            "tool": "send_email",
            "args": {"to": '<script>x</script>"\u202e', "subject": "<!channel>", "priority": 1},
        },
    }
    asks = asked(short, requester=HOSTILE_TEXT[:80], run_name=HOSTILE_TEXT)
    return Pages(None).grants([grant_line(each) for each in granted(asks, name=HOSTILE_TEXT)], SESSION)


PAGES: dict[str, Callable[[], str]] = {
    "card": part_of_card,
    "list": page_of_list,
    "none": page_of_none,
    "hostile-list": hostile_list,
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


def test_no_agents_text_becomes_markup() -> None:
    hostile, tame = Elements(hostile_list()), Elements(page_of_list())
    assert set(hostile.tags) <= {*tame.tags, "span", "small"}
    assert hostile.tags.count("script") == 1
    assert not {name for name in hostile.attributes if name.startswith("on")}
    assert "\u202e" not in hostile_list()
