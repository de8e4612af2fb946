"""Redis: one typed method per Lua script. Nothing else knows a key's name or a command."""

from bot.store.beats import Due, patience_ms
from bot.store.brakes import Affected, Obeyed
from bot.store.digests import Digests, Page
from bot.store.embedded import EmbeddedStore
from bot.store.endpoints import Callback, EndpointRecord, Failed, Given, NewEndpoint, Taken
from bot.store.feed import event_number, valid_id
from bot.store.handoffs import Handoffs
from bot.store.keys import Keys
from bot.store.ladder import Climbed
from bot.store.marks import mark, mark_of
from bot.store.messages import ClaimReply, Crowding, Limits, NewHandoff, Opened, OutcomeReply, Settled, Verdict
from bot.store.outbox import CALLBACKS, Buried, Delivery, Outbox, Placed
from bot.store.records import Doc, hashed, read_brake, when
from bot.store.selfcheck import StoreFault
from bot.store.shard import Shard
from bot.store.spread_following import SpreadVitals
from bot.store.store import Store, connect
from bot.store.topology import Topology, topology
from bot.store.trust import Trusted, ramp_id
from bot.store.vitals import Numbers, Queue, Vitals

__all__ = [
    "CALLBACKS",
    "Affected",
    "Buried",
    "Callback",
    "ClaimReply",
    "Climbed",
    "Crowding",
    "Delivery",
    "Digests",
    "Doc",
    "Due",
    "EmbeddedStore",
    "EndpointRecord",
    "Failed",
    "Given",
    "Handoffs",
    "Keys",
    "Limits",
    "NewEndpoint",
    "NewHandoff",
    "Numbers",
    "Obeyed",
    "Opened",
    "Outbox",
    "OutcomeReply",
    "Page",
    "Placed",
    "Queue",
    "Settled",
    "Shard",
    "SpreadVitals",
    "Store",
    "StoreFault",
    "Taken",
    "Topology",
    "Trusted",
    "Verdict",
    "Vitals",
    "connect",
    "event_number",
    "hashed",
    "mark",
    "mark_of",
    "patience_ms",
    "ramp_id",
    "read_brake",
    "topology",
    "valid_id",
    "when",
]
