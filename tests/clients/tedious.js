// tedious against an instance, encrypted, plain and strict.
const { Connection, Request, TYPES } = require('tedious');
const fs = require('fs');
const path = require('path');

// Column, type, literal, the expression that shows a value as text, that text.
const COLUMNS = fs.readFileSync(path.join(__dirname, 'types.tsv'), 'utf8').trimEnd().split('\n')
  .map((line) => line.split('\t')).map(([name, type, literal, shown, text]) => ({ name, type, literal, shown, text }));
const PROCEDURE = fs.readFileSync(path.join(__dirname, 'procedure.sql'), 'utf8');
const GUID = '6F9619FF-8B86-D011-B42D-00C04FC964FF';

function at(iso, nanosecondDelta) {
  const date = new Date(iso);
  if (nanosecondDelta) date.nanosecondDelta = nanosecondDelta;
  return date;
}

// How a column's value comes back, the parameter that writes it, and what it then is as text where a client whose numbers are
// doubles and whose moments have no time zone cannot say the same.
const VALUES = {
  c_bit: [true, TYPES.Bit],
  c_tinyint: [255, TYPES.TinyInt],
  c_smallint: [-32768, TYPES.SmallInt],
  c_int: [-2147483648, TYPES.Int],
  c_bigint: ['-9223372036854775808', TYPES.BigInt],
  c_decimal: [1.2345678901234567e27, TYPES.Decimal, { precision: 38, scale: 10 }, 1234.5, '1234.5000000000'],
  c_numeric: [-1234567.89, TYPES.Numeric, { precision: 9, scale: 2 }],
  c_money: [-922337203685477.6, TYPES.Money, {}, -1.2345, '-1.2345'],
  c_smallmoney: [214748.3647, TYPES.SmallMoney],
  c_real: [1.5, TYPES.Real],
  c_float: [-2.25, TYPES.Float],
  c_date: [at('1753-01-01'), TYPES.Date],
  c_time: [at('1970-01-01T23:59:59.123', 0.000456), TYPES.Time, { scale: 7 }],
  c_datetime: [at('2024-02-29T23:59:59.997Z'), TYPES.DateTime],
  c_smalldatetime: [at('2024-02-29T12:34:00Z'), TYPES.SmallDateTime],
  c_datetime2: [at('9999-12-31T23:59:59.123Z', 0.000456), TYPES.DateTime2, { scale: 7 }],
  c_datetimeoffset: [at('2024-02-29T07:04:56.789Z'), TYPES.DateTimeOffset, { scale: 3 }, undefined, '2024-02-29 07:04:56.789 +00:00'],
  c_char: ['ab   ', TYPES.Char, { length: 5 }],
  c_varchar: ['café', TYPES.VarChar, { length: 20 }],
  c_varcharmax: ['é'.repeat(10000), TYPES.VarChar, { length: Infinity }],
  c_text: ['long text', TYPES.Text],
  c_nchar: ['€   ', TYPES.NChar, { length: 4 }],
  c_nvarchar: ['日本', TYPES.NVarChar, { length: 20 }],
  c_nvarcharmax: ['Ж'.repeat(10000), TYPES.NVarChar, { length: Infinity }],
  c_ntext: ['Ж', TYPES.NText],
  c_binary: [Buffer.from([1, 2, 0, 0]), TYPES.Binary, { length: 4 }],
  c_varbinary: [Buffer.from([0xca, 0xfe]), TYPES.VarBinary, { length: 20 }],
  c_varbinarymax: [Buffer.alloc(9000, 'z'), TYPES.VarBinary, { length: Infinity }],
  c_image: [Buffer.from([10, 11]), TYPES.Image],
  c_guid: [GUID, TYPES.UniqueIdentifier],
  c_xml: ['<a>1</a>', TYPES.NVarChar],
  c_variant: [42, TYPES.Int],
};

function options(encrypt, database) {
  return {
    server: 'localhost',
    authentication: { type: 'default', options: { userName: 'sa', password: process.env.LAB_PASSWORD } },
    options: {
      port: Number(process.env.LAB_PORT), encrypt, trustServerCertificate: encrypt !== 'strict', database, requestTimeout: 20000,
      cryptoCredentialsDetails: { ca: fs.readFileSync(path.join(process.env.LAB_DATA, 'tls-cert.pem')) },
    },
  };
}

function connect(encrypt) {
  return new Promise((resolve, reject) => {
    const connection = new Connection(options(encrypt, 'clients'));
    connection.connect((e) => (e ? reject(e) : resolve(connection)));
  });
}

function run(connection, sql, parameters = [], how = 'execSql') {
  return new Promise((resolve, reject) => {
    const rows = [];
    const returned = {};
    const request = new Request(sql, (e) => (e ? reject(e) : resolve({ rows, returned })));
    for (const [name, type, value, { output, ...more } = {}] of parameters) {
      if (output) request.addOutputParameter(name, type, value, more); else request.addParameter(name, type, value, more);
    }
    request.on('row', (columns) => rows.push(columns.map((c) => c.value)));
    request.on('returnValue', (name, value) => { returned[name] = value; });
    request.on('doneProc', (count, more, status) => { returned.status = status; });
    connection[how](request);
  });
}

function check(what, got, wanted) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: got ${a.slice(0, 300)}, wanted ${b.slice(0, 300)}`);
}

// Dates as moments with what is beyond their milliseconds, so that JSON shows all of them.
function shown(value) {
  if (!(value instanceof Date)) return value;
  return `${value.toISOString()} ${(value.nanosecondsDelta || value.nanosecondDelta || 0).toFixed(7)}`;
}

async function checkText(c, table, id, own) {
  for (const { name, shown: expression, text } of COLUMNS) {
    const sql = `SELECT ${expression.replaceAll('{c}', name)} FROM ${table} WHERE id = ${id}`;
    check(`${table} ${id} ${name} as text`, (await run(c, sql)).rows[0][0], (own && VALUES[name][4]) || text);
  }
}

async function types(c) {
  const columns = COLUMNS.map(({ name, type }) => `${name} ${type} NULL`).join(', ');
  for (const table of ['t', 'every']) {
    await run(c, `CREATE TABLE ${table} (id int NOT NULL PRIMARY KEY, ${columns}, c_rowversion rowversion)`, [], 'execSqlBatch');
  }
  const names = COLUMNS.map(({ name }) => name);
  await run(c, `INSERT INTO t (id, ${names}) VALUES (1, ${COLUMNS.map(({ literal }) => literal)}); INSERT INTO t (id) VALUES (2)`);
  const written = (name) => { const [value, , , own] = VALUES[name]; return own === undefined ? value : own; };
  const parameters = names.map((name) => [name, VALUES[name][1], written(name), VALUES[name][2]]);
  await run(c, `INSERT INTO t (id, ${names}) VALUES (3, ${names.map((name) => `@${name}`)})`, parameters);
  const { rows } = await run(c, `SELECT ${names} FROM t ORDER BY id`);
  names.forEach((name, n) => {
    check(`${name}`, shown(rows[0][n]), shown(VALUES[name][0]));
    check(`NULL ${name}`, rows[1][n], null);
    check(`${name} as parameter`, shown(rows[2][n]), shown(written(name)));
  });
  await checkText(c, 't', 1, false);
  await checkText(c, 't', 3, true);
  check('rowversion', (await run(c, 'SELECT c_rowversion FROM t WHERE id = 1')).rows[0][0].length, 8);
  // In bulk, every type but those that it cannot send so: xml goes as text, sql_variant not at all.
  const sent = names.filter((name) => name !== 'c_variant');
  const load = (bulk) => {
    bulk.addColumn('id', TYPES.Int, { nullable: false });
    for (const name of sent) bulk.addColumn(name, VALUES[name][1], { nullable: true, length: 100, ...VALUES[name][2] });
    return [{ id: 1, ...Object.fromEntries(sent.map((name) => [name, written(name)])) }, { id: 2, ...Object.fromEntries(sent.map((name) => [name, null])) }];
  };
  check('every type in bulk', await bulk(c, 'every', load), 2);
  await run(c, 'UPDATE every SET c_variant = CAST(42 AS int) WHERE id = 1');
  await checkText(c, 'every', 1, true);
  check('NULLs in bulk', (await run(c, `SELECT ${names} FROM every WHERE id = 2`)).rows[0].filter((v) => v !== null), []);
}

function bulk(c, table, prepare) {
  return new Promise((resolve, reject) => {
    const load = c.newBulkLoad(table, (e, count) => (e ? reject(e) : resolve(count)));
    c.execBulkLoad(load, prepare(load));
  });
}

const twoColumns = (load) => {
  load.addColumn('a', TYPES.Int, { nullable: false });
  load.addColumn('b', TYPES.NVarChar, { length: 20, nullable: true });
};

async function cancelledBulk(c) {
  // Given up in the middle of its rows: its last packet says that the server is to ignore it all.
  const e = await new Promise((resolve) => {
    const load = c.newBulkLoad('b', (e) => resolve(e));
    twoColumns(load);
    const rows = (function* endless() { for (let n = 0; ; n += 1) { if (n === 20000) setImmediate(() => c.cancel()); yield [n, 'never']; } }());
    c.execBulkLoad(load, require('stream').Readable.from(rows));
  });
  check('bulk cancelled', e && e.code, 'ECANCEL');
  check('rows of a cancelled bulk load', (await run(c, "SELECT COUNT(*) FROM b WHERE b = 'never'")).rows, [[0]]);
}

async function main() {
  for (const encrypt of [false, true, 'strict']) {
    const c = await connect(encrypt);
    const r = await run(c, 'SELECT encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID');
    check(`encrypted ${encrypt}`, r.rows[0][0], encrypt === false ? 'FALSE' : 'TRUE');
    c.close();
  }
  const c = await connect('strict');
  await types(c);
  await run(c, PROCEDURE, [], 'execSqlBatch');
  const p = await run(c, 'double_it', [['a', TYPES.Int, 21], ['b', TYPES.Int, null, { output: true }], ['c', TYPES.NVarChar, null, { output: true }]], 'callProcedure');
  check('procedure', p.returned, { b: 42, c: 'got 21', status: 7 });
  await new Promise((resolve, reject) => { c.beginTransaction((e) => (e ? reject(e) : resolve())); });
  await run(c, 'DELETE FROM t');
  await new Promise((resolve, reject) => { c.saveTransaction((e) => (e ? reject(e) : resolve()), 'here'); });
  await new Promise((resolve, reject) => { c.rollbackTransaction((e) => (e ? reject(e) : resolve())); });
  check('rollback', (await run(c, 'SELECT COUNT(*) FROM t')).rows[0][0], 3);
  await run(c, 'CREATE TABLE b (a int NOT NULL, b nvarchar(20) NULL)', [], 'execSqlBatch');
  const loaded = await bulk(c, 'b', (load) => { twoColumns(load); return Array.from({ length: 2500 }, (_, n) => ({ a: n, b: `row ${n}` })); });
  check('bulk', [loaded, (await run(c, 'SELECT SUM(a) FROM b')).rows[0][0]], [2500, 3123750]);
  await cancelledBulk(c);
  const prepared = await new Promise((resolve, reject) => {
    const got = [];
    const request = new Request('SELECT @x * 2', (e) => (e ? reject(e) : null));
    request.addParameter('x', TYPES.Int);
    request.on('prepared', () => { request.callback = (e) => { if (e) reject(e); else resolve(got); }; c.execute(request, { x: 4 }); });
    request.on('row', (columns) => got.push(columns[0].value));
    c.prepare(request);
  });
  check('prepared', prepared, [8]);
  const began = Date.now();
  const cancelled = await new Promise((resolve) => {
    const request = new Request("WAITFOR DELAY '00:00:30'", (e) => resolve(e && e.code));
    c.execSql(request);
    setTimeout(() => c.cancel(), 300);
  });
  check('cancelled', [cancelled, Date.now() - began < 10000], ['ECANCEL', true]);
  check('alive', (await run(c, 'SELECT 1')).rows, [[1]]);
  await new Promise((resolve, reject) => { c.reset((e) => (e ? reject(e) : resolve())); });
  check('alive after a reset', (await run(c, 'SELECT DB_NAME()')).rows, [['clients']]);
  c.close();
  console.log('tedious: ok');
}

main().catch((e) => { console.error(e); process.exit(1); });
