"""The web console: pages where people read cards and answer them."""

from adapters.web.console import WebConsole

__all__ = ["WebConsole"]
