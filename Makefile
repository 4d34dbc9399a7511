# WedSync Scalability. `make help` lists the targets. POSIX sh only.
SHELL := /bin/sh
.DEFAULT_GOAL := help

CACHE      ?= $(if $(WEDSYNC_CACHE_DIR),$(WEDSYNC_CACHE_DIR),$(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/wedsync)
TOOLS      := $(CACHE)/bin
BIN        := bin/wedsync
PKG        := ./...
TEST_FLAGS ?= -race -timeout 20m
ARGS       ?=

GOLANGCI_VERSION      := v2.15.0
WORKFLOWCHECK_VERSION := v0.6.0
GOTESTSUM_VERSION     := v1.13.0
OAPI_VERSION          := v2.8.0

export WEDSYNC_CACHE_DIR := $(CACHE)

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: deps
deps: ## Install what is missing: PostgreSQL, Redis, the Temporal server
	@sh deploy/install-deps.sh

.PHONY: build
build: ## Build bin/wedsync
	@mkdir -p bin
	go build -o $(BIN) ./cmd/wedsync

.PHONY: run
run: deps build ## Bring everything up on this machine, with a demonstration (ARGS="--no-demo" without)
	@exec ./$(BIN) dev $(ARGS)

.PHONY: test
test: deps ## Run all tests but the end-to-end ones, with the race detector
	@$(MAKE) -s tool-gotestsum
	$(TOOLS)/gotestsum --format pkgname-and-test-fails -- $(TEST_FLAGS) $(PKG)

.PHONY: e2e
e2e: deps build ## Run the end-to-end tests against a real stack on loopback
	@$(MAKE) -s tool-gotestsum
	$(TOOLS)/gotestsum --format standard-verbose -- -tags e2e -count 1 -timeout 40m ./e2e/...

.PHONY: check
check: fmt-check lint workflowcheck generate-check vuln test ## What CI runs before the end-to-end tests

.PHONY: fmt-check
fmt-check: ## Fail where gofmt would change a file
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "not gofmt'd:"; echo "$$out"; exit 1; fi

.PHONY: lint
lint: tool-golangci ## golangci-lint with .golangci.yml
	$(TOOLS)/golangci-lint run --timeout 15m $(PKG)

.PHONY: workflowcheck
workflowcheck: tool-workflowcheck ## Temporal's static check of workflow determinism
	$(TOOLS)/workflowcheck ./workflows/...

.PHONY: vuln
vuln: ## Scan for known vulnerabilities, where the database can be reached
	@sh deploy/vulncheck.sh $(TOOLS)

.PHONY: generate
generate: tool-oapi ## Write the generated code again
	cd api && $(TOOLS)/oapi-codegen -config oapi-codegen.yaml openapi.yaml

.PHONY: generate-check
generate-check: generate ## Fail where generated code is not current
	@git diff --exit-code -- api/gen || { echo "api/gen is not current: run make generate and commit"; exit 1; }

.PHONY: web
web: ## Build the dashboard into web/dist (needs Node 20 or newer)
	cd web && npm ci --no-audit --no-fund && npm run build

.PHONY: web-check
web-check: web ## Type-check, test and build the dashboard; fail where web/dist is not current
	cd web && npm run check
	@git diff --exit-code --stat -- web/dist && test -z "$$(git status --porcelain -- web/dist)" || { echo "web/dist is not current: run make web and commit"; exit 1; }

.PHONY: histories
histories: deps ## Record workflow histories on a real Temporal server for the replay tests
	go test ./workflows -run TestRecordHistories -record -count 1 -timeout 10m

.PHONY: bench
bench: ## Run the benchmarks
	go test -run '^$$' -bench . -benchmem ./policies/... ./internal/ingest/... ./internal/predictor/...

.PHONY: clean
clean: ## Remove what was built and the data of make run
	@if [ -f .wedsync/dev.json ]; then echo "note: stop 'wedsync dev' first if it runs"; fi
	rm -rf bin .wedsync web/node_modules

.PHONY: tool-golangci tool-workflowcheck tool-gotestsum tool-oapi
tool-golangci:
	@sh deploy/install-tool.sh $(TOOLS) golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint $(GOLANGCI_VERSION)
tool-workflowcheck:
	@sh deploy/install-tool.sh $(TOOLS) workflowcheck go.temporal.io/sdk/contrib/tools/workflowcheck $(WORKFLOWCHECK_VERSION)
tool-gotestsum:
	@sh deploy/install-tool.sh $(TOOLS) gotestsum gotest.tools/gotestsum $(GOTESTSUM_VERSION)
tool-oapi:
	@sh deploy/install-tool.sh $(TOOLS) oapi-codegen github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen $(OAPI_VERSION)
