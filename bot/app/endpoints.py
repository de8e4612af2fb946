"""The endpoints of callbacks, for the service and for the command line."""

from collections.abc import Callable

from bot.app.store import Opened
from bot.config import Settings
from bot.outbox import Allowed, Egress, EndpointBook


def endpoints_of(
    settings: Settings,
    opened: Opened,
    url: str,
    *,
    listens: tuple[str, int] | None = None,
    changed: Callable[[], None] = lambda: None,
) -> tuple[Egress, EndpointBook]:
    """The way out to the endpoints of callbacks, and the endpoints; `url` is the service's own address.

    `changed` hears that there is one more.
    """
    egress = Egress(Allowed.read(settings.callback_allow), listens=listens)
    return egress, EndpointBook(opened.store, settings.key_material(), egress, own=[url], changed=changed)
