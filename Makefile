# Tierce: "make test" passes the tests on a fresh machine, "make check" is all
# that CI runs besides.

GO       ?= go
FUZZTIME ?= 5s
CORES    := $$(getconf _NPROCESSORS_ONLN)
LINT     := $(GO) tool -modfile=tools/go.mod golangci-lint

.PHONY: test e2e soak check lint cross fuzz bench needs

# Gets what it needs by itself (see needs) and runs every test with the race
# detector, in random order. Many wait for processes and disks, so one package more
# than processors is tested at the same time, and twice as many tests in those whose
# tests may run side by side. "make check" vets.
test: needs
	$(GO) test -race -vet=off -shuffle=on -timeout 20m -p $$(($(CORES) + 1)) -parallel $$(($(CORES) * 2)) ./...

# Only the tests with the real go command.
e2e: needs
	$(GO) test -race -shuffle=on -timeout 20m -parallel $$(($(CORES) * 2)) ./e2e/...

# Eight processes at one full directory for two minutes, killed 300 times; and
# hundreds of rounds of sixteen that have to agree.
soak: needs
	TIERCE_SOAK=2m $(GO) test -race -run TestSoak -v -timeout 20m ./filestream
	TIERCE_ROUNDS=300 $(GO) test -race -run TestRounds -v -timeout 40m ./memo

# All that is not a test: form, lint (which vets too), module files, other systems.
check: needs
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "not gofmt-ed:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	cd bench && $(GO) vet ./...
	$(GO) mod tidy -diff
	cd bench && $(GO) mod tidy -diff
	$(MAKE) -j2 lint cross

lint:
	$(LINT) run

# That it builds where the tests do not run, every system and both architectures once,
# without cgo. Without optimizations and tables for debuggers that takes three fifths
# of the time.
TARGETS ?= linux/arm64 darwin/arm64 windows/amd64
cross: export CGO_ENABLED := 0
cross: export GOFLAGS := '-gcflags=all=-N -l' '-ldflags=-s -w'
cross:
	for target in $(TARGETS); do \
		echo $$target; GOOS=$${target%/*} GOARCH=$${target#*/} $(GO) build ./... || exit 1; \
	done
	GOOS=windows $(GO) vet ./...
	GOOS=darwin $(GO) vet ./...

# Each fuzz target for FUZZTIME; a package's test binary is built once for all of
# its targets.
fuzz:
	@set -e; tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; trap 'exit 130' INT TERM; \
	for dir in $$(git grep -l '^func Fuzz' -- '*_test.go' | xargs -n 1 dirname | sort -u); do \
		$(GO) test -c -fuzz Fuzz -o "$$tmp/fuzz" ./$$dir; \
		found=$$($(GO) env GOCACHE)/fuzz/$$($(GO) list ./$$dir); \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$dir/*_test.go); do \
			echo "$$target in $$dir"; \
			(cd $$dir && "$$tmp/fuzz" -test.run '^$$' -test.fuzz "^$$target\$$" -test.fuzztime $(FUZZTIME) -test.fuzzcachedir "$$found"); \
		done; \
	done

# Side by side with peers, as ratios; docs/benchmarks.md has the figures.
bench: needs
	@sh tools/needs.sh ccache
	cd bench && $(GO) run ./compare

# The race detector and the cgo tests need a C compiler, tierce exec one for C++, those of remotes
# redis-server, those of directories shared with cuda.core python3, those of
# traces (on Linux) strace, the rest git and make.
needs:
	@sh tools/needs.sh gcc g++ git redis-server python3 $(if $(filter Linux,$(shell uname)),strace)
