//! Reading Agent jobs. An instance without an Agent has none that can be read, and its part is unknown.

use std::collections::BTreeMap;

use milink_core::objects::{Job, JobSchedule, JobStep, Part};
use milink_sql::{Client, Row, SqlError};

use super::queries;
use super::read::{ask, each, flag};

pub(super) async fn jobs(client: &Client) -> Result<Part<Vec<Job>>, SqlError> {
    let (jobs, steps, schedules) = tokio::try_join!(
        ask(client, queries::JOBS),
        ask(client, queries::STEPS),
        ask(client, queries::SCHEDULES),
    )?;
    let steps = match each(steps, |row| Ok((row.get::<String>("id")?, step(row)?)))? {
        Part::Known(steps) => grouped(steps),
        Part::Unknown(why) => return Ok(Part::Unknown(why)),
    };
    let schedules = match each(schedules, |row| Ok((row.get::<String>("id")?, schedule(row)?)))? {
        Part::Known(schedules) => Ok(grouped(schedules)),
        Part::Unknown(why) => Err(why),
    };
    each(jobs, |row| {
        let id: String = row.get("id")?;
        Ok(Job {
            name: row.get("name")?,
            enabled: flag(row, "enabled")?.unwrap_or(false),
            description: row.get::<Option<String>>("description")?.unwrap_or_default(),
            category: row.get("category_name")?,
            owner: row.get("owner_name")?,
            start_step: row.get::<Option<i64>>("start_step_id")?.unwrap_or(1),
            steps: steps.get(&id).cloned().unwrap_or_default(),
            schedules: match &schedules {
                Ok(schedules) => Part::Known(schedules.get(&id).cloned().unwrap_or_default()),
                Err(why) => Part::Unknown(why.clone()),
            },
        })
    })
}

fn grouped<T>(rows: Vec<(String, T)>) -> BTreeMap<String, Vec<T>> {
    let mut out: BTreeMap<String, Vec<T>> = BTreeMap::new();
    for (id, row) in rows {
        out.entry(id).or_default().push(row);
    }
    out
}

fn number(row: &Row, column: &str) -> Result<i64, SqlError> {
    Ok(row.get::<Option<i64>>(column)?.unwrap_or(0))
}

fn step(row: &Row) -> Result<JobStep, SqlError> {
    Ok(JobStep {
        id: number(row, "step_id")?,
        name: row.get("step_name")?,
        subsystem: row.get("subsystem")?,
        command: row.get::<Option<String>>("command")?.unwrap_or_default(),
        database: row.get("database_name")?,
        on_success_action: number(row, "on_success_action")?,
        on_success_step: number(row, "on_success_step_id")?,
        on_fail_action: number(row, "on_fail_action")?,
        on_fail_step: number(row, "on_fail_step_id")?,
        retry_attempts: number(row, "retry_attempts")?,
        retry_interval: number(row, "retry_interval")?,
        output_file: row.get("output_file_name")?,
        has_proxy: flag(row, "has_proxy")?.unwrap_or(false),
    })
}

fn schedule(row: &Row) -> Result<JobSchedule, SqlError> {
    let numbers = JobSchedule::NUMBERS.iter().map(|column| number(row, column)).collect::<Result<_, _>>()?;
    Ok(JobSchedule { name: row.get("name")?, enabled: flag(row, "enabled")?.unwrap_or(false), numbers })
}
