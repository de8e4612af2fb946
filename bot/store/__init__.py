"""Redis: one typed method per Lua script. Nothing else knows a key's name or a command."""

from bot.store.embedded import EmbeddedStore
from bot.store.feed import valid_id
from bot.store.handoffs import ClaimReply, Handoffs, Limits, NewHandoff, Opened, OutcomeReply, Settled, Verdict
from bot.store.keys import Keys
from bot.store.records import Doc
from bot.store.runs import ToldNotice
from bot.store.store import Store, StoreFault, connect

__all__ = [
    "ClaimReply",
    "Doc",
    "EmbeddedStore",
    "Handoffs",
    "Keys",
    "Limits",
    "NewHandoff",
    "Opened",
    "OutcomeReply",
    "Settled",
    "Store",
    "StoreFault",
    "ToldNotice",
    "Verdict",
    "connect",
    "valid_id",
]
