package devstack

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

const oldestPostgres = 15 // the migrations rely on what 15 brought

// postgresPrograms is one installation of Postgres.
type postgresPrograms struct {
	bin   string // folder of initdb and postgres
	major int
}

func (p postgresPrograms) program(name string) string { return filepath.Join(p.bin, name) }

// findPostgres is the newest installation, or the newest of version major where that is
// not zero: a cluster is opened only by the major version that made it.
func findPostgres(ctx context.Context, major int) (postgresPrograms, error) {
	looked := []string{"PATH"}
	var folders []string
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			folders = append(folders, filepath.Dir(real))
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/lib/postgresql*/bin", "/usr/pgsql-*/bin", "/usr/libexec/postgresql*",
		"/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin",
	} {
		looked = append(looked, pattern)
		if found, err := filepath.Glob(pattern); err == nil {
			folders = append(folders, found...)
		}
	}
	var best postgresPrograms
	for _, f := range folders {
		p, ok := postgresIn(ctx, f)
		if ok && p.major > best.major && (major == 0 || p.major == major) {
			best = p
		}
	}
	if best.major == 0 {
		name := fmt.Sprintf("PostgreSQL %d or newer", oldestPostgres)
		if major != 0 {
			name = fmt.Sprintf("PostgreSQL %d, which made this cluster,", major)
		}
		return best, missing(name, "postgres", looked...)
	}
	return best, nil
}

var postgresVersion = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

func postgresIn(ctx context.Context, folder string) (postgresPrograms, bool) {
	p := postgresPrograms{bin: folder}
	if _, err := os.Stat(p.program("initdb")); err != nil {
		return p, false
	}
	out, err := exec.CommandContext(ctx, p.program("postgres"), "-V").Output() //nolint:gosec // a program that was found in a well-known folder
	if err != nil {
		return p, false
	}
	m := postgresVersion.FindSubmatch(out)
	if m == nil {
		return p, false
	}
	p.major, err = strconv.Atoi(string(m[1]))
	return p, err == nil && p.major >= oldestPostgres
}
