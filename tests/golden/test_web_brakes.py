"""What the brake looks like in the console, compared with the files in `brakes/`; UPDATE_GOLDEN=1 writes them anew."""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.web.pages import Cord, Form, Notice, Pages, Viewer
from andon import wire
from bot.cards import RunView, brake_line, card, flights, receipt_view, run_view, summary
from bot.handoff import Handoff, Heard, State
from tests.fakes.desk import EMAIL, FLIGHT, MIRA, NOON, RUN, a_run, handoff
from tests.golden.test_web_cards import HOSTILE_TEXT, Elements, approved

GOLDEN = Path(__file__).parent / "brakes"
LATER = NOON + timedelta(minutes=3)
CORD = Cord(order_id="order-id")
THIS_RUN = wire.BrakeScope(run=RUN)
ALL = wire.BrakeScope(everything=True)
OPS = wire.BrakeScope(conversation=wire.Place(surface="slack", channel="#ops"))


def by(name: str = "Mira") -> wire.Actor:
    return MIRA.model_copy(update={"name": name})


def stop(scope: wire.BrakeScope = THIS_RUN, **more: Any) -> wire.Braked:
    fields = {"action": "stop", "scope": scope, "by": by(), "at": LATER, "epoch": 1, "text": "Not this list"}
    return wire.Braked.model_validate({**fields, **more})


def viewer(on: int) -> Viewer:
    return Viewer(MIRA, "csrf-token", brakes=on)


def held(brake: wire.Braked, **more: Any) -> Handoff:
    return handoff(EMAIL, state=State.HELD, brake=brake, left_s=1620.0, **more)


def in_flight() -> Handoff:
    return replace(approved(), id="hf_" + "f" * 22, state=State.CLAIMED, outcome=None)


def part_of_card(shown: Handoff, run: RunView, *, start: str, end: str) -> str:
    """What the brake puts on a card; the rest of it has golden files of its own."""
    view = card(shown, now=LATER)
    page = Pages(None).card(view, viewer(1), form=Form("a"), notice=None, full=False, its_run=run, cord=CORD)
    begin = page.index(start)
    return page[begin : page.index(end, begin)]


def card_that_waits() -> str:
    run = run_view(a_run())
    return part_of_card(handoff(EMAIL), run, start='  <section class="brake"', end='  <footer class="facts">')


def card_on_hold() -> str:
    run = run_view(a_run(state="held", brake=stop()), [stop()])
    return part_of_card(held(stop()), run, start='<header class="status">', end='<section class="act"')


def card_after_words() -> str:
    shown = handoff(EMAIL, stops=1, heard=Heard(LATER, MIRA, "change it to Bob"))
    return part_of_card(shown, run_view(a_run()), start='<header class="status">', end='<section class="act"')


def page_of_run(run: RunView, asked: Sequence[Handoff], *, on: int = 0, **more: Any) -> str:
    given = {"cord": CORD, "receipt": None, "notice": None, **more}
    return Pages(None).run(
        run,
        viewer(on),
        waiting=[summary(each, now=LATER) for each in asked if not each.decision],
        recent=[summary(each, now=LATER) for each in asked if each.outcome],
        flights=flights(asked),
        is_cut=on > 1,
        **given,
    )


def run_not_held() -> str:
    return page_of_run(run_view(a_run()), [handoff(EMAIL), approved()])


def run_on_hold() -> str:
    wide = stop(OPS, action="pause", epoch=2, text=None, by=by("Ana"))
    run = run_view(a_run(state="held", brake=stop()), [stop(), wide])
    claimed = in_flight()
    flight = wire.InFlight(handoff=claimed.id, run=RUN, what="Send it", claimant="c", claimed_at=LATER)
    receipt = wire.BrakeReceipt(did="pulled", scope=THIS_RUN, brake=stop(), runs=1, held=1, in_flight=(flight,))
    told = receipt_view(receipt, "stop", [stop(), wide])
    return page_of_run(run, [held(stop()), claimed], on=2, receipt=told)


def run_refused() -> str:
    run = run_view(a_run(state="held", brake=stop()), [stop()])
    typed = replace(CORD, action="abort", text='It is the "wrong" customer')
    return page_of_run(run, [], on=1, cord=typed, notice=Notice("You may not end this."))


def run_ended() -> str:
    return page_of_run(run_view(a_run(state="aborted", brake=stop(action="abort"))), [])


def page_of_brakes(
    brakes: Sequence[wire.Braked], runs: Sequence[wire.Run] = (), *, agents: Sequence[str] = (), **more: Any
) -> str:
    known = {each.id: each for each in runs}
    given = {"more": 0, "cord": CORD, "receipt": None, "notice": None, **more}
    return Pages(None).brakes(
        [brake_line(each, known.get(each.scope.run or "")) for each in brakes],
        viewer(len(brakes) + given["more"]),
        agents=agents,
        everything=ALL.model_dump_json(exclude_none=True),
        **given,
    )


def brakes_on() -> str:
    steer = stop(action="steer", epoch=4, text="wait, change the recipient to Bob")
    gone = stop(wire.BrakeScope(run="run_" + "g" * 22), epoch=1, text=None)
    on = [steer, stop(ALL, epoch=3, action="pause"), stop(wire.BrakeScope(agent="mailer"), epoch=2), gone]
    return page_of_brakes(on, [a_run()], agents=["calendar", "mailer"], more=3)


def no_brakes() -> str:
    return page_of_brakes([])


def agent_not_picked() -> str:
    typed = replace(CORD, action="pause", text="odd mails", agent="", about="agent")
    return page_of_brakes([], agents=["mailer"], cord=typed, notice=Notice("Pick an agent first."))


def not_confirmed() -> str:
    return Pages(None).again(
        {"csrf": "c", "order_id": "o", "action": "stop", "text": "<b>now</b>"}, f"/runs/{RUN}/brake", viewer(0)
    )


def hostile_run() -> str:
    run = a_run(
        name="<script>x</script>\u202e",
        requester=HOSTILE_TEXT.replace("\n", " ")[:200],
        conversation={"surface": "slack", "channel": '"><b>\u200b'},
        labels={HOSTILE_TEXT: HOSTILE_TEXT, '" onclick="x': "<!channel>"},
    )
    brake = stop(text=HOSTILE_TEXT, by=by(HOSTILE_TEXT))
    view = run_view(run.model_copy(update={"state": "held", "brake": brake}), [brake])
    asked = replace(held(brake), ask=wire.parse_ask({**EMAIL, "what": HOSTILE_TEXT}))
    claimed = replace(in_flight(), claim=wire.Claimed(claimant='"><script>\u202e', at=LATER))
    typed = replace(CORD, action="steer", text="</textarea><script>\u202e")
    receipt = receipt_view(wire.BrakeReceipt(did="stands", scope=THIS_RUN, brake=brake), "steer", [brake])
    return page_of_run(view, [asked, claimed], on=1, cord=typed, receipt=receipt, notice=Notice("<b>no</b>"))


def hostile_brakes() -> str:
    brake = stop(text=HOSTILE_TEXT, by=by(HOSTILE_TEXT))
    return page_of_brakes([brake], [a_run(name="<script>x</script>\u202e")], agents=["mailer"])


PAGES: dict[str, Callable[[], str]] = {
    "card": card_that_waits,
    "card-held": card_on_hold,
    "card-heard": card_after_words,
    "run": run_not_held,
    "run-held": run_on_hold,
    "run-refused": run_refused,
    "run-ended": run_ended,
    "brakes": brakes_on,
    "brakes-none": no_brakes,
    "brakes-not-picked": agent_not_picked,
    "again": not_confirmed,
    "hostile-run": hostile_run,
    "hostile-brakes": hostile_brakes,
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_looks_as_it_did(name: str) -> None:
    path, page = GOLDEN / f"{name}.html", PAGES[name]().replace(Pages(None).version, "VERSION")
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(page, encoding="utf-8")
    assert path.is_file(), "no golden file yet: the top of this file says how to write it"
    assert page == path.read_text(encoding="utf-8")


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.html")} == set(PAGES)


@pytest.mark.parametrize("hostile, tame", [("hostile-run", "run-held"), ("hostile-brakes", "brakes")])
def test_nobody_s_text_becomes_markup(hostile: str, tame: str) -> None:
    page = PAGES[hostile]()
    found, usual = Elements(page), Elements(PAGES[tame]())
    assert set(found.tags) <= {*usual.tags, "span"}
    assert found.tags.count("script") == 1
    assert found.attributes <= {*usual.attributes, "open"}
    shown = re.sub(r"<textarea.*?</textarea>", "", page, flags=re.DOTALL)  # where people's own words stand as typed
    assert not set("\u202e\u2069\u200b\u3164") & set(shown)


def test_a_run_that_has_ended_has_nothing_to_press() -> None:
    assert 'name="action"' not in run_ended()
    assert 'name="action"' in run_not_held()


def test_a_choice_card_has_the_brake_too() -> None:
    page = part_of_card(handoff(FLIGHT), run_view(a_run()), start='  <section class="brake"', end="</section>")
    assert "Stop this run" in page
