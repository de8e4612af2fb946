"""What a brake holds, in words, and as the command names it. Pure."""

import shlex

from andon import wire

__all__ = ["as_arguments", "in_words"]


def in_words(scope: wire.BrakeScope) -> str:
    """Say it in a sentence about one of the runs that it holds."""
    if scope.conversation is not None:
        return f"all runs in {_channel(scope.conversation)}"
    if scope.agent is not None:
        return f"all runs of {scope.agent}"
    return "all runs" if scope.everything else "this run"


def as_arguments(scope: wire.BrakeScope) -> str:
    """Name it as `andon resume` takes it."""
    if scope.conversation is not None:
        return f"--channel {shlex.quote(_channel(scope.conversation))}"
    if scope.agent is not None:
        return f"--agent {scope.agent}"
    return "--everything" if scope.everything else scope.run or ""


def _channel(place: wire.Place) -> str:
    return f"{place.surface}:{place.channel}"
