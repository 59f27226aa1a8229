#!/usr/bin/env bash
# FreeTDS's tsql against an instance, encrypted and plain, in the versions of TDS that it speaks.
set -euo pipefail

conf=$(mktemp)
trap 'rm -f "$conf"' EXIT
server() {
    printf '[%s]\nhost = 127.0.0.1\nport = %s\ntds version = %s\nencryption = %s\nclient charset = UTF-8\ntext size = 1000000\n' \
        "$1" "$LAB_PORT" "$2" "$3"
}
{
    server encrypted 7.4 require
    server plain 7.4 off
    server seven3 7.3 require
    server seven2 7.2 require
    server seven1 7.1 off
} >"$conf"

# Runs what comes on standard input; prints rows with tabs between values, and messages.
tsql_on() {
    FREETDSCONF=$conf LC_ALL=C.UTF-8 TDSDUMPCONFIG='' tsql -S "$1" -U sa -P "$LAB_PASSWORD" -D clients -o qfh 2>&1
}

check() {
    [ "$2" = "$3" ] || {
        printf '%s:\ngot    %s\nwanted %s\n' "$1" "$2" "$3" >&2
        exit 1
    }
}

for pair in encrypted:TRUE plain:FALSE; do
    got=$(tsql_on "${pair%:*}" <<<$'SELECT encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID\ngo')
    check "${pair%:*}" "$got" "${pair#*:}"
done

# Every type, from the lines of types.tsv, read back as text by the server and as itself.
columns='' names='' values='' shown='' wanted=''
while IFS=$'\t' read -r name type literal expression text; do
    columns+=", $name $type NULL"
    names+=", $name"
    values+=", $literal"
    shown+="SELECT ${expression//\{c\}/$name} FROM t WHERE id = 1"$'\ngo\n'
    wanted+=$text$'\n'
done <types.tsv
printf 'CREATE TABLE t (id int NOT NULL PRIMARY KEY%s, c_rowversion rowversion)\ngo\nINSERT INTO t (id%s) VALUES (1%s)\ngo\nINSERT INTO t (id) VALUES (2)\ngo\n' \
    "$columns" "$names" "$values" | tsql_on encrypted >/dev/null
for server in encrypted plain seven3 seven2 seven1; do
    check "types as text, $server" "$(tsql_on "$server" <<<"$shown")" "${wanted%$'\n'}"
    row=$(tsql_on "$server" <<<"SELECT ${names#, } FROM t ORDER BY id"$'\ngo')
    check "rows, $server" "$(wc -l <<<"$row")" 2
    check "values, $server" "$(cut -f 1-8 <<<"$row" | head -1)" \
        $'1\t255\t-32768\t-2147483648\t-9223372036854775808\t1234567890123456789012345678.0123456789\t-1234567.89\t-922337203685477.5808'
    check "texts, $server" "$(cut -f 18,19,21-23,25 <<<"$row" | head -1)" $'ab   \tcafé\tlong text\t€   \t日本\tЖ'
    check "NULLs, $server" "$(tail -1 <<<"$row" | tr -d '\t')" "$(printf 'NULL%.0s' $(seq 32))"
done

# A procedure with output parameters, a transaction that rolls back, an error with its number.
{ cat procedure.sql && echo go; } | tsql_on encrypted
got=$(tsql_on encrypted <<'SQL'
DECLARE @b int, @c nvarchar(50), @r int
EXEC @r = double_it 21, @b OUTPUT, @c OUTPUT
SELECT @b, @c, @r
go
BEGIN TRAN
DELETE FROM t
ROLLBACK
SELECT COUNT(*) FROM t
go
EXEC sp_executesql N'SELECT @x + 1', N'@x int', @x = 5
go
SQL
)
check 'procedure, rollback, parameter' "$got" $'42\tgot 21\t7\n2\n6'
got=$(tsql_on encrypted <<<$'SELECT * FROM nothing_here\ngo')
check 'an error' "$(head -1 <<<"$got" | tr -d '"')" "Msg 208 (severity 16, state 1) from MILINK-LAB Line 1:"

# A table in and out of a file in bulk.
folder=$(mktemp -d)
trap 'rm -rf "$conf" "$folder"' EXIT
tsql_on encrypted <<<$'CREATE TABLE b (a int, b nvarchar(20))\ngo' >/dev/null
seq 0 2499 | sed 's/.*/&\trow &/' >"$folder/in"
FREETDSCONF=$conf freebcp clients.dbo.b in "$folder/in" -S encrypted -U sa -P "$LAB_PASSWORD" -c -t '\t' >/dev/null
check 'bulk' "$(tsql_on encrypted <<<$'SELECT COUNT(*), SUM(a), MAX(b) FROM b\ngo')" $'2500\t3123750\trow 999'
FREETDSCONF=$conf freebcp clients.dbo.b out "$folder/out" -S encrypted -U sa -P "$LAB_PASSWORD" -c -t '\t' >/dev/null
check 'out again' "$(sort "$folder/out" | md5sum)" "$(sort "$folder/in" | md5sum)"

echo 'tsql: ok'
