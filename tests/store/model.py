"""What the store should say, in plain Python: one dictionary, no clock, no socket. Redis is compared with it."""

from dataclasses import dataclass, field

from bot.handoff import MOVES, OPEN, State

_NO = frozenset({"rejected", "expired", "withdrawn", "undeliverable"})


@dataclass
class Entry:
    """One handoff as it should be."""

    fingerprint: str
    agent: str
    timing: str
    silence: str
    digests: list[str]
    """One per revision; the last one is what would be decided now."""
    state: State = State.PENDING
    overdue: bool = False
    old: bool = False
    kind: str = ""
    allowed: str = ""
    answer_id: str = ""
    edit_id: str = ""
    claimant: str = ""
    outcome: tuple[str, str] = ("", "")
    permits: set[str] = field(default_factory=set)
    """Claimants that got one."""
    votes: list[str] = field(default_factory=list)
    """Answer ids of the votes of the revision."""
    stops: int = 0
    """So often was it held, or due under a brake."""
    holds: list[str] = field(default_factory=list)
    """What was told of that: `held` and `released`, in turn."""

    @property
    def revision(self) -> int:
        return len(self.digests)

    def move(self, to: State) -> None:
        """Every change of state is one of the table's."""
        assert to in MOVES[self.state], (self.state, to)
        self.state = to


class Model:
    """All handoffs of one namespace."""

    def __init__(self, *, open_limit: int) -> None:
        self.entries: dict[str, Entry] = {}
        self.events: list[tuple[str, str, int, str]] = []
        """What was told: event, handoff, revision, kind."""
        self.decisions: dict[str, tuple[str, str, int]] = {}
        """The first decision of each handoff: kind, digest that it allows, revision."""
        self.braked: set[str] = set()
        """Agents whose run is stopped."""
        self._open_limit = open_limit

    def open_count(self, agent: str) -> int:
        return sum(e.agent == agent and e.state in OPEN for e in self.entries.values())

    def open(self, handoff_id: str, entry: Entry, *, run_of: str) -> str:
        if known := self.entries.get(handoff_id):
            return "known" if known.fingerprint == entry.fingerprint else "reused"
        if run_of != entry.agent:
            return "no_run"
        if entry.agent in self.braked:
            return "braked"
        if self.open_count(entry.agent) >= self._open_limit:
            return "too_many"
        self.entries[handoff_id] = entry
        self.events.append(("opened", handoff_id, 1, ""))
        return "opened"

    def answer(
        self, handoff_id: str, answer_id: str, revision: int, kind: str, allowed: str, *, votes: int, edited: str = ""
    ) -> str:
        """`votes` were counted; `edited` is the digest of changed arguments, which are approved in the same step."""
        entry = self.entries.get(handoff_id)
        if entry is None:
            return "gone"
        if entry.state not in OPEN:
            return "won" if entry.answer_id == answer_id else "lost"
        if refusal := self._refusal(entry, revision):
            return refusal
        if votes != len(entry.votes):
            return "moved"
        if edited:
            entry.digests.append(edited)
            entry.votes = []
        entry.answer_id = answer_id
        return self._decide(handoff_id, entry, kind, allowed)

    def vote(self, handoff_id: str, answer_id: str, revision: int, *, votes: int) -> str:
        """One that does not decide; `votes` were counted before it."""
        entry = self.entries.get(handoff_id)
        if entry is None:
            return "gone"
        if answer_id in entry.votes:
            return "won"
        if entry.state not in OPEN:
            return "lost"
        if refusal := self._refusal(entry, revision):
            return refusal
        if votes != len(entry.votes):
            return "moved"
        entry.votes.append(answer_id)
        self.events.append(("voted", handoff_id, entry.revision, str(len(entry.votes))))
        return "won"

    def edit(self, handoff_id: str, answer_id: str, revision: int, digest: str) -> str:
        """Change the arguments and leave the decision to somebody else."""
        entry = self.entries.get(handoff_id)
        if entry is None:
            return "gone"
        if entry.edit_id == answer_id:
            return "won"
        if entry.state not in OPEN:
            return "lost"
        if refusal := self._refusal(entry, revision):
            return refusal
        entry.digests.append(digest)
        entry.votes = []
        entry.edit_id = answer_id
        self.events.append(("revised", handoff_id, entry.revision, ""))
        return "won"

    def expire(self, handoff_id: str, revision: int, *, votes: int, stops: int) -> str:
        """Silence approves only what it was judged by; `votes` and `stops` were counted then."""
        entry = self.entries.get(handoff_id)
        if entry is None:
            return "gone"
        if entry.state is State.HELD:
            return "held"
        if entry.state is not State.PENDING:
            return "lost"
        if not entry.overdue:
            return "early"
        if revision != entry.revision:
            return "stale"
        if entry.silence == "approve" and entry.revision == 1 and not votes and not stops:
            if entry.agent in self.braked:
                entry.stops += 1
                return "stale"
            if entry.votes or entry.stops:
                return "stale"
            return self._decide(handoff_id, entry, "approved", entry.digests[-1])
        return self._decide(handoff_id, entry, "expired", "")

    def withdraw(self, handoff_id: str, agent: str) -> str:
        entry = self.entries.get(handoff_id)
        if entry is None or entry.agent != agent:
            return "gone"
        if entry.state not in OPEN:
            return "won" if entry.kind == "withdrawn" else "lost"
        return self._decide(handoff_id, entry, "withdrawn", "")

    def claim(self, handoff_id: str, agent: str, digest: str, claimant: str) -> str:
        entry = self.entries.get(handoff_id)
        if entry is None or entry.agent != agent:
            return "gone"
        if entry.state in OPEN:
            return "open"
        if entry.timing == "after":
            return "done"
        if not entry.allowed:
            return "refused"
        if entry.allowed != digest:
            return "digest"
        if entry.state is State.CLOSED:
            return "closed"
        if entry.agent in self.braked:
            return "braked"
        if entry.state is State.CLAIMED:
            return "permit" if entry.claimant == claimant else "taken"
        if entry.old:
            return "old"
        entry.move(State.CLAIMED)
        entry.claimant = claimant
        entry.permits.add(claimant)
        self.events.append(("claimed", handoff_id, entry.revision, entry.kind))
        return "permit"

    def outcome(self, handoff_id: str, agent: str, status: str, claimant: str, result: str) -> str:
        entry = self.entries.get(handoff_id)
        if entry is None or entry.agent != agent:
            return "gone"
        if entry.state is State.CLOSED:
            return "recorded" if entry.outcome == (status, result) else "other"
        acted = status in {"executed", "failed"}
        fits = acted and entry.state is State.CLAIMED
        if entry.timing == "after" and entry.state is State.DECIDED:
            fits = acted != (entry.kind in _NO)
        if not fits:
            return "refused"
        if entry.state is State.CLAIMED and entry.claimant != claimant:
            return "claimant"
        entry.move(State.CLOSED)
        entry.outcome = (status, result)
        self.events.append(("closed", handoff_id, entry.revision, status))
        return "recorded"

    def pull(self, agent: str) -> None:
        """Hold what waits; what was due before is over all the same."""
        self.braked.add(agent)
        for entry in self.entries.values():
            if entry.agent == agent and entry.state is State.PENDING and not entry.overdue:
                entry.move(State.HELD)
                entry.holds.append("held")

    def lift(self, agent: str) -> None:
        self.braked.discard(agent)
        for entry in self.entries.values():
            if entry.agent == agent and entry.state is State.HELD:
                entry.move(State.PENDING)
                entry.stops += 1
                entry.holds.append("released")

    def _refusal(self, entry: Entry, revision: int) -> str:
        if entry.state is State.HELD:
            return "held"
        if entry.overdue:
            return "late"
        return "stale" if revision != entry.revision else ""

    def _decide(self, handoff_id: str, entry: Entry, kind: str, allowed: str) -> str:
        entry.move(State.DECIDED)
        entry.kind, entry.allowed = kind, allowed
        self.decisions.setdefault(handoff_id, (kind, allowed, entry.revision))
        self.events.append(("decided", handoff_id, entry.revision, kind))
        return "won"
