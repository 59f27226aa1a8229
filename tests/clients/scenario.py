"""What every client does, as SQL and values that they share."""

# Column, type, literal in SQL, what it must come back as when CAST to nvarchar by the server.
TYPES = [
    ("c_bit", "bit", "1", "1"),
    ("c_tinyint", "tinyint", "255", "255"),
    ("c_smallint", "smallint", "-32768", "-32768"),
    ("c_int", "int", "2147483647", "2147483647"),
    ("c_bigint", "bigint", "-9223372036854775808", "-9223372036854775808"),
    ("c_decimal", "decimal(38,10)", "1234567890123456789012345678.0123456789", "1234567890123456789012345678.0123456789"),
    ("c_money", "money", "-922337203685477.5808", "-922337203685477.58"),
    ("c_smallmoney", "smallmoney", "214748.3647", "214748.36"),
    ("c_real", "real", "1.5", "1.5"),
    ("c_float", "float", "-2.25", "-2.25"),
    ("c_date", "date", "'2024-02-29'", "2024-02-29"),
    ("c_time", "time(7)", "'23:59:59.1234567'", "23:59:59.1234567"),
    ("c_datetime", "datetime", "'2024-02-29T23:59:59.997'", "Feb 29 2024 11:59PM"),
    ("c_smalldatetime", "smalldatetime", "'2024-02-29T12:34:00'", "Feb 29 2024 12:34PM"),
    ("c_datetime2", "datetime2(7)", "'0001-01-01T00:00:00.1234567'", "0001-01-01 00:00:00.1234567"),
    ("c_datetimeoffset", "datetimeoffset(3)", "'2024-02-29T12:34:56.789 +05:30'", "2024-02-29 12:34:56.789 +05:30"),
    ("c_char", "char(5)", "'ab'", "ab   "),
    ("c_varchar", "varchar(20)", "'caf\u00e9'", "caf\u00e9"),
    ("c_text", "text", "'long text'", "long text"),
    ("c_nchar", "nchar(4)", "N'\u20ac'", "\u20ac   "),
    ("c_nvarchar", "nvarchar(20)", "N'\u65e5\u672c'", "\u65e5\u672c"),
    ("c_ntext", "ntext", "N'\u0416'", "\u0416"),
    ("c_nvarcharmax", "nvarchar(max)", "REPLICATE(CAST(N'x' AS nvarchar(max)), 10000)", "x" * 10000),
    ("c_binary", "binary(4)", "0x0102", None),
    ("c_varbinary", "varbinary(20)", "0xCAFE", None),
    ("c_varbinarymax", "varbinary(max)", "CAST(REPLICATE(CAST('z' AS varchar(max)), 9000) AS varbinary(max))", None),
    ("c_image", "image", "0x0A0B", None),
    ("c_guid", "uniqueidentifier", "'6F9619FF-8B86-D011-B42D-00C04FC964FF'", "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
    ("c_xml", "xml", "N'<a>1</a>'", "<a>1</a>"),
    ("c_variant", "sql_variant", "CAST(42 AS int)", "42"),
]


def create_table(name):
    columns = ", ".join(f"{c} {t} NULL" for c, t, _, _ in TYPES)
    return f"CREATE TABLE {name} (id int NOT NULL PRIMARY KEY, {columns}, c_rowversion rowversion)"


def insert_row(name):
    columns = ", ".join(c for c, _, _, _ in TYPES)
    values = ", ".join(v for _, _, v, _ in TYPES)
    return f"INSERT INTO {name} (id, {columns}) VALUES (1, {values})"


def insert_nulls(name):
    return f"INSERT INTO {name} (id) VALUES (2)"


PROCEDURE = """CREATE PROCEDURE {name} @a int, @b int OUTPUT, @c nvarchar(50) OUTPUT AS
BEGIN
    SET @b = @a * 2
    SET @c = N'got ' + CAST(@a AS nvarchar(10))
    RETURN 7
END"""

SLOW = "WAITFOR DELAY '00:00:30'"
