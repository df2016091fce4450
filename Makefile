# `make help` lists the targets.

VERSION := 0.1.0-dev
COMMIT := $(shell git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
TAGS := urfave_cli_no_docs
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
GO ?= go
export CGO_ENABLED := 0

# Where root file systems for the demo and the tests are kept.
export CORACLE_CACHE ?= /var/cache/coracle

.DEFAULT_GOAL := build

.PHONY: build
build: ## build ./coracle
	$(GO) build -trimpath -tags "$(TAGS)" -ldflags "$(LDFLAGS)" -o coracle .

.PHONY: rootfs
rootfs: ## make the root file systems for the demo and the tests
	tests/make-rootfs

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1	\2/p' $(MAKEFILE_LIST) | expand -t 16
