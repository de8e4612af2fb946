"""The store that the settings name, checked before anybody uses it."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bot.access import Access, fingerprint
from bot.config import Settings
from bot.errors import ConfigError, StoreUnavailable
from bot.store import EmbeddedStore, Store, topology

log = logging.getLogger("andon")


@dataclass(frozen=True, slots=True)
class Opened:
    """A store with its credentials checked."""

    store: Store
    access: Access
    embedded: bool


@asynccontextmanager
async def open_store(settings: Settings, *, start: bool = True) -> AsyncIterator[Opened]:
    """Open the store that the settings name; the embedded one is started, or shared when the service runs already.

    Args:
        settings: As read.
        start: The service itself: insist on starting the embedded store.

    Raises:
        ConfigError: The store is unsafe, or was set up with another secret.
        StateFolderBusy: Another service runs on the state folder (with `start`).
        StoreUnavailable: It does not answer.
    """
    embedded = EmbeddedStore(settings.state) if settings.redis_url is None else None
    mine = False
    if embedded and (start or not await embedded.is_running()):
        await embedded.start()
        mine = True
    url = embedded.url if embedded else settings.redis_url.get_secret_value() if settings.redis_url else ""
    servers = topology(url, replicated=settings.durability == "replicated")
    store = Store(servers, retention=settings.retention, shards=settings.shards)
    try:
        faults = await store.faults(embedded=embedded is not None)
        for fault in faults:
            if not fault.fatal or settings.unsafe_store:
                log.warning("store.fault detail=%s", fault.detail)
        fatal = [fault.detail for fault in faults if fault.fatal]
        if fatal and not settings.unsafe_store:
            raise ConfigError(fatal)
        secret = settings.key_material()
        try:
            stands = await store.access.claim_secret(fingerprint(secret))
        except StoreUnavailable as error:
            if fatal:  # they say better why it does not work
                raise ConfigError(fatal) from error
            raise
        if stands != fingerprint(secret):
            msg = (
                "this store was set up with another secret: its keys and links would not open; "
                "set ANDON_SECRET to that one, or copy the file `secret` from the first service's state folder"
            )
            raise ConfigError([msg])
        if wrong := await store.settle_shards(grow=start):
            raise ConfigError([wrong])
        yield Opened(store, Access(store, secret), embedded is not None)
    finally:
        await store.close()
        if embedded and mine:
            await embedded.stop()
