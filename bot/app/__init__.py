"""The composition root: the only package that names adapters and stores, and puts the service together."""

from bot.app._local import known_url, local_person, sign_in_url, write_private
from bot.app._service import endpoints_of, service
from bot.app._store import Opened, open_store
from bot.app._surfaces import (
    MakeAdapter,
    check_slack,
    check_teams,
    reach_of,
    slack_config,
    teams_package,
)
from bot.app._version import VERSION

__all__ = [
    "VERSION",
    "MakeAdapter",
    "Opened",
    "check_slack",
    "check_teams",
    "endpoints_of",
    "known_url",
    "local_person",
    "open_store",
    "reach_of",
    "service",
    "sign_in_url",
    "slack_config",
    "teams_package",
    "write_private",
]
