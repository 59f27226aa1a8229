// mssql-jdbc and jTDS against an instance: `java -cp DRIVERS JdbcClients.java mssql|jtds`.
import com.microsoft.sqlserver.jdbc.SQLServerBulkCopy;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.*;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;

public class JdbcClients {
    record Column(String name, String type, String literal, String shown, String text) {
        String shownAsText() {
            return shown.replace("{c}", name);
        }
    }

    static final String PASSWORD = System.getenv("LAB_PASSWORD");
    static final Path HERE = Path.of(System.getenv("LAB_CLIENTS"));
    static List<Column> columns = new ArrayList<>();
    static boolean jtds;

    static void check(String what, Object got, Object wanted) {
        if (!Objects.equals(got, wanted)) throw new AssertionError(what + ": got " + got + ", wanted " + wanted);
    }

    static Object one(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement(); ResultSet r = s.executeQuery(sql)) {
            r.next();
            return r.getObject(1);
        }
    }

    static void run(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement()) {
            s.execute(sql);
        }
    }

    static String names() {
        return String.join(", ", columns.stream().map(Column::name).toList());
    }

    // What a column's value must come back as. TDS 7.1, which jTDS speaks, has no types for date, time, datetime2 and
    // datetimeoffset: they are text there.
    static Object expected(String name) {
        return switch (name) {
            case "c_bit" -> true;
            case "c_tinyint" -> 255L;
            case "c_smallint" -> -32768L;
            case "c_int" -> (long) Integer.MIN_VALUE;
            case "c_bigint" -> Long.MIN_VALUE;
            case "c_decimal" -> new BigDecimal("1234567890123456789012345678.0123456789");
            case "c_numeric" -> new BigDecimal("-1234567.89");
            case "c_money" -> new BigDecimal("-922337203685477.5808");
            case "c_smallmoney" -> new BigDecimal("214748.3647");
            case "c_real" -> 1.5;
            case "c_float" -> -2.25;
            case "c_date" -> "1753-01-01";
            case "c_time" -> jtds ? "23:59:59.1234560" : "23:59:59";
            case "c_datetime" -> "2024-02-29 23:59:59.997";
            case "c_smalldatetime" -> "2024-02-29 12:34:00.0";
            case "c_datetime2" -> jtds ? "9999-12-31 23:59:59.1234560" : "9999-12-31 23:59:59.123456";
            case "c_datetimeoffset" -> "2024-02-29 12:34:56.789 +05:30";
            case "c_char" -> "ab   ";
            case "c_varchar" -> "café";
            case "c_varcharmax" -> "é".repeat(10000);
            case "c_text" -> "long text";
            case "c_nchar" -> "€   ";
            case "c_nvarchar" -> "日本";
            case "c_nvarcharmax" -> "Ж".repeat(10000);
            case "c_ntext" -> "Ж";
            case "c_binary" -> "01020000";
            case "c_varbinary" -> "cafe";
            case "c_varbinarymax" -> "7a".repeat(9000);
            case "c_image" -> "0a0b";
            case "c_guid" -> "6F9619FF-8B86-D011-B42D-00C04FC964FF";
            case "c_xml" -> "<a>1</a>";
            case "c_variant" -> 42L;
            default -> throw new AssertionError("a type without an expected value: " + name);
        };
    }

    // Values of one kind in one class, so that they compare.
    static Object plain(Object value) throws Exception {
        if (value instanceof byte[] bytes) return HexFormat.of().formatHex(bytes);
        if (value instanceof Float f) return f.doubleValue();
        if (value instanceof Integer || value instanceof Short) return ((Number) value).longValue();
        if (value instanceof Clob c) return c.getSubString(1, (int) c.length());
        if (value instanceof Blob b) return HexFormat.of().formatHex(b.getBytes(1, (int) b.length()));
        return value == null || value instanceof Boolean || value instanceof Number ? value : value.toString();
    }

    static void types(Connection c, Connection second) throws Exception {
        String declared = String.join(", ", columns.stream().map(x -> x.name() + " " + x.type() + " NULL").toList());
        for (String table : List.of("t", "every")) {
            run(c, "CREATE TABLE " + table + " (id int NOT NULL PRIMARY KEY, " + declared + ", c_rowversion rowversion)");
        }
        run(c, "INSERT INTO t (id, " + names() + ") VALUES (1, " + String.join(", ", columns.stream().map(Column::literal).toList()) + ")");
        run(c, "INSERT INTO t (id) VALUES (2)");
        List<Object> values = new ArrayList<>();
        try (Statement s = c.createStatement(); ResultSet r = s.executeQuery("SELECT " + names() + ", c_rowversion FROM t ORDER BY id")) {
            check("a row", r.next(), true);
            for (int n = 1; n <= columns.size(); n++) {
                String name = columns.get(n - 1).name();
                Object value = r.getObject(n);
                check(name, plain(value), expected(name));
                // java.sql.Time has no fractions, and jTDS's Clob is a stream of its own.
                values.add(name.equals("c_time") ? columns.get(n - 1).text() : value instanceof Clob || value instanceof Blob ? r.getString(n) : value);
            }
            check("rowversion", r.getBytes(columns.size() + 1).length, 8);
            check("a second row", r.next(), true);
            for (int n = 1; n <= columns.size(); n++) check("NULL " + columns.get(n - 1).name(), r.getObject(n), null);
        }
        try (PreparedStatement p = c.prepareStatement("INSERT INTO t (id, " + names() + ") VALUES (3" + ", ?".repeat(columns.size()) + ")")) {
            for (int n = 1; n <= columns.size(); n++) {
                Object value = values.get(n - 1);
                if (columns.get(n - 1).name().equals("c_image")) p.setBytes(n, new byte[] {10, 11});
                else if (columns.get(n - 1).name().equals("c_varbinarymax")) p.setBytes(n, "z".repeat(9000).getBytes());
                else p.setObject(n, value);
            }
            check("inserted", p.executeUpdate(), 1);
        }
        for (Column column : columns) {
            for (int id : new int[] {1, 3}) {
                check(id + " " + column.name() + " as text", one(c, "SELECT CAST(" + column.shownAsText() + " AS nvarchar(100)) FROM t WHERE id = " + id), column.text());
            }
        }
        if (jtds) return;
        // Rows of every type, from a result set into a table.
        String without = names().replace(", c_variant", "");
        try (Statement s = c.createStatement(); ResultSet r = s.executeQuery("SELECT id, " + without + " FROM t"); SQLServerBulkCopy bulk = new SQLServerBulkCopy(second)) {
            bulk.setDestinationTableName("every");
            for (String name : ("id, " + without).split(", ")) bulk.addColumnMapping(name, name);
            bulk.writeToServer(r);
        }
        run(c, "UPDATE every SET c_variant = CAST(42 AS int)");
        for (Column column : columns) {
            check(column.name() + " in bulk", one(c, "SELECT CAST(" + column.shownAsText() + " AS nvarchar(100)) FROM every WHERE id = 3"), column.text());
        }
        check("NULL in bulk", one(c, "SELECT c_varbinarymax FROM every WHERE id = 2"), null);
    }

    static void cursors(Connection c, String url) throws SQLException {
        try (Statement s = c.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_READ_ONLY); ResultSet r = s.executeQuery("SELECT a FROM b ORDER BY a")) {
            check("last", r.last() ? r.getInt(1) : null, 2499);
            check("first", r.first() ? r.getInt(1) : null, 0);
            check("absolute", r.absolute(1200) ? r.getInt(1) : null, 1199);
            check("relative", r.relative(-100) ? r.getInt(1) : null, 1099);
            check("previous", r.previous() ? r.getInt(1) : null, 1098);
        }
        // Forward only, on the server, in pieces.
        try (Connection d = DriverManager.getConnection(url + (jtds ? ";useCursors=true" : ";selectMethod=cursor"), "sa", PASSWORD);
            PreparedStatement p = d.prepareStatement("SELECT a, b FROM b WHERE a >= ? ORDER BY a")) {
            p.setFetchSize(100);
            p.setInt(1, 1000);
            int seen = 0;
            try (ResultSet r = p.executeQuery()) {
                while (r.next()) check("in order", r.getInt(1), 1000 + seen++);
            }
            check("rows of a cursor", seen, 1500);
        }
    }

    static void cancelled(Connection c) throws Exception {
        for (boolean byTimeout : new boolean[] {true, false}) {
            try (Statement s = c.createStatement()) {
                Thread canceller = new Thread(() -> {
                    try {
                        Thread.sleep(300);
                        s.cancel();
                    } catch (Exception e) {
                        throw new AssertionError(e);
                    }
                });
                if (byTimeout) s.setQueryTimeout(1);
                else canceller.start();
                long began = System.currentTimeMillis();
                try {
                    s.execute("WAITFOR DELAY '00:00:30'");
                    throw new AssertionError("the slow query was not cancelled");
                } catch (SQLException e) {
                    check("in time", System.currentTimeMillis() - began < 10000, true);
                }
                canceller.join();
            }
            check("alive", one(c, "SELECT 1"), 1);
        }
    }

    static void metadata(Connection c) throws SQLException {
        DatabaseMetaData m = c.getMetaData();
        int seen = 0;
        try (ResultSet r = m.getColumns(null, "dbo", "t", "%")) {
            while (r.next()) seen++;
        }
        check("columns", seen, columns.size() + 2);
        try (ResultSet r = m.getPrimaryKeys(null, "dbo", "t")) {
            check("primary key", r.next() ? r.getString("COLUMN_NAME") : null, "id");
        }
        try (ResultSet r = m.getTables(null, "dbo", "t", new String[] {"TABLE"})) {
            check("table", r.next() ? r.getString("TABLE_NAME") : null, "t");
        }
        try (PreparedStatement p = c.prepareStatement("SELECT id, c_decimal, c_nvarchar FROM t WHERE id = ?")) {
            ResultSetMetaData d = p.getMetaData();
            check("described", d.getPrecision(2) + " " + d.getScale(2) + " " + d.getColumnDisplaySize(3), "38 10 20");
        }
    }

    public static void main(String[] args) throws Exception {
        jtds = args[0].equals("jtds");
        for (String line : Files.readAllLines(HERE.resolve("types.tsv"))) {
            String[] f = line.split("\t");
            columns.add(new Column(f[0], f[1], f[2], f[3], f[4]));
        }
        String port = System.getenv("LAB_PORT"), certificate = System.getenv("LAB_DATA") + "/tls-cert.pem";
        String base = jtds ? "jdbc:jtds:sqlserver://127.0.0.1:" + port + "/clients" : "jdbc:sqlserver://127.0.0.1:" + port + ";databaseName=clients";
        Class.forName(jtds ? "net.sourceforge.jtds.jdbc.Driver" : "com.microsoft.sqlserver.jdbc.SQLServerDriver");
        String encrypted = base + (jtds ? ";ssl=require" : ";encrypt=true;trustServerCertificate=true");
        List<String> urls = new ArrayList<>(List.of(base + (jtds ? "" : ";encrypt=false"), encrypted));
        boolean strict = !jtds && DriverManager.getDriver(base).getMajorVersion() >= 12;
        if (strict) urls.add(base + ";encrypt=strict;serverCertificate=" + certificate);
        for (String url : urls) {
            try (Connection c = DriverManager.getConnection(url, "sa", PASSWORD)) {
                check("encrypted", one(c, "SELECT CAST(encrypt_option AS varchar(10)) FROM sys.dm_exec_connections WHERE session_id = @@SPID"), url == urls.get(0) ? "FALSE" : "TRUE");
            }
        }
        String url = urls.get(urls.size() - 1);
        try (Connection c = DriverManager.getConnection(url, "sa", PASSWORD); Connection second = DriverManager.getConnection(url, "sa", PASSWORD)) {
            types(c, second);
            run(c, Files.readString(HERE.resolve("procedure.sql")));
            try (CallableStatement p = c.prepareCall("{? = call double_it(?, ?, ?)}")) {
                p.registerOutParameter(1, Types.INTEGER);
                p.setInt(2, 21);
                p.registerOutParameter(3, Types.INTEGER);
                p.registerOutParameter(4, Types.VARCHAR);
                p.execute();
                check("status", p.getInt(1), 7);
                check("@b", p.getInt(3), 42);
                check("@c", p.getString(4), "got 21");
            }
            c.setAutoCommit(false);
            Savepoint here = c.setSavepoint("here");
            run(c, "DELETE FROM t");
            check("rows before rollback", one(c, "SELECT COUNT(*) FROM t"), 0);
            c.rollback(here);
            check("rows after rollback to a savepoint", one(c, "SELECT COUNT(*) FROM t"), 3);
            run(c, "DELETE FROM t");
            c.rollback();
            check("rows after rollback", one(c, "SELECT COUNT(*) FROM t"), 3);
            c.setAutoCommit(true);
            run(c, "CREATE TABLE b (a int, b nvarchar(20))");
            try (PreparedStatement p = c.prepareStatement("INSERT INTO b VALUES (?, ?)")) {
                for (int n = 0; n < 2500; n++) {
                    p.setInt(1, n);
                    p.setString(2, "row " + n);
                    p.addBatch();
                }
                check("batch", p.executeBatch().length, 2500);
            }
            check("sum", one(c, "SELECT SUM(a) FROM b"), 3123750);
            cursors(c, url);
            metadata(c);
            cancelled(c);
            try {
                run(c, "SELECT * FROM nothing_here");
                throw new AssertionError("a table that is not there");
            } catch (SQLException e) {
                check("208", e.getErrorCode(), 208);
            }
        }
        System.out.println(args[0] + ": ok");
    }
}
