"""Where the local service leaves its address and its agent's key, and how an agent finds them. Reads files only."""

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from andon._errors import NotConfigured

__all__ = ["AGENT_KEY_FILE", "URL_FILE", "find_service", "state_dir"]

AGENT_KEY_FILE = "agent.key"
"""In the state folder, mode 0600: the key of the local agent, one line."""

URL_FILE = "url"
"""In the state folder: the service's public address, one line."""


def state_dir() -> Path:
    """Return the state folder: `ANDON_STATE`, or `andon` in the platform's folder for a user's state.

    Source: XDG Base Directory Specification, https://specifications.freedesktop.org/basedir-spec/latest/, read 2026-11:
    a relative path in `XDG_STATE_HOME` is to be ignored.
    """
    if given := os.environ.get("ANDON_STATE"):
        return Path(given).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "andon"
    home = os.environ.get("XDG_STATE_HOME", "")
    return (Path(home) if home.startswith("/") else Path.home() / ".local" / "state") / "andon"


def find_service(url: str | None, key: str | None) -> tuple[str, str]:
    """Return the service's address and a key: as given, from the environment, or the local service's.

    Raises:
        NotConfigured: One of them is nowhere to be found; the message says what to set.
    """
    local = _line(URL_FILE)
    url = url or os.environ.get("ANDON_URL") or local
    if not url:
        msg = f"no service known: set ANDON_URL to its address, or start one here, which leaves it in {state_dir()}"
        raise NotConfigured(msg)
    split = urlsplit(url)
    if split.scheme not in {"http", "https"} or not split.hostname:
        raise NotConfigured(f"{url!r} is no address of a service; ANDON_URL reads like https://andon.example.com")
    key = key or os.environ.get("ANDON_KEY")
    if not key and local is not None and url.rstrip("/") == local.rstrip("/"):
        # The local service's key is for the local service alone.
        key = _line(AGENT_KEY_FILE)
    if not key:
        msg = f"no key for {url}: set ANDON_KEY to the agent's key (the service's `keys create --agent NAME` makes one)"
        raise NotConfigured(msg)
    return url.rstrip("/"), key


def _line(name: str) -> str | None:
    try:
        return (state_dir() / name).read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise NotConfigured(f"cannot read {state_dir() / name}: {error.strerror}") from error
