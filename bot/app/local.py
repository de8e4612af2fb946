"""What the service leaves for those who use it on its own machine."""

import getpass
import os
from pathlib import Path

from andon import wire
from andon._local import URL_FILE
from bot.config import Settings


def sign_in_url(url: str, link: str) -> str:
    """The page that spends a one-time link."""
    return f"{url}/sign-in?token={link}"


def known_url(settings: Settings) -> str:
    """The address of the running service: as it left it in the state folder, or as set."""
    try:
        return settings.public_url or (settings.state / URL_FILE).read_text(encoding="utf-8").strip()
    except OSError:
        return settings.url(settings.port)


def local_person() -> wire.Actor:
    """The person who runs the service on their own machine."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "local"
    return wire.Actor(kind="person", id=f"local:{name}", name=name, surface="web")


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text + "\n")
    part.replace(path)
