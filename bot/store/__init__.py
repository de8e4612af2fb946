"""Redis: one typed method per Lua script. Nothing else knows a key's name or a command."""

from bot.store.brakes import Affected, Obeyed
from bot.store.digests import Digests, Page
from bot.store.embedded import EmbeddedStore
from bot.store.feed import event_number, valid_id
from bot.store.handoffs import Handoffs
from bot.store.keys import Keys
from bot.store.ladder import Climbed
from bot.store.messages import ClaimReply, Crowding, Limits, NewHandoff, Opened, OutcomeReply, Settled, Verdict
from bot.store.outbox import Buried, Delivery, Outbox, Placed
from bot.store.records import Doc, hashed, read_brake
from bot.store.selfcheck import StoreFault
from bot.store.store import Store, connect
from bot.store.topology import Topology, topology
from bot.store.trust import Trusted, ramp_id

__all__ = [
    "Affected",
    "Buried",
    "ClaimReply",
    "Climbed",
    "Crowding",
    "Delivery",
    "Digests",
    "Doc",
    "EmbeddedStore",
    "Handoffs",
    "Keys",
    "Limits",
    "NewHandoff",
    "Obeyed",
    "Opened",
    "Outbox",
    "OutcomeReply",
    "Page",
    "Placed",
    "Settled",
    "Store",
    "StoreFault",
    "Topology",
    "Trusted",
    "Verdict",
    "connect",
    "event_number",
    "hashed",
    "ramp_id",
    "read_brake",
    "topology",
    "valid_id",
]
