"""Every key's name, built here alone. All share the tag `{ns}`, so that a namespace lives in one Cluster slot."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keys:
    """The names in one namespace."""

    ns: str = "andon"

    @property
    def policy(self) -> str:
        """String: version and text of the policy that was taken last; kept for good."""
        return f"{{{self.ns}}}:policy"

    @property
    def probe(self) -> str:
        """String: written to see whether a write is taken; kept for a minute."""
        return f"{{{self.ns}}}:probe"

    def handoff(self, handoff_id: str) -> str:
        """Hash: one handoff."""
        return f"{{{self.ns}}}:handoff:{handoff_id}"

    def cards(self, handoff_id: str) -> str:
        """Hash: where its cards are: posting begun, addresses, and the places that refused."""
        return f"{{{self.ns}}}:handoff:{handoff_id}:cards"

    def tries(self, handoff_id: str, person: str, revision: int) -> str:
        """String: wrong numbers that a person typed for a revision of it; kept for a minute."""
        return f"{{{self.ns}}}:handoff:{handoff_id}:tries:{person}:{revision}"

    def run(self, run_id: str) -> str:
        """Hash: one run."""
        return f"{{{self.ns}}}:run:{run_id}"

    def run_asks(self, run_id: str) -> str:
        """Sorted set: handoff of a run -> when it was opened; one that was on hold for long: last seen. Unix ms."""
        return f"{{{self.ns}}}:run:{run_id}:asks"

    def run_children(self, run_id: str) -> str:
        """Sorted set: run that a run has started -> when, Unix ms."""
        return f"{{{self.ns}}}:run:{run_id}:children"

    def checkpoint(self, run_id: str) -> str:
        """Hash: its latest checkpoint."""
        return f"{{{self.ns}}}:run:{run_id}:checkpoint"

    def steers(self, run_id: str) -> str:
        """List: what people told it since its last checkpoint."""
        return f"{{{self.ns}}}:run:{run_id}:steers"

    def steer(self, run_id: str, key: str) -> str:
        """String: a steer with this id was told."""
        return f"{{{self.ns}}}:run:{run_id}:steer:{key}"

    def conversation(self, surface: str, channel: str) -> str:
        """Sorted set: run that is bound to this channel -> when it started, Unix ms."""
        return f"{{{self.ns}}}:conversation:{surface}:{channel}:runs"

    def card(self, surface: str, address: str) -> str:
        """String: the handoff whose card is at this address."""
        return f"{{{self.ns}}}:card:{surface}:{address}"

    def shelf(self, surface: str) -> str:
        """Hash: what an adapter keeps for good, sealed."""
        return f"{{{self.ns}}}:shelf:{surface}"

    def shelved(self, surface: str, name: str) -> str:
        """String: what an adapter keeps for a while, sealed; or that it has seen something."""
        return f"{{{self.ns}}}:shelf:{surface}:{name}"

    def turn(self, surface: str, queue: str) -> str:
        """String: when the next turn in an adapter's queue is due."""
        return f"{{{self.ns}}}:turn:{surface}:{queue}"

    def notice(self, run_id: str, key: str) -> str:
        """String: a notice with this Idempotency-Key was told."""
        return f"{{{self.ns}}}:run:{run_id}:notice:{key}"

    def trust(self, ramp_id: str) -> str:
        """Hash: how far one trust ramp has come, and why it last started over."""
        return f"{{{self.ns}}}:trust:{ramp_id}"

    def agent_events(self, agent: str) -> str:
        """Stream: what one agent is told; its ids are those of `events`."""
        return f"{{{self.ns}}}:agent:{agent}:events"

    def agent_load(self, agent: str) -> str:
        """Hash: how many handoffs an agent has open, and how fast it opens them."""
        return f"{{{self.ns}}}:agent:{agent}:load"

    def drawn(self, agent: str) -> str:
        """Hash: tool -> the handoff that was drawn in a sample last, while none drawn was claimed; kept for a day."""
        return f"{{{self.ns}}}:agent:{agent}:drawn"

    def agent_grants(self, agent: str) -> str:
        """Hash: an agent's standing grants."""
        return f"{{{self.ns}}}:agent:{agent}:grants"

    def key(self, key_id: str) -> str:
        """Hash: one API key."""
        return f"{{{self.ns}}}:key:{key_id}"

    def link(self, hashed: str) -> str:
        """String: whom a one-time sign-in link signs in."""
        return f"{{{self.ns}}}:link:{hashed}"

    def session(self, hashed: str) -> str:
        """String: a console session."""
        return f"{{{self.ns}}}:session:{hashed}"

    @property
    def due(self) -> str:
        """Sorted set: open handoff -> deadline, Unix ms; what is on hold comes after all, by the time that is left."""
        return f"{{{self.ns}}}:due"

    def asked(self, who: str) -> str:
        """Sorted set: handoff -> when its card was posted to somebody, Unix ms; the last hour."""
        return f"{{{self.ns}}}:asked:{who}"

    def gathered(self, surface: str, place: str) -> str:
        """Sorted set: handoff that waits for room on a digest -> when it was opened; `:now`: the id of that digest."""
        return f"{{{self.ns}}}:gathered:{surface}:{place}"

    @property
    def brakes(self) -> str:
        """Hash: scope -> the brake that holds it."""
        return f"{{{self.ns}}}:brakes"

    @property
    def brakes_epoch(self) -> str:
        """String: the number of the latest pull of any brake."""
        return f"{{{self.ns}}}:brakes:epoch"

    @property
    def brakes_lifted(self) -> str:
        """Hash: scope -> when it was held before; `at <scope>`: when people last said that it may go on, Unix ms."""
        return f"{{{self.ns}}}:brakes:lifted"

    @property
    def brakes_told(self) -> str:
        """Stream: what agents are told of brakes, under the ids of `events`."""
        return f"{{{self.ns}}}:brakes:told"

    def brake_order(self, key: str) -> str:
        """String: the reply to an order with this id; kept for two days."""
        return f"{{{self.ns}}}:brakes:order:{key}"

    @property
    def acting(self) -> str:
        """Sorted set: handoff that may be acted on, and of which nothing was reported -> decided, Unix ms."""
        return f"{{{self.ns}}}:acting"

    @property
    def beats(self) -> str:
        """Sorted set: run that promised signs of life -> when it is lost, or looked at again, Unix ms."""
        return f"{{{self.ns}}}:beats"

    @property
    def beats_watch(self) -> str:
        """Hash: when somebody was last there to hear signs of life, and since when without a gap, Unix ms."""
        return f"{{{self.ns}}}:beats:watch"

    @property
    def leases(self) -> str:
        """Sorted set: handoff that is acted on in such a run -> when nobody has vouched for it too long, Unix ms."""
        return f"{{{self.ns}}}:leases"

    @property
    def unknown(self) -> str:
        """Sorted set: handoff of which nobody knows what became -> when it is looked at again, Unix ms."""
        return f"{{{self.ns}}}:unknown"

    def digest(self, digest_id: str) -> str:
        """Hash: one digest, and what is on it."""
        return f"{{{self.ns}}}:digest:{digest_id}"

    @property
    def ladder(self) -> str:
        """Sorted set: pending handoff -> when the next step of its ladder is due, Unix ms."""
        return f"{{{self.ns}}}:ladder"

    def agent_asks(self, agent: str) -> str:
        """Sorted set: an agent's latest asks -> when they came, Unix ms; kept as long as a burst is counted."""
        return f"{{{self.ns}}}:agent:{agent}:asks"

    @property
    def unreported(self) -> str:
        """Sorted set: claimed handoff that is to be reviewed -> when its outcome is overdue, Unix ms."""
        return f"{{{self.ns}}}:unreported"

    @property
    def undelivered(self) -> str:
        """Sorted set: decided handoff that its agent is not known to have -> when that is too late, Unix ms."""
        return f"{{{self.ns}}}:undelivered"

    @property
    def index(self) -> str:
        """Sorted set: handoff -> when it was opened, Unix ms."""
        return f"{{{self.ns}}}:index"

    @property
    def events(self) -> str:
        """Stream: every change, for the other processes and the outbox."""
        return f"{{{self.ns}}}:events"

    @property
    def dead_cards(self) -> str:
        """Stream: events that no card could be made to show."""
        return f"{{{self.ns}}}:cards:dead"

    @property
    def endpoints(self) -> str:
        """Set: ids of all endpoints that callbacks go to."""
        return f"{{{self.ns}}}:endpoints"

    def endpoint(self, endpoint_id: str) -> str:
        """Hash: one endpoint, its secrets sealed; kept until it is removed."""
        return f"{{{self.ns}}}:endpoint:{endpoint_id}"

    def endpoint_due(self, endpoint_id: str) -> str:
        """Sorted set: callback that waits for an endpoint, or is being sent -> when it is tried next, Unix ms."""
        return f"{{{self.ns}}}:endpoint:{endpoint_id}:due"

    def endpoint_leases(self, endpoint_id: str) -> str:
        """Sorted set: callback that is being sent to an endpoint -> until when whoever sends it has it, Unix ms."""
        return f"{{{self.ns}}}:endpoint:{endpoint_id}:leases"

    def endpoint_dead(self, endpoint_id: str) -> str:
        """Sorted set: callback that was given up -> when, Unix ms; kept for 30 days."""
        return f"{{{self.ns}}}:endpoint:{endpoint_id}:dead"

    def callback(self, delivery_id: str) -> str:
        """Hash: one callback to one endpoint, and how far it has come; at most 30 days after the last try."""
        return f"{{{self.ns}}}:callback:{delivery_id}"

    @property
    def trusts(self) -> str:
        """Sorted set: text of a trust ramp -> when it last moved, Unix ms."""
        return f"{{{self.ns}}}:trust"

    @property
    def told(self) -> str:
        """Sorted set: handoff that people were told of without being asked -> when, Unix ms; the latest hundred."""
        return f"{{{self.ns}}}:told"

    @property
    def granting(self) -> str:
        """Sorted set: agent with grants -> when the last of them ends, Unix ms."""
        return f"{{{self.ns}}}:grants"

    @property
    def notices(self) -> str:
        """Stream: what agents told people without asking."""
        return f"{{{self.ns}}}:notices"

    @property
    def keys(self) -> str:
        """Set: ids of all API keys."""
        return f"{{{self.ns}}}:keys"

    @property
    def mark(self) -> str:
        """String: written after what a replica is asked to confirm; for a day after the last time."""
        return f"{{{self.ns}}}:mark"

    @property
    def secret(self) -> str:
        """String: fingerprint of the secret that this store was set up with."""
        return f"{{{self.ns}}}:secret"

    @property
    def shards(self) -> str:
        """String: how many shards the store has; only where it has more than one."""
        return f"{{{self.ns}}}:shards"

    @property
    def agents(self) -> str:
        """Hash: agent -> the shard that its runs are in; only where there is more than one."""
        return f"{{{self.ns}}}:agents"
