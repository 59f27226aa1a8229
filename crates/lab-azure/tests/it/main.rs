//! The local Azure over HTTPS, with two lab instances behind it in this process.

mod client;
mod compare;
mod labs;
mod life;
mod manners;
mod recordings;
