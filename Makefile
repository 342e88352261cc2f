# Thin names for the commands of everyday work; `make help` lists them.
SHELL := bash
GO ?= go
LDFLAGS := -s -w

# Where `make cuda` keeps what it fetches: CUDA's header, the kernels' compiler, zig.
CUDA_KIT ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/syntic/cuda
CUDA_BUILD = CGO_ENABLED=1 CGO_CFLAGS="-O2 -I$(CUDA_KIT)/include" $(GO)

.PHONY: help build cuda cuda-release cuda-kernels cuda-test cuda-asan test short race arm64 bench fuzz verify lint gen clean

help: ## list these targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

build: ## build bin/syntic, static
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags='$(LDFLAGS)' -o bin/syntic ./cmd/syntic

cuda: ## build bin/syntic-cuda, which computes on NVIDIA GPUs too (needs a C compiler)
	cuda/toolkit.sh $(CUDA_KIT)
	$(CUDA_BUILD) build -trimpath -tags cuda -ldflags='$(LDFLAGS)' -o bin/syntic-cuda ./cmd/syntic
	@if readelf -d bin/syntic-cuda | grep -i libcuda; then echo "bin/syntic-cuda needs libcuda to start" >&2; exit 1; fi

cuda-release: ## build bin/syntic-cuda-amd64 and -arm64 with zig, for systems of glibc 2.28 and later
	cuda/toolkit.sh $(CUDA_KIT) all
	for arch in amd64:x86_64 arm64:aarch64; do \
	  ZIG=$(CUDA_KIT)/zig/ziglang/zig ZTARGET=$${arch#*:}-linux-gnu.2.28 CC=$(CURDIR)/cuda/zigcc.sh CXX=$(CURDIR)/cuda/zigcc.sh GOARCH=$${arch%:*} \
	  $(CUDA_BUILD) build -trimpath -tags cuda -ldflags='$(LDFLAGS)' -o bin/syntic-cuda-$${arch%:*} ./cmd/syntic || exit 1; \
	  if readelf -d bin/syntic-cuda-$${arch%:*} | grep -i libcuda; then exit 1; fi; done

cuda-kernels: ## compile the CUDA kernels anew (after a change in cuda/src)
	cuda/toolkit.sh $(CUDA_KIT) all
	cuda/build.sh $(CUDA_KIT)

cuda-test: ## run the CUDA device's tests on the CPU, by emulation (needs g++)
	cuda/toolkit.sh $(CUDA_KIT)
	$(CUDA_BUILD) vet -tags cuda ./cuda/... ./cmd/...
	$(CUDA_BUILD) test -tags cuda ./cuda ./cuda/internal/...

cuda-asan: ## run the CUDA kernels' cases by emulation under AddressSanitizer
	cuda/toolkit.sh $(CUDA_KIT)
	$(CUDA_BUILD) test -tags cuda -c -o bin/cuda.test ./cuda
	cd cuda && CUDA_EMU_FLAGS="-fsanitize=address -fno-omit-frame-pointer" ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0:handle_segv=0 \
	  LD_PRELOAD=$$(g++ -print-file-name=libasan.so) ../bin/cuda.test -test.run 'TestCompliance/(cases|errors)|TestMemory|TestBounds'

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
