"""pymssql, python-tds, mssql-python and SQLAlchemy against an instance: `py_clients.py CLIENT`."""

import datetime
import decimal
import os
import sys
import time
import uuid

from scenario import PROCEDURE, SLOW, TYPES, create_table, insert_nulls, insert_row

HOST, PORT, PASSWORD = "127.0.0.1", int(os.environ["LAB_PORT"]), os.environ["LAB_PASSWORD"]


def check(what, got, wanted):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, wanted {wanted!r}")


EXPECTED = {
    "c_bit": True, "c_tinyint": 255, "c_smallint": -32768, "c_int": 2147483647, "c_bigint": -9223372036854775808,
    "c_decimal": decimal.Decimal("1234567890123456789012345678.0123456789"),
    "c_money": decimal.Decimal("-922337203685477.5808"), "c_smallmoney": decimal.Decimal("214748.3647"),
    "c_real": 1.5, "c_float": -2.25, "c_date": datetime.date(2024, 2, 29),
    "c_datetime": datetime.datetime(2024, 2, 29, 23, 59, 59, 997000), "c_smalldatetime": datetime.datetime(2024, 2, 29, 12, 34),
    "c_char": "ab   ", "c_varchar": "café", "c_text": "long text", "c_nchar": "€   ", "c_nvarchar": "日本", "c_ntext": "Ж",
    "c_nvarcharmax": "x" * 10000, "c_binary": b"\x01\x02\0\0", "c_varbinary": b"\xca\xfe", "c_varbinarymax": b"z" * 9000,
    "c_image": b"\n\x0b", "c_xml": "<a>1</a>",
    "c_guid": uuid.UUID("6F9619FF-8B86-D011-B42D-00C04FC964FF"),
}


def types(cursor, table, loose=()):
    cursor.execute(create_table(table))
    cursor.execute(insert_row(table))
    cursor.execute(insert_nulls(table))
    cursor.execute(f"SELECT {', '.join(EXPECTED)} FROM {table} WHERE id = 1")
    row = cursor.fetchone()
    for (name, wanted), got in zip(EXPECTED.items(), row):
        if name in loose:
            continue
        if isinstance(got, (bytearray, memoryview)):
            got = bytes(got)
        if isinstance(wanted, uuid.UUID) and isinstance(got, str):
            got = uuid.UUID(got)
        check(f"{table}.{name}", got, wanted)
    cursor.execute(f"SELECT {', '.join(EXPECTED)} FROM {table} WHERE id = 2")
    check(f"{table} NULLs", set(cursor.fetchone()), {None})
    # As text, so that types without a Python value are seen, too.
    for name, ty, _, text in TYPES:
        if text is None:
            continue
        cursor.execute(f"SELECT CAST({name} AS nvarchar(max)) FROM {table} WHERE id = 1")
        check(f"{table}.{name} as text", cursor.fetchone()[0], text)


def rollback(connection, cursor, table):
    connection.commit()
    cursor.execute(f"DELETE FROM {table} WHERE id = 2")
    connection.rollback()
    cursor.execute(f"SELECT COUNT(*) FROM {table}")
    check("rows after rollback", cursor.fetchone()[0], 2)
    connection.commit()


def run_pymssql():
    import pymssql

    for encryption in ("require", "request", "off"):
        connection = pymssql.connect(server=HOST, port=str(PORT), user="sa", password=PASSWORD, database="master", encryption=encryption)
        connection.close()
    connection = pymssql.connect(server=HOST, port=str(PORT), user="sa", password=PASSWORD, database="clients", encryption="require")
    cursor = connection.cursor()
    cursor.execute("SELECT encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID")
    check("encrypted", cursor.fetchone()[0], "TRUE")
    types(cursor, "t_pymssql")
    rollback(connection, cursor, "t_pymssql")
    cursor.execute("SELECT %d + %d, %s", (5, 1, "it's"))
    check("parameters", cursor.fetchone(), (6, "it's"))
    cursor.execute(PROCEDURE.format(name="p_pymssql"))
    result = cursor.callproc("p_pymssql", (21, pymssql.output(int), pymssql.output(str)))
    check("procedure", (result[1], result[2]), (42, "got 21"))
    connection.commit()
    cursor.execute("CREATE TABLE b_pymssql (a int, b nvarchar(20))")
    connection.commit()
    connection.bulk_copy("b_pymssql", [(n, f"row {n}") for n in range(2500)])
    cursor.execute("SELECT COUNT(*), SUM(a), MAX(b) FROM b_pymssql")
    check("bulk", cursor.fetchone(), (2500, 3123750, "row 999"))
    slow = pymssql.connect(server=HOST, port=str(PORT), user="sa", password=PASSWORD, database="clients", timeout=1)
    began = time.time()
    try:
        slow.cursor().execute(SLOW)
        raise AssertionError("the slow query was not cancelled")
    except pymssql.OperationalError:
        check("cancelled in time", time.time() - began < 10, True)
    connection.close()
    try:
        pymssql.connect(server=HOST, port=str(PORT), user="sa", password="wrong", database="master")
        raise AssertionError("a wrong password was accepted")
    except pymssql.OperationalError as e:
        check("18456", "18456" in str(e), True)


def run_pytds():
    import pytds

    cafile = os.path.join(os.environ["LAB_DATA"], "tls-cert.pem")
    arguments = dict(dsn=HOST, port=PORT, user="sa", password=PASSWORD, database="clients", cafile=cafile, validate_host=False, enc_login_only=False)
    with pytds.connect(**arguments) as connection, connection.cursor() as cursor:
        types(cursor, "t_pytds", loose=("c_xml",))
        rollback(connection, cursor, "t_pytds")
        cursor.execute("SELECT %s, %s", (7, "it's"))
        check("parameters", tuple(cursor.fetchone()), (7, "it's"))
        cursor.execute(PROCEDURE.format(name="p_pytds"))
        out = cursor.callproc("p_pytds", [21, pytds.output(param_type="int"), pytds.output(param_type="nvarchar(50)")])
        check("procedure", (out[1], out[2]), (42, "got 21"))
        check("status", cursor.get_proc_return_status(), 7)
        connection.commit()
        cursor.execute("CREATE TABLE b_pytds (a int, b nvarchar(20))")
        cursor.copy_to(data=[(n, f"row {n}") for n in range(2500)], table_or_view="b_pytds", columns=[
            pytds.Column("a", type=pytds.tds_types.IntType()), pytds.Column("b", type=pytds.tds_types.NVarCharType(size=20))])
        cursor.execute("SELECT COUNT(*), SUM(a), MAX(b) FROM b_pytds")
        check("bulk", tuple(cursor.fetchone()), (2500, 3123750, "row 999"))
        connection.commit()
    with pytds.connect(**arguments, timeout=1) as connection, connection.cursor() as cursor:
        try:
            cursor.execute(SLOW)
            raise AssertionError("the slow query was not cancelled")
        except (pytds.TimeoutError, pytds.OperationalError):
            pass


def run_mssql_python():
    import mssql_python

    base = f"Server={HOST},{PORT};UID=sa;PWD={PASSWORD};Database=clients;"
    strict = base + f"Encrypt=strict;ServerCertificate={os.path.join(os.environ['LAB_DATA'], 'tls-cert.pem')};"
    for text in (base + "Encrypt=no;", base + "Encrypt=yes;TrustServerCertificate=yes;", strict):
        connection = mssql_python.connect(text)
        cursor = connection.cursor()
        cursor.execute("SELECT encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID")
        check("encrypted", cursor.fetchone()[0], "FALSE" if "Encrypt=no" in text else "TRUE")
        connection.close()
    connection = mssql_python.connect(strict)
    cursor = connection.cursor()
    types(cursor, "t_mssql_python")
    rollback(connection, cursor, "t_mssql_python")
    cursor.execute("SELECT ? + 1, ?, ?", (5, "it's", None))
    check("parameters", tuple(cursor.fetchone()), (6, "it's", None))
    cursor.execute(PROCEDURE.format(name="p_mssql_python"))
    cursor.execute("DECLARE @b int, @c nvarchar(50), @r int EXEC @r = p_mssql_python ?, @b OUTPUT, @c OUTPUT SELECT @b, @c, @r", (21,))
    rows = [tuple(cursor.fetchone())]
    while cursor.nextset():
        rows.append(tuple(cursor.fetchone()))
    check("procedure", rows[-1], (42, "got 21", 7))
    cursor.execute("CREATE TABLE b_mssql_python (a int, b nvarchar(20))")
    cursor.executemany("INSERT INTO b_mssql_python VALUES (?, ?)", [(n, f"row {n}") for n in range(500)])
    cursor.execute("SELECT COUNT(*), SUM(a) FROM b_mssql_python")
    check("many", tuple(cursor.fetchone()), (500, 124750))
    connection.commit()
    slow = mssql_python.connect(base + "Encrypt=yes;TrustServerCertificate=yes;")
    slow.timeout = 1
    began = time.time()
    try:
        slow.cursor().execute(SLOW)
        raise AssertionError("the slow query was not cancelled")
    except mssql_python.Error:
        check("cancelled in time", time.time() - began < 10, True)
    connection.close()


def run_sqlalchemy():
    from sqlalchemy import Column, ForeignKey, Integer, MetaData, Numeric, String, Unicode, create_engine, inspect, select, text
    from sqlalchemy.orm import DeclarativeBase, Session, relationship

    class Base(DeclarativeBase):
        pass

    class Author(Base):
        __tablename__ = "sa_author"
        id = Column(Integer, primary_key=True)
        name = Column(Unicode(50), nullable=False, unique=True)
        books = relationship("Book", back_populates="author", order_by="Book.id")

    class Book(Base):
        __tablename__ = "sa_book"
        id = Column(Integer, primary_key=True)
        title = Column(String(80))
        price = Column(Numeric(10, 2))
        author_id = Column(ForeignKey("sa_author.id"))
        author = relationship("Author", back_populates="books")

    engine = create_engine(f"mssql+pymssql://sa:{PASSWORD.replace('#', '%23')}@{HOST}:{PORT}/clients")
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Author(name="Čapek", books=[Book(title="R.U.R.", price=decimal.Decimal("9.50")), Book(title="War with the Newts", price=12)]))
        session.commit()
    with Session(engine) as session:
        author = session.scalars(select(Author).where(Author.name == "Čapek")).one()
        check("titles", [b.title for b in author.books], ["R.U.R.", "War with the Newts"])
        check("price", author.books[0].price, decimal.Decimal("9.50"))
        author.books[0].title = "R. U. R."
        session.delete(author.books[1])
        session.commit()
        check("count", session.execute(text("SELECT COUNT(*) FROM sa_book WHERE title = 'R. U. R.'")).scalar(), 1)
    reflected = MetaData()
    reflected.reflect(engine, only=["sa_book", "sa_author"])
    book = reflected.tables["sa_book"]
    check("columns", [c.name for c in book.columns], ["id", "title", "price", "author_id"])
    check("type", (book.c.price.type.precision, book.c.price.type.scale, book.c.title.type.length), (10, 2, 80))
    check("foreign key", [str(f.column) for f in book.foreign_keys], ["sa_author.id"])
    inspector = inspect(engine)
    check("primary key", inspector.get_pk_constraint("sa_author")["constrained_columns"], ["id"])
    check("unique", [i["column_names"] for i in inspector.get_indexes("sa_author")], [["name"]])
    check("page", [r[0] for r in engine.connect().execute(select(Book.id).order_by(Book.id).limit(1).offset(0))], [1])
    Base.metadata.drop_all(engine)


{"pymssql": run_pymssql, "pytds": run_pytds, "mssql_python": run_mssql_python, "sqlalchemy": run_sqlalchemy}[sys.argv[1]]()
print(f"{sys.argv[1]}: ok")
