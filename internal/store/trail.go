package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"gorm.io/gorm"

	"github.com/wedsync/scalability/models"
)

// Trail appends an entry to the audit trail inside a transaction, so that a change and its
// entry are committed together or not at all.
type Trail interface {
	Append(ctx context.Context, tx *sql.Tx, e models.AuditEntry) error
}

// Audited is the same pool with a trail that every change is kept in. Without one changes
// are made without an entry: that is for tests, and for an installation that switched the
// audit log off.
func (s *Store) Audited(t Trail) *Store {
	other := *s
	other.trail = t
	return &other
}

// change is write for what somebody did: it adds the entry as the last thing of the
// transaction, because the trail's head is locked from then on. The entry is there when the
// change is, also where the call found that nothing was left to do.
func (s *Store) change(ctx context.Context, op, object string, do func(tx *gorm.DB) error) error {
	return s.changed(ctx, op, func(tx *gorm.DB) (changed, error) { return changed{object: object}, do(tx) })
}

// changed is what was changed, as far as it is known only afterwards; no object: nothing was
// that is worth an entry.
type changed struct {
	object  string
	context map[string]string
}

// changed is change where what was changed is known only afterwards.
func (s *Store) changed(ctx context.Context, op string, do func(tx *gorm.DB) (changed, error)) error {
	return s.write(ctx, op, func(tx *gorm.DB) error {
		what, err := do(tx)
		if err != nil || s.trail == nil || what.object == "" {
			return err
		}
		inner, ok := tx.Statement.ConnPool.(*sql.Tx)
		if !ok {
			return fmt.Errorf("%s: a change outside of a transaction", op)
		}
		scope, origin := models.ScopeFrom(ctx), models.OriginFrom(ctx)
		if scope.Role == models.ScopeNone {
			scope = s.scope
		}
		actor := scope.Subject
		if !strings.Contains(actor, ":") {
			actor = "svc:" + actor // a process of ours
		}
		return s.trail.Append(ctx, inner, models.AuditEntry{
			Actor: actor, Action: actionOf(op), Object: what.object, Decision: models.AuditAllow, Rule: "scope " + string(scope.Role), Context: what.context,
			RequestID: origin.RequestID, TraceID: origin.TraceID, RemoteIP: origin.RemoteIP,
		})
	})
}

// named puts a list into the context of an entry, several names in each value, since a value is
// cut where it is long.
func named(what string, names []string) map[string]string {
	const each = 12
	out := map[string]string{"count": strconv.Itoa(len(names))}
	for i := 0; i < len(names) && i < 30*each; i += each {
		out[fmt.Sprintf("%s%02d", what, i/each)] = strings.Join(names[i:min(i+each, len(names))], " ")
	}
	return out
}

// actionOf names what was done as the trail does: store.CreateWedding is create.wedding.
func actionOf(op string) string {
	var b strings.Builder
	for i, r := range strings.TrimPrefix(op, "store.") {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('.')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return "change." + b.String()
}
