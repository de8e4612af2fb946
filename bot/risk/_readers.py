"""Commands that only read: one is called a reader when every option of it is known to be harmless. Pure.

What is not listed here is not known, and so in the middle: an option that nobody thought of must not pass for reading.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from bot.risk._names import names
from bot.risk._question import MEDIUM, SERIOUS, Finding, quoted
from bot.risk._words import Word


class _Options(NamedTuple):
    flags: str = ""
    """Letters that take no value."""
    valued: str = ""
    """Letters that take the rest of the word, or the next one."""
    long: frozenset[str] = frozenset()


_SUMS: Final = _Options("bctwz", "", names("check tag binary text quiet status strict warn ignore-missing zero"))
_SEARCH: Final = _Options(
    "EFGPivnNowxcLlqsHhbaIrRTUyZ",
    "eABCmdDf",
    names(
        """
        extended-regexp fixed-strings basic-regexp perl-regexp regexp file ignore-case no-ignore-case word-regexp count
        line-regexp color colour files-without-match files-with-matches max-count only-matching quiet silent null
        no-messages byte-offset with-filename no-filename line-number initial-tab after-context before-context context
        text binary-files exclude exclude-from exclude-dir include recursive dereference-recursive line-buffered
        invert-match
        """
    ),
)
_FASTER: Final = _Options(
    "EFPivnNowxclLqsHhaISTuUp0.",
    "egtABCmMdjr",
    names(
        """
        ignore-case smart-case case-sensitive fixed-strings word-regexp line-regexp count files files-with-matches
        files-without-match line-number no-line-number no-heading heading hidden no-ignore glob iglob type type-not
        after-context before-context context max-count max-depth only-matching json stats sort sortr multiline color
        invert-match regexp text trim vimgrep no-messages no-filename with-filename null unrestricted
        """
    ),
)
_LISTING: Final = _Options(
    "aAbBcCdDfFgGhHiklLmnNopqQrRsStuUvxXZ1",
    "ITw",
    names(
        """
        all almost-all author escape block-size ignore-backups color directory classify file-type format full-time
        group-directories-first no-group human-readable si hide indicator-style inode ignore kibibytes dereference
        numeric-uid-gid literal quote-name reverse recursive size sort time time-style width context zero hyperlink
        """
    ),
)

_KNOWN: Final[Mapping[str, _Options]] = {
    **dict.fromkeys(("ls", "dir", "vdir"), _LISTING),
    **dict.fromkeys(("exa", "eza"), _Options("1aAdlrhHmgGFRTS", "LsIt", names("all long tree level git header icons"))),
    **dict.fromkeys(("grep", "egrep", "fgrep", "zgrep"), _SEARCH),
    **dict.fromkeys(("rg", "ag", "ack"), _FASTER),
    **dict.fromkeys(("md5sum", "sha1sum", "sha256sum", "sha512sum", "cksum"), _SUMS),
    "cat": _Options(
        "AbeEnstTuv", "", names("show-all number-nonblank show-ends number squeeze-blank show-tabs show-nonprinting")
    ),
    "head": _Options("qvz", "cn", names("bytes lines quiet silent verbose zero-terminated")),
    "tail": _Options(
        "fFqvz", "cns", names("bytes lines follow quiet silent verbose retry pid sleep-interval zero-terminated")
    ),
    "wc": _Options("clmwL", "", names("bytes chars lines words max-line-length total")),
    "cut": _Options(
        "sz", "bcdf", names("bytes characters delimiter fields complement only-delimited output-delimiter")
    ),
    "tr": _Options("cdsCt", "", names("complement delete squeeze-repeats truncate-set1")),
    "pwd": _Options("LP"),
    "date": _Options("uRI", "dr", names("date utc universal iso-8601 rfc-3339 rfc-email reference")),
    "id": _Options("ugGnrza", "", names("user group groups name real zero")),
    "uname": _Options("asnrvmpio", "", names("all kernel-name nodename kernel-release machine operating-system")),
    "which": _Options("a"),
    "type": _Options("atpPf"),
    "stat": _Options("Lft", "c", names("dereference file-system format printf terse")),
    "file": _Options("bhikLnNprsv0", "f", names("brief mime mime-type mime-encoding no-dereference dereference")),
    "du": _Options(
        "0abcDHhklLmPSsx",
        "dBtX",
        names(
            "all apparent-size bytes total human-readable max-depth summarize one-file-system exclude threshold time"
        ),
    ),
    "df": _Options("ahHiklmPT", "Btx", names("all human-readable inodes local print-type type exclude-type total")),
    "diff": _Options(
        "abBcdeEHilnNpqrstTuvwyZ",
        "CUFIWxXLS",
        names("brief unified context side-by-side recursive ignore-all-space ignore-case new-file color exclude text"),
    ),
    "cmp": _Options("bls", "in", names("print-bytes verbose silent quiet bytes")),
    "comm": _Options("123z", "", names("check-order nocheck-order output-delimiter total")),
    "nl": _Options("p", "bdfhilnsvw"),
    "od": _Options("abcdfilosxv", "AjNStw"),
    "hexdump": _Options("bcCdoxv", "ens"),
    "xxd": _Options("abEipu", "cglos"),
    "strings": _Options("afow", "ntes"),
    "basename": _Options("az", "s"),
    "dirname": _Options("z"),
    "realpath": _Options("emLPqsz", "", names("relative-to relative-base canonicalize-existing quiet")),
    "readlink": _Options("fenmqsvz", "", names("canonicalize canonicalize-existing canonicalize-missing")),
    "seq": _Options("w", "fs"),
    "less": _Options("acCdeEfFgGiIJKLmMnNqQrRsSuUwWX", "bhjpPxyz"),
    "more": _Options("cdeflpsu", "n"),
    "man": _Options("akfwKI"),
    "ps": _Options("aAdefFHjlLMNTwyZx", "CGgopqstuU", names("forest sort pid ppid user format no-headers")),
    "top": _Options("bcHiSs", "dnpuUow"),
    "uptime": _Options("ps"),
    "free": _Options("bkmghltwvL", "cs"),
    "jq": _Options(
        "nrRcCMSsaej",
        "",
        names("arg argjson args jsonargs raw-output raw-input compact-output slurp null-input exit-status tab indent"),
    ),
    "column": _Options("txne", "cosN", names("table separator output-separator")),
    "fold": _Options("bs", "w"),
    "paste": _Options("sz", "d"),
    "join": _Options("iz", "aeojtv12"),
    "tac": _Options("br", "s"),
    "bc": _Options("lqsw"),
    "cd": _Options("LPe"),
    "tree": _Options("adfilpsughDFrtxCnqNAJX", "LPI", names("dirsfirst gitignore noreport filelimit prune du sort")),
    "sort": _Options(
        "bdfghiMnRrVcCmsuz",
        "kSt",
        names("reverse numeric-sort unique key field-separator ignore-case human-numeric-sort version-sort stable"),
    ),
    "cal": _Options("13jmwy", "AB"),
    "nproc": _Options("", "", names("all ignore")),
    "lsblk": _Options("abdDfiJklmnOpPrsStTz", "oIex"),
    "lscpu": _Options("abcepJsx"),
    "lsof": _Options("bhlnNoOPRtUvX", "acdgipsu"),
    "bat": _Options(
        "Anpu", "lHr", names("plain language number style line-range color theme show-all wrap decorations")
    ),
    "fd": _Options(
        "HIuspaLg0", "tedEcSj", names("hidden no-ignore type extension max-depth exclude glob absolute-path")
    ),
    "locate": _Options("0bceiqrwA", "ln"),
    "pgrep": _Options("aflnoxviLcw", "uUgGPstd"),
    "tty": _Options("s"),
    "look": _Options("df", "t"),
    "fmt": _Options("cstu", "wp"),
    "dmesg": _Options("HTkLextuwPr", "lf"),
    "netstat": _Options("atulnprsievocWF46"),
    "ss": _Options("tulnpaexmirosHO460Wwb", "f"),
    "ifconfig": _Options("as"),
    "ip": _Options("46sdorbjc", "", names("brief json color details statistics")),
    "journalctl": _Options(
        "efrkxqam",
        "bunpotgSU",
        names(
            """
            since until unit follow lines no-pager boot priority output reverse grep list-boots disk-usage user system
            identifier dmesg utc
            """
        ),
    ),
    "dig": _Options("46mrv", "btcpqxy"),
    "host": _Options("adilrvw46CTV", "ctWRm"),
    "ping": _Options("46AbnqvDUaR", "ciIstwWlpQM"),
    "traceroute": _Options("46FInTUr", "fgimNpqwst"),
    "jobs": _Options("lnprs"),
    "dirs": _Options("lpv"),
}
_SAYS: Final = names("help version")
_ANY_WORD: Final = names("echo printf expr : true false test [")
"""They take any word for what it is; what `printf -v` and `test -v` do is told elsewhere."""
_LEADS_ON: Final = re.compile(
    r"^(?:/+|~[\w.-]*|(?:/+(?:home|root|etc|Users|proc|var|mnt|srv|media|opt|tmp|sys|data)(?:/+[^/]*)?)|\$\{?HOME\}?"
    r"|\.\.(?:/\.\.)*)(?:/+\**)?$"
)
_ALWAYS_DEEP: Final = names("rg ag ack find fd tree du")
_DEEP: Final[Mapping[str, re.Pattern[str]]] = {
    **dict.fromkeys(
        ("grep", "egrep", "fgrep", "zgrep"),
        re.compile(r"^-[a-zA-Z]*[rR]|^--(?:recursive|dereference-recursive|directories)|^recurse$"),
    ),
    **dict.fromkeys(("ls", "dir", "vdir", "exa", "eza"), re.compile(r"^-[a-zA-Z]*[RT]|^--(?:recursive|tree)")),
    "diff": re.compile(r"^-[a-zA-Z]*r|^--recursive"),
}


def unknown_option(name: str, rest: Sequence[Word]) -> str:
    """The first option that is not known to be harmless; empty when all are."""
    known = _KNOWN.get(name, _Options())
    for each in rest:
        text = each.text
        if text == "--" or name in _ANY_WORD:
            break
        if text.startswith("--"):
            if text[2:].partition("=")[0] not in known.long | _SAYS:
                return text
        elif text.startswith("-") and text != "-" and not _is_known(text[1:], known):
            return text
    return ""


def _is_known(letters: str, known: _Options) -> bool:
    for letter in letters:
        if letter in known.valued:
            return True
        if letter not in known.flags and not letter.isdecimal():
            return False
    return True


def widely(name: str, rest: Sequence[Word], *, start: str = "") -> Iterator[Finding]:
    """Does it read everything there is, rather than what is at hand? `start`: the folder that it begins in."""
    texts = [each.text for each in rest]
    deep = name in _ALWAYS_DEEP or (name in _DEEP and any(_DEEP[name].match(text) for text in texts))
    if deep and (wide := next((text for text in [*texts, start] if text and _LEADS_ON.match(text)), "")):
        yield Finding(MEDIUM, f"{quoted(name)} reads everything under {quoted(wide)}.")


_PAGERS: Final = names("less more man")
_PAGER_RUNS: Final = re.compile(r"^(?:-[a-zA-Z]*[PHlCkoOTt]|--(?:pager|html|local|lesskey|log-file|config|tag)|-E)")


def pages(name: str, rest: Sequence[Word]) -> Iterator[Finding]:
    """What a pager can be made to run."""
    if name == "man":
        runs = any(_PAGER_RUNS.match(each.text) or "/" in each.text for each in rest)
    else:
        runs = any(
            re.match(r"^(?:-[a-zA-Z]*[koOTt]|--(?:lesskey|log-file|LOG-FILE|tag))", each.text)
            or (each.text.startswith("+") and not re.match(r"^\+(?:\d+|[GF])$", each.text))
            for each in rest
        )
    if name in _PAGERS and runs:
        yield Finding(SERIOUS, f"{quoted(name)} may run another program.")
