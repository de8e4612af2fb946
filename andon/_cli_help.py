"""What `andon --help` says of each command."""

__all__ = ["HELP", "MAIN"]

EXIT_CODES = """
exit codes:
  3 rejected, withdrawn or not delivered   4 nobody answered in time   5 somebody stopped it
  6 service unreachable   7 somebody told it something instead   2 wrong usage   1 anything else that went wrong"""

MAIN = """usage: andon COMMAND …

  Ask a person before something happens, and go on with the answer.

  run       run a command, after a person has approved it
  ask       ask a question, print the answer
  choose    ask which one, print its id
  pending   list what waits for an answer
  show      show one ask in full
  answer    answer one, with a person's key

  stop      hold what a run, a channel's runs, an agent's or all of them ask, and refuse what they want to do
  pause     the same, but let the agents wait
  steer     hold a run until its agent has read your words
  resume    lift what holds it
  abort     end it for good
  brakes    list what is held

environment:
  ANDON_URL, ANDON_KEY   the service and a key (default: the local service's, from its state folder)

examples:
  andon run --why "The disk is full" --risk "Logs are gone for good" -- rm -rf /var/log/old
  andon ask "Which version do we release?"
"""

RUN = f"""usage: andon run --why TEXT --risk TEXT [options] -- COMMAND …

  Show a person the exact command, its folder and its environment changes, and run it only after approval:
  as edited, if it was edited.

  --why TEXT        what it is good for (required)
  --risk TEXT       what could go wrong (required; repeat it for more)
  --what TEXT       what it does, in words (default: the command itself)
  --env NAME=VALUE  set a variable for it (repeat it for more); NAME=VALUE before COMMAND does the same
  --reversible      it can be undone (default: it cannot); where the policy lets it run first and has people look at it
                    afterwards, this does not wait for them, and undoes nothing
  --timeout TIME    wait this long for a person, 1s to 7d: 90s, 30m, 2h, 1d (default: the policy's)
  --heartbeat TIME  promise a sign of life this often, 5s to 1h (default: none): if this is killed while the command
                    runs, people are told, and asked what became of it
  --gate NAME       the name of the point where this stops (default: shell)
  --quiet           do not say where it waits and who approved; what was edited, and what went wrong, is said
  --json            end with one line of JSON on standard error, its last, because standard output is the command's:
                    handoff, url, decision, by, reason, ran (the command as it ran, or null), review (where people look
                    at it afterwards, or null), exit_code, error,
                    brake (of exit code 5: action, by, at, text, scope) and steers (of 7: text, by, at)

  The exit code is the command's own, 128 more than its signal if one killed it.
{EXIT_CODES}

examples:
  andon run --why "The disk is full" --risk "Logs are gone for good" -- rm -rf /var/log/old
  andon run --why "Release 1.4" --risk "Everybody gets it" --timeout 2h -- sh -c 'make release && make announce'
"""

ASK = f"""usage: andon ask QUESTION [options]

  Ask a person a question and print the answer: a text as it is, all else as JSON.

  --type TYPE     text, int, number, bool or date (default: text)
  --schema JSON   the JSON Schema of the answer, instead of a type
  --why TEXT      what you need it for
  --risk TEXT     what a wrong answer could do (repeat it for more)
  --timeout TIME  wait this long for a person, 1s to 7d: 90s, 30m, 2h, 1d (default: the policy's)
  --json          print the whole decision as JSON; or, with "kind": "stopped" or "steered", what came instead
{EXIT_CODES}

examples:
  andon ask "Which version do we release?"
  andon ask "How many seats?" --type int --timeout 30m
"""

CHOOSE = f"""usage: andon choose QUESTION CANDIDATE … [options]

  Ask a person which one, and print its id. A candidate is ID=LABEL, or a label, whose number is then its id.

  --why TEXT      what you need it for
  --risk TEXT     what a wrong choice could do (repeat it for more)
  --timeout TIME  wait this long for a person, 1s to 7d: 90s, 30m, 2h, 1d (default: the policy's)
  --json          print the whole decision as JSON; or, with "kind": "stopped" or "steered", what came instead
{EXIT_CODES}

examples:
  andon choose "Where do we deploy?" eu=Frankfurt us=Oregon
  andon choose "Which one?" "The red one" "The blue one"
"""

PENDING = """usage: andon pending [options]

  List what waits for an answer, most urgent first.

  --gate NAME      only of this gate (default: all)
  --key-file FILE  read the key from here (default: ANDON_KEY, or the local agent's)
  --json           one handoff as JSON a line

examples:
  andon pending
  andon pending --gate shell --json
"""

SHOW = """usage: andon show ID [options]

  Show one ask in full, with the digest of what would be approved.

  --key-file FILE  read the key from here (default: ANDON_KEY, or the local agent's)
  --json           the handoff as JSON

examples:
  andon show hf_7Q2
  andon show hf_7Q2 --json
"""

ANSWER = """usage: andon answer ID approve [options]
       andon answer ID reject [REASON] [options]
       andon answer ID edit JSON | choose CANDIDATE | answer VALUE [options]

  Answer as the person whose key this is. An approval names what it approves: with --digest, or by looking at it
  and typing y. `edit` takes all the arguments, changed, and approves them.

  --digest DIGEST  what you saw: 8 or more characters of the digest
  --reason TEXT    a remark
  --key-file FILE  read the person's key from here (default: ANDON_KEY)
  --json           print the handoff as JSON

examples:
  andon answer hf_7Q2 approve --digest 601734c9
  andon answer hf_7Q2 reject "Not before the audit"
"""


def _brake(command: str, task: str, *, why: str, examples: str) -> str:
    return f"""usage: andon {command} RUN [options]
       andon {command} --agent NAME | --channel SURFACE:CHANNEL | --everything [options]

{task}

  --agent NAME               every run of this agent
  --channel SURFACE:CHANNEL  every run bound to this channel, named as those name it, such as slack:C0123ABCD or
                             slack:#ops; #ops is the console's
  --everything               every run there is
  --why TEXT                 {why}
  --key-file FILE            read the person's key from here (default: ANDON_KEY)
  --json                     print what it did as JSON

examples:
{examples}"""


STOP = _brake(
    "stop",
    """  Stop a run, with all that it started: its asks are put on hold, nothing that it wants to do is allowed, and its
  agent is told to end what it waits for. Nothing is lost: resume gives all of it back.""",
    why="for its agent and for whoever looks at its cards",
    examples="""  andon stop run_7Q2 --why "Not before the audit"
  andon stop --everything
""",
)

PAUSE = _brake(
    "pause",
    """  Hold a run, with all that it started, as stop does; its agent just waits until it is resumed.""",
    why="for whoever looks at its cards",
    examples="""  andon pause run_7Q2 --why "Lunch"
  andon pause --channel slack:C0123ABCD
""",
)

RESUME = _brake(
    "resume",
    """  Lift the stop or the pause of exactly this. Takes somebody who may approve for it.""",
    why="for the record",
    examples="""  andon resume run_7Q2
  andon resume --everything
""",
)

ABORT = _brake(
    "abort",
    """  End a run, with all that it started, for good: nobody answers what it asked, and what was approved can never be
  done. Takes somebody who may approve for it.""",
    why="for its agent and for the record",
    examples="""  andon abort run_7Q2 --why "Wrong customer"
  andon abort --agent mailer
""",
)

STEER = """usage: andon steer RUN TEXT [options]

  Tell a run's agent something, and hold the run until the agent has read it.

  --key-file FILE  read the person's key from here (default: ANDON_KEY)
  --json           print what it did as JSON

examples:
  andon steer run_7Q2 "Change the recipient to Bob"
  andon steer run_7Q2 "Not before noon" --json
"""

BRAKES = """usage: andon brakes [options]

  List what is held, the latest first, as `andon resume` takes it.

  --key-file FILE  read the person's key from here (default: ANDON_KEY)
  --json           one brake as JSON a line

examples:
  andon brakes
  andon brakes --json
"""

HELP = {
    "run": RUN,
    "ask": ASK,
    "choose": CHOOSE,
    "pending": PENDING,
    "show": SHOW,
    "answer": ANSWER,
    "stop": STOP,
    "pause": PAUSE,
    "steer": STEER,
    "resume": RESUME,
    "abort": ABORT,
    "brakes": BRAKES,
}
