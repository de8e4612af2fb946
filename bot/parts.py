"""Which parts of a running service are looked at before it is called ready, and what each looks at."""

from collections.abc import Mapping

from bot.hub import Hub
from bot.outbox import CardWork
from bot.policies import Policies
from bot.ports import Adapter, Reporting
from bot.readiness import Check, Readiness
from bot.store import Store
from bot.timers import Timers


def readiness_of(
    *,
    store: Store,
    hub: Hub,
    timers: Timers,
    policies: Policies,
    cards: CardWork,
    adapters: Mapping[str, Adapter],
) -> Readiness:
    """Without store, hub or timers nothing can be asked and answered here; a surface may be down, and others work."""
    return Readiness(
        needed={"store": _writable(store), "hub": hub.trouble, "timers": _ticking(timers)},
        wanted={
            "policy": _read(policies),
            **{name: _shown(name, adapter, cards) for name, adapter in adapters.items()},
        },
        stopping=lambda: hub.closing,
    )


def _writable(store: Store) -> Check:
    async def check() -> str:
        await store.vitals.write()
        return ""

    return check


def _ticking(timers: Timers) -> Check:
    async def check() -> str:
        return timers.trouble()

    return check


def _read(policies: Policies) -> Check:
    async def check() -> str:
        return "its file is broken or gone; the log and the console say why" if policies.standing.trouble else ""

    return check


def _shown(name: str, adapter: Adapter, cards: CardWork) -> Check:
    async def check() -> str:
        own = await adapter.trouble() if isinstance(adapter, Reporting) else ""
        return own or cards.trouble(name)

    return check
