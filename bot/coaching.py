"""The sentences that a decision carries for the agent, written for a language model to read. Pure.

Each ending says what happened, whether a person said no, and what to do now: models that read a bare "denied"
try again.
"""

from andon import wire


def approved(by: str, *, after: bool, reason: str | None) -> str:
    """Go ahead."""
    remark = f" Their remark: {_sentence(reason)}" if reason else ""
    if after:
        return f"{by} looked at what you did and it stands.{remark}"
    return f"{by} approved this. Claim it, then do exactly what was approved, once.{remark}"


def edited(by: str, *, reason: str | None, editor: str = "") -> str:
    """Go ahead, otherwise; `editor` where somebody else changed it."""
    remark = f" Their remark: {_sentence(reason)}" if reason else ""
    did = (
        f"{editor} changed the arguments and {by} approved them."
        if editor
        else f"{by} changed the arguments and approved them."
    )
    return f"{did} Use the changed arguments, not your own.{remark}"


def rejected(by: str, reason: str, *, after: bool) -> str:
    """Do not, or undo."""
    if after:
        return f"{by} wants this undone: {_sentence(reason)} Undo it now and report whether that worked."
    return f"{by} said no: {_sentence(reason)} Do not do this, and do not reach the same end another way."


def unanswered(by: str, reason: str) -> str:
    """A question that somebody did not want to answer."""
    return f"{by} did not answer: {_sentence(reason)} Go on without the answer, or ask for something else."


def none_chosen(by: str, reason: str) -> str:
    """None of these."""
    return f"{by} took none of these: {_sentence(reason)} Do not take one of them; offer others, or go on without."


def chosen(by: str, label: str) -> str:
    """This one."""
    return f'{by} chose "{label}". Go on with that one.'


def settled(by: str, said: str) -> str:
    """What a person said of an action that nobody knew the end of."""
    return f"{by} was asked what became of this, and said: {_sentence(said)} Do not do it again unless somebody asks."


def answered(by: str) -> str:
    """This answer."""
    return f"{by} answered. Go on with that answer."


def expired(ask: wire.Confirmation | wire.Choice | wire.Input) -> str:
    """Nobody answered."""
    if isinstance(ask, wire.Confirmation) and ask.timing == "after":
        return (
            "Nobody looked at this in time, so it must not stand. Nobody said no. "
            "Undo it now and report whether that worked."
        )
    return (
        "Nobody answered in time. That is not a no: no person decided anything. Do not act on this. "
        "You may ask again later, or go on with work that does not need it."
    )


def expired_unheard(ask: wire.Confirmation | wire.Choice | wire.Input, why: str) -> str:
    """Nobody answered, and silence would have been a yes, but for `why`."""
    if isinstance(ask, wire.Confirmation) and ask.timing == "after":
        return (
            f"Nobody answered in time. Silence would have let it stand, but {why}. So it must not stand. "
            "Nobody said no. Undo it now and report whether that worked."
        )
    return (
        f"Nobody answered in time. Silence would have been a yes, but {why}. "
        "No person decided anything. Do not act on this; you may ask again."
    )


def approved_by_silence() -> str:
    """Nobody objected."""
    return (
        "Nobody objected in time, and the policy takes that as consent for this reversible action. "
        "Claim it, then do it once."
    )


def withdrawn() -> str:
    """Taken back."""
    return "You took this ask back, so nobody will answer it. Do not act on it."


def stopped(brake: wire.Braked) -> str:
    """Somebody pulled the cord; for whoever wants to act all the same."""
    who, why = brake.by.name, f": {_sentence(brake.text)}" if brake.text else "."
    match brake.action:
        case "abort":
            return f"{who} ended this run{why} Do not act, do not ask again, and end your work."
        case "pause":
            return f"{who} paused this run{why} Do not act. Wait until it is resumed, then try again."
        case "steer":
            return f"{who} says: {_sentence(brake.text or '')} Do not act before you have taken this into account."
    return f"{who} stopped this run{why} Do not act, and do not reach the same end another way. It may be resumed."


def aborted(by: str, why: str | None) -> str:
    """Ended with its run."""
    reason = f": {_sentence(why)}" if why else "."
    return f"{by} ended this run{reason} Nobody will answer this. Do not act on it, and end your work."


def undeliverable(reason: str) -> str:
    """Reached nobody."""
    return (
        f"The question reached nobody: {_sentence(reason)} Nobody said no. Do not act on this; "
        "tell the operator of this service, or go on with work that does not need it."
    )


def allowed(rule: str) -> str:
    """The policy said yes."""
    return f"The policy ({rule}) allows this without asking a person. Claim it, then do it once."


def reviewed(rule: str) -> str:
    """The policy said yes, and people look at it afterwards."""
    return (
        f"The policy ({rule}) allows this without asking a person first. Claim it, then do it once, and keep what you "
        "need to undo it: people are shown what came of it, and may want it undone."
    )


def granted(sentence: str, covers: str, life: str) -> str:
    """Go ahead, and next time too."""
    return (
        f"{sentence} They also gave a grant for {life}: {covers}. Ask as before each time: what the grant covers is "
        "approved at once."
    )


def covered(by: str) -> str:
    """A grant said yes."""
    return f"A grant that {by} gave covers this, so nobody was asked. Claim it, then do exactly this, once."


def denied(rule: str, reason: str, *, after: bool = False) -> str:
    """The policy said no."""
    if after:
        return (
            f"The policy ({rule}) does not let this stand: {_sentence(reason)} "
            "Undo it now and report whether that worked. Another time, ask first and wait for the answer."
        )
    return (
        f"The policy ({rule}) does not allow this: {_sentence(reason)} "
        "Do not do it, and do not reach the same end another way."
    )


def _sentence(text: str) -> str:
    """A person's words, closed with a full stop if they have no end of their own."""
    text = text.strip()
    return text if text.endswith((".", "!", "?", "…", "。")) else f"{text}."
