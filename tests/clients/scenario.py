"""What every client does, as SQL and values that they share: types.tsv has a line for each type, procedure.sql a procedure."""

import datetime
import decimal
import os
import pathlib
import time
import uuid

HERE = pathlib.Path(__file__).parent
HOST, PORT, PASSWORD = "127.0.0.1", int(os.environ["LAB_PORT"]), os.environ["LAB_PASSWORD"]
CERTIFICATE = os.path.join(os.environ["LAB_DATA"], "tls-cert.pem")

# Column, type, literal, the expression that shows a value as text, that text.
TYPES = [line.split("\t") for line in (HERE / "types.tsv").read_text(encoding="utf-8").splitlines()]
NAMES = [name for name, *_ in TYPES]
PROCEDURE = (HERE / "procedure.sql").read_text(encoding="utf-8")

SLOW = "WAITFOR DELAY '00:00:30'"
CALLED = (42, "got 21")
ROWS = [(n, f"row {n}") for n in range(2500)]
LOADED = (2500, 3123750, "row 999")

IST = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
EXPECTED = {
    "c_bit": True, "c_tinyint": 255, "c_smallint": -32768, "c_int": -2147483648, "c_bigint": -9223372036854775808,
    "c_decimal": decimal.Decimal("1234567890123456789012345678.0123456789"), "c_numeric": decimal.Decimal("-1234567.89"),
    "c_money": decimal.Decimal("-922337203685477.5808"), "c_smallmoney": decimal.Decimal("214748.3647"),
    "c_real": 1.5, "c_float": -2.25, "c_date": datetime.date(1753, 1, 1), "c_time": datetime.time(23, 59, 59, 123456),
    "c_datetime": datetime.datetime(2024, 2, 29, 23, 59, 59, 997000), "c_smalldatetime": datetime.datetime(2024, 2, 29, 12, 34),
    "c_datetime2": datetime.datetime(9999, 12, 31, 23, 59, 59, 123456),
    "c_datetimeoffset": datetime.datetime(2024, 2, 29, 12, 34, 56, 789000, IST),
    "c_char": "ab   ", "c_varchar": "café", "c_varcharmax": "é" * 10000, "c_text": "long text",
    "c_nchar": "€   ", "c_nvarchar": "日本", "c_nvarcharmax": "Ж" * 10000, "c_ntext": "Ж",
    "c_binary": b"\x01\x02\0\0", "c_varbinary": b"\xca\xfe", "c_varbinarymax": b"z" * 9000, "c_image": b"\n\x0b",
    "c_guid": uuid.UUID("6F9619FF-8B86-D011-B42D-00C04FC964FF"), "c_xml": "<a>1</a>", "c_variant": 42,
}


def check(what, got, wanted):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r:.300}, wanted {wanted!r:.300}")


def create_table(table):
    columns = ", ".join(f"{name} {ty} NULL" for name, ty, *_ in TYPES)
    return f"CREATE TABLE {table} (id int NOT NULL PRIMARY KEY, {columns}, c_rowversion rowversion)"


def plain(value):
    """A value as `EXPECTED` has it, whatever class the client gives it."""
    return bytes(value) if isinstance(value, (bytearray, memoryview)) else value


def types(cursor, insert, expected=(), written=()):
    """Every type: written as literals and read, written as the client's own values and read, compared by the server as text.

    `expected`: what the client gives back in a form of its own; `written`: what it writes less exactly, with the text of that."""
    expected, written = {**EXPECTED, **dict(expected)}, dict(written)
    cursor.execute(create_table("t"))
    cursor.execute(f"INSERT INTO t (id, {', '.join(NAMES)}) VALUES (1, {', '.join(literal for _, _, literal, *_ in TYPES)})")
    cursor.execute("INSERT INTO t (id) VALUES (2)")
    insert("t", NAMES, [EXPECTED[name] for name in NAMES])
    for row in (1, 3):
        own = written if row == 3 else {}
        cursor.execute(f"SELECT {', '.join(NAMES)} FROM t WHERE id = {row}")
        for name, got in zip(NAMES, cursor.fetchone()):
            check(f"row {row}, {name}", plain(got), own[name][0] if name in own else expected[name])
        for name, _, _, shown, text in TYPES:
            cursor.execute(f"SELECT {shown.format(c=name)} FROM t WHERE id = {row}")
            check(f"row {row}, {name} as text", cursor.fetchone()[0], own[name][1] if name in own else text)
    cursor.execute(f"SELECT {', '.join(NAMES)} FROM t WHERE id = 2")
    check("NULLs", set(cursor.fetchone()), {None})
    cursor.execute("SELECT c_rowversion FROM t WHERE id = 1")
    check("rowversion", len(plain(cursor.fetchone()[0])), 8)


def rollback(connection, cursor):
    connection.commit()
    cursor.execute("DELETE FROM t WHERE id = 2")
    cursor.execute("SELECT COUNT(*) FROM t")
    check("rows before rollback", cursor.fetchone()[0], 2)
    connection.rollback()
    cursor.execute("SELECT COUNT(*) FROM t")
    check("rows after rollback", cursor.fetchone()[0], 3)
    connection.commit()


def is_encrypted(cursor):
    cursor.execute("SELECT encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID")
    return cursor.fetchone()[0] == "TRUE"


def loaded(cursor):
    cursor.execute("SELECT COUNT(*), SUM(a), MAX(b) FROM b")
    check("bulk", tuple(cursor.fetchone()), LOADED)


def cancelled(what, error, run):
    """`run` must end with `error` long before the statement would."""
    began = time.monotonic()
    try:
        run()
    except error:
        check(f"{what} cancelled in time", time.monotonic() - began < 10, True)
    else:
        raise AssertionError(f"{what} was not cancelled")
