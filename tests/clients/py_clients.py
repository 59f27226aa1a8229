"""pymssql, python-tds, mssql-python and SQLAlchemy against an instance: `py_clients.py CLIENT`."""

import datetime
import decimal
import sys

from scenario import (
    CALLED, CERTIFICATE, EXPECTED, HOST, PASSWORD, PORT, PROCEDURE, ROWS, SLOW,
    cancelled, check, create_table, is_encrypted, loaded, rollback, types,
)


def run_pymssql():
    import pymssql

    def connect(**more):
        return pymssql.connect(server=HOST, port=str(PORT), user="sa", password=PASSWORD, database="clients", **more)

    for encryption, whole in (("require", True), ("request", False), ("off", False)):
        with connect(encryption=encryption) as connection, connection.cursor() as cursor:
            check(f"encryption {encryption}", is_encrypted(cursor), whole)
    connection = connect(encryption="require")
    cursor = connection.cursor()

    def insert(table, columns, values):
        # It writes the values into the text; bytearray is what it writes as 0x...
        marks = ", ".join(["%s"] * len(columns))
        values = tuple(bytearray(v) if isinstance(v, bytes) else v for v in values)
        cursor.execute(f"INSERT INTO {table} (id, {', '.join(columns)}) VALUES (3, {marks})", values)

    # It gives a sql_variant's bytes as they come, and writes moments in milliseconds.
    moment = datetime.datetime(9999, 12, 31, 23, 59, 59, 123000)
    types(cursor, insert, expected={"c_variant": b"*\0\0\0"}, written={"c_datetime2": (moment, "9999-12-31T23:59:59.1230000")})
    rollback(connection, cursor)
    cursor.execute("SELECT %d + %d, %s", (5, 1, "it's"))
    check("parameters", cursor.fetchone(), (6, "it's"))
    cursor.execute(PROCEDURE)
    result = cursor.callproc("double_it", (21, pymssql.output(int), pymssql.output(str)))
    check("procedure", (result[1], result[2]), CALLED)
    cursor.execute("CREATE TABLE b (a int, b nvarchar(20))")
    connection.commit()
    connection.bulk_copy("b", ROWS)
    loaded(cursor)
    connection.close()
    slow = connect(encryption="require", timeout=1)
    cancelled("a query", pymssql.OperationalError, lambda: slow.cursor().execute(SLOW))
    try:
        pymssql.connect(server=HOST, port=str(PORT), user="sa", password="wrong", database="master")
        raise AssertionError("a wrong password was accepted")
    except pymssql.OperationalError as e:
        check("18456", "18456" in str(e), True)


def run_pytds():
    import pytds
    from pytds import tds_types

    arguments = dict(dsn=HOST, port=PORT, user="sa", password=PASSWORD, database="clients", cafile=CERTIFICATE, validate_host=False)
    with pytds.connect(dsn=HOST, port=PORT, user="sa", password=PASSWORD, database="clients") as connection, connection.cursor() as cursor:
        check("without a CA", is_encrypted(cursor), False)
    with pytds.connect(**arguments, enc_login_only=True) as connection, connection.cursor() as cursor:
        check("login only", is_encrypted(cursor), False)
    with pytds.connect(**arguments) as connection, connection.cursor() as cursor:
        check("encrypted", is_encrypted(cursor), True)

        def insert(table, columns, values):
            marks = ", ".join(["%s"] * len(columns))
            values = tuple(pytds.Binary(v) if isinstance(v, bytes) else v for v in values)
            cursor.execute(f"INSERT INTO {table} (id, {', '.join(columns)}) VALUES (3, {marks})", values)

        types(cursor, insert)
        rollback(connection, cursor)
        cursor.execute("SELECT %s, %s", (7, "it's"))
        check("parameters", tuple(cursor.fetchone()), (7, "it's"))
        cursor.execute(PROCEDURE)
        out = cursor.callproc("double_it", [21, pytds.output(param_type="int"), pytds.output(param_type="nvarchar(50)")])
        check("procedure", (out[1], out[2]), CALLED)
        check("status", cursor.get_proc_return_status(), 7)
        cursor.execute("CREATE TABLE b (a int, b nvarchar(20))")
        columns = [pytds.Column("a", type=tds_types.IntType()), pytds.Column("b", type=tds_types.NVarCharType(size=20))]
        cursor.copy_to(data=ROWS, table_or_view="b", columns=columns)
        loaded(cursor)
        connection.commit()
    with pytds.connect(**arguments, timeout=1) as connection, connection.cursor() as cursor:
        cancelled("a query", (pytds.TimeoutError, pytds.OperationalError), lambda: cursor.execute(SLOW))


def run_mssql_python():
    mssql_python()


def run_mssql_python_rust():
    import mssql_python as module

    # The driver written in Rust (mssql-python-rs) in the place of msodbcsql18.
    module.native_provider = "mssql-odbc"
    mssql_python()


def mssql_python():
    import mssql_python as module

    base = f"Server={HOST},{PORT};UID=sa;PWD={PASSWORD};Database=clients;"
    ways = [
        ("Encrypt=no;", False),
        ("Encrypt=yes;TrustServerCertificate=yes;", True),
        (f"Encrypt=strict;ServerCertificate={CERTIFICATE};", True),
    ]
    for way, whole in ways:
        connection = module.connect(base + way)
        check(way, is_encrypted(connection.cursor()), whole)
        connection.close()
    connection = module.connect(base + ways[-1][0])
    cursor = connection.cursor()

    def insert(table, columns, values):
        marks = ", ".join(["?"] * len(columns))
        cursor.execute(f"INSERT INTO {table} (id, {', '.join(columns)}) VALUES (3, {marks})", values)

    types(cursor, insert)
    rollback(connection, cursor)
    cursor.execute("SELECT ? + 1, ?, ?", (5, "it's", None))
    check("parameters", tuple(cursor.fetchone()), (6, "it's", None))
    cursor.execute(PROCEDURE)
    # The module has no callproc.
    cursor.execute("DECLARE @b int, @c nvarchar(50), @r int EXEC @r = double_it ?, @b OUTPUT, @c OUTPUT SELECT @b, @c, @r", (21,))
    check("procedure", tuple(cursor.fetchone()), (*CALLED, 7))
    cursor.execute("CREATE TABLE m (a int, b nvarchar(20))")
    cursor.executemany("INSERT INTO m VALUES (?, ?)", ROWS)
    cursor.execute("SELECT COUNT(*), SUM(a) FROM m")
    check("many", tuple(cursor.fetchone()), (2500, 3123750))
    cursor.execute("CREATE TABLE b (a int, b nvarchar(20))")
    cursor.execute(create_table("every"))
    connection.commit()
    # Bulk copies are made by its Rust core, on a connection of its own.
    cursor.bulkcopy("b", ROWS)
    loaded(cursor)
    names = list(EXPECTED)
    # NB: it sends an aware datetime's local time where TDS has UTC, so that only moments of offset 0 arrive as they were.
    every = {**EXPECTED, "c_datetimeoffset": EXPECTED["c_datetimeoffset"].astimezone(datetime.timezone.utc)}
    cursor.bulkcopy("every", [(1, *every.values()), (2, *[None] * len(names))], column_mappings=["id", *names])
    cursor.execute(f"SELECT {', '.join(names)} FROM every ORDER BY id")
    for name, got in zip(names, cursor.fetchone()):
        check(f"{name} in bulk", got, EXPECTED[name])
    check("NULLs in bulk", set(cursor.fetchone()), {None})
    connection.commit()
    connection.timeout = 1
    cancelled("a query", module.Error, lambda: connection.cursor().execute(SLOW))
    connection.timeout = 0
    check("alive", connection.cursor().execute("SELECT 1").fetchval(), 1)
    connection.close()


def run_sqlalchemy():
    from sqlalchemy import Column, ForeignKey, Integer, MetaData, Numeric, String, Unicode, create_engine, inspect, select, text
    from sqlalchemy.orm import DeclarativeBase, Session, relationship

    class Base(DeclarativeBase):
        pass

    class Author(Base):
        __tablename__ = "author"
        id = Column(Integer, primary_key=True)
        name = Column(Unicode(50), nullable=False, unique=True)
        books = relationship("Book", back_populates="author", order_by="Book.id")

    class Book(Base):
        __tablename__ = "book"
        id = Column(Integer, primary_key=True)
        title = Column(String(80))
        price = Column(Numeric(10, 2))
        author_id = Column(ForeignKey("author.id"))
        author = relationship("Author", back_populates="books")

    engine = create_engine(
        f"mssql+pymssql://sa:{PASSWORD.replace('#', '%23')}@{HOST}:{PORT}/clients", connect_args={"encryption": "require"})
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        check("encrypted", is_encrypted(session.connection().connection.cursor()), True)
        session.add(Author(name="Čapek", books=[Book(title="R.U.R.", price=decimal.Decimal("9.50")), Book(title="War with the Newts", price=12)]))
        session.commit()
    with Session(engine) as session:
        author = session.scalars(select(Author).where(Author.name == "Čapek")).one()
        check("titles", [b.title for b in author.books], ["R.U.R.", "War with the Newts"])
        check("price", author.books[0].price, decimal.Decimal("9.50"))
        author.books[0].title = "R. U. R."
        session.delete(author.books[1])
        session.commit()
        check("count", session.execute(text("SELECT COUNT(*) FROM book WHERE title = 'R. U. R.'")).scalar(), 1)
    with Session(engine) as session:
        session.add(Author(name="Rolled back"))
        session.flush()
        session.rollback()
        check("authors after rollback", len(session.scalars(select(Author)).all()), 1)
    reflected = MetaData()
    reflected.reflect(engine, only=["book", "author"])
    book = reflected.tables["book"]
    check("columns", [c.name for c in book.columns], ["id", "title", "price", "author_id"])
    check("type", (book.c.price.type.precision, book.c.price.type.scale, book.c.title.type.length), (10, 2, 80))
    check("foreign key", [str(f.column) for f in book.foreign_keys], ["author.id"])
    check("identity", book.c.id.identity is not None, True)
    inspector = inspect(engine)
    check("tables", {"author", "book"} <= set(inspector.get_table_names()), True)
    check("primary key", inspector.get_pk_constraint("author")["constrained_columns"], ["id"])
    check("unique", [i["column_names"] for i in inspector.get_indexes("author")], [["name"]])
    with engine.connect() as connection:
        page = connection.execute(select(Book.id).order_by(Book.id).limit(1).offset(0))
        check("page", [r[0] for r in page], [1])
    with engine.connect() as connection:
        # Every type that reflection knows by name, from a table that it did not make.
        connection.execute(text(create_table("every")))
        connection.commit()
    unknown = [c["name"] for c in inspect(engine).get_columns("every") if str(c["type"]) == "NULL"]
    check("types that reflection does not know", unknown, [])
    Base.metadata.drop_all(engine)


{
    "pymssql": run_pymssql, "pytds": run_pytds, "mssql_python": run_mssql_python,
    "mssql_python_rust": run_mssql_python_rust, "sqlalchemy": run_sqlalchemy,
}[sys.argv[1]]()
print(f"{sys.argv[1]}: ok")
