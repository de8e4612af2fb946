"""Which parts of a running service are looked at before it is called ready, and what each looks at."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from bot.hub import Hub
from bot.outbox import CardWork
from bot.policies import Policies
from bot.ports import Adapter, Reporting
from bot.readiness import Check, Readiness, asked
from bot.store import Shard, Store
from bot.timers import Timers

_SHARD_PATIENCE_S: Final = 1.5
"""Less than a whole check may take, so that it can still say which shard it is."""


def readiness_of(
    *,
    store: Store,
    hub: Hub,
    timers: Timers,
    policies: Policies,
    cards: Sequence[CardWork],
    adapters: Mapping[str, Adapter],
) -> Readiness:
    """Without store, hub or timers nothing can be asked and answered here; a surface may be down, and others work.

    Of several shards, home is what all work needs; without another its agents wait, and nobody else does.
    """
    home, *others = store.shards
    return Readiness(
        needed={"store": _writable(home), "hub": hub.trouble, "timers": _ticking(timers)},
        wanted={
            "policy": _read(policies),
            **({"shards": _all_writable(others)} if others else {}),
            **{name: _shown(name, adapter, cards) for name, adapter in adapters.items()},
        },
        stopping=lambda: hub.closing,
    )


def _writable(shard: Shard) -> Check:
    async def check() -> str:
        await shard.vitals.write()
        return ""

    return check


def _all_writable(shards: Sequence[Shard]) -> Check:
    async def check() -> str:
        said = await asyncio.gather(*(asked(_writable(shard), _SHARD_PATIENCE_S) for shard in shards))
        return "; ".join(f"shard {shard.number}: {fault}" for shard, fault in zip(shards, said, strict=True) if fault)

    return check


def _ticking(timers: Timers) -> Check:
    async def check() -> str:
        return timers.trouble()

    return check


def _read(policies: Policies) -> Check:
    async def check() -> str:
        return "its file is broken or gone; the log and the console say why" if policies.standing.trouble else ""

    return check


def _shown(name: str, adapter: Adapter, cards: Sequence[CardWork]) -> Check:
    async def check() -> str:
        own = await adapter.trouble() if isinstance(adapter, Reporting) else ""
        return own or next((fault for each in cards if (fault := each.trouble(name))), "")

    return check
