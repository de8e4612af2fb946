"""What every message of ours is sent with."""

from collections.abc import Mapping
from typing import Any, Final

QUIET: Final[Mapping[str, Any]] = {"unfurl_links": False, "unfurl_media": False, "link_names": False, "parse": "none"}
"""Nothing in it is fetched, and no name in it calls anybody."""
