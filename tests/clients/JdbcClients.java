// mssql-jdbc and jTDS against an instance: `java -cp DRIVER.jar JdbcClients.java mssql|jtds`.
import java.math.BigDecimal;
import java.sql.*;
import java.util.Objects;

public class JdbcClients {
    static void check(String what, Object got, Object wanted) {
        if (!Objects.equals(got, wanted)) throw new AssertionError(what + ": got " + got + ", wanted " + wanted);
    }

    static Object one(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement(); ResultSet r = s.executeQuery(sql)) {
            r.next();
            return r.getObject(1);
        }
    }

    public static void main(String[] args) throws Exception {
        String which = args[0], port = System.getenv("LAB_PORT"), password = System.getenv("LAB_PASSWORD");
        boolean jtds = which.equals("jtds");
        String[] urls = jtds
            ? new String[] {"jdbc:jtds:sqlserver://127.0.0.1:" + port + "/clients", "jdbc:jtds:sqlserver://127.0.0.1:" + port + "/clients;ssl=require"}
            : new String[] {"jdbc:sqlserver://127.0.0.1:" + port + ";databaseName=clients", "jdbc:sqlserver://127.0.0.1:" + port + ";databaseName=clients;encrypt=true;trustServerCertificate=true"};
        Class.forName(jtds ? "net.sourceforge.jtds.jdbc.Driver" : "com.microsoft.sqlserver.jdbc.SQLServerDriver");
        for (String url : urls) {
            try (Connection c = DriverManager.getConnection(url, "sa", password)) {
                boolean encrypted = url.contains("ssl=") || url.contains("encrypt=");
                check("encrypted", one(c, "SELECT CAST(encrypt_option AS varchar(10)) FROM sys.dm_exec_connections WHERE session_id = @@SPID"), encrypted ? "TRUE" : "FALSE");
            }
        }
        try (Connection c = DriverManager.getConnection(urls[1], "sa", password)) {
            String t = "t_" + which;
            try (Statement s = c.createStatement()) {
                s.execute("CREATE TABLE " + t + " (a int, b nvarchar(20), c decimal(10,2), d datetime, e varbinary(10), f bit, g nvarchar(max), h bigint, i float, k money, l date, m varchar(30) NULL)");
            }
            Timestamp when = Timestamp.valueOf("2024-02-29 01:02:03.003");
            try (PreparedStatement p = c.prepareStatement("INSERT INTO " + t + " VALUES (?,?,?,?,?,?,?,?,?,?,?,?)")) {
                for (int n = 0; n < 3; n++) {
                    p.setInt(1, n);
                    p.setString(2, "日本");
                    p.setBigDecimal(3, new BigDecimal("12.34"));
                    p.setTimestamp(4, when);
                    p.setBytes(5, new byte[] {1, 2});
                    p.setBoolean(6, true);
                    p.setString(7, "x".repeat(9000));
                    p.setLong(8, Long.MIN_VALUE);
                    p.setDouble(9, 0.1);
                    p.setBigDecimal(10, new BigDecimal("1.5000"));
                    p.setString(11, "2024-02-29");
                    p.setNull(12, Types.VARCHAR);
                    check("inserted", p.executeUpdate(), 1);
                }
            }
            try (Statement s = c.createStatement(); ResultSet r = s.executeQuery("SELECT * FROM " + t + " WHERE a = 1")) {
                check("a row", r.next(), true);
                check("b", r.getString(2), "日本");
                check("c", r.getBigDecimal(3), new BigDecimal("12.34"));
                check("d", r.getTimestamp(4), when);
                check("e", r.getBytes(5)[1], (byte) 2);
                check("f", r.getBoolean(6), true);
                check("g", r.getString(7).length(), 9000);
                check("h", r.getLong(8), Long.MIN_VALUE);
                check("i", r.getDouble(9), 0.1);
                check("k", r.getBigDecimal(10).compareTo(new BigDecimal("1.5")), 0);
                check("l", r.getString(11), "2024-02-29");
                check("m", r.getString(12), null);
            }
            try (Statement s = c.createStatement()) {
                s.execute("CREATE PROCEDURE p_" + which + " @a int, @b int OUTPUT, @c nvarchar(50) OUTPUT AS BEGIN SET @b = @a * 2 SET @c = N'got ' + CAST(@a AS nvarchar(10)) RETURN 7 END");
            }
            try (CallableStatement p = c.prepareCall("{? = call p_" + which + "(?, ?, ?)}")) {
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
            try (Statement s = c.createStatement()) {
                s.executeUpdate("DELETE FROM " + t);
            }
            c.rollback();
            check("rows after rollback", one(c, "SELECT COUNT(*) FROM " + t), 3);
            c.setAutoCommit(true);
            // A server cursor: forward-only rows in pieces, and a scrollable one.
            try (Statement s = c.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_READ_ONLY); ResultSet r = s.executeQuery("SELECT a FROM " + t + " ORDER BY a")) {
                check("last", r.last(), true);
                check("last row", r.getInt(1), 2);
                check("first", r.first(), true);
                check("first row", r.getInt(1), 0);
            }
            try (PreparedStatement p = c.prepareStatement("INSERT INTO " + t + " (a, b) VALUES (?, ?)")) {
                for (int n = 100; n < 600; n++) {
                    p.setInt(1, n);
                    p.setString(2, "row " + n);
                    p.addBatch();
                }
                check("batch", p.executeBatch().length, 500);
            }
            check("sum", one(c, "SELECT SUM(a) FROM " + t + " WHERE a >= 100"), 174750);
            DatabaseMetaData m = c.getMetaData();
            int columns = 0;
            try (ResultSet r = m.getColumns(null, "dbo", t, "%")) {
                while (r.next()) columns++;
            }
            check("columns", columns, 12);
            try (Statement s = c.createStatement()) {
                s.setQueryTimeout(1);
                long began = System.currentTimeMillis();
                try {
                    s.execute("WAITFOR DELAY '00:00:30'");
                    throw new AssertionError("the slow query was not cancelled");
                } catch (SQLException e) {
                    check("in time", System.currentTimeMillis() - began < 10000, true);
                }
            }
            check("alive", one(c, "SELECT 1"), 1);
            try (Statement s = c.createStatement()) {
                s.execute("SELECT * FROM nothing_here");
                throw new AssertionError("a table that is not there");
            } catch (SQLException e) {
                check("208", e.getErrorCode(), 208);
            }
        }
        System.out.println(which + ": ok");
    }
}
