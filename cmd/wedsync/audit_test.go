package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/audit"
	"github.com/wedsync/scalability/internal/devstack"
	"github.com/wedsync/scalability/internal/devstack/devstacktest"
	"github.com/wedsync/scalability/internal/store"
	"github.com/wedsync/scalability/models"
)

// trailed is a folder as wedsync dev leaves it, of a database with a few entries and one
// checkpoint.
func trailed(t *testing.T) (root, owner, public string) {
	t.Helper()
	t.Setenv("DATABASE_URL", "")
	root = t.TempDir()
	owner, app := devstacktest.Postgres(t)
	require.NoError(t, store.Migrate(t.Context(), owner, devstack.AppRole, nil))
	raw, err := json.Marshal(devstack.DevFile{Postgres: app})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(root, "dev.json"), raw, 0o600))
	private, public, err := audit.GenerateKey()
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(root, "audit", "checkpoints"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(root, "audit", "signing.key"), []byte(private+"\n"), 0o600))
	copies, err := audit.NewCopier(filepath.Join(root, "audit", "checkpoints"))
	require.NoError(t, err)
	w, err := audit.Open(t.Context(), audit.Options{URL: app, Process: "api"})
	require.NoError(t, err)
	for _, e := range []models.AuditEntry{
		{Actor: "user:anna", Action: "scalability:manage", Object: "PUT /api/scalability/services/api", Decision: models.AuditAllow, Rule: "admin"},
		{Actor: "user:\x1b[2Jeve", Action: "scalability:manage", Object: "=cmd|'/c calc'!A1", Decision: models.AuditDeny, Rule: "no role allows it"},
		{Actor: "svc:worker", Action: "capacity.change", Object: "service/api/decision/d1", Decision: models.AuditAllow, Rule: "kept"},
	} {
		require.NoError(t, w.Record(t.Context(), e))
	}
	_, err = w.NewAnchor(private, copies)
	require.NoError(t, err)
	require.NoError(t, w.Close(t.Context()))
	return root, owner, public
}

// asOwnerOf runs statements as somebody would who owns the server.
func asOwnerOf(t *testing.T, url string, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	for _, s := range append([]string{
		"ALTER TABLE security_audit_logs NO FORCE ROW LEVEL SECURITY", "ALTER TABLE audit_streams NO FORCE ROW LEVEL SECURITY", "ALTER TABLE audit_checkpoints NO FORCE ROW LEVEL SECURITY",
	}, statements...) {
		_, err := conn.Exec(t.Context(), s)
		require.NoError(t, err, s)
	}
	require.NoError(t, conn.Close(t.Context()))
}

func TestVerifyEndsWithTheCodeOfWhatItFound(t *testing.T) {
	const ofAPI = " AND stream LIKE 'api-%' AND stream NOT LIKE '%-changes'"
	for name, c := range map[string]struct {
		doctor string
		code   int
		says   string
	}{
		"nothing was done":             {"", 0, "sound: "},
		"a row was changed":            {"UPDATE security_audit_logs SET actor = 'user:eve' WHERE seq = 3" + ofAPI, 1, "tampered: stream api-"},
		"a row is missing":             {"DELETE FROM security_audit_logs WHERE seq = 3" + ofAPI, 2, "row 3: rows 3 to 3 are missing"},
		"no checkpoint vouches":        {"WITH gone AS (DELETE FROM audit_checkpoints) UPDATE audit_streams SET at = at - interval '1 hour'", 3, "not anchored"},
		"the tables are gone":          {"DROP TABLE security_audit_logs", 4, "were the migrations made?"},
		"changed, and takes no writes": {"WITH bad AS (UPDATE security_audit_logs SET actor = 'user:eve' WHERE seq = 3" + ofAPI + ") SELECT pg_sleep(0)", 1, "row 3"},
	} {
		t.Run(name, func(t *testing.T) {
			root, owner, _ := trailed(t)
			if c.doctor != "" {
				asOwnerOf(t, owner, c.doctor)
			}
			args := []string{"audit", "verify", "--root", root}
			if c.code == 3 {
				require.NoError(t, os.RemoveAll(filepath.Join(root, "audit", "checkpoints")))
			}
			if strings.Contains(name, "no writes") {
				args = append(args, "--off-record")
				asOwnerOf(t, owner, "REVOKE INSERT, UPDATE ON ALL TABLES IN SCHEMA public FROM "+devstack.AppRole)
			}
			out, stderr, err := run(t, args...)
			assert.Contains(t, out+stderr, c.says)
			if c.code == 0 {
				require.NoError(t, err, out)
				assert.Contains(t, out, "1 copies of checkpoints")
				return
			}
			var code exitCode
			require.ErrorAs(t, err, &code, out)
			assert.Equal(t, c.code, int(code), out)
		})
	}
}

func TestWhatKeepsVerifyFromLookingIsNoVerdict(t *testing.T) {
	root, _, public := trailed(t)
	out, _, err := run(t, "audit", "verify", "--root", root, "--key", public, "--json", "--off-record")
	require.NoError(t, err, out)
	assert.True(t, strings.HasPrefix(out, `{"verdict":"sound",`), out)
	var r audit.Report
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	assert.Equal(t, 2, r.Streams)
	out, _, err = run(t, "audit", "verify", "--root", root, "--off-record")
	require.NoError(t, err)
	assert.Contains(t, out, " of 2 streams", "off the record nothing is added")
	for name, args := range map[string][]string{
		"a flag that is none":       {"--form", "2027"},
		"a time that is none":       {"--from", "june"},
		"a word too many":           {"now"},
		"the wrong way round":       {"--from", "2027-06-02", "--to", "2027-06-01"},
		"a key that is none":        {"--key", "x"},
		"no database and no stack":  {"--root", t.TempDir()},
		"copies that are not there": {"--checkpoints", filepath.Join(root, "elsewhere")},
	} {
		t.Run(name, func(t *testing.T) {
			_, stderr, err := run(t, append([]string{"audit", "verify", "--root", root}, args...)...)
			assert.Equal(t, codeUnread, err)
			assert.NotEmpty(t, stderr)
		})
	}
}

// TestTheSigningKeyCanBeChanged is what an operator does, with the commands that they have.
func TestTheSigningKeyCanBeChanged(t *testing.T) {
	root, _, former := trailed(t)
	key := filepath.Join(t.TempDir(), "new.key")
	_, _, err := run(t, "audit", "key", "--out", key)
	require.NoError(t, err)
	t.Setenv("AUDIT_SIGNING_KEY_FILE", key)
	out, _, err := run(t, "audit", "verify", "--root", root)
	assert.Equal(t, exitCode(audit.Tampered), err, "what the former key signed is signed by nobody known: %s", out)
	t.Setenv("AUDIT_FORMER_KEYS", former+"@2099-01-01T00:00:00Z")
	out, _, err = run(t, "audit", "verify", "--root", root)
	require.NoError(t, err, out)
	t.Setenv("AUDIT_FORMER_KEYS", former+"@2020-01-01T00:00:00Z")
	out, _, err = run(t, "audit", "verify", "--root", root)
	assert.Equal(t, exitCode(audit.Tampered), err)
	assert.Contains(t, out, "was given up at 2020-01-01T00:00:00Z")
	t.Setenv("AUDIT_FORMER_KEYS", "nonsense")
	_, stderr, err := run(t, "audit", "verify", "--root", root)
	assert.Equal(t, codeUnread, err)
	assert.Contains(t, stderr, "AUDIT_FORMER_KEYS")
}

func TestEntriesAreExportedAndFollowedFromTheRunningStack(t *testing.T) {
	root, _, _ := trailed(t)
	out, stderr, err := run(t, "audit", "export", "--root", root, "--action", "scalability:*")
	require.NoError(t, err)
	assert.Contains(t, stderr, "2 entries")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 2)
	var e models.AuditEntry
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &e))
	assert.Equal(t, "user:anna", e.Actor)
	assert.Len(t, e.Hash, 32)

	out, _, err = run(t, "audit", "export", "--root", root, "--decision", "deny", "--format", "csv")
	require.NoError(t, err)
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 2)
	assert.Equal(t, "'=cmd|'/c calc'!A1", rows[1][3], "no spreadsheet runs it")

	out, _, err = run(t, "audit", "export", "--root", root, "--action", "audit.export")
	require.NoError(t, err)
	assert.Equal(t, 3, strings.Count(out, "\n"), "each export is on record, this one too")

	for flag, args := range map[string][]string{
		"--decision": {"export", "--decision", "maybe"}, "--from": {"export", "--from", "2027-06-02", "--to", "2027-06-01"},
		"format": {"export", "--format", "xml"}, "--last": {"tail", "--last", "-1"},
	} {
		_, _, err := run(t, append([]string{"audit", args[0], "--root", root}, args[1:]...)...)
		require.ErrorContains(t, err, flag)
	}
	assert.Equal(t, "user:\ufffd[2Jeve", printable("user:\x1b[2Jeve"), "nothing steers the terminal")
}
