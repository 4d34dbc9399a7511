package audit

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/wedsync/scalability/models"
)

// Bounds, in bytes or counts. What callers send must not fill the log or fail a batch.
const (
	maxName    = 300 // subject, identifier, address; a subject has at most 260
	maxText    = 600 // action, object, rule, value of the context
	maxRoles   = 20
	maxContext = 40 // keys of the context
)

// row is an entry as it is sent: cleaned, bounded, JSON encoded.
type row struct {
	id, actor, action, object, decision, rule, roles, context, requestID, traceID, remoteIP string

	at       time.Time
	revision int64
}

// newRow fills in what is zero and cleans what is not.
func newRow(e models.AuditEntry, now time.Time) (row, error) {
	if e.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return row{}, err
		}
		e.ID = id.String()
	}
	if e.At.IsZero() {
		e.At = now
	}
	if e.Decision == "" {
		e.Decision = models.AuditDeny
	}
	roles, err := json.Marshal(cleanRoles(e.Roles))
	if err != nil {
		return row{}, err
	}
	context, err := json.Marshal(cleanContext(e.Context))
	if err != nil {
		return row{}, err
	}
	return row{
		// A microsecond is what the database keeps; what is hashed must come back as it was.
		id: clean(e.ID, maxName), at: e.At.UTC().Truncate(time.Microsecond), revision: e.PolicyRevision,
		actor: clean(e.Actor, maxName), action: clean(e.Action, maxText), object: clean(e.Object, maxText),
		decision: clean(string(e.Decision), maxName), rule: clean(e.Rule, maxText), roles: string(roles),
		requestID: clean(e.RequestID, maxName), traceID: clean(e.TraceID, maxName), remoteIP: clean(e.RemoteIP, maxName), context: string(context),
	}, nil
}

func cleanRoles(roles []models.Role) []string {
	out := []string{}
	for _, r := range roles[:min(len(roles), maxRoles)] {
		out = append(out, clean(string(r), maxName))
	}
	return out
}

// cleanContext keeps the first keys in alphabetical order.
func cleanContext(context map[string]string) map[string]string {
	keys := slices.Sorted(maps.Keys(context))
	out := map[string]string{}
	for _, k := range keys[:min(len(keys), maxContext)] {
		out[clean(k, maxName)] = clean(context[k], maxText)
	}
	return out
}

// clean makes a text that Postgres takes, in a column and in JSON: valid UTF-8 without
// NUL, of at most limit bytes; a text that was cut ends in "…".
func clean(s string, limit int) string {
	const mark = "…"
	cut := len(s) > 4*limit // do not work on megabytes
	s = s[:min(len(s), 4*limit)]
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	s = strings.ReplaceAll(s, "\x00", string(utf8.RuneError))
	if !cut && len(s) <= limit {
		return s
	}
	end := min(len(s), limit-len(mark))
	for end < len(s) && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}
