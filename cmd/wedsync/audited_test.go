package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/api"
)

// sources are the functions of this package by name, with the file that each stands in.
func sources(t *testing.T) map[*ast.FuncDecl]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	found := map[*ast.FuncDecl]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
				found[f] = name
			}
		}
	}
	return found
}

// calls says whether a function calls x.name.
func calls(f *ast.FuncDecl, x, name string) bool {
	found := false
	ast.Inspect(f.Body, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == name {
			if id, ok := sel.X.(*ast.Ident); ok && id.Name == x {
				found = true
			}
		}
		return !found
	})
	return found
}

// TestEveryCommandToAWorkflowIsOnRecord looks at what the API may ask of Temporal: a method
// that comes to one of these ports would be taken from the launcher as it is, without a row.
func TestEveryCommandToAWorkflowIsOnRecord(t *testing.T) {
	recorded := map[string]bool{}
	for f := range sources(t) {
		if f.Recv == nil {
			continue
		}
		if id, ok := f.Recv.List[0].Type.(*ast.Ident); ok && id.Name == "launches" && calls(f, "l", "command") {
			recorded[f.Name.Name] = true
		}
	}
	reads := map[string]bool{"Workflow": true, "Workflows": true}
	for _, port := range []reflect.Type{
		reflect.TypeFor[api.Launcher](), reflect.TypeFor[api.Approver](), reflect.TypeFor[api.WeddingDayRunner](), reflect.TypeFor[api.SeasonRunner](),
	} {
		for m := range port.NumMethod() {
			name := port.Method(m).Name
			if name == "NudgeAutoscale" {
				continue // the wake-up that follows a change which is on record
			}
			assert.Equal(t, !reads[name], recorded[name], "%s.%s", port.Name(), name)
		}
	}
}

// TestTheDatabaseIsOpenedAtDoorsWithARecord names the functions that open it: each of them has
// changes recorded, or refused.
func TestTheDatabaseIsOpenedAtDoorsWithARecord(t *testing.T) {
	doors := map[string]string{
		"openStores":      "API and worker; openAudit follows, and gives the store its trail",
		"open":            "commands that read; change gives those that do not a trail",
		"openOwner":       "migrate and access, by way of onRecord",
		"prepareDatabase": "wedsync dev, with a trail of its own",
	}
	for f, file := range sources(t) {
		if calls(f, "store", "Open") {
			assert.Contains(t, doors, f.Name.Name, "%s opens the database: is what it changes on record?", file)
		}
	}
}
