"""Who may answer: one table, read aloud. Groups are looked up elsewhere (tests/flows/test_approvers.py)."""

import pytest

from andon import wire
from bot.approvers import groups, is_listed, refusal
from bot.handoff import Route
from bot.ports import Standing


def route(*approvers: str) -> Route:
    return Route(policy="v1/mail", timeout_s=60, on_timeout="deny", to=(), approvers=approvers)


def slack(person: str = "T1/U024", *, email: str | None = None) -> wire.Actor:
    return wire.Actor(kind="person", id=person, name="Ana", surface="slack", email=email)


def web(person: str = "ana@example.com", surface: str = "web") -> wire.Actor:
    return wire.Actor(kind="person", id=person, name="Ana", surface=surface)


EMAIL = "ana@example.com"
YES, NO = True, False

TABLE: list[tuple[str, tuple[str, ...], wire.Actor, Standing, tuple[str, ...], bool]] = [
    ("nobody is listed, so every full member may", (), slack(), "member", (), YES),
    ("nobody is listed, and they signed in", (), web(), "member", (), YES),
    ("nobody is listed, and they are a guest", (), slack(), "guest", (), NO),
    ("nobody is listed, and they are of another organisation", (), slack(), "external", (), NO),
    ("nobody is listed, and they are not in the conversation", (), slack(), "outside", (), NO),
    ("listed by e-mail, which the surface vouches for", (EMAIL,), slack(email=EMAIL), "member", (), YES),
    ("e-mail addresses have no case", (EMAIL,), slack(email="Ana@Example.COM"), "member", (), YES),
    ("an e-mail that the surface does not vouch for is none", (EMAIL,), slack(), "member", (), NO),
    ("an id that looks like a listed address is no address", (EMAIL,), slack(EMAIL), "member", (), NO),
    ("another's address", (EMAIL,), slack(email="bob@example.com"), "member", (), NO),
    ("part of a listed address", (EMAIL,), slack(email="na@example.com"), "member", (), NO),
    ("a web person's id is their address", (EMAIL,), web(), "member", (), YES),
    ("and so is that of a person with a key", (EMAIL,), web("Ana@example.com", "api"), "member", (), YES),
    ("listed by id", ("slack:U024",), slack(), "member", (), YES),
    ("an id without its workspace is nobody's of another house", ("slack:U024",), slack(), "external", (), NO),
    ("with its workspace it is theirs", ("slack:T1/U024",), slack(), "external", (), YES),
    ("listed by team and id", ("slack:T1/U024",), slack(), "member", (), YES),
    ("the same id in another team", ("slack:T1/U024",), slack("T2/U024"), "member", (), NO),
    ("another id in the same team", ("slack:T1/U024",), slack("T1/U0245"), "member", (), NO),
    ("the same id on another surface", ("slack:U024",), web("U024", "teams"), "member", (), NO),
    ("an id that spells out another surface's", ("slack:U024",), web("slack:U024"), "member", (), NO),
    ("in a listed group", ("slack:S9",), slack(), "member", ("S9",), YES),
    ("in no listed group", ("slack:S9",), slack(), "member", (), NO),
    ("in a listed group, outside the conversation", ("slack:S9",), slack(), "outside", ("S9",), YES),
    ("in a listed group, but a guest", ("slack:S9",), slack(), "guest", ("S9",), NO),
    ("in a listed group, but of another organisation", ("slack:S9",), slack(), "external", ("S9",), NO),
    ("a listed guest", (EMAIL,), slack(email=EMAIL), "guest", (), YES),
    ("a listed person of another organisation", ("slack:T2/U7",), slack("T2/U7"), "external", (), YES),
    ("listed, outside the conversation", ("slack:U024",), slack(), "outside", (), YES),
    ("one of several", ("bob@example.com", "slack:S9", "slack:U024"), slack(), "member", (), YES),
    ("none of several", ("bob@example.com", "slack:S9", "slack:U7"), slack(email=EMAIL), "member", (), NO),
]


@pytest.mark.parametrize(
    "listed, by, standing, belongs_to, may", [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_who_may_answer(
    *, listed: tuple[str, ...], by: wire.Actor, standing: Standing, belongs_to: tuple[str, ...], may: bool
) -> None:
    said = refusal(route(*listed), by, standing, belongs_to)
    assert (said is None) == may, said


@pytest.mark.parametrize(
    "listed, standing, sentence",
    [
        ((EMAIL,), "member", "Bob, policy v1/mail lets only ana@example.com answer this."),
        (("slack:S9",), "member", "Bob, policy v1/mail lets only one person or group by id answer this."),
        (
            (EMAIL, "slack:S9", "slack:U7"),
            "member",
            "Bob, policy v1/mail lets only ana@example.com and 2 people or groups by id answer this.",
        ),
        ((), "guest", "Bob, guests may not answer, unless the policy lists them."),
        ((), "external", "Bob, people of other organisations may not answer, unless the policy lists them."),
        ((), "outside", "Bob, you are not in the conversation that was asked; join it, then answer."),
    ],
)
def test_whoever_may_not_is_told_why(listed: tuple[str, ...], standing: Standing, sentence: str) -> None:
    bob = wire.Actor(kind="person", id="T1/U8", name="Bob", surface="slack")
    assert refusal(route(*listed), bob, standing, ()) == sentence


@pytest.mark.parametrize(
    "listed, words",
    [
        ((), ""),
        ((EMAIL,), "ana@example.com"),
        (("bob@example.com", EMAIL), "bob@example.com and ana@example.com"),
        (("slack:S9",), "one person or group by id"),
        (("slack:S9", "slack:U1"), "2 people or groups by id"),
        (("slack:S9", EMAIL, "bob@example.com"), "ana@example.com, bob@example.com and one person or group by id"),
        (
            (*(f"p{n}@x.com" for n in range(8)), "slack:U1", "slack:U2"),
            "p0@x.com, p1@x.com, p2@x.com, p3@x.com, p4@x.com, 3 more by e-mail address and 2 people or groups by id",
        ),
    ],
)
def test_who_is_listed_can_be_read(listed: tuple[str, ...], words: str) -> None:
    assert route(*listed).listed == words


def test_the_groups_to_look_into_are_those_of_the_person_s_own_surface() -> None:
    said = route("slack:S9", "slack:U024", EMAIL, "slack:S10")
    assert groups(said, "slack") == ("S9", "S10")
    assert groups(said, "web") == groups(said, None) == ()


def test_nobody_without_a_surface_is_listed() -> None:
    assert not is_listed(route("slack:U024", EMAIL), wire.Actor(kind="person", id=EMAIL, name="Ana"))


def test_a_link_by_an_id_without_its_workspace_reaches_nobody_of_another_house() -> None:
    people = {"ana": ("ana@example.com", "slack:U024")}
    assert refusal(route("ana@example.com"), slack(), "member", (), people) is None
    assert refusal(route("ana@example.com"), slack(), "external", (), people)
