# `make help` lists the targets.

VERSION := 0.1.0-dev
COMMIT := $(shell git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
TAGS := urfave_cli_no_docs
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
GO ?= go
export CGO_ENABLED := 0

PREFIX ?= /usr/local
DESTDIR ?=

# Where root file systems for the demo and the tests are kept.
export CORACLE_CACHE ?= /var/cache/coracle

# More for `go test`, such as -v, and the bats files to run; all by default.
GOTESTFLAGS ?=
BATS ?=

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.DEFAULT_GOAL := build

.PHONY: build
build: ## build ./coracle
	$(GO) build -trimpath -tags "$(TAGS)" -ldflags "$(LDFLAGS)" -o coracle .

.PHONY: demo
demo: demo-deps ## show what a container sees; installs what is missing
	@$(MAKE) --no-print-directory -s build
	@tests/make-rootfs debian
	@tests/demo look

.PHONY: shell
shell: demo-deps ## bash as process 1 of a container, on your terminal
	@$(MAKE) --no-print-directory -s build
	@tests/make-rootfs debian
	@tests/demo shell

.PHONY: demo-deps
demo-deps:
	@tests/deps demo

.PHONY: deps
deps: ## install what the tests need
	tests/deps test

.PHONY: test
test: unit seccomp-diff cross arm64 lint bats ## run all tests and checks

.PHONY: unit
unit: ## run the unit tests
	$(GO) test -tags "$(TAGS)" $(GOTESTFLAGS) ./...

# How long each fuzz target runs, and which do: a regular expression.
FUZZTIME ?= 10s
FUZZ ?= .

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME=10s, or only those that FUZZ=... names
	GO="$(GO)" TAGS="$(TAGS)" tests/fuzz $(FUZZTIME) '$(FUZZ)'

# How many random profiles are compared. The comparison needs cgo and the C library.
PROFILES ?= 12000

.PHONY: seccomp-diff
seccomp-diff: ## compare the seccomp filters with those of libseccomp
	CGO_ENABLED=1 $(GO) test -tags libseccomp -run Same -v ./libcontainer/seccomp -args -profiles $(PROFILES)

# What is written in assembly, and the encoding of ops, differs between machines.
ARM64_PACKAGES := program signals

.PHONY: arm64
arm64: ## run the unit tests of the machine-dependent packages for arm64, emulated
	@set -e; for p in $(ARM64_PACKAGES); do \
		echo "arm64: libcontainer/$$p"; \
		GOARCH=arm64 $(GO) test -c -o bin/$$p-arm64.test ./libcontainer/$$p; \
		(cd libcontainer/$$p && CORACLE_TEST_RUNNER=qemu-aarch64-static \
			qemu-aarch64-static ../../bin/$$p-arm64.test $(addprefix -test.,$(patsubst -%,%,$(GOTESTFLAGS)))); \
	done

.PHONY: cross
cross: ## build for amd64 and arm64
	GOARCH=amd64 $(GO) build -trimpath -tags "$(TAGS)" -o bin/coracle-amd64 .
	GOARCH=arm64 $(GO) build -trimpath -tags "$(TAGS)" -o bin/coracle-arm64 .

.PHONY: lint
lint: gofmt vet staticcheck shellcheck ## check the style: gofmt, vet, staticcheck, shellcheck

.PHONY: gofmt vet staticcheck shellcheck
gofmt:
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "gofmt -w is needed: $$unformatted"; exit 1; }

vet:
	$(GO) vet -tags "$(TAGS)" ./...
	GOARCH=arm64 $(GO) vet -tags "$(TAGS)" ./...

staticcheck:
	$(GO) run $(STATICCHECK) -tags "$(TAGS)" ./...

shellcheck:
	shellcheck -x $$(grep -rlE '^#!.*(bash|/sh)$$' .ci bench tests) tests/*.bash
	shellcheck -x -s bats tests/*.bats tests/user/*.bats

.PHONY: bats
bats: build rootfs ## run the tests in tests/, or BATS="tests/run.bats ..."
	tests/run $(BATS)

.PHONY: test-vm
test-vm: build vm-image ## run the tests of `make bats` in a virtual machine with systemd, cgroup v2 and AppArmor
	tests/vm/run $(BATS)

.PHONY: vm-image
vm-image: ## make the image of the virtual machine
	tests/vm/make-image

.PHONY: bench
bench: ## compare with crun and runc; installs them when they are missing
	@tests/deps bench
	@$(MAKE) --no-print-directory -s build
	@bench/run

.PHONY: rootfs
rootfs: ## make the root file systems for the demo and the tests
	tests/make-rootfs

.PHONY: install
install: build ## install to $(DESTDIR)$(PREFIX)/bin
	install -D -m 0755 coracle "$(DESTDIR)$(PREFIX)/bin/coracle"

.PHONY: clean
clean: ## remove what was built; `rm -r $(CORACLE_CACHE)` removes the root file systems
	rm -rf coracle bin

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1	\2/p' $(MAKEFILE_LIST) | expand -t 16
