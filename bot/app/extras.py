"""What is optional, and what to install for it."""

from collections.abc import Iterator
from contextlib import contextmanager

from bot.errors import ConfigError


@contextmanager
def packages_of(extra: str, what: str = "the surface") -> Iterator[None]:
    """Around the import of what is optional: say what to install where its packages are missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        msg = f"{error.name} is not installed; {what} needs the extra `{extra}`, which `make install` brings"
        raise ConfigError([msg]) from error
