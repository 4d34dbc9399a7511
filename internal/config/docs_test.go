package config

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	page       = "../../docs/configuration.md"
	tableBegin = "<!-- variables: written by `go test ./internal/config -run Page -update` -->\n"
	tableEnd   = "<!-- end of variables -->\n"
)

var update = flag.Bool("update", false, "write the tables of docs/configuration.md again")

// TestThePageListsEveryVariable holds the tables of the page to what the code does.
func TestThePageListsEveryVariable(t *testing.T) {
	cfg, err := Load(nil)
	require.NoError(t, err)
	want := tables(cfg.Effective())
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(text), tableBegin)
	require.True(t, ok, "the page has lost the begin of its tables")
	got, after, ok := strings.Cut(rest, tableEnd)
	require.True(t, ok, "the page has lost the end of its tables")
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(before+tableBegin+want+tableEnd+after), 0o644))
		return
	}
	assert.Equal(t, want, got, "run: go test ./internal/config -run Page -update")
}

// TestThePageSpeaksOfKnownVariablesOnly reads the prose and the examples as well.
func TestThePageSpeaksOfKnownVariablesOnly(t *testing.T) {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	known := names()
	for _, name := range regexp.MustCompile(`\b[A-Z]{2,}(_[A-Z]+)+\b`).FindAllString(string(text), -1) {
		assert.True(t, known[name], "%s is not a variable", name)
	}
}

// TestTheExampleOfThePageStarts loads the page's example as the API would.
func TestTheExampleOfThePageStarts(t *testing.T) {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	examples := regexp.MustCompile("(?s)```env\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	require.Len(t, examples, 1)
	cfg, err := Load(strings.Split(examples[0][1], "\n"))
	require.NoError(t, err)
	for _, p := range []Process{API, Worker, Fleet, Replay, Token, Migrate} {
		require.NoError(t, cfg.ValidateFor(p), p)
	}
	assert.Empty(t, cfg.Warnings())
}

func tables(settings []Setting) string {
	var out strings.Builder
	group := ""
	for _, s := range settings {
		if s.Group != group {
			group = s.Group
			fmt.Fprintf(&out, "\n### %s\n\n| Variable | Default | Allowed | Meaning |\n|---|---|---|---|\n", group)
		}
		value := "–"
		if s.Default != "" {
			value = "`" + s.Default + "`"
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", s.Name, value, s.Allowed, s.Help)
	}
	return out.String() + "\n"
}
