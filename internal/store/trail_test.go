package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

// witness is a trail that remembers, or refuses.
type witness struct {
	entries []models.AuditEntry
	err     error
}

func (w *witness) Append(_ context.Context, _ *sql.Tx, e models.AuditEntry) error {
	w.entries = append(w.entries, e)
	return w.err
}

func TestAChangeIsOnRecordInTheNameOfWhoMadeIt(t *testing.T) {
	w := &witness{}
	s := fresh(t).Audited(w)
	ctx := models.WithScope(t.Context(), models.Scope{Role: models.ScopeAdmin, Subject: "user:anna"})
	ctx = models.WithOrigin(ctx, models.Origin{RequestID: "r1", TraceID: "t1", RemoteIP: "192.0.2.7"})
	made, err := s.CreateWedding(ctx, aWedding("ref", ""))
	require.NoError(t, err)
	require.NoError(t, s.CreateReservation(t.Context(), aReservation("r-1")))
	_, err = s.Wedding(ctx, made.ID)
	require.NoError(t, err)
	assert.Equal(t, []models.AuditEntry{
		{Actor: "user:anna", Action: "change.create.wedding", Object: "wedding/" + made.ID, Decision: models.AuditAllow, Rule: "scope scalability_admin", RequestID: "r1", TraceID: "t1", RemoteIP: "192.0.2.7"},
		{Actor: "svc:" + system.Subject, Action: "change.create.reservation", Object: "reservation/r-1", Decision: models.AuditAllow, Rule: "scope system"},
	}, w.entries, "and who only reads changes nothing")
}

func TestAChangeThatCannotBeRecordedIsNotMade(t *testing.T) {
	s := fresh(t)
	w := s.Audited(&witness{err: models.Unavailable("audit", errors.New("away"))})
	err := w.CreateReservation(t.Context(), aReservation("r-1"))
	assert.Equal(t, models.KindUnavailable, models.KindOf(err))
	_, err = s.Reservation(t.Context(), "r-1")
	assert.Equal(t, models.KindNotFound, models.KindOf(err))
}

func TestTheTrailIsReadPageByPage(t *testing.T) {
	ownerURL, appURL := database(t)
	_ = ownerURL
	s := open(t, appURL).As(system)
	for _, id := range []string{"a", "b", "c"} {
		keepAudit(t, appURL, id, noon)
	}
	all := models.AuditFilter{Actor: "user:olga", Action: "re*", Object: "/", Decision: models.AuditAllow, From: noon, Until: noon.Add(1)}
	got, err := s.AuditEntries(t.Context(), models.AuditFilter{Limit: 2})
	require.NoError(t, err)
	require.Len(t, got, 2)
	assert.Equal(t, "c", got[0].ID)
	all.Until = noon.Add(1000000)
	all.Before = &models.Cursor{At: got[1].At, ID: got[1].ID}
	got, err = s.AuditEntries(t.Context(), all)
	require.NoError(t, err)
	require.Len(t, got, 1)
	assert.Equal(t, "a", got[0].ID)
	for name, f := range map[string]models.AuditFilter{"actor": {Actor: "user:x"}, "action": {Action: "rea"}, "object": {Object: "%*"}, "decision": {Decision: models.AuditDeny}} {
		got, err = s.AuditEntries(t.Context(), f)
		require.NoError(t, err)
		assert.Empty(t, got, name)
	}
}

func TestPagesHoldEachEntryOnceWhileOthersAreWritten(t *testing.T) {
	_, appURL := database(t)
	s := open(t, appURL).As(system)
	for i := range 20 { // several of one moment
		keepAudit(t, appURL, fmt.Sprintf("old-%02d", i), noon.Add(time.Duration(i/4)*time.Second))
	}
	seen := map[string]int{}
	f := models.AuditFilter{Limit: 3}
	for page := 0; ; page++ {
		got, err := s.AuditEntries(t.Context(), f)
		require.NoError(t, err)
		if len(got) == 0 {
			break
		}
		for _, e := range got {
			seen[e.ID]++
		}
		last := got[len(got)-1]
		f.Before = &models.Cursor{At: last.At, ID: last.ID}
		keepAudit(t, appURL, fmt.Sprintf("new-%02d", page), noon.Add(time.Hour))                              // after all that is there
		keepAudit(t, appURL, fmt.Sprintf("old-%02d-late", page), noon.Add(time.Duration(page)*time.Second/2)) // and in between
		require.Less(t, page, 60)
	}
	for i := range 20 {
		assert.Equal(t, 1, seen[fmt.Sprintf("old-%02d", i)], "old-%02d", i)
	}
	for id, n := range seen {
		assert.Equal(t, 1, n, id)
	}
}
