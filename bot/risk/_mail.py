"""What a mail, or a message to people, may do: to whom, with what in it. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from bot.risk._question import HIGH, LOW, MEDIUM, MODEST, SERIOUS, Finding, quoted
from bot.risk._secrets import secrets_in

_ADDRESS: Final = re.compile(r"[^\s<>,;\"'()]+@([^\s<>,;\"'()@]+)")
_LISTS: Final = re.compile(
    r"^(?:all|everyone|everybody|team|staff|company|employees|announce\w*|list|lists|news\w*|dev|devs|engineering|sales|"
    r"marketing|customers|users|subscribers|members|group|board|press|office|org)(?:[-+._]\w+)?@|[-._](?:all|list|team|announce|users)@",
    re.IGNORECASE,
)
_BODY_CHARS: Final = 32_768
_MANY: Final = 10
_SOME: Final = 3
_LINK: Final = re.compile(r"\bhttps?://|\bwww\.", re.IGNORECASE)
_TO: Final = ("to", "cc", "bcc", "recipients", "recipient")
_BODY: Final = ("subject", "body", "text", "message", "content", "html", "html_body", "snippet")


def mail(args: Mapping[str, Any], requester: str) -> Iterator[Finding]:
    """What there is to say of a mail."""
    named = {name: [found[0] for found in _found(args.get(name))] for name in _TO}
    everybody = list(dict.fromkeys(each.casefold() for found in named.values() for each in found))
    domains = {each.rpartition("@")[2] for each in everybody}
    own = requester.casefold().rpartition("@")[2] if "@" in requester else ""
    if not everybody:
        yield Finding(MEDIUM, "It writes to people, and no address of theirs can be read.")
    elif len(everybody) > _MANY:
        yield Finding(HIGH, f"It goes to {len(everybody)} addresses.")
    elif len(everybody) > _SOME:
        yield Finding(MEDIUM, f"It goes to {len(everybody)} addresses.")
    else:
        yield Finding(MODEST, f"It goes to {quoted(', '.join(everybody))}.")
    if everybody and not own:
        yield Finding(MEDIUM, "Whether it leaves the house is not known: the run names no requester with an address.")
    elif outside := sorted(domain for domain in domains if domain != own and not domain.endswith("." + own)):
        yield Finding(0.6, f"It leaves {quoted(own)} for {quoted(', '.join(outside[:5]))}.")
    if lists := [each for each in everybody if _LISTS.search(each)]:
        yield Finding(SERIOUS, f"It seems to go to a list of people: {quoted(', '.join(lists[:3]))}.")
    if named["bcc"]:
        yield Finding(0.6, "It goes to people whom the others do not see.")
    if any(not each.isascii() or "xn--" in each for each in everybody):
        yield Finding(SERIOUS, "An address has letters that may look like others.")
    if args.get("attachments") or args.get("attachment") or args.get("files"):
        yield Finding(MEDIUM, "It has attachments, which are not read.")
    yield from said(args)


def said(args: Mapping[str, Any]) -> Iterator[Finding]:
    """What a text to people holds."""
    text = "\n".join(str(args[name]) for name in _BODY if isinstance(args.get(name), str))
    if len(text) > _BODY_CHARS:
        yield Finding(SERIOUS, f"It has {len(text):,} characters; more than {_BODY_CHARS:,} are not read.")
    text = text[:_BODY_CHARS]
    if what := secrets_in(text):
        yield Finding(HIGH, f"Its text seems to hold {', '.join(what)}.")
    if _LINK.search(text):
        yield Finding(0.4, "Its text has links.")
    if not text.strip():
        yield Finding(LOW, "It has no text.")


def _found(value: Any) -> Iterator[tuple[str, str]]:
    """Addresses, in whatever form they are given."""
    if isinstance(value, str):
        yield from ((match[0], match[1]) for match in _ADDRESS.finditer(value[:_BODY_CHARS]))
    elif isinstance(value, list | tuple):
        for each in value[:1000]:
            yield from _found(each)
    elif isinstance(value, Mapping):
        for name in ("email", "address", "emailAddress"):
            yield from _found(value.get(name))
