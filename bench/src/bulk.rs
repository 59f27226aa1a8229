//! The same rows as an INSERT BULK message and as COPY data.

use std::time::{Duration, Instant};

use crate::{Result, Session, Target, postgres, tds};

/// Days from 0001-01-01 to 2026-01-01, as datetime2 counts them.
const FIRST_DAY: u32 = 739_616;
const SECONDS_A_DAY: u64 = 86_400;
/// What both sides write alike.
const COLUMNS: &str = "id int NOT NULL PRIMARY KEY, big bigint NOT NULL";

/// Makes the table `b` anew and gives the request that begins a load of it, and what follows.
pub fn prepare(target: &Target, rows: u32) -> Result<Bulk> {
    let mut session = target.open()?;
    session.run("DROP TABLE IF EXISTS b")?;
    let (begin, data) = match session {
        Session::Tds(_) => {
            session.run(&format!("CREATE TABLE b ({COLUMNS}, name nvarchar(50) NOT NULL, amount decimal(18, 4) NOT NULL, at datetime2(7) NOT NULL)"))?;
            let begin = "INSERT BULK b (id int, big bigint, name nvarchar(50), amount decimal(18, 4), at datetime2(7))";
            (tds::batch(begin), tds::packets(tds::BULK_LOAD, &tds_rows(rows)))
        }
        Session::Postgres(_) => {
            session.run(&format!("CREATE TABLE b ({COLUMNS}, name varchar(50) NOT NULL, amount numeric(18, 4) NOT NULL, at timestamp NOT NULL)"))?;
            (postgres::simple("COPY b FROM STDIN"), postgres::copy_data(copy_rows(rows).as_bytes()))
        }
    };
    Ok(Bulk { session, begin, data, rows })
}

/// Makes the table `pages` anew and gives it rows until it has about that many bytes: text that compresses to about half.
pub fn fill(target: &Target, bytes: u64) -> Result<()> {
    const ROWS_EACH_LOAD: u32 = 100_000;
    let rows = u32::try_from(bytes / u64::from(BODY_LENGTH)).map_err(|e| format!("{bytes} bytes: {e}"))?;
    target.open()?.run("DROP TABLE IF EXISTS pages")?;
    target.open()?.run(&format!(
        "CREATE TABLE pages (id int NOT NULL PRIMARY KEY, body varchar({BODY_LENGTH}) NOT NULL)"
    ))?;
    for first in (0..rows).step_by(ROWS_EACH_LOAD as usize) {
        let numbers = first..rows.min(first + ROWS_EACH_LOAD);
        let session = target.open()?;
        let (begin, data) = match session {
            Session::Tds(_) => (
                tds::batch(&format!("INSERT BULK pages (id int, body varchar({BODY_LENGTH}))")),
                tds::packets(tds::BULK_LOAD, &tds_bodies(numbers.clone())),
            ),
            Session::Postgres(_) => {
                let rows: String = numbers.clone().map(|n| format!("{n}\t{}\n", body(n))).collect();
                (postgres::simple("COPY pages FROM STDIN"), postgres::copy_data(rows.as_bytes()))
            }
        };
        Bulk { session, begin, data, rows: numbers.len() as u32 }.run()?;
    }
    Ok(())
}

/// Characters of a row of `pages`.
const BODY_LENGTH: u16 = 480;

/// Words, and as many characters that look like none.
fn body(n: u32) -> String {
    const WORDS: [&str; 8] =
        ["order ", "customer ", "delivered ", "invoice ", "pending ", "warehouse ", "returned ", "north "];
    let mut random = u64::from(n).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut out = String::with_capacity(usize::from(BODY_LENGTH) + 16);
    while out.len() < usize::from(BODY_LENGTH) {
        // xorshift64: cheap, and the same rows in every run.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        out += WORDS[(random >> 61) as usize];
        for shift in 0..6 {
            out.push(char::from(b'a' + ((random >> (shift * 8)) & 0xFF) as u8 % 26));
        }
        out.push(' ');
    }
    out.truncate(usize::from(BODY_LENGTH));
    // A row that ends with a blank is one that COPY and INSERT BULK might treat differently.
    out.pop();
    out.push('.');
    out
}

fn tds_bodies(numbers: std::ops::Range<u32>) -> Vec<u8> {
    let mut out = vec![0x81, 2, 0];
    let types: [(&str, &[u8]); 2] =
        [("id", &[0x26, 4]), ("body", &[&[0xA7][..], &BODY_LENGTH.to_le_bytes(), &tds::COLLATION].concat())];
    for (name, ty) in types {
        out.extend_from_slice(&[0, 0, 0, 0, 8, 0]);
        out.extend_from_slice(ty);
        out.push(name.len() as u8);
        out.extend_from_slice(&tds::utf16(name));
    }
    for n in numbers {
        let body = body(n);
        out.extend_from_slice(&[0xD1, 4]);
        out.extend_from_slice(&n.to_le_bytes());
        out.extend_from_slice(&(body.len() as u16).to_le_bytes());
        out.extend_from_slice(body.as_bytes());
    }
    out.push(0xFD);
    out.extend_from_slice(&[0; 12]);
    out
}

/// A bulk load that is ready to run.
#[derive(Debug)]
pub struct Bulk {
    session: Session,
    begin: Vec<u8>,
    data: Vec<u8>,
    rows: u32,
}

impl Bulk {
    /// Loads the rows as one transaction; gives the time until it was acknowledged.
    pub fn run(mut self) -> Result<Duration> {
        let begun = Instant::now();
        self.session.round_trip(&self.begin)?;
        let loaded = self.session.round_trip(&self.data)?;
        let took = begun.elapsed();
        if loaded != u64::from(self.rows) {
            return Err(format!("{loaded} rows were loaded instead of {}", self.rows));
        }
        Ok(took)
    }
}

/// The values of row `n`, the same on both sides: big, name, amount in ten-thousandths, seconds since 2026.
fn row(n: u32) -> (i64, String, u64, u64) {
    let big = i64::from(n) * 1_000_003;
    (
        big,
        format!("customer number {n:010} of the load"),
        u64::from(n) * 12_345 % 1_000_000_007,
        u64::from(n) * 7,
    )
}

fn tds_rows(rows: u32) -> Vec<u8> {
    let mut out = vec![0x81, 5, 0];
    let types: [(&str, &[u8]); 5] = [
        ("id", &[0x26, 4]),
        ("big", &[0x26, 8]),
        ("name", &[&[0xE7, 100, 0][..], &tds::COLLATION].concat()),
        ("amount", &[0x6A, 9, 18, 4]),
        ("at", &[0x2A, 7]),
    ];
    for (name, ty) in types {
        out.extend_from_slice(&[0, 0, 0, 0, 8, 0]);
        out.extend_from_slice(ty);
        out.push(name.len() as u8);
        out.extend_from_slice(&tds::utf16(name));
    }
    for n in 0..rows {
        let (big, name, amount, seconds) = row(n);
        let name = tds::utf16(&name);
        out.extend_from_slice(&[0xD1, 4]);
        out.extend_from_slice(&n.to_le_bytes());
        out.push(8);
        out.extend_from_slice(&big.to_le_bytes());
        out.extend_from_slice(&(name.len() as u16).to_le_bytes());
        out.extend_from_slice(&name);
        out.extend_from_slice(&[9, 1]);
        out.extend_from_slice(&amount.to_le_bytes());
        out.push(8);
        // Time of day in units of 100 ns, five bytes; then the day, three bytes.
        out.extend_from_slice(&(seconds % SECONDS_A_DAY * 10_000_000).to_le_bytes()[..5]);
        out.extend_from_slice(&(FIRST_DAY + (seconds / SECONDS_A_DAY) as u32).to_le_bytes()[..3]);
    }
    out.push(0xFD);
    out.extend_from_slice(&[0; 12]);
    out
}

fn copy_rows(rows: u32) -> String {
    let mut out = String::new();
    for n in 0..rows {
        let (big, name, amount, seconds) = row(n);
        let (day, time) = (seconds / SECONDS_A_DAY, seconds % SECONDS_A_DAY);
        // Every month of 28 days exists, which is all that the calendar has to be here.
        let (month, day) = (day / 28 % 12 + 1, day % 28 + 1);
        let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
        out += &format!(
            "{n}\t{big}\t{name}\t{}.{:04}\t2026-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}\n",
            amount / 10_000,
            amount % 10_000
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_their_length_and_differ() {
        assert_eq!((body(1).len(), body(2).len()), (480, 480));
        assert_ne!(body(1), body(2));
        assert_eq!(tds_bodies(0..2).len() - tds_bodies(0..1).len(), 6 + 2 + 480);
    }

    #[test]
    fn rows_as_either_side_reads_them() {
        assert_eq!(
            copy_rows(2).lines().last().unwrap(),
            "1\t1000003\tcustomer number 0000000001 of the load\t1.2345\t2026-01-01 00:00:07"
        );
        let bytes = tds_rows(1);
        let row = bytes.iter().position(|b| *b == 0xD1).unwrap();
        assert_eq!(bytes[row..row + 15], [0xD1, 4, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes.len(), tds_rows(0).len() + 1 + 5 + 9 + 2 + 76 + 10 + 9);
    }
}
