package arch_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/wedsync/scalability/"

// rule is one row of the import table: packages under path (a prefix at a folder's
// border) may import, of ours, only what ours lists, and from outside the standard
// library only what outside lists. The longest path that fits a package is its row.
type rule struct {
	path    string
	ours    []string
	outside []string
	why     string
}

var anything = []string{"*"}

// table is the import table of ARCHITECTURE.md.
func table() []rule {
	sdk := []string{"go.temporal.io/sdk", "go.temporal.io/api"}
	adapter := []string{"models", "policies"}
	return []rule{
		{"models", nil, nil, "the vocabulary depends on nothing, so that everything may depend on it"},
		{"policies", []string{"models"}, []string{"gonum.org/v1/gonum"}, "decisions are pure: no I/O library may creep in"},
		{"policies/weddingday", []string{"models", "policies/scaling"}, nil, "guests become replicas in one way: by the arithmetic of the decision"},
		{"policies/access", []string{"models"}, []string{"github.com/casbin/casbin/v2"}, "the only home of Casbin"},
		{"activities", []string{"models", "policies"}, append([]string{"github.com/google/uuid"}, sdk...), "effects go through ports, so that they run on fakes and on any adapter"},
		{"workflows", []string{"models", "policies", "activities"}, sdk, "orchestration must stay deterministic: no adapter, no client"},
		{"worker", []string{"workflows", "activities", "models"}, sdk, "registration must be usable by replay tests without any server"},
		{"api", []string{"models", "policies/access", "api/gen"}, []string{"github.com/gin-gonic/gin", "github.com/oapi-codegen/runtime", "github.com/google/uuid", "github.com/swaggo/files/v2", "go.opentelemetry.io", "golang.org/x/sync", "github.com/getkin/kin-openapi", "go.yaml.in/yaml/v3", "gopkg.in/yaml.v3"}, "HTTP knows its ports and nothing of workflows or adapters"},
		{"api/gen", []string{"models"}, []string{"github.com/gin-gonic/gin", "github.com/oapi-codegen/runtime", "github.com/getkin/kin-openapi"}, "generated from the specification"},
		{"internal", adapter, anything, "an adapter talks to one thing and knows no other adapter"},
		{"internal/launch", append([]string{"workflows", "activities"}, adapter...), sdk, "the Temporal client speaks the names of workflows/contract.go and the types of the ports it serves"},
		{"internal/actuator/fleet", adapter, anything, "an adapter knows no other adapter"},
		{"internal/actuator/actuatortest", adapter, anything, "one conformance suite for all actuators"},
		{"internal/simulate", append([]string{"internal/simulate", "internal/forecast"}, adapter...), []string{"gonum.org/v1/gonum", "golang.org/x/sync"}, "the benchmark decides with the real policies and on the real forecasts, and touches nothing outside"},
		{"internal/forecast", append([]string{"internal/forecast"}, adapter...), []string{"gonum.org/v1/gonum", "golang.org/x/sync"}, "forecasts are numbers from numbers: they touch nothing outside but the files that an evaluation names"},
		{"internal/predictor", append([]string{"internal/forecast"}, adapter...), []string{"gonum.org/v1/gonum", "golang.org/x/sync", "github.com/google/uuid", "github.com/rickar/cal/v2"}, "it serves the numbers of internal/forecast, which touch nothing, and knows no adapter"},
		{"internal/devstack/devstacktest", []string{"internal/devstack"}, anything, "real servers for tests, kept out of the binary"},
		{"web", nil, nil, "the built dashboard, embedded"},
		{"cmd", anything, anything, "the only composition root"},
		{"e2e", anything, anything, "tests of the running product"},
	}
}

type pkg struct {
	ImportPath  string
	Name        string
	Doc         string
	Imports     []string
	GoFiles     []string
	TestGoFiles []string
	Standard    bool
}

// packages lists what `go list` sees of this module.
func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Name,Doc,Imports,GoFiles,TestGoFiles", module+"...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var all []pkg
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		all = append(all, p)
	}
	require.NotEmpty(t, all)
	return all
}

func TestImportsFollowTheTable(t *testing.T) {
	for _, p := range packages(t) {
		local := strings.TrimPrefix(p.ImportPath, module)
		r, ok := ruleFor(local)
		if !assert.True(t, ok, "%s has no row in the import table", local) {
			continue
		}
		for _, breach := range breaches(r, p.Imports) {
			assert.Fail(t, "forbidden import", "%s imports %s: %s", local, breach, r.why)
		}
	}
}

func TestBreachesAreFound(t *testing.T) {
	r, ok := ruleFor("policies/scaling")
	require.True(t, ok)
	got := breaches(r, []string{"time", module + "models", module + "internal/store", "gorm.io/gorm", "gonum.org/v1/gonum/mat"})
	assert.Equal(t, []string{"internal/store", "gorm.io/gorm"}, got)
	_, ok = ruleFor("modelsx")
	assert.False(t, ok, "a row covers folders, not name prefixes")
}

func TestPureRoomsUseNoClockContextLogNetworkOrRandomness(t *testing.T) {
	banned := []string{"context", "log", "log/slog", "net", "net/http", "math/rand", "math/rand/v2", "os", "database/sql"}
	for _, p := range packages(t) {
		local := strings.TrimPrefix(p.ImportPath, module)
		if !under(local, "policies") {
			continue
		}
		for _, b := range banned {
			assert.NotContains(t, p.Imports, b, "%s decides: it must be a function of its inputs", local)
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for _, p := range packages(t) {
		local := strings.TrimPrefix(p.ImportPath, module)
		if len(p.GoFiles) == 0 {
			continue // a folder of tests
		}
		assert.NotEmpty(t, p.Doc, "%s has no package comment", local)
		if p.Name != "main" && local != "api/gen" {
			assert.Contains(t, p.GoFiles, "doc.go", "%s keeps its package comment in doc.go", local)
		}
		// The vocabulary has a file per word and the binary one per command; the rooms have
		// files of the same names for each capability. Everywhere else sixteen are enough.
		most := 16
		switch local {
		case "models", "cmd/wedsync":
			continue
		case "activities", "api", "internal/store", "workflows":
			most = 48
		}
		assert.LessOrEqual(t, len(p.GoFiles), most, "%s has too many files to find one's way", local)
	}
}

// ruleFor finds the longest row that covers a package.
func ruleFor(local string) (rule, bool) {
	var best rule
	found := false
	for _, r := range table() {
		if under(local, r.path) && len(r.path) >= len(best.path) {
			best, found = r, true
		}
	}
	return best, found
}

// breaches lists the imports that a row does not allow, ours without the module path.
func breaches(r rule, imports []string) []string {
	var bad []string
	for _, i := range imports {
		local, mine := strings.CutPrefix(i, module)
		switch {
		case mine && !allowed(r.ours, local):
			bad = append(bad, local)
		case !mine && external(i) && !allowed(r.outside, i):
			bad = append(bad, i)
		}
	}
	return bad
}

func allowed(list []string, path string) bool {
	return slices.ContainsFunc(list, func(a string) bool { return a == "*" || under(path, a) })
}

func under(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

// external says whether an import is neither ours nor the standard library's: its
// first element has a dot.
func external(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ".")
}
