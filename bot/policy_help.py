"""The help of `python -m bot policy …`. Words only."""

from collections.abc import Sequence
from typing import Final

POLICY: Final = """usage: python -m bot policy COMMAND [options]

  Write, check and try a policy. FILE is the one that ANDON_POLICY names, unless told.

  check     look a file over: faults, and what is likely not meant
  explain   say what it says of an action: the rule, and every reason
  test      run the examples that stand in the file
  diff      say which gates become looser or tighter from one file to another
  replay    run recorded history through a changed file: asks saved, and rejections that it would have missed
  schema    print the JSON Schema of the file, for editors

examples:
  python -m bot policy check policy.yaml
  python -m bot policy explain policy.yaml --tool send_email --arg to=alice@example.com
"""

_CHECK: Final = """usage: python -m bot policy check [FILE] [--strict]

  Look a policy over. A fault stops the service from taking the file: unknown keys, conditions that cannot be used,
  people and roles that are not defined, quorums of too few, strict rules behind loose ones, silence that would give
  what takes more than one press. Warnings are told: rules that never match, rules for any tool, hasty timeouts,
  confidence alone, samples of what cannot be undone, `not_requester` where a run may name none, surfaces that there are
  not, `on_call:` where no plug-in is installed here, terms that never hold where they stand. Notes say what is worth
  knowing and needs no mending. Exit: 0 fine, 1 faults.

  --strict   warnings count as faults; notes do not

examples:
  python -m bot policy check policy.yaml
  python -m bot policy check policy.yaml --strict
"""

_EXPLAIN: Final = """usage: python -m bot policy explain [FILE] [--ask JSON_FILE] [--tool NAME] [--arg NAME=VALUE]…
                                   [options]

  Say what a policy says of an action: each rule that was tried and why it matched or not, what made it looser or
  stricter, and the terms with who said them. Nothing is asked, opened or counted.

  --ask JSON_FILE     read the action from a file (- reads standard input); options stand before what it says
  --tool NAME         what would run; without it, something that runs nothing
  --arg NAME=VALUE    an argument, several times; VALUE is JSON, or else text
  --gate NAME         where the agent stops (default: test)
  --agent NAME        who asks (default: agent)
  --kind KIND         confirmation, choice or input (default: confirmation)
  --timing WHEN       before or after (default: before)
  --label NAME=VALUE  a label of the run, several times
  --run NAME          the run's name
  --checkpoint NAME   the run's latest checkpoint
  --requester WHO     the person it works for
  --reversible        it can be undone
  --confidence N      the agent's own number, 0 to 1
  --risk N            how risky it is, 0 to 1 (default: what the policy's scorer says, if the policy looks at it)
  --failures N        failures of the run so far (default: 0)
  --trusted N         good ends so far, for a trust ramp (default: 0)
  --timeout TIME      how long the ask waits, e.g. 30m
  --on-timeout WORD   what the ask says of silence: deny or approve (default: deny)
  --json              print JSON, as POST /v1/policy/explain answers

examples:
  python -m bot policy explain policy.yaml --tool send_email --arg to=alice@example.com --reversible
  echo '{"tool": "pay", "args": {"amount": 900}}' | python -m bot policy explain policy.yaml --ask -
"""

_TEST: Final = """usage: python -m bot policy test [FILE]

  Run the examples that stand in the file: each action must come to what it expects. Exit: 0 all do, 1 one does not,
  or there is none.

examples:
  python -m bot policy test policy.yaml
  ANDON_POLICY=policy.yaml python -m bot policy test
"""

_DIFF: Final = """usage: python -m bot policy diff OLD NEW [--allow-looser] [--json]

  Say which gates become looser or tighter: both files are asked about the examples of both, and about actions made up
  of every tool, gate, agent and condition that either names. Exit: 0 nothing becomes looser, 1 something does, or it
  cannot be told.

  --allow-looser   end with 0 all the same
  --json           print JSON

examples:
  python -m bot policy diff policy.yaml new.yaml
  git show main:policy.yaml > /tmp/old.yaml && python -m bot policy diff /tmp/old.yaml policy.yaml
"""

_REPLAY: Final = """usage: python -m bot policy replay NEW [--days N] [--json]

  Run what the store recorded through a changed file, and say for each gate and tool how much was asked then and would
  be asked now. The number that matters is MISSED: what a person rejected or changed, and what would now run without
  asking; each is listed with its link. At most 10,000 handoffs are read, the newest; they are kept as long as
  ANDON_RETENTION_DAYS says. Exit: 0 nothing would be missed, 1 something would.

  --days N   look so far back, 1 to 400 (default: 30)
  --json     print JSON, as POST /v1/policy/replay answers

examples:
  python -m bot policy replay new.yaml
  python -m bot policy replay new.yaml --days 7 --json
"""

_SCHEMA: Final = """usage: python -m bot policy schema

  Print the JSON Schema of the policy file. Editors complete and check the file with it: put
  `# yaml-language-server: $schema=policy.schema.json` on its first line. A running service
  has it at /policy.schema.json.

examples:
  python -m bot policy schema > policy.schema.json
  python -m bot policy check policy.yaml
"""


def text_for(words: Sequence[str]) -> str:
    """The help for these words."""
    texts = {"check": _CHECK, "explain": _EXPLAIN, "test": _TEST, "diff": _DIFF, "replay": _REPLAY, "schema": _SCHEMA}
    return texts.get(words[0] if words else "", POLICY)
