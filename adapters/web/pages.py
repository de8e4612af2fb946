"""The console's pages as text: view models and templates in, HTML out. No request, no clock."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from adapters.web.endpoint_view import EndpointLine
from andon import wire
from bot.cards import (
    BrakeLine,
    Card,
    DigestView,
    Field,
    Flight,
    GrantLine,
    Heard,
    ReceiptView,
    RunView,
    Summary,
    TrustLine,
    environment,
    term_in_words,
)
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
class Viewer(Session):
    """Whoever looks, and how many brakes are on: every page tells."""

    brakes: int = 0


@dataclass(frozen=True, slots=True)
class Cord:
    """What a person typed beside a brake's buttons, and which button they pressed."""

    order_id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    action: str = ""
    text: str = ""
    agent: str = ""
    about: str = ""
    """Which of a page's forms it was; empty: the run's."""

    def typed(self, *actions: str, about: str = "") -> str:
        """What stands in the field of these buttons."""
        return self.text if self.action in actions and self.about == about else ""


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
        waiting, held = len(cards), sum(each.state == "held" for each in cards)
        given = {"cards": cards, "notices": notices, "told": told, "waiting": waiting, "full": waiting >= most}
        return self._render("inbox", session, **given, held=held)

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

    def card(
        self,
        card: Card,
        session: Session,
        *,
        form: Form,
        notice: Notice | None,
        full: bool,
        its_run: RunView | None = None,
        cord: Cord | None = None,
        receipt: ReceiptView | None = None,
    ) -> str:
        """One handoff, and the brake of its run; without `its_run` no brake can be pulled on it."""
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
        given = {"card": card, "form": form, "controls": controls, "notice": notice, "full": full}
        return self._render("card", session, **given, its_run=its_run, cord=cord or Cord(), receipt=receipt)

    def run(
        self,
        run: RunView,
        session: Session,
        *,
        waiting: Sequence[Summary],
        recent: Sequence[Summary],
        flights: Sequence[Flight],
        is_cut: bool,
        cord: Cord,
        receipt: ReceiptView | None,
        notice: Notice | None,
    ) -> str:
        """One run: what holds it, what it asks, and what it did; `is_cut`: it has more of that."""
        given = {"waiting": waiting, "recent": recent, "flights": flights, "is_cut": is_cut}
        return self._render("run", session, its_run=run, cord=cord, receipt=receipt, notice=notice, **given)

    def brakes(
        self,
        brakes: Sequence[BrakeLine],
        session: Session,
        *,
        more: int,
        agents: Sequence[str],
        everything: str,
        cord: Cord,
        receipt: ReceiptView | None,
        notice: Notice | None,
    ) -> str:
        """Every brake that is on, and so many more; `everything` is the scope of the widest, as its form sends it."""
        given = {"brakes": brakes, "more": more, "agents": agents, "everything": everything}
        return self._render("brakes", session, **given, cord=cord, receipt=receipt, notice=notice)

    def endpoints(
        self,
        endpoints: Sequence[EndpointLine],
        session: Session,
        *,
        agents: Sequence[str],
        events: Sequence[str],
        form: object,
        notice: Notice | None,
    ) -> str:
        """Where callbacks go; `form` is what was typed for a new one."""
        given = {"endpoints": endpoints, "agents": agents, "events": events, "form": form, "notice": notice}
        return self._render("endpoints", session, **given)

    def endpoint(
        self,
        line: EndpointLine,
        session: Session,
        *,
        dead: wire.DeadLetterList,
        once: str,
        secret: str,
        notice: Notice | None,
    ) -> str:
        """One endpoint, with what could not be delivered there; `secret` is shown this once."""
        given = {"line": line, "dead": dead, "once": once, "secret": secret, "notice": notice}
        return self._render("endpoint", session, **given)

    def again(self, form: Mapping[str, str], to: str, session: Session) -> str:
        """A press that nobody confirmed, to be sent again as it was."""
        return self._render("again", session, form=form, to=to)

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
        on = session.brakes if isinstance(session, Viewer) else 0
        return self._templates.get_template(f"web/{name}.html.j2").render(session=session, brakes_on=on, **given)
