//! The machine, the doctor and the plans against a model of two instances and Azure, under faults.

#![expect(clippy::unwrap_used, reason = "what is not as a test assumes ends the test")]

mod command;
mod dice;
mod doctor;
mod driver;
mod kills;
mod look;
mod machine;
mod roles;
mod schedules;
mod seeding;
mod server;
mod silence;
mod world;
