# `make` alone shows what there is.
.DEFAULT_GOAL := help
.PHONY: help demo test lint bench bench-ingest bench-forest quality quality-faults quality-forest fuzz fmt peers

help: ## show this list
	@sed -n 's/^\([a-z-]*\): *## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: ## a simulated fleet with injected faults, found by the sidecar, in this terminal
	cargo run --release --locked -- demo

test: ## every test, against real peers where they can be had (ARGS= is passed to the runner)
	scripts/run-tests $(ARGS)

lint: ## formatting, clippy and rustdoc, warnings are errors
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items --quiet

bench: ## benchmarks, one a stage
	cargo bench --locked

bench-ingest: ## samples per CPU-second beside the peers that are installed (ARGS= is passed on)
	scripts/bench-ingest $(ARGS)

bench-forest: ## the Isolation Forest beside the fastest engines for trees (ARGS= is passed on)
	scripts/bench-forest $(ARGS)

quality: ## how well incidents are found, with every default, into docs/quality.md (DATA= a folder of labelled sets)
	$${EMBERWATCH_PYTHON:-python3} scripts/quality $(DATA) $(ARGS)

quality-faults: ## how well simulated faults of eight kinds are found, into docs/quality.md
	cargo build --release --locked --example simulated_faults
	$${EMBERWATCH_PYTHON:-python3} scripts/quality-faults $(ARGS)

quality-forest: ## the forests beside scikit-learn's and isotree's (DATA= a folder of labelled sets)
	cargo build --release --locked --example forest_scores
	$${EMBERWATCH_PYTHON:-python3} scripts/quality-forest peers $(DATA) $(ARGS)
	$${EMBERWATCH_PYTHON:-python3} scripts/quality-forest splits $(DATA) $(ARGS)

fuzz: ## every fuzz target for SECONDS_EACH=60 seconds (ARGS= names some; needs cargo-fuzz and a nightly Rust)
	scripts/fuzz $(ARGS)

fmt: ## format the code
	cargo fmt

peers: ## unpack Prometheus, Alertmanager, node_exporter, promtool into .peers/bin
	scripts/install-peers
