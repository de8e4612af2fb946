"""`make soak`: the long run, and its report. Ends with 1 and a history when a promise was broken."""

import argparse
import asyncio
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from tests.faults.history import _line
from tests.soak.story import PROMPT_MS, ROLLING, Plan, Story


def main() -> int:
    """Read the command line and run it."""
    parser = argparse.ArgumentParser(prog="make soak ARGS=…", description=__doc__)
    parser.add_argument("--handoffs", type=int, help=f"how many asks (default: {Plan.handoffs:,})")
    parser.add_argument("--seed", type=int, default=Plan.seed, help="what dies when (default: %(default)s)")
    parser.add_argument("--keep", type=Path, help="write the whole history there, as JSON lines")
    parser.add_argument("--rolling", action="store_true", help="nothing dies: replicas are replaced, and time counts")
    given = parser.parse_args()
    plan = replace(ROLLING if given.rolling else Plan(), seed=given.seed)
    plan = replace(plan, handoffs=given.handoffs or plan.handoffs)
    with tempfile.TemporaryDirectory(prefix="andon-soak-") as folder:
        story = Story(plan, Path(folder))
        report = asyncio.run(story.tell())
    print(report)
    if given.keep:
        story.history.save(given.keep)
    if report.violations:
        first = report.violations[0]
        print(f"\nhistory of {first.about}:")
        print("\n".join(map(_line, story.history.about(first.about))))
    if given.rolling and report.percentile(0.99) > PROMPT_MS:
        print(f"too slow: 99 of 100 agents should have the decision within {PROMPT_MS:.0f} ms")
        return 1
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
