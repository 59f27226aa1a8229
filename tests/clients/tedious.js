// tedious against an instance, encrypted, plain and strict.
const { Connection, Request, TYPES } = require('tedious');
const fs = require('fs');
const path = require('path');

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
    for (const [name, type, value, output] of parameters) {
      if (output) request.addOutputParameter(name, type, value); else request.addParameter(name, type, value);
    }
    request.on('row', (columns) => rows.push(columns.map((c) => c.value)));
    request.on('returnValue', (name, value) => { returned[name] = value; });
    request.on('doneProc', (count, more, status) => { returned.status = status; });
    connection[how](request);
  });
}

function check(what, got, wanted) {
  if (JSON.stringify(got) !== JSON.stringify(wanted)) throw new Error(`${what}: got ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`);
}

async function main() {
  for (const encrypt of [false, true, 'strict']) {
    const c = await connect(encrypt);
    const r = await run(c, 'SELECT encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID');
    check(`encrypted ${encrypt}`, r.rows[0][0], encrypt === false ? 'FALSE' : 'TRUE');
    c.close();
  }
  const c = await connect('strict');
  await run(c, 'CREATE TABLE t_tedious (a int, b nvarchar(20), c decimal(10,2), d datetime2(3), e varbinary(10), f bit, g uniqueidentifier, h nvarchar(max), i date, j datetimeoffset(3), k money, l float)', [], 'execSqlBatch');
  const guid = '6F9619FF-8B86-D011-B42D-00C04FC964FF';
  await run(c, 'INSERT INTO t_tedious VALUES (@a, @b, @c, @d, @e, @f, @g, @h, @i, @j, @k, @l)', [
    ['a', TYPES.Int, 5], ['b', TYPES.NVarChar, '日本'], ['c', TYPES.Decimal, 12.34, false], ['d', TYPES.DateTime2, new Date(Date.UTC(2024, 1, 29, 1, 2, 3, 4))],
    ['e', TYPES.VarBinary, Buffer.from([1, 2])], ['f', TYPES.Bit, true], ['g', TYPES.UniqueIdentifier, guid], ['h', TYPES.NVarChar, 'x'.repeat(20000)],
    ['i', TYPES.Date, new Date(Date.UTC(2024, 1, 29))], ['j', TYPES.DateTimeOffset, new Date(Date.UTC(2024, 1, 29))], ['k', TYPES.Money, 1.5], ['l', TYPES.Float, 0.1],
  ]);
  const back = (await run(c, 'SELECT * FROM t_tedious')).rows[0];
  check('row', [back[0], back[1], back[3].toISOString(), [...back[4]], back[5], back[6], back[7].length, back[8].toISOString().slice(0, 10), back[10], back[11]],
    [5, '日本', '2024-02-29T01:02:03.004Z', [1, 2], true, guid, 20000, '2024-02-29', 1.5, 0.1]);
  await run(c, 'CREATE PROCEDURE p_tedious @a int, @b int OUTPUT, @c nvarchar(50) OUTPUT AS BEGIN SET @b = @a * 2 SET @c = N\'got \' + CAST(@a AS nvarchar(10)) RETURN 7 END', [], 'execSqlBatch');
  const p = await run(c, 'p_tedious', [['a', TYPES.Int, 21], ['b', TYPES.Int, null, true], ['c', TYPES.NVarChar, null, true]], 'callProcedure');
  check('procedure', p.returned, { b: 42, c: 'got 21', status: 7 });
  await new Promise((resolve, reject) => c.beginTransaction((e) => (e ? reject(e) : resolve())));
  await run(c, 'DELETE FROM t_tedious');
  await new Promise((resolve, reject) => c.rollbackTransaction((e) => (e ? reject(e) : resolve())));
  check('rollback', (await run(c, 'SELECT COUNT(*) FROM t_tedious')).rows[0][0], 1);
  await run(c, 'CREATE TABLE b_tedious (a int NOT NULL, b nvarchar(20) NULL)', [], 'execSqlBatch');
  const loaded = await new Promise((resolve, reject) => {
    const bulk = c.newBulkLoad('b_tedious', (e, count) => (e ? reject(e) : resolve(count)));
    bulk.addColumn('a', TYPES.Int, { nullable: false });
    bulk.addColumn('b', TYPES.NVarChar, { length: 20, nullable: true });
    c.execBulkLoad(bulk, Array.from({ length: 2500 }, (_, n) => ({ a: n, b: `row ${n}` })));
  });
  check('bulk', [loaded, (await run(c, 'SELECT SUM(a) FROM b_tedious')).rows[0][0]], [2500, 3123750]);
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
  c.close();
  console.log('tedious: ok');
}

main().catch((e) => { console.error(e); process.exit(1); });
