"""A run, the brakes that are on and what a press did, as pages show them."""

from datetime import timedelta
from typing import Any, Literal

import pytest

from andon import wire
from bot.cards import brake_line, flights, receipt_view, run_view
from bot.handoff import Handoff, State
from tests.fakes.desk import ANA, BUDGET, EMAIL, FLIGHT, MIRA, NOON, RUN, a_run, handoff

THIS_RUN, PARENT = wire.BrakeScope(run=RUN), "run_" + "p" * 22
OPS = wire.BrakeScope(conversation=wire.Place(surface="slack", channel="#ops"))
MAILER = wire.BrakeScope(agent="assistant")
ALL = wire.BrakeScope(everything=True)
Action = Literal["stop", "pause", "steer", "abort"]


def on(scope: wire.BrakeScope, action: Action = "stop", epoch: int = 1, **more: Any) -> wire.Braked:
    return wire.Braked(action=action, scope=scope, by=MIRA, at=NOON, epoch=epoch, **more)


# --- a run ---


def test_a_run_that_nothing_holds_can_be_stopped_paused_told_and_ended() -> None:
    view = run_view(a_run())
    assert (view.lamp, view.headline, view.brakes, view.own, view.others) == ("go", "Not held", (), None, ())
    assert view.can_stop
    assert view.can_pause
    assert view.can_go_on


@pytest.mark.parametrize(
    "action, headline, can_stop",
    [
        ("pause", "On hold: paused", True),
        ("steer", "On hold: told something", True),
        ("stop", "On hold: stopped", False),
    ],
)
def test_its_own_brake_is_lifted_there_and_a_stronger_one_may_still_be_pulled(
    action: Action, headline: str, can_stop: bool
) -> None:
    brake = on(THIS_RUN, action, text="Not this\nlist")
    view = run_view(a_run(brake=brake, state="held"), [brake])
    assert (view.lamp, view.headline, view.can_stop, view.can_pause) == ("held", headline, can_stop, False)
    assert view.own
    assert view.own == view.brakes[0]
    assert (view.own.holds, view.own.words.text, view.own.by, view.own.epoch) == (
        "this run",
        "Not this list",
        "Mira",
        1,
    )


def test_words_beside_its_stop_are_told_and_are_not_lifted_elsewhere() -> None:
    stop, words = on(THIS_RUN), on(THIS_RUN, "steer", epoch=2, text="To Bob")
    view = run_view(a_run(brake=stop, state="held"), [words, stop])
    assert [line.action for line in view.brakes] == ["stop", "steer"]
    assert view.own == view.brakes[0]
    assert view.others == ()


def test_what_has_ended_takes_no_press() -> None:
    ended = on(THIS_RUN, "abort")
    view = run_view(a_run(brake=ended, state="aborted"), [on(THIS_RUN, epoch=0), on(ALL, epoch=2)])
    assert (view.lamp, view.headline) == ("stop", "Ended")
    assert [line.did for line in view.brakes] == ["Ended"]
    assert (view.own, view.others) == (None, ())
    assert [view.can_stop, view.can_pause, view.can_go_on] == [False] * 3


def test_every_brake_that_holds_it_is_told_the_strongest_first() -> None:
    """The run itself tells one of them; lifting that one alone would let nothing go on."""
    elsewhere = wire.BrakeScope(conversation=wire.Place(surface="slack", channel="#dev"))
    others = [on(wire.BrakeScope(agent="other"), epoch=8), on(wire.BrakeScope(run="run_" + "o" * 22), epoch=9)]
    wide = [on(ALL, "pause", 2), on(MAILER, "stop", 3), on(OPS, "stop", 4), on(elsewhere, epoch=7)]
    own = on(THIS_RUN, "pause", 5)
    view = run_view(a_run(brake=wide[1], state="held"), [*others, *wide, own])
    assert [line.holds for line in view.brakes] == [
        "every run in #ops in slack",
        "all that assistant does",
        "this run",
        "everything",
    ]
    assert view.own
    assert view.own.epoch == 5
    assert [line.epoch for line in view.others] == [4, 3, 2]
    assert view.can_stop


def test_a_parent_s_brake_is_named_by_the_parent() -> None:
    above = on(wire.BrakeScope(run=PARENT))
    view = run_view(a_run(brake=above, state="held"), [above], {PARENT: a_run(id=PARENT, name="the <b>whole</b>")})
    assert view.own is None
    assert [(line.holds, line.run) for line in view.others] == [("the run the <b>whole</b> of assistant", PARENT)]
    gone = run_view(a_run(brake=above, state="held"), [above], {PARENT: None})
    assert [(line.holds, line.run) for line in gone.others] == [("a run that is gone", "")]


def test_what_an_agent_calls_it_is_one_short_visible_line() -> None:
    hostile = "a\u202e\n" + "x" * 400
    view = run_view(a_run(name="r\u202e" + "n" * 290, labels={hostile: hostile}, requester="<i>\u200b"))
    assert view.name.startswith("r⟦U+202E⟧")
    ((name, value),) = view.labels
    assert name == value
    assert name.startswith("a⟦U+202E⟧ xxx")
    assert name.endswith("…")
    assert len(name) < 320
    assert view.requester == "<i>⟦U+200B⟧"


@pytest.mark.parametrize(
    "place, words",
    [
        ({"surface": "slack", "channel": "#ops"}, "#ops in slack"),
        ({"surface": "slack", "person": "U1"}, "U1 in slack"),
        ({"surface": "web"}, "the inbox of web"),
        (None, ""),
    ],
)
def test_a_conversation_in_words(place: dict[str, str] | None, words: str) -> None:
    assert run_view(a_run(conversation=place)).place == words


# --- a brake ---


@pytest.mark.parametrize(
    "scope, holds",
    [(ALL, "everything"), (MAILER, "all that assistant does"), (OPS, "every run in #ops in slack")],
)
def test_a_wide_brake_names_what_it_holds_and_no_run(scope: wire.BrakeScope, holds: str) -> None:
    line = brake_line(on(scope))
    assert (line.did, line.holds, line.run) == ("Stopped", holds, "")
    assert wire.BrakeScope.model_validate_json(line.scope) == scope


def test_long_words_are_cut_with_a_count() -> None:
    line = brake_line(on(ALL, text="w" * 1_000))
    assert (len(line.words.text), line.words.cut) == (300, 700)


# --- what is in flight ---


def claimed(ask: dict[str, Any], *, minutes: int = 0, **more: Any) -> Handoff:
    claim = wire.Claimed(claimant="worker\u200b", at=NOON + timedelta(minutes=minutes))
    return handoff(ask, id=f"hf_{minutes:022}", state=State.CLAIMED, claim=claim, **more)


def chosen(choice: str) -> wire.Chosen:
    return wire.Chosen(by=ANA, at=NOON, revision=1, choice=choice, digest="0" * 64, message_for_agent="Go.")


def test_what_was_claimed_and_does_something_is_in_flight_the_oldest_first() -> None:
    found = flights(
        [
            claimed(EMAIL, minutes=3),
            claimed(FLIGHT, minutes=2, decision=chosen("tp571")),
            claimed(FLIGHT, minutes=1, decision=chosen("lh1166")),
            claimed(BUDGET, minutes=4),
            handoff(EMAIL, id="hf_" + "w" * 22),
            handoff(EMAIL, id="hf_" + "c" * 22, state=State.CLOSED, claim=wire.Claimed(claimant="c", at=NOON)),
        ]
    )
    assert [each.handoff[-1] for each in found] == ["2", "3"]
    assert found[1].what.text == "Send this e-mail to alice@x.com"
    assert found[1].claimant == "worker⟦U+200B⟧"


# --- a receipt ---


def receipt(did: str, scope: wire.BrakeScope = THIS_RUN, **more: Any) -> wire.BrakeReceipt:
    return wire.BrakeReceipt.model_validate({"did": did, "scope": scope, **more})


def in_flight(count: int) -> tuple[wire.InFlight, ...]:
    each = wire.InFlight(handoff="hf_x", run=RUN, what="Pay\u202e", claimant="worker", claimed_at=NOON)
    return (each,) * count


@pytest.mark.parametrize(
    "action, held, headline, first",
    [
        ("stop", 0, "Stopped: this run", "Nothing was open; nothing new can begin."),
        ("stop", 1, "Stopped: this run", "1 ask is on hold, and nothing new can begin."),
        ("stop", 1200, "Stopped: this run", "1,200 asks are on hold, and nothing new can begin."),
        ("pause", 2, "Paused: this run", "2 asks are on hold, and nothing new can begin."),
        ("steer", 2, "The agent is told", "2 asks are on hold, and nothing new can begin."),
        ("abort", 0, "Ended: this run", "Nothing was open in it."),
        ("abort", 1, "Ended: this run", "1 ask ended with it."),
    ],
)
def test_a_pull_tells_what_is_held(action: Action, held: int, headline: str, first: str) -> None:
    brake = on(THIS_RUN, action)
    view = receipt_view(receipt("pulled", brake=brake, held=held), action, [brake])
    assert (view.headline, view.lines[0], view.flights, view.flying) == (headline, first, (), "")


@pytest.mark.parametrize(
    "action, how", [("stop", "Resume lets"), ("pause", "Resume lets"), ("steer", "by itself"), ("abort", "never go on")]
)
def test_a_pull_tells_how_it_goes_on(action: Action, how: str) -> None:
    brake = on(THIS_RUN, action)
    assert how in receipt_view(receipt("pulled", brake=brake), action, [brake]).lines[1]


@pytest.mark.parametrize(
    "count, told",
    [(1, "1 action is in flight"), (3, "3 actions are in flight"), (20, "20 or more actions are in flight")],
)
@pytest.mark.parametrize("did", ["pulled", "stands"])
def test_what_flies_is_counted_and_named(count: int, told: str, did: str) -> None:
    brake = on(THIS_RUN)
    view = receipt_view(receipt(did, brake=brake, in_flight=in_flight(count)), "stop", [brake])
    assert view.flying.startswith(told)
    assert len(view.flights) == count
    assert view.flights[0].what.text == "Pay⟦U+202E⟧"


@pytest.mark.parametrize(
    "scope, named",
    [(ALL, "everything"), (MAILER, "all that assistant does"), (OPS, "every run in #ops in slack")],
)
def test_a_wide_pull_names_what_it_holds(scope: wire.BrakeScope, named: str) -> None:
    assert receipt_view(receipt("pulled", scope, brake=on(scope)), "stop", [on(scope)]).headline == f"Stopped: {named}"
    assert receipt_view(receipt("lifted", scope, brake=on(scope)), "resume", []).headline == f"Resumed: {named}"


def test_what_was_on_already_names_who_pulled_it() -> None:
    brake = on(THIS_RUN, text="Not this list")
    view = receipt_view(receipt("stands", brake=brake), "stop", [brake])
    assert view.headline == "It was on already"
    assert view.lines == ("Mira stopped this run at 22 Nov 2026, 12:00 UTC: Not this list",)
    assert receipt_view(receipt("stands", brake=brake), "steer", [brake]).lines[1] == "Your words wait for the agent."


def test_a_press_on_what_has_ended_says_so() -> None:
    ended = receipt("stands", brake=on(THIS_RUN, "abort"))
    told = "Mira ended this run at 22 Nov 2026, 12:00 UTC."
    for action, lines in (("stop", (told,)), ("steer", (told, "Nobody was told.")), ("abort", (told,))):
        view = receipt_view(ended, action, [])
        assert (view.headline, view.lines) == ("It has ended", lines)


@pytest.mark.parametrize("did", ["pulled", "stands"])
def test_a_press_whose_brake_was_lifted_since_does_not_say_that_it_holds(did: str) -> None:
    """The same order comes again with the reply of the first time."""
    view = receipt_view(receipt(did, brake=on(THIS_RUN), held=3), "stop", [on(ALL)])
    assert view.headline == "Nothing holds it now"
    assert "on hold" not in " ".join(view.lines)


def test_words_that_were_read_at_once_were_told_all_the_same() -> None:
    view = receipt_view(receipt("pulled", brake=on(THIS_RUN, "steer")), "steer", [])
    assert view.headline == "The agent is told"
    assert "read your words already" in view.lines[0]


def test_a_resume_tells_what_waits_again_or_what_still_holds_it() -> None:
    brake = on(THIS_RUN)
    again = [receipt_view(receipt("lifted", brake=brake, held=n), "resume", []).lines for n in (0, 1, 2)]
    assert again == [("Nothing waits for an answer.",), ("1 ask waits again.",), ("2 asks wait again.",)]
    still = receipt_view(receipt("lifted", brake=brake, still=(on(MAILER),)), "resume", [on(MAILER)])
    assert still.lines == ("It is still held: Mira stopped all that assistant does at 22 Nov 2026, 12:00 UTC.",)


def test_a_resume_of_more_than_a_run_tells_what_waits_again_and_what_does_not() -> None:
    """What is left may be a part of it."""
    left = receipt("lifted", brake=on(ALL), still=(on(THIS_RUN), on(MAILER)), held=2)
    assert receipt_view(left.model_copy(update={"scope": ALL}), "resume", []).lines == (
        "Part of it is still held: Mira stopped one run at 22 Nov 2026, 12:00 UTC.",
        "Part of it is still held: Mira stopped all that assistant does at 22 Nov 2026, 12:00 UTC.",
        "2 asks wait again.",
    )
    whole = receipt("lifted", brake=on(MAILER), still=(on(ALL),)).model_copy(update={"scope": MAILER})
    assert receipt_view(whole, "resume", []).lines == (
        "It is still held: Mira stopped every agent at 22 Nov 2026, 12:00 UTC.",
    )


def test_a_resume_of_what_was_resumed_or_pulled_again_says_so() -> None:
    assert receipt_view(receipt("off"), "resume", []).lines == ("It had been resumed already.",)
    newer = on(THIS_RUN, epoch=9, text="Again")
    view = receipt_view(receipt("old", brake=newer), "resume", [newer])
    assert view.headline == "Nothing was lifted"
    assert "Again" in view.lines[1]
