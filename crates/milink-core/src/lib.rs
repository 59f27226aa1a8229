//! The pure half of the link tool: spec, observation, checks, plans, rules, facts, scripts.
