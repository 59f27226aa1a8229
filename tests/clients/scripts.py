"""Scripts that milink writes, read by a T-SQL parser that is not ours: `scripts.py FOLDER`.

sqlglot has trees for queries, and none for availability groups, certificates or endpoints: those it splits into tokens, and keeps as commands. It
has nothing at all for BACKUP, DBCC and WAITFOR, which are compared with their documented forms; of a loop that waits, what it waits for is a query.
"""

import logging
import pathlib
import re
import sys

import sqlglot
from sqlglot import exp

FORMS = [
    r"BACKUP (DATABASE|LOG) NAME TO (DISK|URL) = TEXT WITH (COPY_ONLY, )?CHECKSUM",
    r"DBCC TRACE(ON|OFF) \(NUMBER, -1\)",
]
LOOP = re.compile(
    r"DECLARE @until datetime2 = DATEADD\(second, \d+, SYSUTCDATETIME\(\)\);\s*WHILE NOT (?P<what>.*)\nBEGIN\n"
    r"    IF SYSUTCDATETIME\(\) > @until THROW 50000, N'[^']*', 1;\n    WAITFOR DELAY '00:00:02';\nEND;\s*$",
    re.DOTALL,
)
# What sqlglot knows as a command, by the words that begin it.
COMMANDS = re.compile(
    r"(CREATE|ALTER|DROP) (MASTER KEY|CERTIFICATE|ENDPOINT|AVAILABILITY GROUP|DATABASE)\b|DECLARE @id int = \(SELECT "
)


def batches(text):
    for batch in re.split(r"(?im)^GO[ \t]*$", text):
        if re.sub(r"(?m)^--.*$", "", batch).strip():
            yield batch


def form(statement):
    """The statement with its names, texts and numbers replaced by what they are."""
    kinds = {"NATIONAL_STRING": "TEXT", "STRING": "TEXT", "NUMBER": "NUMBER"}
    tokens = sqlglot.tokenize(statement, read="tsql")
    words = []
    for token in tokens:
        quoted = statement[token.start] == "["
        words.append("NAME" if quoted else kinds.get(token.token_type.name, token.text))
    return re.sub(r" ?([(,)]) ?", lambda m: {"(": " (", ",": ", ", ")": ")"}[m[1]], " ".join(words)).replace("- NUMBER", "-1")


def read(batch):
    """What a batch is: `tree`, `command`, `form` or `loop`. Whatever else it is, is an error."""
    code = re.sub(r"(?m)^--.*$", "", batch).strip()
    loop = LOOP.fullmatch(code)
    if loop:
        [query] = sqlglot.parse(f"SELECT 1 AS one WHERE {loop['what']}", read="tsql", error_level=sqlglot.ErrorLevel.RAISE)
        if not query.find(exp.Exists) or query.find(exp.Command):
            raise ValueError(f"it waits for no query: {loop['what']}")
        return "loop"
    if re.match(r"BACKUP|DBCC", code):
        found = form(code.rstrip(";"))
        if not any(re.fullmatch(pattern, found) for pattern in FORMS):
            raise ValueError(f"no documented form: {found}")
        return "form"
    trees = sqlglot.parse(code, read="tsql", error_level=sqlglot.ErrorLevel.RAISE)
    if any(isinstance(tree, exp.Command) for tree in trees):
        if not COMMANDS.match(code):
            raise ValueError(f"not understood: {code}")
        balanced(code)
        return "command"
    return "tree"


def balanced(code):
    """Parentheses of a command, outside of names and texts."""
    depth = 0
    for token in sqlglot.tokenize(code, read="tsql"):
        depth += {"L_PAREN": 1, "R_PAREN": -1}.get(token.token_type.name, 0)
        if depth < 0:
            raise ValueError(f"a parenthesis too many: {code}")
    if depth:
        raise ValueError(f"a parenthesis is open: {code}")


def refuses(batch):
    try:
        read(batch)
    except Exception:
        return True
    return False


def main():
    logging.disable(logging.WARNING)
    files = sorted(pathlib.Path(sys.argv[1]).rglob("*.sql"))
    seen = {"tree": 0, "command": 0, "form": 0, "loop": 0}
    for file in files:
        for batch in batches(file.read_text()):
            try:
                seen[read(batch)] += 1
            except Exception as error:
                sys.exit(f"{file}: {error}\n{batch}")
    if len(files) < 10 or min(seen.values()) < 5:
        sys.exit(f"only {len(files)} files with {seen}")
    # The reader can say no.
    wrong = [
        "CREATE AVAILABILITY GROUP [a] WITH (CLUSTER_TYPE = NONE FOR REPLICA ON N'x';",
        "CREATE CERTIFICATE [a]]s] FROM BINARY = 0x00 N'open;",
        "BACKUP DATABASE [a] TO DISK = N'x' WITH NOTHING;",
        "BACKUP DATABASE [a b] x] TO DISK = N'x' WITH CHECKSUM;",
        "DBCC SHUTDOWN;",
        "SELECT FROM WHERE;",
        "CREATE SOMETHING [a];",
    ]
    accepted = [batch for batch in wrong if not refuses(batch)]
    if accepted:
        sys.exit(f"accepted: {accepted}")
    print("scripts: ok")


main()
