"""An endpoint of callbacks in words, for its pages. Pure."""

from dataclasses import dataclass
from datetime import datetime

from andon import wire

__all__ = ["EndpointLine", "TestLine", "endpoint_line", "test_line"]


@dataclass(frozen=True, slots=True)
class EndpointLine:
    """One endpoint: `since` and `why` are of a state that somebody should look at."""

    told: wire.Endpoint
    agent: str
    lamp: str
    state: str
    since: datetime | None
    why: str


@dataclass(frozen=True, slots=True)
class TestLine:
    """What came of a test."""

    text: str
    good: bool


def endpoint_line(endpoint: wire.Endpoint) -> EndpointLine:
    """Say how an endpoint is doing."""
    agent = "every agent" if endpoint.agent == "*" else endpoint.agent
    if endpoint.state == "disabled":
        why = endpoint.disabled_why or ""
        return EndpointLine(endpoint, agent, "stop", "Disabled", endpoint.disabled_at, why)
    if endpoint.failing_since:
        why = endpoint.last_error or ""
        return EndpointLine(endpoint, agent, "alarm", "Failing", endpoint.failing_since, why)
    return EndpointLine(endpoint, agent, "go", "Enabled", None, "")


def test_line(test: wire.EndpointTest) -> TestLine:
    """Say what came of a test."""
    if test.delivered:
        return TestLine(f"The test arrived: it answered {test.status} within {test.took_ms:,} ms.", good=True)
    return TestLine(f"The test did not arrive: {test.error or 'nobody can say why'} ({test.took_ms:,} ms).", good=False)
