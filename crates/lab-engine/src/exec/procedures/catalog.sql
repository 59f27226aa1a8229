-- The catalog procedures, in T-SQL over the catalog views. They run in the caller's current database.
CREATE PROCEDURE sys.sp_databases AS
SELECT d.name AS DATABASE_NAME, CAST((SELECT SUM(CAST(f.size AS bigint)) * 8 FROM sys.master_files AS f WHERE f.database_id = d.database_id) AS int) AS DATABASE_SIZE, CAST(NULL AS varchar(254)) AS REMARKS
FROM sys.databases AS d WHERE d.state = 0 AND HAS_DBACCESS(d.name) = 1 ORDER BY d.name
GO
CREATE PROCEDURE sys.sp_tables @table_name nvarchar(384) = NULL, @table_owner nvarchar(384) = NULL, @table_qualifier sysname = NULL,
    @table_type varchar(100) = NULL, @fUsePattern bit = 1 AS
SELECT DB_NAME() AS TABLE_QUALIFIER, s.name AS TABLE_OWNER, o.name AS TABLE_NAME,
    CAST(CASE o.type WHEN 'V' THEN 'VIEW' ELSE 'TABLE' END AS varchar(32)) AS TABLE_TYPE, CAST(NULL AS varchar(254)) AS REMARKS
FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id
WHERE o.type IN ('U', 'V')
    AND (@table_name IS NULL OR (@fUsePattern = 1 AND o.name LIKE @table_name) OR o.name = @table_name)
    AND (@table_owner IS NULL OR (@fUsePattern = 1 AND s.name LIKE @table_owner) OR s.name = @table_owner)
    AND (@table_type IS NULL OR (o.type = 'U' AND @table_type LIKE '%''TABLE''%') OR (o.type = 'V' AND @table_type LIKE '%''VIEW''%'))
ORDER BY TABLE_TYPE, TABLE_QUALIFIER, TABLE_OWNER, TABLE_NAME
GO
CREATE PROCEDURE sys.sp_columns @table_name nvarchar(384), @table_owner nvarchar(384) = NULL, @table_qualifier sysname = NULL,
    @column_name nvarchar(384) = NULL, @ODBCVer int = 2, @fUsePattern bit = 1 AS
SELECT DB_NAME() AS TABLE_QUALIFIER, s.name AS TABLE_OWNER, o.name AS TABLE_NAME, c.name AS COLUMN_NAME,
    CAST(CASE t.name WHEN 'bit' THEN -7 WHEN 'tinyint' THEN -6 WHEN 'smallint' THEN 5 WHEN 'int' THEN 4 WHEN 'bigint' THEN -5
        WHEN 'decimal' THEN 3 WHEN 'numeric' THEN 2 WHEN 'money' THEN 3 WHEN 'smallmoney' THEN 3 WHEN 'real' THEN 7 WHEN 'float' THEN 6
        WHEN 'date' THEN CASE @ODBCVer WHEN 3 THEN 91 ELSE -9 END WHEN 'time' THEN CASE @ODBCVer WHEN 3 THEN -154 ELSE -9 END
        WHEN 'datetime' THEN CASE @ODBCVer WHEN 3 THEN 93 ELSE 11 END WHEN 'smalldatetime' THEN CASE @ODBCVer WHEN 3 THEN 93 ELSE 11 END
        WHEN 'datetime2' THEN CASE @ODBCVer WHEN 3 THEN 93 ELSE -9 END WHEN 'datetimeoffset' THEN CASE @ODBCVer WHEN 3 THEN -155 ELSE -9 END
        WHEN 'char' THEN 1 WHEN 'varchar' THEN 12 WHEN 'text' THEN -1 WHEN 'nchar' THEN -8 WHEN 'nvarchar' THEN -9 WHEN 'sysname' THEN -9
        WHEN 'ntext' THEN -10 WHEN 'xml' THEN -152 WHEN 'binary' THEN -2 WHEN 'varbinary' THEN -3 WHEN 'image' THEN -4 WHEN 'timestamp' THEN -2
        WHEN 'uniqueidentifier' THEN -11 ELSE -150 END AS smallint) AS DATA_TYPE,
    CAST(CASE WHEN c.is_identity = 1 THEN t.name + ' identity' ELSE t.name END AS sysname) AS TYPE_NAME,
    CAST(CASE WHEN t.name IN ('nchar', 'nvarchar') AND c.max_length > 0 THEN c.max_length / 2
        WHEN t.name = 'ntext' THEN 1073741823 WHEN t.name IN ('text', 'image') THEN 2147483647
        WHEN c.max_length = -1 THEN 0 WHEN c.precision > 0 THEN c.precision ELSE c.max_length END AS int) AS [PRECISION],
    CAST(CASE WHEN t.name IN ('decimal', 'numeric') THEN c.precision + 2 WHEN t.name IN ('money') THEN 21 WHEN t.name = 'smallmoney' THEN 12
        WHEN t.name IN ('text', 'image') THEN 2147483647 WHEN t.name = 'ntext' THEN 2147483646
        WHEN t.name IN ('datetime', 'smalldatetime', 'datetime2') THEN 16 WHEN c.max_length = -1 THEN 0 ELSE c.max_length END AS int) AS LENGTH,
    CAST(CASE WHEN t.name IN ('decimal', 'numeric', 'money', 'smallmoney', 'time', 'datetime2', 'datetimeoffset', 'datetime') THEN c.scale
        WHEN t.name IN ('bit', 'tinyint', 'smallint', 'int', 'bigint', 'smalldatetime') THEN 0 END AS smallint) AS SCALE,
    CAST(CASE WHEN t.name IN ('bit', 'tinyint', 'smallint', 'int', 'bigint', 'decimal', 'numeric', 'money', 'smallmoney') THEN 10
        WHEN t.name IN ('real', 'float') THEN 2 END AS smallint) AS RADIX,
    CAST(c.is_nullable AS smallint) AS NULLABLE, CAST(NULL AS varchar(254)) AS REMARKS,
    d.definition AS COLUMN_DEF,
    CAST(CASE t.name WHEN 'date' THEN CASE @ODBCVer WHEN 3 THEN 9 ELSE -9 END WHEN 'datetime' THEN 9 WHEN 'smalldatetime' THEN 9 WHEN 'datetime2' THEN 9
        WHEN 'nvarchar' THEN -9 WHEN 'sysname' THEN -9 WHEN 'varchar' THEN 12 WHEN 'char' THEN 1 WHEN 'nchar' THEN -8 WHEN 'bit' THEN -7
        WHEN 'tinyint' THEN -6 WHEN 'smallint' THEN 5 WHEN 'int' THEN 4 WHEN 'bigint' THEN -5 WHEN 'real' THEN 7 WHEN 'float' THEN 6
        WHEN 'decimal' THEN 3 WHEN 'numeric' THEN 2 WHEN 'money' THEN 3 WHEN 'smallmoney' THEN 3 WHEN 'varbinary' THEN -3 WHEN 'binary' THEN -2
        WHEN 'text' THEN -1 WHEN 'ntext' THEN -10 WHEN 'image' THEN -4 WHEN 'timestamp' THEN -2 WHEN 'uniqueidentifier' THEN -11 ELSE -150 END AS smallint) AS SQL_DATA_TYPE,
    CAST(CASE WHEN t.name IN ('datetime', 'smalldatetime', 'datetime2') THEN 3 WHEN t.name = 'date' THEN 1 END AS smallint) AS SQL_DATETIME_SUB,
    CAST(CASE WHEN t.name IN ('char', 'varchar', 'nchar', 'nvarchar', 'sysname', 'binary', 'varbinary', 'text', 'ntext', 'image') THEN
        CASE WHEN t.name = 'ntext' THEN 2147483646 WHEN t.name IN ('text', 'image') THEN 2147483647 WHEN c.max_length = -1 THEN 0 ELSE c.max_length END END AS int) AS CHAR_OCTET_LENGTH,
    CAST(ROW_NUMBER() OVER (PARTITION BY c.object_id ORDER BY c.column_id) AS int) AS ORDINAL_POSITION,
    CAST(CASE c.is_nullable WHEN 1 THEN 'YES' ELSE 'NO' END AS varchar(254)) AS IS_NULLABLE,
    CAST(CASE t.name WHEN 'bit' THEN 50 WHEN 'tinyint' THEN CASE c.is_nullable WHEN 1 THEN 38 ELSE 48 END WHEN 'smallint' THEN CASE c.is_nullable WHEN 1 THEN 38 ELSE 52 END
        WHEN 'int' THEN CASE c.is_nullable WHEN 1 THEN 38 ELSE 56 END WHEN 'bigint' THEN CASE c.is_nullable WHEN 1 THEN 108 ELSE 63 END
        WHEN 'decimal' THEN 106 WHEN 'numeric' THEN 108 WHEN 'money' THEN 60 WHEN 'smallmoney' THEN 122 WHEN 'real' THEN 59 WHEN 'float' THEN 62
        WHEN 'datetime' THEN 61 WHEN 'smalldatetime' THEN 58 WHEN 'char' THEN 47 WHEN 'varchar' THEN 39 WHEN 'text' THEN 35 WHEN 'binary' THEN 45
        WHEN 'varbinary' THEN 37 WHEN 'image' THEN 34 WHEN 'timestamp' THEN 45 WHEN 'uniqueidentifier' THEN 37 ELSE 39 END AS tinyint) AS SS_DATA_TYPE
FROM sys.columns AS c JOIN sys.objects AS o ON o.object_id = c.object_id JOIN sys.schemas AS s ON s.schema_id = o.schema_id
    JOIN sys.types AS t ON t.user_type_id = c.user_type_id
    LEFT JOIN sys.default_constraints AS d ON d.parent_object_id = c.object_id AND d.parent_column_id = c.column_id
WHERE ((@fUsePattern = 1 AND o.name LIKE @table_name) OR o.name = @table_name)
    AND (@table_owner IS NULL OR (@fUsePattern = 1 AND s.name LIKE @table_owner) OR s.name = @table_owner)
    AND (@column_name IS NULL OR (@fUsePattern = 1 AND c.name LIKE @column_name) OR c.name = @column_name)
ORDER BY TABLE_QUALIFIER, TABLE_OWNER, TABLE_NAME, ORDINAL_POSITION
GO
CREATE PROCEDURE sys.sp_columns_100 @table_name nvarchar(384), @table_owner nvarchar(384) = NULL, @table_qualifier sysname = NULL,
    @column_name nvarchar(384) = NULL, @NameScope int = 0, @ODBCVer int = 2, @fUsePattern bit = 1 AS
DECLARE @c TABLE (TABLE_QUALIFIER sysname NULL, TABLE_OWNER sysname NULL, TABLE_NAME sysname, COLUMN_NAME sysname, DATA_TYPE smallint NOT NULL,
    TYPE_NAME sysname NULL, [PRECISION] int NULL, LENGTH int NULL, SCALE smallint NULL, RADIX smallint NULL, NULLABLE smallint NOT NULL,
    REMARKS varchar(254) NULL, COLUMN_DEF nvarchar(4000) NULL, SQL_DATA_TYPE smallint NOT NULL, SQL_DATETIME_SUB smallint NULL,
    CHAR_OCTET_LENGTH int NULL, ORDINAL_POSITION int NOT NULL, IS_NULLABLE varchar(254) NULL, SS_DATA_TYPE tinyint NULL)
INSERT INTO @c EXEC sys.sp_columns @table_name, @table_owner, @table_qualifier, @column_name, @ODBCVer, @fUsePattern
SELECT c.TABLE_QUALIFIER, c.TABLE_OWNER, c.TABLE_NAME, c.COLUMN_NAME, c.DATA_TYPE, c.TYPE_NAME, c.[PRECISION], c.LENGTH, c.SCALE, c.RADIX, c.NULLABLE,
    c.REMARKS, c.COLUMN_DEF, c.SQL_DATA_TYPE, c.SQL_DATETIME_SUB, c.CHAR_OCTET_LENGTH, c.ORDINAL_POSITION, c.IS_NULLABLE,
    CAST(0 AS smallint) AS SS_IS_SPARSE, CAST(0 AS smallint) AS SS_IS_COLUMN_SET, CAST(s.is_computed AS smallint) AS SS_IS_COMPUTED,
    CAST(s.is_identity AS smallint) AS SS_IS_IDENTITY, CAST(NULL AS sysname) AS SS_UDT_CATALOG_NAME, CAST(NULL AS sysname) AS SS_UDT_SCHEMA_NAME,
    CAST(NULL AS nvarchar(max)) AS SS_UDT_ASSEMBLY_TYPE_NAME, CAST(NULL AS sysname) AS SS_XML_SCHEMACOLLECTION_CATALOG_NAME,
    CAST(NULL AS sysname) AS SS_XML_SCHEMACOLLECTION_SCHEMA_NAME, CAST(NULL AS sysname) AS SS_XML_SCHEMACOLLECTION_NAME, c.SS_DATA_TYPE
FROM @c AS c LEFT JOIN sys.columns AS s ON s.object_id = OBJECT_ID(QUOTENAME(c.TABLE_OWNER) + '.' + QUOTENAME(c.TABLE_NAME)) AND s.name = c.COLUMN_NAME
ORDER BY c.TABLE_QUALIFIER, c.TABLE_OWNER, c.TABLE_NAME, c.ORDINAL_POSITION
GO
CREATE PROCEDURE sys.sp_pkeys @table_name sysname, @table_owner sysname = NULL, @table_qualifier sysname = NULL AS
SELECT DB_NAME() AS TABLE_QUALIFIER, s.name AS TABLE_OWNER, o.name AS TABLE_NAME, c.name AS COLUMN_NAME,
    CAST(ic.key_ordinal AS smallint) AS KEY_SEQ, k.name AS PK_NAME
FROM sys.key_constraints AS k JOIN sys.objects AS o ON o.object_id = k.parent_object_id JOIN sys.schemas AS s ON s.schema_id = o.schema_id
    JOIN sys.index_columns AS ic ON ic.object_id = o.object_id AND ic.index_id = k.unique_index_id AND ic.key_ordinal > 0
    JOIN sys.columns AS c ON c.object_id = o.object_id AND c.column_id = ic.column_id
WHERE k.type = 'PK' AND o.name = @table_name AND (@table_owner IS NULL OR s.name = @table_owner)
ORDER BY TABLE_QUALIFIER, TABLE_OWNER, TABLE_NAME, KEY_SEQ
GO
CREATE PROCEDURE sys.sp_fkeys @pktable_name sysname = NULL, @pktable_owner sysname = NULL, @pktable_qualifier sysname = NULL,
    @fktable_name sysname = NULL, @fktable_owner sysname = NULL, @fktable_qualifier sysname = NULL AS
SELECT DB_NAME() AS PKTABLE_QUALIFIER, ps.name AS PKTABLE_OWNER, p.name AS PKTABLE_NAME, pc.name AS PKCOLUMN_NAME,
    DB_NAME() AS FKTABLE_QUALIFIER, cs.name AS FKTABLE_OWNER, c.name AS FKTABLE_NAME, cc.name AS FKCOLUMN_NAME,
    CAST(fc.constraint_column_id AS smallint) AS KEY_SEQ,
    CAST(CASE f.update_referential_action WHEN 0 THEN 1 WHEN 1 THEN 0 ELSE f.update_referential_action END AS smallint) AS UPDATE_RULE,
    CAST(CASE f.delete_referential_action WHEN 0 THEN 1 WHEN 1 THEN 0 ELSE f.delete_referential_action END AS smallint) AS DELETE_RULE,
    f.name AS FK_NAME, i.name AS PK_NAME, CAST(7 AS smallint) AS DEFERRABILITY
FROM sys.foreign_keys AS f JOIN sys.foreign_key_columns AS fc ON fc.constraint_object_id = f.object_id
    JOIN sys.objects AS p ON p.object_id = f.referenced_object_id JOIN sys.schemas AS ps ON ps.schema_id = p.schema_id
    JOIN sys.objects AS c ON c.object_id = f.parent_object_id JOIN sys.schemas AS cs ON cs.schema_id = c.schema_id
    JOIN sys.columns AS pc ON pc.object_id = p.object_id AND pc.column_id = fc.referenced_column_id
    JOIN sys.columns AS cc ON cc.object_id = c.object_id AND cc.column_id = fc.parent_column_id
    LEFT JOIN sys.indexes AS i ON i.object_id = p.object_id AND i.index_id = f.key_index_id
WHERE (@pktable_name IS NULL OR p.name = @pktable_name) AND (@pktable_owner IS NULL OR ps.name = @pktable_owner)
    AND (@fktable_name IS NULL OR c.name = @fktable_name) AND (@fktable_owner IS NULL OR cs.name = @fktable_owner)
ORDER BY FKTABLE_QUALIFIER, FKTABLE_OWNER, FKTABLE_NAME, FK_NAME, KEY_SEQ
GO
CREATE PROCEDURE sys.sp_statistics @table_name sysname, @table_owner sysname = NULL, @table_qualifier sysname = NULL,
    @index_name sysname = '%', @is_unique char(1) = 'N', @accuracy char(1) = 'Q' AS
SELECT DB_NAME() AS TABLE_QUALIFIER, s.name AS TABLE_OWNER, o.name AS TABLE_NAME, CAST(1 - i.is_unique AS smallint) AS NON_UNIQUE,
    o.name AS INDEX_QUALIFIER, i.name AS INDEX_NAME, CAST(CASE i.type WHEN 1 THEN 1 ELSE 3 END AS smallint) AS TYPE,
    CAST(ic.key_ordinal AS smallint) AS SEQ_IN_INDEX, c.name AS COLUMN_NAME,
    CAST(CASE ic.is_descending_key WHEN 1 THEN 'D' ELSE 'A' END AS char(1)) AS COLLATION, CAST(NULL AS int) AS CARDINALITY, CAST(NULL AS int) AS PAGES,
    CAST(NULL AS varchar(128)) AS FILTER_CONDITION
FROM sys.indexes AS i JOIN sys.objects AS o ON o.object_id = i.object_id JOIN sys.schemas AS s ON s.schema_id = o.schema_id
    JOIN sys.index_columns AS ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id AND ic.key_ordinal > 0
    JOIN sys.columns AS c ON c.object_id = i.object_id AND c.column_id = ic.column_id
WHERE o.name = @table_name AND (@table_owner IS NULL OR s.name = @table_owner) AND i.index_id > 0
    AND (@is_unique <> 'Y' OR i.is_unique = 1) AND (@index_name IS NULL OR i.name LIKE @index_name)
ORDER BY NON_UNIQUE, TYPE, INDEX_NAME, SEQ_IN_INDEX
GO
CREATE PROCEDURE sys.sp_special_columns @table_name sysname, @table_owner sysname = NULL, @table_qualifier sysname = NULL,
    @col_type char(1) = 'R', @scope char(1) = 'T', @nullable char(1) = 'U', @ODBCVer int = 2 AS
SELECT CAST(CASE @col_type WHEN 'R' THEN 0 END AS smallint) AS SCOPE, c.name AS COLUMN_NAME, CAST(4 AS smallint) AS DATA_TYPE, t.name AS TYPE_NAME,
    CAST(c.precision AS int) AS [PRECISION], CAST(c.max_length AS int) AS LENGTH, CAST(c.scale AS smallint) AS SCALE, CAST(1 AS smallint) AS PSEUDO_COLUMN
FROM sys.columns AS c JOIN sys.objects AS o ON o.object_id = c.object_id JOIN sys.schemas AS s ON s.schema_id = o.schema_id
    JOIN sys.types AS t ON t.user_type_id = c.user_type_id
WHERE o.name = @table_name AND (@table_owner IS NULL OR s.name = @table_owner)
    AND ((@col_type = 'V' AND t.name = 'timestamp') OR (@col_type = 'R' AND EXISTS (
        SELECT 1 FROM sys.key_constraints AS k JOIN sys.index_columns AS ic ON ic.object_id = k.parent_object_id AND ic.index_id = k.unique_index_id
        WHERE k.type = 'PK' AND k.parent_object_id = o.object_id AND ic.column_id = c.column_id)))
ORDER BY c.column_id
GO
CREATE PROCEDURE sys.sp_stored_procedures @sp_name nvarchar(390) = NULL, @sp_owner nvarchar(384) = NULL, @sp_qualifier sysname = NULL, @fUsePattern bit = 1 AS
SELECT DB_NAME() AS PROCEDURE_QUALIFIER, s.name AS PROCEDURE_OWNER, o.name + CASE o.type WHEN 'P' THEN N';1' ELSE N';0' END AS PROCEDURE_NAME,
    CAST(-1 AS int) AS NUM_INPUT_PARAMS, CAST(-1 AS int) AS NUM_OUTPUT_PARAMS, CAST(-1 AS int) AS NUM_RESULT_SETS,
    CAST(NULL AS varchar(254)) AS REMARKS, CAST(2 AS smallint) AS PROCEDURE_TYPE
FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id
WHERE o.type IN ('P', 'FN', 'IF') AND (@sp_name IS NULL OR (@fUsePattern = 1 AND o.name LIKE @sp_name) OR o.name = @sp_name)
    AND (@sp_owner IS NULL OR (@fUsePattern = 1 AND s.name LIKE @sp_owner) OR s.name = @sp_owner)
ORDER BY PROCEDURE_QUALIFIER, PROCEDURE_OWNER, PROCEDURE_NAME
GO
CREATE PROCEDURE sys.sp_sproc_columns @procedure_name nvarchar(390) = '%', @procedure_owner nvarchar(384) = NULL, @procedure_qualifier sysname = NULL,
    @column_name nvarchar(384) = NULL, @ODBCVer int = 2, @fUsePattern bit = 1 AS
SELECT DB_NAME() AS PROCEDURE_QUALIFIER, s.name AS PROCEDURE_OWNER, o.name + N';1' AS PROCEDURE_NAME, p.name AS COLUMN_NAME,
    CAST(CASE WHEN p.parameter_id = 0 THEN 5 WHEN p.is_output = 1 THEN 2 ELSE 1 END AS smallint) AS COLUMN_TYPE,
    CAST(CASE t.name WHEN 'int' THEN 4 WHEN 'bigint' THEN -5 WHEN 'smallint' THEN 5 WHEN 'tinyint' THEN -6 WHEN 'bit' THEN -7 WHEN 'decimal' THEN 3
        WHEN 'numeric' THEN 2 WHEN 'float' THEN 6 WHEN 'real' THEN 7 WHEN 'money' THEN 3 WHEN 'datetime' THEN 93 WHEN 'date' THEN 91 WHEN 'datetime2' THEN 93
        WHEN 'char' THEN 1 WHEN 'varchar' THEN 12 WHEN 'nchar' THEN -8 WHEN 'varbinary' THEN -3 WHEN 'uniqueidentifier' THEN -11 ELSE -9 END AS smallint) AS DATA_TYPE,
    t.name AS TYPE_NAME, CAST(p.precision AS int) AS [PRECISION], CAST(p.max_length AS int) AS LENGTH, CAST(p.scale AS smallint) AS SCALE,
    CAST(10 AS smallint) AS RADIX, CAST(1 AS smallint) AS NULLABLE, CAST(NULL AS varchar(254)) AS REMARKS, CAST(NULL AS nvarchar(4000)) AS COLUMN_DEF,
    CAST(0 AS smallint) AS SQL_DATA_TYPE, CAST(NULL AS smallint) AS SQL_DATETIME_SUB, CAST(NULL AS int) AS CHAR_OCTET_LENGTH,
    CAST(p.parameter_id AS int) AS ORDINAL_POSITION, CAST('YES' AS varchar(254)) AS IS_NULLABLE, CAST(0 AS tinyint) AS SS_DATA_TYPE
FROM sys.parameters AS p JOIN sys.objects AS o ON o.object_id = p.object_id JOIN sys.schemas AS s ON s.schema_id = o.schema_id
    JOIN sys.types AS t ON t.user_type_id = p.user_type_id
WHERE p.parameter_id >= 0 AND ((@fUsePattern = 1 AND o.name LIKE @procedure_name) OR o.name = @procedure_name) AND (@procedure_owner IS NULL OR s.name LIKE @procedure_owner)
    AND (@column_name IS NULL OR p.name LIKE @column_name)
ORDER BY PROCEDURE_QUALIFIER, PROCEDURE_OWNER, PROCEDURE_NAME, ORDINAL_POSITION
GO
CREATE PROCEDURE sys.sp_datatype_info @data_type int = 0, @ODBCVer tinyint = 2 AS
SELECT t.name AS TYPE_NAME,
    CAST(CASE t.name WHEN 'bit' THEN -7 WHEN 'tinyint' THEN -6 WHEN 'smallint' THEN 5 WHEN 'int' THEN 4 WHEN 'bigint' THEN -5
        WHEN 'decimal' THEN 3 WHEN 'numeric' THEN 2 WHEN 'money' THEN 3 WHEN 'smallmoney' THEN 3 WHEN 'real' THEN 7 WHEN 'float' THEN 6
        WHEN 'date' THEN 91 WHEN 'time' THEN -154 WHEN 'datetime' THEN 93 WHEN 'smalldatetime' THEN 93 WHEN 'datetime2' THEN 93 WHEN 'datetimeoffset' THEN -155
        WHEN 'char' THEN 1 WHEN 'varchar' THEN 12 WHEN 'text' THEN -1 WHEN 'nchar' THEN -8 WHEN 'nvarchar' THEN -9 WHEN 'ntext' THEN -10
        WHEN 'xml' THEN -152 WHEN 'binary' THEN -2 WHEN 'varbinary' THEN -3 WHEN 'image' THEN -4 WHEN 'timestamp' THEN -2
        WHEN 'uniqueidentifier' THEN -11 ELSE -150 END AS smallint) AS DATA_TYPE,
    CAST(CASE WHEN t.precision > 0 THEN t.precision WHEN t.name IN ('nvarchar', 'nchar') THEN 4000 WHEN t.max_length > 0 THEN t.max_length ELSE 0 END AS int) AS [PRECISION],
    CAST(CASE WHEN t.name IN ('char', 'varchar', 'text', 'nchar', 'nvarchar', 'ntext', 'date', 'time', 'datetime', 'datetime2', 'smalldatetime', 'datetimeoffset', 'uniqueidentifier') THEN ''''
        WHEN t.name IN ('binary', 'varbinary', 'image', 'timestamp') THEN '0x' WHEN t.name IN ('money', 'smallmoney') THEN '$' END AS varchar(32)) AS LITERAL_PREFIX,
    CAST(CASE WHEN t.name IN ('char', 'varchar', 'text', 'nchar', 'nvarchar', 'ntext', 'date', 'time', 'datetime', 'datetime2', 'smalldatetime', 'datetimeoffset', 'uniqueidentifier') THEN '''' END AS varchar(32)) AS LITERAL_SUFFIX,
    CAST(CASE WHEN t.name IN ('decimal', 'numeric') THEN 'precision,scale' WHEN t.name IN ('char', 'binary', 'nchar') THEN 'length' WHEN t.name IN ('varchar', 'nvarchar', 'varbinary') THEN 'max length' WHEN t.name IN ('time', 'datetime2', 'datetimeoffset') THEN 'scale' END AS varchar(32)) AS CREATE_PARAMS,
    CAST(CASE t.name WHEN 'timestamp' THEN 0 ELSE 1 END AS smallint) AS NULLABLE, CAST(CASE WHEN t.name IN ('char', 'varchar', 'nchar', 'nvarchar', 'text', 'ntext') THEN 0 ELSE 0 END AS smallint) AS CASE_SENSITIVE,
    CAST(CASE WHEN t.name IN ('text', 'ntext') THEN 1 WHEN t.name IN ('image', 'xml') THEN 0 WHEN t.name IN ('char', 'varchar', 'nchar', 'nvarchar') THEN 3 ELSE 2 END AS smallint) AS SEARCHABLE,
    CAST(CASE WHEN t.name = 'tinyint' THEN 1 WHEN t.name IN ('smallint', 'int', 'bigint', 'decimal', 'numeric', 'money', 'smallmoney', 'real', 'float') THEN 0 END AS smallint) AS UNSIGNED_ATTRIBUTE,
    CAST(CASE WHEN t.name IN ('money', 'smallmoney') THEN 1 ELSE 0 END AS smallint) AS MONEY,
    CAST(CASE WHEN t.name IN ('tinyint', 'smallint', 'int', 'bigint', 'decimal', 'numeric', 'real', 'float', 'money', 'smallmoney') THEN 0 END AS smallint) AS AUTO_INCREMENT,
    t.name AS LOCAL_TYPE_NAME, CAST(CASE WHEN t.name IN ('money', 'smallmoney') THEN 4 WHEN t.precision > 0 THEN 0 END AS smallint) AS MINIMUM_SCALE,
    CAST(CASE WHEN t.name IN ('decimal', 'numeric') THEN 38 WHEN t.name IN ('time', 'datetime2', 'datetimeoffset') THEN 7 WHEN t.name IN ('money', 'smallmoney') THEN 4 WHEN t.precision > 0 THEN 0 END AS smallint) AS MAXIMUM_SCALE,
    CAST(0 AS smallint) AS SQL_DATA_TYPE, CAST(NULL AS smallint) AS SQL_DATETIME_SUB,
    CAST(CASE WHEN t.name IN ('real', 'float') THEN 2 WHEN t.precision > 0 THEN 10 END AS int) AS NUM_PREC_RADIX, CAST(NULL AS smallint) AS INTERVAL_PRECISION, CAST(t.user_type_id AS smallint) AS USERTYPE
FROM sys.types AS t
WHERE @data_type = 0 OR @data_type = CASE t.name WHEN 'bit' THEN -7 WHEN 'tinyint' THEN -6 WHEN 'smallint' THEN 5 WHEN 'int' THEN 4 WHEN 'bigint' THEN -5
    WHEN 'decimal' THEN 3 WHEN 'numeric' THEN 2 WHEN 'real' THEN 7 WHEN 'float' THEN 6 WHEN 'date' THEN 91 WHEN 'datetime' THEN 93 WHEN 'char' THEN 1
    WHEN 'varchar' THEN 12 WHEN 'nchar' THEN -8 WHEN 'nvarchar' THEN -9 WHEN 'binary' THEN -2 WHEN 'varbinary' THEN -3 WHEN 'uniqueidentifier' THEN -11 ELSE 0 END
ORDER BY DATA_TYPE, TYPE_NAME
GO
CREATE PROCEDURE sys.sp_server_info @attribute_id int = NULL AS
SELECT a.attribute_id, CAST(a.attribute_name AS varchar(60)) AS attribute_name, CAST(a.attribute_value AS varchar(255)) AS attribute_value
FROM (VALUES (1, 'DBMS_NAME', 'Microsoft SQL Server'), (2, 'DBMS_VER', @@VERSION), (10, 'OWNER_TERM', 'owner'), (11, 'TABLE_TERM', 'table'),
    (12, 'MAX_OWNER_NAME_LENGTH', '128'), (13, 'TABLE_LENGTH', '128'), (14, 'MAX_QUAL_LENGTH', '128'), (15, 'COLUMN_LENGTH', '128'),
    (16, 'IDENTIFIER_CASE', 'MIXED'), (17, 'TX_ISOLATION', '2'), (18, 'COLLATION_SEQ', 'charset=iso_1 sort_order=nocase_iso charset_num=1 sort_order_num=52'),
    (19, 'SAVEPOINT_SUPPORT', 'Y'), (20, 'MULTI_RESULT_SETS', 'Y'), (22, 'ACCESSIBLE_TABLES', 'Y'), (100, 'USERID_LENGTH', '128'),
    (101, 'QUALIFIER_TERM', 'database'), (102, 'NAMED_TRANSACTIONS', 'Y'), (103, 'SPROC_AS_LANGUAGE', 'Y'), (104, 'ACCESSIBLE_SPROC', 'Y'),
    (105, 'MAX_INDEX_COLS', '16'), (106, 'RENAME_TABLE', 'Y'), (107, 'RENAME_COLUMN', 'Y'), (108, 'DROP_COLUMN', 'Y'),
    (109, 'INCREASE_COLUMN_LENGTH', 'Y'), (110, 'DDL_IN_TRANSACTION', 'Y'), (111, 'DESCENDING_INDEXES', 'Y'), (112, 'SP_RENAME', 'Y'),
    (113, 'REMOTE_SPROC', 'Y'), (500, 'SYS_SPROC_VERSION', '16.00.4125')) AS a(attribute_id, attribute_name, attribute_value)
WHERE @attribute_id IS NULL OR a.attribute_id = @attribute_id
ORDER BY a.attribute_id
GO
CREATE PROCEDURE sys.sp_who @loginame sysname = NULL AS
SELECT CAST(s.session_id AS smallint) AS spid, CAST(0 AS smallint) AS ecid, CAST(s.status AS nchar(30)) AS status, s.login_name AS loginame,
    s.host_name AS hostname, CAST(0 AS char(5)) AS blk, DB_NAME(s.database_id) AS dbname, CAST(COALESCE(r.command, 'AWAITING COMMAND') AS nvarchar(26)) AS cmd,
    CAST(0 AS int) AS request_id
FROM sys.dm_exec_sessions AS s LEFT JOIN sys.dm_exec_requests AS r ON r.session_id = s.session_id
WHERE @loginame IS NULL OR s.login_name = @loginame OR (@loginame = 'active' AND s.status <> 'sleeping') OR CAST(s.session_id AS nvarchar(10)) = @loginame
ORDER BY s.session_id
GO
CREATE PROCEDURE sys.sp_helpdb @dbname sysname = NULL AS
IF @dbname IS NOT NULL AND DB_ID(@dbname) IS NULL
BEGIN
    EXEC sys.sp_raise_message 15010, 16, @dbname
    RETURN 1
END
SELECT d.name, CAST(CAST(CAST((SELECT SUM(CAST(f.size AS bigint)) * 8 FROM sys.master_files AS f WHERE f.database_id = d.database_id) / 1024.0 AS decimal(15, 2)) AS varchar(15)) + ' MB' AS nvarchar(18)) AS db_size, SUSER_SNAME(d.owner_sid) AS owner, CAST(d.database_id AS smallint) AS dbid,
    CAST(CONVERT(varchar(11), d.create_date, 100) AS nvarchar(11)) AS created,
    CAST('Status=' + d.state_desc + ', Updateability=' + CASE d.is_read_only WHEN 1 THEN 'READ_ONLY' ELSE 'READ_WRITE' END + ', UserAccess=' + d.user_access_desc + ', Recovery=' + d.recovery_model_desc + ', Version=' + CAST(DATABASEPROPERTYEX(d.name, 'Version') AS varchar(11)) + ', Collation=' + COALESCE(d.collation_name, '') AS nvarchar(600)) AS status,
    d.compatibility_level
FROM sys.databases AS d WHERE @dbname IS NULL OR d.name = @dbname ORDER BY d.name
IF @dbname IS NOT NULL
    SELECT f.name, CAST(f.file_id AS smallint) AS fileid, CAST(f.physical_name AS nchar(260)) AS filename, CAST(CASE f.type WHEN 0 THEN 'PRIMARY' END AS sysname) AS filegroup, CAST(CAST(CAST(f.size AS bigint) * 8 AS varchar(15)) + ' KB' AS nvarchar(18)) AS size,
        CAST('Unlimited' AS nvarchar(18)) AS maxsize, CAST(CAST(CAST(f.growth AS bigint) * 8 AS varchar(15)) + ' KB' AS nvarchar(18)) AS growth, CAST(CASE f.type WHEN 0 THEN 'data only' ELSE 'log only' END AS varchar(9)) AS usage
    FROM sys.master_files AS f WHERE f.database_id = DB_ID(@dbname) ORDER BY f.file_id
RETURN 0
GO
CREATE PROCEDURE sys.sp_helptext @objname nvarchar(776), @columnname sysname = NULL AS
DECLARE @text nvarchar(max), @at int, @line nvarchar(max), @lf nchar(1)
SET @lf = NCHAR(10)
SET @text = OBJECT_DEFINITION(OBJECT_ID(@objname))
IF OBJECT_ID(@objname) IS NULL
BEGIN
    EXEC sys.sp_raise_message 15009, 16, @objname
    RETURN 1
END
IF @text IS NULL
BEGIN
    EXEC sys.sp_raise_message 15197, 16, @objname
    RETURN 1
END
DECLARE @lines TABLE (n int IDENTITY(1, 1), Text nvarchar(max))
WHILE LEN(@text) > 0
BEGIN
    SET @at = CHARINDEX(@lf, @text)
    IF @at = 0 SET @at = LEN(@text)
    SET @line = LEFT(@text, @at)
    INSERT INTO @lines (Text) VALUES (@line)
    SET @text = SUBSTRING(@text, @at + 1, LEN(@text))
END
SELECT CAST(Text AS nvarchar(255)) AS Text FROM @lines ORDER BY n
RETURN 0
GO
CREATE PROCEDURE sys.sp_helpindex @objname nvarchar(776) AS
DECLARE @id int
SET @id = OBJECT_ID(@objname)
IF @id IS NULL
BEGIN
    EXEC sys.sp_raise_message 15009, 16, @objname
    RETURN 1
END
SELECT i.name AS index_name,
    CAST(LOWER(i.type_desc) + CASE i.is_unique WHEN 1 THEN ', unique' ELSE '' END + CASE i.is_primary_key WHEN 1 THEN ', primary key' ELSE '' END
        + CASE i.is_unique_constraint WHEN 1 THEN ', unique key' ELSE '' END + ' located on PRIMARY' AS varchar(210)) AS index_description,
    CAST((SELECT STRING_AGG(c.name + CASE ic.is_descending_key WHEN 1 THEN '(-)' ELSE '' END, ', ') FROM sys.index_columns AS ic
        JOIN sys.columns AS c ON c.object_id = ic.object_id AND c.column_id = ic.column_id
        WHERE ic.object_id = i.object_id AND ic.index_id = i.index_id AND ic.key_ordinal > 0) AS nvarchar(2078)) AS index_keys
FROM sys.indexes AS i WHERE i.object_id = @id AND i.index_id > 0 ORDER BY i.name
RETURN 0
GO
CREATE PROCEDURE sys.sp_helpconstraint @objname nvarchar(776), @nomsg varchar(5) = 'msg' AS
DECLARE @id int
SET @id = OBJECT_ID(@objname)
IF @id IS NULL
BEGIN
    EXEC sys.sp_raise_message 15009, 16, @objname
    RETURN 1
END
IF @nomsg <> 'nomsg' SELECT @objname AS [Object Name]
SELECT CAST(CASE k.type WHEN 'PK' THEN 'PRIMARY KEY' ELSE 'UNIQUE' END + CASE i.type WHEN 1 THEN ' (clustered)' ELSE ' (non-clustered)' END AS nvarchar(146)) AS constraint_type, k.name AS constraint_name,
    CAST('(n/a)' AS nvarchar(9)) AS delete_action, CAST('(n/a)' AS nvarchar(9)) AS update_action, CAST('(n/a)' AS varchar(8)) AS status_enabled, CAST('(n/a)' AS varchar(19)) AS status_for_replication,
    CAST((SELECT STRING_AGG(c.name, ', ') FROM sys.index_columns AS ic JOIN sys.columns AS c ON c.object_id = ic.object_id AND c.column_id = ic.column_id
        WHERE ic.object_id = @id AND ic.index_id = k.unique_index_id AND ic.key_ordinal > 0) AS nvarchar(2126)) AS constraint_keys
FROM sys.key_constraints AS k JOIN sys.indexes AS i ON i.object_id = @id AND i.index_id = k.unique_index_id WHERE k.parent_object_id = @id
UNION ALL
SELECT CAST('FOREIGN KEY' AS nvarchar(146)), f.name, CAST(CASE f.delete_referential_action WHEN 0 THEN 'No Action' WHEN 1 THEN 'Cascade' WHEN 2 THEN 'Set Null' ELSE 'Set Default' END AS nvarchar(11)),
    CAST(CASE f.update_referential_action WHEN 0 THEN 'No Action' WHEN 1 THEN 'Cascade' WHEN 2 THEN 'Set Null' ELSE 'Set Default' END AS nvarchar(11)), CAST(CASE f.is_disabled WHEN 1 THEN 'Disabled' ELSE 'Enabled' END AS varchar(8)), CAST('Is_For_Replication' AS varchar(19)),
    CAST((SELECT STRING_AGG(COL_NAME(k.parent_object_id, k.parent_column_id), ', ') FROM sys.foreign_key_columns AS k WHERE k.constraint_object_id = f.object_id) AS nvarchar(2126))
FROM sys.foreign_keys AS f WHERE f.parent_object_id = @id
UNION ALL
SELECT CAST(' ' AS nvarchar(146)), CAST(' ' AS sysname), CAST(' ' AS nvarchar(11)), CAST(' ' AS nvarchar(11)), CAST(' ' AS varchar(8)), CAST(' ' AS varchar(19)),
    CAST('REFERENCES ' + DB_NAME() + '.' + OBJECT_SCHEMA_NAME(f.referenced_object_id) + '.' + OBJECT_NAME(f.referenced_object_id) + ' (' + (SELECT STRING_AGG(COL_NAME(k.referenced_object_id, k.referenced_column_id), ', ') FROM sys.foreign_key_columns AS k WHERE k.constraint_object_id = f.object_id) + ')' AS nvarchar(2126))
FROM sys.foreign_keys AS f WHERE f.parent_object_id = @id
UNION ALL
SELECT CAST('CHECK' + CASE WHEN c.parent_column_id = 0 THEN ' Table Level ' ELSE ' on column ' + COL_NAME(c.parent_object_id, c.parent_column_id) END AS nvarchar(146)), c.name, CAST('(n/a)' AS nvarchar(11)), CAST('(n/a)' AS nvarchar(11)),
    CAST(CASE c.is_disabled WHEN 1 THEN 'Disabled' ELSE 'Enabled' END AS varchar(8)), CAST('Is_For_Replication' AS varchar(19)), CAST(c.definition AS nvarchar(2126)) FROM sys.check_constraints AS c WHERE c.parent_object_id = @id
UNION ALL
SELECT CAST('DEFAULT on column ' + COL_NAME(d.parent_object_id, d.parent_column_id) AS nvarchar(146)), d.name, CAST('(n/a)' AS nvarchar(11)), CAST('(n/a)' AS nvarchar(11)), CAST('(n/a)' AS varchar(8)), CAST('(n/a)' AS varchar(19)), CAST(d.definition AS nvarchar(2126))
FROM sys.default_constraints AS d WHERE d.parent_object_id = @id
IF @nomsg <> 'nomsg' AND EXISTS (SELECT 1 FROM sys.foreign_keys WHERE referenced_object_id = @id)
    SELECT CAST(DB_NAME() + '.' + OBJECT_SCHEMA_NAME(f.parent_object_id) + '.' + OBJECT_NAME(f.parent_object_id) + ': ' + f.name AS nvarchar(516)) AS [Table is referenced by foreign key] FROM sys.foreign_keys AS f WHERE f.referenced_object_id = @id
RETURN 0
GO
CREATE PROCEDURE sys.sp_help @objname nvarchar(776) = NULL AS
DECLARE @id int
IF @objname IS NULL
BEGIN
    SELECT o.name AS Name, s.name AS Owner, CAST(LOWER(REPLACE(o.type_desc, '_', ' ')) AS nvarchar(31)) AS Object_type
    FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id ORDER BY Owner, Object_type DESC, Name
    RETURN 0
END
SET @id = OBJECT_ID(@objname)
IF @id IS NULL
BEGIN
    EXEC sys.sp_raise_message 15009, 16, @objname
    RETURN 1
END
SELECT o.name AS Name, s.name AS Owner, CAST(LOWER(REPLACE(o.type_desc, '_', ' ')) AS nvarchar(31)) AS Type, o.create_date AS Created_datetime
FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id WHERE o.object_id = @id
IF EXISTS (SELECT 1 FROM sys.columns WHERE object_id = @id)
SELECT c.name AS Column_name, t.name AS Type, CAST(CASE c.is_computed WHEN 1 THEN 'yes' ELSE 'no' END AS varchar(35)) AS Computed,
    CAST(c.max_length AS int) AS Length, CAST(CASE WHEN t.name IN ('tinyint', 'smallint', 'int', 'bigint', 'decimal', 'numeric', 'money', 'smallmoney', 'float', 'real', 'date', 'time', 'datetime2', 'datetimeoffset') THEN CAST(c.precision AS char(5)) ELSE '     ' END AS char(5)) AS Prec,
    CAST(CASE WHEN t.name IN ('tinyint', 'smallint', 'int', 'bigint', 'decimal', 'numeric', 'money', 'smallmoney', 'date', 'time', 'datetime2', 'datetimeoffset') THEN CAST(c.scale AS char(5)) ELSE '     ' END AS char(5)) AS Scale,
    CAST(CASE c.is_nullable WHEN 1 THEN 'yes' ELSE 'no' END AS varchar(35)) AS Nullable, CAST(CASE WHEN t.name IN ('char', 'varchar', 'binary', 'varbinary') THEN 'no' ELSE '(n/a)' END AS varchar(35)) AS TrimTrailingBlanks,
    CAST(CASE WHEN t.name IN ('char', 'varchar', 'binary', 'varbinary') THEN CASE c.is_nullable WHEN 1 THEN 'yes' ELSE 'no' END ELSE '(n/a)' END AS varchar(35)) AS FixedLenNullInSource, c.collation_name AS Collation
FROM sys.columns AS c JOIN sys.types AS t ON t.user_type_id = c.user_type_id WHERE c.object_id = @id ORDER BY c.column_id
IF OBJECTPROPERTY(@id, 'IsTable') = 1
BEGIN
    SELECT COALESCE(MAX(i.name), N'No identity column defined.') AS [Identity], CAST(MAX(CAST(i.seed_value AS bigint)) AS numeric(38, 0)) AS Seed, CAST(MAX(CAST(i.increment_value AS bigint)) AS numeric(38, 0)) AS Increment,
        CAST(MAX(CAST(i.is_not_for_replication AS int)) AS int) AS [Not For Replication]
    FROM sys.identity_columns AS i WHERE i.object_id = @id
    SELECT COALESCE(MAX(c.name), N'No rowguidcol column defined.') AS [RowGuidCol] FROM sys.columns AS c WHERE c.object_id = @id AND c.is_rowguidcol = 1
    SELECT CAST('PRIMARY' AS sysname) AS Data_located_on_filegroup
    IF EXISTS (SELECT 1 FROM sys.indexes WHERE object_id = @id AND index_id > 0) EXEC sys.sp_helpindex @objname
    EXEC sys.sp_helpconstraint @objname, 'nomsg'
END
IF EXISTS (SELECT 1 FROM sys.parameters WHERE object_id = @id)
    SELECT p.name AS Parameter_name, t.name AS Type, CAST(p.max_length AS smallint) AS Length, CAST(p.precision AS int) AS Prec, CAST(p.scale AS int) AS Scale,
        CAST(p.parameter_id AS int) AS Param_order, CAST(NULL AS sysname) AS Collation
    FROM sys.parameters AS p JOIN sys.types AS t ON t.user_type_id = p.user_type_id WHERE p.object_id = @id ORDER BY p.parameter_id
RETURN 0
GO
CREATE PROCEDURE sys.sp_helpuser @name_in_db sysname = NULL AS
SELECT u.name AS UserName, COALESCE(r.name, 'public') AS RoleName, l.name AS LoginName, l.default_database_name AS DefDBName,
    u.default_schema_name AS DefSchemaName, CAST(u.principal_id AS char(10)) AS UserID, u.sid AS SID
FROM sys.database_principals AS u LEFT JOIN sys.database_role_members AS m ON m.member_principal_id = u.principal_id
    LEFT JOIN sys.database_principals AS r ON r.principal_id = m.role_principal_id LEFT JOIN sys.server_principals AS l ON l.sid = u.sid
WHERE u.type = 'S' AND (@name_in_db IS NULL OR u.name = @name_in_db) ORDER BY u.name
GO
CREATE PROCEDURE sys.sp_tablecollations_100 @object nvarchar(4000) AS
SELECT c.column_id AS colid, c.name, CAST(COLLATIONPROPERTY(c.collation_name, 'TDSCollation') AS binary(5)) AS tds_collation,
    c.collation_name AS collation
FROM sys.columns AS c WHERE c.object_id = OBJECT_ID(@object) ORDER BY c.column_id
