package arch_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestEveryTrapOfThePageHasATestThatIsThere holds the table of traps in docs/access.md to the
// code: each row names tests, and each of them exists under that name.
func TestEveryTrapOfThePageHasATestThatIsThere(t *testing.T) {
	const root = "../.."
	page, err := os.ReadFile(filepath.Join(root, "docs", "access.md"))
	require.NoError(t, err)
	_, section, found := strings.Cut(string(page), "\n## Traps, and the tests that hold them\n")
	require.True(t, found, "the section is not there any more")
	section, _, _ = strings.Cut(section, "\n## ")
	tests := testsBelow(t, root)
	named, rows := regexp.MustCompile("`(Test[A-Za-z0-9]+)`"), 0
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| trap |") {
			continue
		}
		rows++
		names := named.FindAllStringSubmatch(line, -1)
		assert.NotEmpty(t, names, "no test holds: %s", line)
		for _, n := range names {
			assert.True(t, tests[n[1]], "%s is not there", n[1])
		}
	}
	assert.Greater(t, rows, 20)
}

// testsBelow lists the tests of the repository by name.
func testsBelow(t *testing.T, root string) map[string]bool {
	t.Helper()
	declared, all := regexp.MustCompile(`(?m)^func (Test\w+)\(`), map[string]bool{}
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == ".wedsync"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(text, -1) {
			all[string(m[1])] = true
		}
		return err
	}))
	return all
}
