"""What a command ends with."""

from typing import Final

FINE: Final = 0
FAILED: Final = 1
WRONG: Final = 2
"""Wrong words on the command line."""
