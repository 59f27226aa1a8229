# The chores of the project. Each target is a line or two; whatever needs logic is Rust, under `cargo xtask`.
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: demo test lint bench fuzz build-tools

# The main job: a lab, a link that is checked, made, failed over there and back, torn in two and repaired, and the verdict of a ledger.
demo: build-tools
	cargo xtask demo

# Everything that is proved by running: unit, property and simulation tests, crash rounds, real clients.
test: build-tools
	tests/clients/install
	cargo test --workspace

# Everything that is proved by reading.
lint: build-tools
	cargo fmt --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo check --quiet --manifest-path fuzz/Cargo.toml
	cargo deny --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-deny@0.20.2
	cargo deny check bans licenses sources

# Beside PostgreSQL, on this machine; rewrites docs/benchmarks.md.
bench: build-tools
	cargo xtask bench all --write
	cargo xtask bench replication --write

# Ten minutes for each target that takes hostile bytes.
fuzz: build-tools
	cargo xtask fuzz --seconds 600

build-tools:
	@command -v cargo >/dev/null || { echo "milink is built with Rust 1.95 or newer; see https://rustup.rs"; exit 1; }
	@command -v cc >/dev/null || { $(SUDO) apt-get update -q && $(SUDO) apt-get install -qy --no-install-recommends build-essential; }
