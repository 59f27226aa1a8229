//! One database on disk: page capture, log records, LSNs, segments, hardening, checkpoint, recovery.
