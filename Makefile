# Thin names for the commands of everyday work; `make help` lists them.
SHELL := bash
GO ?= go
LDFLAGS := -s -w

.PHONY: help build test short race arm64 bench fuzz verify lint gen clean

help: ## list these targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

build: ## build bin/syntic, static
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags='$(LDFLAGS)' -o bin/syntic ./cmd/syntic

test: ## run every test
	$(GO) vet ./...
	$(GO) test -timeout 60m ./...

short: ## run the tests that take seconds
	$(GO) test -short ./...

race: ## run the short tests under the race detector (needs a C compiler)
	$(GO) test -short -race ./kernels/par ./tensor/... ./nn/... ./weights ./models/...

arm64: ## build for arm64 and run its short tests in qemu-user
	GOARCH=arm64 CGO_ENABLED=0 $(GO) build ./...
	GOARCH=arm64 CGO_ENABLED=0 $(GO) test -short -exec qemu-aarch64-static ./kernels/... ./tensor/... ./nn/... ./weights ./models/clip ./models/detr ./models/decoder ./models/token ./models/vision ./tools/world

bench: build ## time the kernels
	bin/syntic bench kernels

fuzz: ## run every fuzz target for FUZZTIME (default 30s)
	@for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
	  echo "$$p $$f"; $(GO) test $$p -run '^$$' -fuzz "^$$f$$" -fuzztime $${FUZZTIME:-30s} -parallel 2 || exit 1; done; done

verify: build ## compare with golden tensors in GOLDEN
	bin/syntic verify $(GOLDEN)

lint: ## run golangci-lint (installed separately)
	golangci-lint run ./...

gen: ## write the generated assembly anew
	cd kernels/_gen && for g in */; do (cd $$g && $(GO) run .); done

clean: ## remove what make made
	rm -rf bin
