"""The console's pages as text: view models and templates in, HTML out. No request, no clock."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from bot.cards import Card, DigestView, Field, GrantLine, Heard, Summary, TrustLine, environment, term_in_words
from bot.ports import PolicyWords, Session

STATIC = Path(__file__).parent / "static"
TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person must be told before all else; `typed` is what they had typed, so that nothing is lost."""

    text: str
    good: bool = False
    typed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Control:
    """A field of a form as HTML has it: its name on the wire, what is in it, and what is wrong with it."""

    name: str
    field: Field
    text: str
    errors: tuple[str, ...] = ()
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """What a person has typed so far into the forms of a card."""

    answer_id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    typed: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    editing: bool = False
    reason: str = ""
    choice: str = ""
    code: str = ""
    code_error: str = ""
    grant: str = ""
    other: Mapping[str, str] = field(default_factory=dict)
    """What was typed to ask somebody else, or the agent."""

    @property
    def answering_again(self) -> bool:
        """Does it hold something that was typed, and not yet taken?"""
        return bool(self.typed or self.reason or self.choice or self.grant or self.code or self.other)


def control_name(index: int) -> str:
    """The name of the nth field in HTML: arguments may have names that forms do not carry unchanged."""
    return f"field-{index}"


class Pages:
    """Renders every page of the console."""

    def __init__(self, templates: Path | None) -> None:
        """Read the static files, whose addresses change with their content."""
        self.files = {path.name: path.read_bytes() for path in STATIC.iterdir() if path.suffix in TYPES}
        self.version = sha256(b"".join(self.files[name] for name in sorted(self.files))).hexdigest()[:12]
        self._templates = environment(templates)
        self._templates.globals["static"] = lambda name: f"/static/{self.version}/{name}"

    def inbox(
        self,
        cards: Sequence[Summary],
        notices: Sequence[Heard],
        session: Session,
        *,
        told: Sequence[Summary] = (),
        most: int,
    ) -> str:
        """What waits for a person, what ran without asking and is told of, and what agents told without asking."""
        waiting = len(cards)
        given = {"cards": cards, "notices": notices, "told": told, "waiting": waiting, "full": waiting >= most}
        return self._render("inbox", session, **given)

    def together(
        self,
        view: DigestView,
        session: Session,
        *,
        told: Sequence[object],
        notice: Notice | None,
        answer_id: str,
        cursor: str,
        following: str,
    ) -> str:
        """A page of many handoffs, to be answered together; `cursor` is this page's, and `following` the next one's."""
        given = {"told": told, "notice": notice, "answer_id": answer_id, "cursor": cursor, "following": following}
        return self._render("digest", session, view=view, **given)

    def trust(self, ramps: Sequence[TrustLine], session: Session) -> str:
        """How far trust has grown."""
        return self._render("trust", session, ramps=ramps)

    def policy(self, policy: PolicyWords, session: Session, *, tried: object, spans: Sequence[int]) -> str:
        """The policy that stands, and what came of trying one."""
        return self._render("policy", session, policy=policy, tried=tried, spans=spans, plain=term_in_words)

    def history(self, cards: Sequence[Summary], session: Session, *, older: str | None, first: bool) -> str:
        """What has ended."""
        return self._render("history", session, cards=cards, older=older, first=first)

    def card(self, card: Card, session: Session, *, form: Form, notice: Notice | None, full: bool) -> str:
        """One handoff."""
        if form.editing and not card.may("edit"):
            form = replace(form, editing=False)
        controls = [
            Control(
                control_name(index),
                each,
                form.typed.get(each.name, each.text),
                form.errors.get(each.name, ()),
                form.typed.get(each.name, each.text) != each.text,
            )
            for index, each in enumerate(card.form)
        ]
        return self._render("card", session, card=card, form=form, controls=controls, notice=notice, full=full)

    def grants(self, grants: Sequence[GrantLine], session: Session, *, notice: Notice | None = None) -> str:
        """What people let run without being asked again."""
        return self._render("grants", session, grants=grants, notice=notice)

    def sign_in(self, link: str) -> str:
        """One button that spends a sign-in link."""
        return self._render("sign_in", None, link=link)

    def message(self, title: str, text: str, session: Session | None, *, hint: str = "") -> str:
        """Something went another way than the person wanted."""
        return self._render("message", session, title=title, text=text, hint=hint)

    def _render(self, name: str, session: Session | None, **given: object) -> str:
        return self._templates.get_template(f"web/{name}.html.j2").render(session=session, **given)
