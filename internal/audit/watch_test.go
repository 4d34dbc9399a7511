package audit

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func (d database) reader(t *testing.T) *Reader {
	t.Helper()
	r, err := NewReader(t.Context(), d.app, "test")
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r
}

func idsOf(rows []models.AuditEntry) (ids []string) {
	for _, e := range rows {
		if e.Actor == "user:anna" { // not the upkeep of the streams
			ids = append(ids, e.ID)
		}
	}
	return ids
}

func TestAReaderGetsEachRowOnceInWhateverOrderStreamsCommit(t *testing.T) {
	d := newDatabase(t)
	slow, quick := d.writer(t, Options{}), d.writer(t, Options{})
	old, fresh := entry("old"), entry("fresh")
	old.At, fresh.At = time.Now().Add(-time.Hour), time.Now()
	require.NoError(t, slow.Record(t.Context(), old))
	require.NoError(t, slow.Record(t.Context(), fresh))
	r := d.reader(t)
	rows, at, err := r.Begin(t.Context(), time.Now().Add(-time.Minute))
	require.NoError(t, err)
	assert.Equal(t, []string{"fresh"}, idsOf(rows))

	second := entry("second")
	second.At = time.Now()
	require.NoError(t, quick.Record(t.Context(), second))
	late := entry("late") // its call was long before the others', and it is committed now
	late.At = time.Now().Add(-30 * time.Minute)
	require.NoError(t, slow.Record(t.Context(), late))
	rows, gaps, err := r.Next(t.Context(), at)
	require.NoError(t, err)
	assert.Empty(t, gaps)
	assert.Equal(t, []string{"late", "second"}, idsOf(rows), "oldest first")
	rows, gaps, err = r.Next(t.Context(), at)
	require.NoError(t, err)
	assert.Empty(t, gaps)
	assert.Empty(t, rows, "once")
}

// A machine that slept, or a database that one process could not reach: what others wrote
// meanwhile, and ended, is read all the same.
func TestAReaderThatCouldNotLookForLongPassesNothingOver(t *testing.T) {
	d := newDatabase(t)
	w, r := d.writer(t, Options{}), d.reader(t)
	_, at, err := r.Begin(t.Context(), time.Now())
	require.NoError(t, err)
	e := entry("missed")
	e.At = time.Now()
	require.NoError(t, w.Record(t.Context(), e))
	d.exec(t, "ALTER TABLE audit_streams NO FORCE ROW LEVEL SECURITY; UPDATE audit_streams SET at = at - interval '2 hours', closed_at = clock_timestamp() - interval '2 hours'")
	r.looked = r.looked.Add(-3 * time.Hour)
	rows, gaps, err := r.Next(t.Context(), at)
	require.NoError(t, err)
	assert.Empty(t, gaps)
	assert.Equal(t, []string{"missed"}, idsOf(rows))
	assert.WithinDuration(t, time.Now(), r.looked, time.Minute)
}

func TestAReaderSaysWhereRowsAreMissing(t *testing.T) {
	d := newDatabase(t)
	w, r := d.writer(t, Options{}), d.reader(t)
	_, at, err := r.Begin(t.Context(), time.Now())
	require.NoError(t, err)
	for i := range 5 {
		e := entry(fmt.Sprintf("e%d", i))
		e.At = time.Now()
		require.NoError(t, w.Record(t.Context(), e))
	}
	before := at[w.name]
	d.exec(t, "ALTER TABLE security_audit_logs NO FORCE ROW LEVEL SECURITY; DELETE FROM security_audit_logs WHERE id IN ('e1', 'e2', 'e4')")
	rows, gaps, err := r.Next(t.Context(), at)
	require.NoError(t, err)
	assert.Equal(t, []string{"e0", "e3"}, idsOf(rows))
	require.Len(t, gaps, 2)
	assert.Equal(t, []int64{before + 1, before + 4}, []int64{gaps[0].After, gaps[0].Before}, "in the middle")
	assert.Equal(t, []int64{before + 4, 0}, []int64{gaps[1].After, gaps[1].Before}, "at the end")
	_, gaps, err = r.Next(t.Context(), at)
	require.NoError(t, err)
	assert.Empty(t, gaps, "a gap is told once")
}

func TestTheWeeksBeforeAreSummedUp(t *testing.T) {
	d := newDatabase(t)
	w, r := d.writer(t, Options{}), d.reader(t)
	hour := time.Now().UTC().Add(-26 * time.Hour).Truncate(time.Hour)
	call := func(id string, after time.Duration, change func(*models.AuditEntry)) {
		e := entry(id)
		e.At, e.Context = hour.Add(after), map[string]string{models.ContextTokenID: "t1"}
		if change != nil {
			change(&e)
		}
		require.NoError(t, w.Record(t.Context(), e))
	}
	call("a", time.Minute, nil)
	call("b", 2*time.Minute, func(e *models.AuditEntry) { e.Action = string(models.PermissionMonitor) })
	call("c", 20*time.Minute, func(e *models.AuditEntry) { e.Action, e.Decision = string(models.PermissionManage), models.AuditDeny })
	for i, who := range []string{"user:anna", "user:anna", "user:olga"} {
		call(fmt.Sprintf("f%d", i), 5*time.Minute, func(e *models.AuditEntry) {
			e.Actor, e.Decision = "anonymous", models.AuditDeny
			e.Context = map[string]string{models.ContextRefusal: "signature", models.ContextClaimedSubject: who}
		})
	}
	call("x", 5*time.Minute, func(e *models.AuditEntry) {
		e.Actor, e.Context = "anonymous", map[string]string{models.ContextRefusal: "expired", models.ContextClaimedSubject: "user:vera"}
	})

	b, err := r.Behaviour(t.Context(), hour, hour.Add(time.Hour))
	require.NoError(t, err)
	assert.ElementsMatch(t, []models.Habit{
		{Subject: "user:anna", Permission: models.PermissionRead, Hour: hour, Allowed: true, Peak: 2},
		{Subject: "user:anna", Permission: models.PermissionMonitor, Hour: hour, Allowed: true, Peak: 2},
		{Subject: "user:anna", Permission: models.PermissionManage, Hour: hour, Peak: 1},
	}, b.Habits)
	assert.Equal(t, []models.FailingSlot{{At: hour, Failing: 2, Active: 1}, {At: hour.Add(20 * time.Minute), Active: 1}}, b.Slots)
	assert.Equal(t, []models.KnownUse{{Subject: "user:anna", TokenID: "t1", RemoteIP: "192.0.2.7", At: hour.Add(time.Minute)}}, b.Uses)
}
