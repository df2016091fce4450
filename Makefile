# `make help` lists the targets.

VERSION := $(shell cat VERSION)
COMMIT := $(shell git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
TAGS := urfave_cli_no_docs
LDFLAGS := -s -w -X main.commit=$(COMMIT)
GO ?= go
export CGO_ENABLED := 0

PREFIX ?= /usr/local
DESTDIR ?=
# Where shells look for completions.
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d

# The date of all built files (https://reproducible-builds.org/specs/source-date-epoch/).
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

# Where root file systems for the demo and the tests are kept.
export CORACLE_CACHE ?= /var/cache/coracle

# Additional flags for `go test`, such as -v, and the bats files to run; all by default.
GOTESTFLAGS ?=
BATS ?=

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.DEFAULT_GOAL := build

.PHONY: build
build: ## build ./coracle
	$(GO) build -trimpath -buildvcs=false -tags "$(TAGS)" -ldflags "$(LDFLAGS)" -o coracle .

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
test: unit race seccomp-diff cross arm64 lint bats reproducible ## run all tests and checks

.PHONY: unit
unit: ## run the unit tests
	$(GO) test -tags "$(TAGS)" $(GOTESTFLAGS) ./...

# The library makes several containers at once in one process here. The race detector needs cgo.
.PHONY: race
race: ## run the tests of the library under the race detector
	@command -v gcc >/dev/null || { echo "race: not run: there is no C compiler"; exit 0; }; \
	CGO_ENABLED=1 $(GO) test -race -count=1 -tags "$(TAGS)" $(GOTESTFLAGS) ./libcontainer ./libcontainer/internal/linux ./libcontainer/internal/state

# The time for each fuzz target, and the targets: a regular expression.
FUZZTIME ?= 10s
FUZZ ?= .

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME=10s, or only those that FUZZ=... names
	GO="$(GO)" TAGS="$(TAGS)" tests/fuzz $(FUZZTIME) '$(FUZZ)'

# The number of random profiles to compare. The comparison needs cgo and the C library.
PROFILES ?= 12000

.PHONY: seccomp-diff
seccomp-diff: ## compare the seccomp filters with those of libseccomp
	CGO_ENABLED=1 $(GO) test -tags libseccomp -run "Same|Cost" -v ./libcontainer/internal/initprog/seccomp -args -profiles $(PROFILES)

.PHONY: seccomp-profiles
seccomp-profiles: ## write the engines' seccomp profiles for the tests anew, of the versions in tests/profiles/go.mod
	cd tests/profiles && CGO_ENABLED=0 $(GO) run . ../../libcontainer/internal/initprog/seccomp/testdata/engines
	cd tests/profiles && CGO_ENABLED=0 GOARCH=arm64 $(GO) run -exec qemu-aarch64-static . ../../libcontainer/internal/initprog/seccomp/testdata/engines

# Assembly, and the encoding of ops, depend on the architecture.
ARM64_PACKAGES := libcontainer/internal/initprog/program libcontainer/internal/initprog/seccomp internal/foreground/signals libcontainer/internal/linux/aside

.PHONY: arm64
arm64: ## run the unit tests of the machine-dependent packages for arm64, emulated
	@set -e; for p in $(ARM64_PACKAGES); do \
		echo "arm64: $$p"; \
		GOARCH=arm64 $(GO) test -c -o bin/$$(basename $$p)-arm64.test ./$$p; \
		(top=$$PWD; cd $$p && CORACLE_TEST_RUNNER=qemu-aarch64-static \
			qemu-aarch64-static "$$top/bin/$$(basename $$p)-arm64.test" $(addprefix -test.,$(patsubst -%,%,$(GOTESTFLAGS)))); \
	done

.PHONY: cross
cross: ## build for amd64 and arm64
	GOARCH=amd64 $(GO) build -trimpath -tags "$(TAGS)" -o bin/coracle-amd64 .
	GOARCH=arm64 $(GO) build -trimpath -tags "$(TAGS)" -o bin/coracle-arm64 .

.PHONY: lint
lint: gofmt vet seclint staticcheck shellcheck ## check the style, and run the security lint (tests/lint)

.PHONY: gofmt vet seclint staticcheck shellcheck
gofmt:
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "gofmt -w is needed: $$unformatted"; exit 1; }

vet:
	$(GO) vet -tags "$(TAGS)" ./...
	$(GO) vet -tags "$(TAGS) coracle_docs" . ./internal/docgen
	$(GO) vet -tags "$(TAGS),failpoints" ./...
	GOARCH=arm64 $(GO) vet -tags "$(TAGS)" ./...

# The security lint: path-based file operations, descriptors that leak, and imports that break the
# layers.
seclint:
	$(GO) run ./tests/lint

staticcheck:
	$(GO) run $(STATICCHECK) -tags "$(TAGS)" ./...

shellcheck:
	shellcheck -x $$(grep -rlE '^#!.*(bash|/sh)$$' .ci bench tests) tests/*.bash tests/engines/*.bash tests/security/*.bash
	shellcheck -x -s bats tests/*.bats tests/user/*.bats tests/engines/*.bats tests/security/*.bats

.PHONY: bats
bats: build failpoints rootfs ## run the tests in tests/, or BATS="tests/run.bats ..."
	tests/run $(BATS)

# Names in tests/security/mutations; all by default.
MUTATIONS ?=

.PHONY: mutations
mutations: failpoints rootfs ## take out each protection, and see that tests notice; takes a quarter of an hour
	tests/security/mutate $(MUTATIONS)

.PHONY: test-engines
test-engines: ## run the tests with Podman, Docker, Buildah, BuildKit, containerd 2 and the CRI; installs or builds them when they are missing
	tests/deps engines
	@$(MAKE) --no-print-directory -s build rootfs
	GO="$(GO)" SHORT="$(SHORT)" nice -n 10 tests/engines/buildkit/build
	GO="$(GO)" nice -n 10 tests/engines/containerd/build
	tests/run $(or $(BATS),tests/engines/*.bats tests/containerd.bats tests/zz-leaks.bats)

.PHONY: test-engines-vm
test-engines-vm: build vm-image ## run those of them that differ there in the virtual machine, or all with ALL=1
	tests/vm/run --engines $(if $(ALL),--all --limit 60) $(BATS)

.PHONY: agreement
agreement: build ## run the tests and compare `validate --host` with `create` on every configuration of theirs
	tests/agreement $(BATS)

.PHONY: test-vm
test-vm: build vm-image ## run what depends on the host in a virtual machine with systemd, cgroup v2 and AppArmor, or all of `make bats` with ALL=1
	tests/vm/run $(if $(ALL),--all --limit 60) $(BATS)

.PHONY: test-selinux
test-selinux: build vm-image ## run the tests of labels there with SELinux in place of AppArmor
	tests/vm/run --selinux tests/selinux.bats

.PHONY: vm-image
vm-image: ## make the image of the virtual machine
	tests/vm/make-image

.PHONY: bench
bench: ## compare with crun and runc; installs them when they are missing
	@tests/deps bench
	@$(MAKE) --no-print-directory -s build
	@bench/run

# A binary that injects failures, see libcontainer/internal/failpoint.
.PHONY: failpoints
failpoints:
	$(GO) build -trimpath -tags "$(TAGS),failpoints" -o bin/coracle-failpoints .
	$(GO) build -o bin/torture ./tests/torture

.PHONY: torture
torture: failpoints rootfs ## let things go wrong at every place, for a long time
	bin/torture -rootfs "$(CORACLE_CACHE)/busybox" ops phases syscalls limits
	bin/torture -rootfs "$(CORACLE_CACHE)/busybox" -cycles 10000 cycles

.PHONY: rootfs
rootfs: ## make the root file systems for the demo and the tests
	tests/make-rootfs

.PHONY: docs
docs: ## make the manual pages and completions in bin/docs
	@rm -rf bin/docs
	GOARCH= $(GO) run -tags "$(TAGS) coracle_docs" -ldflags "$(LDFLAGS)" . bin/docs "$$(date -u -d @$(SOURCE_DATE_EPOCH) +%F)"

.PHONY: install
install: build docs ## install the program, manual pages and completions below $(DESTDIR)$(PREFIX)
	install -D -m 0755 coracle "$(DESTDIR)$(PREFIX)/bin/coracle"
	install -d "$(DESTDIR)$(PREFIX)/share/man/man1"
	install -m 0644 bin/docs/man/*.1 "$(DESTDIR)$(PREFIX)/share/man/man1/"
	install -D -m 0644 bin/docs/coracle.bash "$(DESTDIR)$(BASHDIR)/coracle"
	install -D -m 0644 bin/docs/_coracle "$(DESTDIR)$(ZSHDIR)/_coracle"
	install -D -m 0644 bin/docs/coracle.fish "$(DESTDIR)$(FISHDIR)/coracle.fish"

.PHONY: uninstall
uninstall: ## remove what `make install` installs
	rm -f "$(DESTDIR)$(PREFIX)/bin/coracle" "$(DESTDIR)$(PREFIX)/share/man/man1/coracle.1" "$(DESTDIR)$(PREFIX)/share/man/man1"/coracle-*.1 \
		"$(DESTDIR)$(BASHDIR)/coracle" "$(DESTDIR)$(ZSHDIR)/_coracle" "$(DESTDIR)$(FISHDIR)/coracle.fish"

.PHONY: reproducible
reproducible: ## build twice, in different directories, and compare the bytes
	tests/reproducible

.PHONY: deb
deb: ## make a Debian package in bin/
	VERSION="$(VERSION)" packaging/deb

.PHONY: clean
clean: ## remove what was built; `rm -r $(CORACLE_CACHE)` removes the root file systems
	rm -rf coracle bin

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1	\2/p' $(MAKEFILE_LIST) | expand -t 16
