# Two commands are enough: `make run` to see it, `make test` to check it. `make help` lists the rest.
.PHONY: help run cluster demo-cdc test lint format documents conformance wycheproof fuzz chaos hostile mutants bench bench-test bench-cdc bench-smoke fallbacks instructions micro picture sanitize setup

help:            ## what there is
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run:             ## install what is missing, build, start the hub with everything it needs, on loopback
	@scripts/setup run && swift build -c release --product hub && exec .build/release/hub serve --embedded

cluster:         ## the same with three hubs behind a proxy, and a page that shows which of them serves whom; PORT=8080
	@scripts/setup cluster && swift build -c release --product hub && exec scripts/cluster --listen $(or $(PORT),8080)

demo-cdc:        ## a platform's database, Debezium and a hub with rules: rows that a psql writes notify people on a page; PORT=8080
	@scripts/setup cdc && swift build -c release --product hub && exec scripts/demo-cdc --listen $(or $(PORT),8080)

test:            ## install what is missing and run every test
	scripts/setup && swift build --build-tests && swift test --no-parallel && HUB_BIN=$(CURDIR)/.build/debug/hub Tests/EndToEnd/run && $(MAKE) --no-print-directory lint

lint:            ## formatting; the rules of the house are tests (Tests/HouseTests)
	swift format lint --strict --parallel --recursive Package.swift $(wildcard Sources Tests bench web)

format:          ## reformat in place
	swift format --in-place --parallel --recursive Package.swift $(wildcard Sources Tests bench web)

documents:       ## write the parts of docs/ that are made from the code: tables and the schema of commands
	HUB_WRITE_DOCUMENTS=1 swift test --no-parallel --filter 'ProtocolDocumentTests|SettingsDocumentTests|MetricsTests'

# With PACKAGE=bench the hub is compiled in the folder of the benchmarks, which then need not compile it again.
conformance:     ## Autobahn's fuzzing suite against `hub echo`; QUICK=1 leaves out the slow groups
	scripts/setup && swift build $(if $(PACKAGE),--package-path $(PACKAGE)) -c release --product hub \
	&& HUB_BIN=$(if $(PACKAGE),$(PACKAGE)/).build/release/hub Tests/Conformance/run $(if $(QUICK),--quick)

wycheproof:      ## Project Wycheproof's token and key vectors: make wycheproof VECTORS=DIR
	@test -d "$(VECTORS)" || { echo "make wycheproof VECTORS=DIR: no folder '$(VECTORS)'" >&2; exit 1; }
	scripts/setup run && swift run wycheproof "$(VECTORS)"

fuzz:            ## coverage-guided fuzzing, 10 minutes a target; SECONDS_EACH=60 TARGETS="frames token" for less
	Tests/Fuzz/run

chaos:           ## the end-to-end runs with kills of hubs, broker, bus and PostgreSQL, for long; CHAOS_MINUTES=30
	scripts/setup && swift build -c release --product hub && CHAOS_MINUTES=$(or $(CHAOS_MINUTES),30) CHAOS_BUS=postgres,kafka,redis Tests/EndToEnd/run test_chaos.py test_chaos_nodes.py

hostile:         ## each attack of one hostile user, and what others notice of it; HOSTILE_SECONDS=15
	scripts/setup && swift build -c release --product hub && HUB_BIN="$$PWD/.build/release/hub" HOSTILE_SECONDS=$(or $(HOSTILE_SECONDS),15) Tests/EndToEnd/run -s test_neighbours.py

mutants:         ## faults switched on one by one, and whether the tests notice; WORDS="Store Hub" for some, UNIT=1 for the quick ones
	scripts/setup && Tests/Mutants/run $(if $(UNIT),--unit) $(WORDS)

bench:           ## the table of goals, measured in 20 to 30 minutes, and its report; QUICK=1 for a short form of eight
	scripts/setup bench && swift build -c release --product hub && swift build --package-path bench -c release && bench/standard $(if $(QUICK),--quick)

bench-test:      ## whether the bench measures what it says: its tests
	scripts/setup bench && swift test --no-parallel --package-path bench

instructions:    ## what the inner operations cost in instructions and allocations, beside the committed baseline
	scripts/setup bench && bench/instructions

bench-cdc:       ## from a commit in a platform's database to a socket, by Debezium: the share of each hop; ROWS=200
	scripts/setup && swift build -c release --product hub && HUB_BIN=$(CURDIR)/.build/release/hub Tests/EndToEnd/run --capture-latency $(or $(ROWS),200)

bench-smoke:     ## every scenario of the bench for a moment
	scripts/setup bench && $(if $(HUB_BIN),true,swift build -c release --product hub) \
	&& $(if $(HUB_BENCH_BIN),true,swift build --package-path bench -c release --product hub-bench) && bench/smoke

fallbacks:       ## sessions over event streams and polls beside WebSockets: every delivery counted, and the memory of an idle one
	scripts/setup bench && swift build -c release --product hub && bench/fallbacks count && bench/fallbacks idle

micro:           ## what the inner operations cost beside something of a known price
	scripts/setup bench && swift run --package-path bench -c release micro-bench

sanitize:        ## the test-suites and the hub under the address and the thread sanitizer
	scripts/setup && scripts/sanitize

picture:         ## make the picture of the README anew; needs Chromium
	scripts/setup && swift build --product hub && cd Tests/EndToEnd && HUB_BIN=$(CURDIR)/.build/debug/hub ../../.build/e2e-venv/bin/python picture.py $(CURDIR)/docs/images/demo.png

setup:           ## only install what is missing
	scripts/setup
