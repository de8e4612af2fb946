"""Takes SQL apart, in every dialect that may be meant, and tells what the strictest reading of it does. Pure.

A statement that reads in one dialect and is a comment in another is both, as long as nobody knows the dialect.
"""

import logging
import re
from collections.abc import Iterator
from typing import Any, Final

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.simplify import simplify

from bot.risk._question import HIGH, LOW, MEDIUM, MODEST, MOST, SERIOUS, Finding, quoted

MOST_CHARS: Final = 8_192
_MOST_NESTED: Final = 40
_MOST_STATEMENTS: Final = 50
_DIALECTS: Final = ("", "postgres", "mysql", "tsql")
_UNREAD: Final = 0.85
_CONDITION_NODES: Final = 200

logging.getLogger("sqlglot").disabled = True  # it tells of every statement that it reads as a mere command

_SENSITIVE: Final = re.compile(
    r"passw|secret|token|api_?key|credential|private|salary|ssn|social_security|card|cvv|iban|account_?number|passport|"
    r"diagnos|patient|medical|health|birth|hash|session|users?$|customers?$|employees?$|payroll|pg_(?:shadow|authid)|"
    r"mysql\.user|sys\.sql_logins",
    re.IGNORECASE,
)
_FUNCTIONS: Final = re.compile(
    r"\b(?:pg_read_(?:binary_)?file|pg_ls_dir|pg_write_file|lo_(?:import|export|from_bytea|put|get)|load_file|load_extension|"
    r"xp_\w+|sp_(?:executesql|oacreate|configure|addlogin)|dblink\w*|openrowset|opendatasource|bulk\s+insert|utl_\w+\.|dbms_\w+\.|"
    r"pg_(?:terminate|cancel)_backend|pg_reload_conf|pg_rotate_logfile|sys_(?:exec|eval)|query_to_xml|database_to_xml|"
    r"read_(?:csv|parquet|text|blob|json)\w*|readfile|writefile|edit|file|url|s3|remote|set_config|system)\s*[\(.]|\bxp_cmdshell\b",
    re.IGNORECASE,
)
_SLOW: Final = re.compile(r"\b(?:pg_sleep|sleep|benchmark|waitfor\s+delay|dbms_lock)\b", re.IGNORECASE)
_CHANGES: Final = re.compile(r"\b(?:nextval|setval|pg_advisory_\w*lock|pg_notify|get_lock)\s*\(", re.IGNORECASE)
_INTO_FILE: Final = re.compile(r"\binto\s+(?:outfile|dumpfile)\b", re.IGNORECASE)
_FIRST: Final = re.compile(r"[A-Za-z_]+")
_READ_COMMANDS: Final = frozenset({"SHOW", "DESCRIBE", "DESC", "EXPLAIN", "USE", "PRAGMA", "HELP"})
_BY_FIRST_WORD: Final = (
    (HIGH, "changes who may do what", "GRANT REVOKE DENY REASSIGN"),
    (HIGH, "destroys or stops something", "DROP TRUNCATE PURGE DETACH SHUTDOWN KILL RESET FLASHBACK"),
    (
        HIGH,
        "changes how the database is built",
        "ALTER CREATE RENAME SECURITY CLUSTER REINDEX VACUUM OPTIMIZE COMMENT",
    ),
    (
        HIGH,
        "moves data in or out, or reads and writes files",
        "COPY LOAD UNLOAD EXPORT IMPORT ATTACH BACKUP RESTORE INSTALL",
    ),
    (HIGH, "runs a program that is not read", "EXEC EXECUTE CALL DO PREPARE DECLARE BEGIN IF WHILE HANDLER"),
    (MEDIUM, "changes settings", "SET"),
)
_COMMANDS: Final = {word: (score, does) for score, does, listed in _BY_FIRST_WORD for word in listed.split()}
_RUN_TOGETHER: Final = frozenset(
    word for score, _, listed in _BY_FIRST_WORD if score == HIGH for word in listed.split() if word != "COMMENT"
) | {"DELETE", "UPDATE", "INSERT", "MERGE"}
"""Words that begin a statement where some databases want no semicolon before it."""
_DIFFER: Final = re.compile(r"[\\`#\"$\[\]{@]|/\*|--|''|\bq'", re.IGNORECASE)
"""What dialects take differently; without any of it, one reading is enough."""


def sql(text: str) -> list[Finding]:
    """What there is to say of SQL; never empty."""
    if not text.strip():
        return [Finding(LOW, "The SQL is empty.")]
    if len(text) > MOST_CHARS:
        return [Finding(MOST, f"The SQL has {len(text):,} characters; more than {MOST_CHARS:,} are not read.")]
    found: list[Finding] = list(_by_sight(text))
    if _depth(text) > _MOST_NESTED:
        return [*found, Finding(_UNREAD, "It is nested deeper than is read.")]
    dialects = _DIALECTS if _DIFFER.search(text) else _DIALECTS[:1]
    readings = [_read(text, dialect) for dialect in dialects]
    if all(reading is None for reading in readings):
        readings = [_read(text, dialect) for dialect in _DIALECTS[len(dialects) :]]
    understood = [reading for reading in readings if reading is not None]
    if not understood:
        return [*found, Finding(_UNREAD, f"It cannot be taken apart, so what it does is not known: {quoted(text)}.")]
    if len(understood) < len(readings):
        found.append(Finding(MEDIUM, "Not every database reads it in the same way."))
    found += [finding for reading in understood for finding in reading]
    return found or [Finding(LOW, "It holds no statement.")]


def _by_sight(text: str) -> Iterator[Finding]:
    """What no parser tells: comments that run, functions that reach out, names of files."""
    if re.search(r"/\*[!M]", text):
        yield Finding(HIGH, "It has a comment that MySQL runs as SQL.")
    if match := _FUNCTIONS.search(text):
        yield Finding(HIGH, f"It calls what reads or writes files, or runs programs: {quoted(match[0])}.")
    if _INTO_FILE.search(text):
        yield Finding(HIGH, "It writes what it finds to a file.")
    if match := _SLOW.search(text):
        yield Finding(SERIOUS, f"It makes the database wait: {quoted(match[0])}.")
    if match := _CHANGES.search(text):
        yield Finding(MEDIUM, f"It calls what changes something: {quoted(match[0])}.")
    if re.search(r"^\s*\\(?:!|copy|o|i|w|g|gexec)", text, re.MULTILINE):
        yield Finding(HIGH, "It has a command of the `psql` shell, which reads and writes files, or runs programs.")
    if re.search("[\x00\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]", text):
        yield Finding(HIGH, "It has characters that nobody sees.")


def _depth(text: str) -> int:
    most = now = 0
    for char in text:
        now += (char == "(") - (char == ")")
        most = max(most, now)
    return most


def _read(text: str, dialect: str) -> list[Finding] | None:
    """The findings of one dialect; None where it cannot be read as that."""
    try:
        statements = [each for each in sqlglot.parse(text, dialect=dialect or None) if each is not None]
        found = [finding for each in statements[:_MOST_STATEMENTS] for finding in _statement(each)]
    except Exception:  # noqa: BLE001  # the parser raises what it likes on what it cannot read
        return None
    if len(statements) > _MOST_STATEMENTS:
        found.append(Finding(HIGH, f"It has {len(statements)} statements; more than {_MOST_STATEMENTS} are not read."))
    elif len(statements) > 1:
        found.append(Finding(MODEST, f"It has {len(statements)} statements."))
    return found


def _statement(tree: Any) -> Iterator[Finding]:
    """One statement, and every write that it holds in a WITH or a subquery."""
    met = False
    for node in tree.walk():
        for finding in _node(node, is_root=node is tree):
            met = True
            yield finding
    if not met:
        if isinstance(tree, exp.Query | exp.Describe | exp.Show | exp.Values):
            yield Finding(LOW, f"It only reads: {quoted(_text(tree))}.")
        else:
            yield Finding(SERIOUS, f"It is a statement that is not known well: {quoted(_text(tree))}.")


def _node(node: Any, *, is_root: bool) -> Iterator[Finding]:
    """One part of a statement."""
    for kinds, score, does in _KINDS:
        if isinstance(node, kinds):
            yield Finding(score, f"It {does}: {quoted(_text(node))}.")
    match node:
        case exp.Delete() | exp.Update() if node.find_ancestor(exp.When) is None:
            yield from _changed(node)
        case exp.Insert() if node.args.get("overwrite") or node.args.get("directory"):
            yield Finding(HIGH, "It writes over all that there is, or to a folder.")
        case exp.Create():
            yield from _created(node)
        case exp.Pragma():
            changes = "=" in _text(node) or "(" in _text(node)
            yield Finding(MEDIUM if changes else LOW, f"It is about settings: {quoted(_text(node))}.")
        case exp.Command() | exp.Execute():
            yield from _command(node)
        case exp.Alias() | exp.TableAlias() if _name(node).upper() in _RUN_TOGETHER:
            yield Finding(HIGH, f"It may be two statements without a semicolon: {quoted(_text(node))}.")
        case exp.Select():
            yield from _selected(node, is_root=is_root)


_KINDS: Final[tuple[tuple[tuple[type[Any], ...], float, str], ...]] = (
    ((exp.Drop, exp.TruncateTable), HIGH, "destroys what is stored"),
    ((exp.Alter,), HIGH, "changes how the database is built"),
    ((exp.Copy, exp.LoadData), HIGH, "moves data in or out"),
    ((exp.Grant, exp.Revoke), HIGH, "changes who may do what"),
    ((exp.Kill, exp.Attach, exp.Detach), HIGH, "stops something, or opens another database"),
    ((exp.Into,), SERIOUS, "makes a table, or a file, of what it finds"),
    ((exp.Merge,), 0.6, "writes rows"),
    ((exp.Insert,), MEDIUM, "writes rows"),
    ((exp.Set,), MEDIUM, "changes settings"),
    ((exp.Lock,), MEDIUM, "locks the rows that it finds"),
    ((exp.Analyze, exp.Cache, exp.Uncache, exp.Refresh), MODEST, "works on the database itself"),
    ((exp.Use, exp.Transaction, exp.Commit, exp.Rollback), LOW, "changes nothing by itself"),
)


def _name(alias: Any) -> str:
    quoted_name = isinstance(alias.args.get("alias") or alias.this, exp.Identifier) and bool(
        (alias.args.get("alias") or alias.this).args.get("quoted")
    )
    return "" if quoted_name else str(alias.alias if isinstance(alias, exp.Alias) else alias.name)


def _created(node: Any) -> Iterator[Finding]:
    if node.args.get("replace"):
        yield Finding(HIGH, f"It puts something else in the place of what there is: {quoted(_text(node))}.")
    elif str(node.args.get("kind") or "").upper() in _POWERFUL:
        yield Finding(HIGH, f"It makes something that runs, or somebody who may: {quoted(_text(node))}.")
    else:
        yield Finding(MEDIUM, f"It makes something: {quoted(_text(node))}.")


_POWERFUL: Final = frozenset({"FUNCTION", "PROCEDURE", "TRIGGER", "EXTENSION", "USER", "ROLE", "DATABASE"})


def _command(node: Any) -> Iterator[Finding]:
    """What the parser only knows by its first word."""
    text = _text(node)
    first = _FIRST.match(text.strip())
    word = first[0].upper() if first else ""
    if word == "EXPLAIN" and re.search(r"\banaly[sz]e\b", text, re.IGNORECASE):
        rest = re.sub(r"^\s*EXPLAIN\s*(?:\([^)]*\)|ANALY[SZ]E|VERBOSE|\s)*", "", text, flags=re.IGNORECASE)
        yield Finding(MODEST, "It runs the statement that it explains.")
        yield from sql(rest) if len(rest) < len(text) else ()
    elif word in _READ_COMMANDS:
        yield Finding(LOW, f"It only reads: {quoted(text)}.")
    else:
        score, does = _COMMANDS.get(word, (SERIOUS, "is not known well"))
        yield Finding(score, f"It {does}: {quoted(text)}.")


def _changed(node: Any) -> Iterator[Finding]:
    verb = "deletes" if isinstance(node, exp.Delete) else "changes"
    where = node.args.get("where")
    if where is None and not node.args.get("limit"):
        yield Finding(HIGH, f"It {verb} every row: {quoted(_text(node))}.")
    elif where is not None and _is_always(where.this):
        yield Finding(HIGH, f"It {verb} every row, because its condition always holds: {quoted(where.sql())}.")
    else:
        yield Finding(0.6 if verb == "deletes" else MEDIUM, f"It {verb} rows: {quoted(_text(node))}.")


def _is_always(condition: Any) -> bool:
    """Does it hold for every row, as far as can be told? Without a column in it, or where an OR has such a side."""
    if not isinstance(condition, exp.Expression):
        return True
    sides = list(condition.flatten()) if isinstance(condition, exp.Or) else [condition]
    for side in sides:
        bare = side.unnest() if isinstance(side, exp.Paren) else side
        if isinstance(bare, exp.Or) and _is_always(bare):
            return True
        if isinstance(bare, exp.And) and all(_is_always(each) for each in bare.flatten()):
            return True
        if not any(True for _ in bare.find_all(exp.Column, exp.Parameter, exp.Placeholder)):
            return True
        if (
            isinstance(bare, exp.EQ | exp.GTE | exp.LTE | exp.Is | exp.Like | exp.NullSafeEQ)
            and bare.this == bare.expression
        ):
            return True
        if isinstance(bare, exp.Like) and bare.expression.is_string and not bare.expression.name.strip("%"):
            return True
        if isinstance(bare, exp.Not) and isinstance(bare.this, exp.Is) and isinstance(bare.this.this, exp.Column):
            name = bare.this.this.name.casefold()
            if name == "id" or name.endswith("_id"):
                return True
    small = sum(1 for _ in condition.walk()) < _CONDITION_NODES
    return small and isinstance(simplify(condition.copy()), exp.Boolean) and bool(simplify(condition.copy()).this)


def _selected(node: Any, *, is_root: bool) -> Iterator[Finding]:
    names = {table.name for table in node.find_all(exp.Table)}
    sensitive = sorted(name for name in names if _SENSITIVE.search(name))
    columns = sorted({each.name for each in node.find_all(exp.Column) if _SENSITIVE.search(each.name)} - {"*"})
    if any(isinstance(each, exp.Star) or each.is_star for each in node.expressions) and sensitive:
        yield Finding(
            MEDIUM, f"It reads everything about {quoted(', '.join(sensitive))}, which may be personal or secret."
        )
    elif columns:
        yield Finding(MEDIUM, f"It reads what may be personal or secret: {quoted(', '.join(columns))}.")
    elif is_root and not node.args.get("from_") and not node.args.get("from"):
        yield Finding(LOW, f"It only reads: {quoted(_text(node))}.")


def _text(node: Any) -> str:
    try:
        return str(node.sql())
    except Exception:  # noqa: BLE001  # it may not write what it has read
        return type(node).__name__
