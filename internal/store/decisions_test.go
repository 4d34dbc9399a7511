package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func TestADecisionComesBackAsItWasGiven(t *testing.T) {
	s := fresh(t)
	value, target := 480.5, 70.0
	d := aDecision("d1", models.DecisionExecuting)
	d.SpikeSampleAt = &noon
	d.WorkflowID = "scale/api/d1"
	d.Explanation = &models.Explanation{
		DecisionID: "d1", Service: models.ServiceAPI, At: noon, Desired: 7, Text: "7 replicas, “measured”",
		Candidates: []models.Candidate{{By: "throughput", Value: &value, Target: &target, N: 7, Used: true}},
		Caps:       []models.Cap{{Cap: "max", Limit: 30}}, Deficit: &models.Deficit{Replicas: 1, Remedies: []string{"raise max"}},
	}
	require.NoError(t, s.RecordDecision(t.Context(), d))
	got, err := s.Decision(t.Context(), "d1")
	require.NoError(t, err)
	assert.Equal(t, d, got)
	_, err = s.Decision(t.Context(), "nobody")
	assertError(t, err, models.KindNotFound, "id")

	final, at := 7, noon.Add(time.Second)
	r := verified("d1")
	r.FinalReplicas, r.OrderedAt = &final, &at
	r.Evidence = &models.Evidence{Measurements: []models.Measurement{{At: noon, Spec: 7}}, Checks: []models.Check{{Name: "errors", Result: models.CheckPass}}, Verdict: models.VerdictKeep, Steps: []models.Step{{At: noon, Name: "order"}}}
	require.NoError(t, s.CloseDecision(t.Context(), r))
	got, err = s.Decision(t.Context(), "d1")
	require.NoError(t, err)
	d.Status, d.Outcome, d.OutcomeReason, d.FinishedAt = models.DecisionClosed, r.Outcome, r.Reason, &r.FinishedAt
	d.FinalReplicas, d.Evidence, d.OrderedAt = r.FinalReplicas, r.Evidence, r.OrderedAt
	assert.Equal(t, d, got)
}

// The table of RecordDecision.
func TestRecordDecisionIsIdempotentByID(t *testing.T) {
	closed := func(o models.Outcome) models.Decision {
		d := aDecision("d", models.DecisionClosed)
		d.Outcome, d.FinishedAt = o, &noon
		return d
	}
	executing := aDecision("d", models.DecisionExecuting)
	executing.RequestedBy, executing.CreatedAt, executing.ToReplicas = "system", noon.Add(time.Second), 9
	proposed := aDecision("d", models.DecisionProposed)
	proposed.ReservationID = "r"
	media := executing
	media.Service = models.ServiceMedia
	again := executing
	again.ToReplicas = 11
	s := fresh(t)
	for name, c := range map[string]struct {
		stored, given models.Decision
		kind          models.Kind
		status        models.DecisionStatus
		to            int
	}{
		"proposed is taken up":                    {proposed, executing, "", models.DecisionExecuting, 9},
		"proposed may end at once":                {proposed, closed(models.OutcomeNoOp), "", models.DecisionClosed, 5},
		"proposed is proposed again":              {proposed, proposed, "", models.DecisionProposed, 5},
		"executing is recorded already":           {executing, again, "", models.DecisionExecuting, 9},
		"executing is not proposed again":         {executing, proposed, "", models.DecisionExecuting, 9},
		"closed is not opened":                    {closed(models.OutcomeNoOp), executing, models.KindConflict, models.DecisionClosed, 5},
		"closed is closed again":                  {closed(models.OutcomeNoOp), closed(models.OutcomeNoOp), "", models.DecisionClosed, 5},
		"closed is not closed otherwise":          {closed(models.OutcomeNoOp), closed(models.OutcomeRefused), models.KindConflict, models.DecisionClosed, 5},
		"proposed of another service":             {proposed, media, models.KindConflict, models.DecisionProposed, 5},
		"executing of another service":            {executing, media, models.KindConflict, models.DecisionExecuting, 9},
		"without a status is executing":           {proposed, func() models.Decision { d := executing; d.Status = ""; return d }(), "", models.DecisionExecuting, 9},
		"closed without an outcome breaks a rule": {proposed, closed(""), models.KindInvalid, models.DecisionProposed, 5},
	} {
		t.Run(name, func(t *testing.T) {
			c.stored.ID, c.given.ID = name, name
			require.NoError(t, s.RecordDecision(t.Context(), c.stored))
			for range 2 {
				err := s.RecordDecision(t.Context(), c.given)
				if c.kind == "" {
					require.NoError(t, err)
				} else {
					assertError(t, err, c.kind, "")
				}
				got, err := s.Decision(t.Context(), name)
				require.NoError(t, err)
				assert.Equal(t, c.status, got.Status)
				assert.Equal(t, c.to, got.ToReplicas)
				assert.Equal(t, c.stored.CreatedAt, got.CreatedAt, "when it was asked for stays")
				assert.Equal(t, c.stored.RequestedBy, got.RequestedBy, "who asked stays")
				assert.Equal(t, c.stored.ReservationID, got.ReservationID)
			}
		})
	}
}

func TestTheFirstReportCloses(t *testing.T) {
	s := fresh(t)
	d := aDecision("d", models.DecisionExecuting)
	d.OrderedAt = &noon
	require.NoError(t, s.RecordDecision(t.Context(), d))
	require.NoError(t, s.CloseDecision(t.Context(), verified("d")))
	first, err := s.Decision(t.Context(), "d")
	require.NoError(t, err)
	assert.Equal(t, &noon, first.OrderedAt, "what the report does not know stays")

	require.NoError(t, s.CloseDecision(t.Context(), verified("d")))
	lost := verified("d")
	lost.Outcome, lost.Reason = models.OutcomeLost, "found by reconciliation"
	require.NoError(t, s.CloseDecision(t.Context(), lost))
	got, err := s.Decision(t.Context(), "d")
	require.NoError(t, err)
	assert.Equal(t, first, got)

	assertError(t, s.CloseDecision(t.Context(), verified("nobody")), models.KindNotFound, "id")
	open := verified("d")
	open.Outcome = models.OutcomeOpen
	assertError(t, s.CloseDecision(t.Context(), open), models.KindInvalid, "outcome")
	open = verified("d")
	open.FinishedAt = time.Time{}
	assertError(t, s.CloseDecision(t.Context(), open), models.KindInvalid, "finishedAt")
}

func TestARequestIsCommittedWholeOrNotAtAll(t *testing.T) {
	s := fresh(t)
	r, d := aReservation("r1"), aDecision("d1", models.DecisionProposed)
	d.ReservationID = "r1"
	require.NoError(t, s.RequestScale(t.Context(), r, d))
	requests, err := s.OpenRequests(t.Context(), models.ServiceAPI)
	require.NoError(t, err)
	assert.Equal(t, []models.DecisionRequest{{DecisionID: "d1", ReservationID: "r1", Actor: "user:olga", CreatedAt: noon}}, requests)

	r.ID, d.ReservationID = "r2", "r2"
	assertError(t, s.RequestScale(t.Context(), r, d), models.KindConflict, "id")
	_, err = s.Reservation(t.Context(), "r2")
	assertError(t, err, models.KindNotFound, "id")

	d.ID, d.Status = "d2", models.DecisionExecuting
	assertError(t, s.RequestScale(t.Context(), r, d), models.KindInvalid, "status")
	d.Status, d.ReservationID = models.DecisionProposed, "r1"
	assertError(t, s.RequestScale(t.Context(), r, d), models.KindInvalid, "reservationId")
}

func TestOpenRequestsAreTheProposedOnesOldestFirst(t *testing.T) {
	s := fresh(t)
	for i, d := range []models.Decision{
		aDecision("late", models.DecisionProposed), aDecision("soon", models.DecisionProposed),
		aDecision("running", models.DecisionExecuting), aDecision("media", models.DecisionProposed),
	} {
		d.CreatedAt = noon.Add(-time.Duration(i) * time.Minute)
		if d.ID == "media" {
			d.Service = models.ServiceMedia
		}
		require.NoError(t, s.RecordDecision(t.Context(), d))
	}
	requests, err := s.OpenRequests(t.Context(), models.ServiceAPI)
	require.NoError(t, err)
	require.Len(t, requests, 2)
	assert.Equal(t, "soon", requests[0].DecisionID)
	assert.Equal(t, "late", requests[1].DecisionID)
	none, err := s.OpenRequests(t.Context(), models.ServiceSearch)
	require.NoError(t, err)
	assert.Equal(t, []models.DecisionRequest{}, none)

	require.NoError(t, s.CloseDecision(t.Context(), verified("running")))
	open, err := s.OpenDecisions(t.Context(), noon)
	require.NoError(t, err)
	assert.Equal(t, []string{"media", "soon"}, ids(open), "made before noon and not closed, oldest first")
}

func ids(ds []models.Decision) []string {
	var ids []string
	for _, d := range ds {
		ids = append(ids, d.ID)
	}
	return ids
}

func TestDecisionsAreFiltered(t *testing.T) {
	s := fresh(t)
	for i, id := range []string{"a", "b", "c", "d"} {
		d := aDecision(id, models.DecisionExecuting)
		d.CreatedAt = noon.Add(time.Duration(i) * time.Minute)
		if id == "c" {
			d.Service = models.ServiceMedia
		}
		require.NoError(t, s.RecordDecision(t.Context(), d))
	}
	require.NoError(t, s.CloseDecision(t.Context(), verified("b")))
	open, done := models.OutcomeOpen, models.OutcomeVerified
	for name, c := range map[string]struct {
		filter models.DecisionFilter
		want   []string
	}{
		"all":              {models.DecisionFilter{}, []string{"d", "c", "b", "a"}},
		"one service":      {models.DecisionFilter{Service: models.ServiceMedia}, []string{"c"}},
		"open":             {models.DecisionFilter{Outcome: &open}, []string{"d", "c", "a"}},
		"verified":         {models.DecisionFilter{Outcome: &done}, []string{"b"}},
		"since, inclusive": {models.DecisionFilter{Since: noon.Add(2 * time.Minute)}, []string{"d", "c"}},
		"until, exclusive": {models.DecisionFilter{Until: noon.Add(2 * time.Minute)}, []string{"b", "a"}},
		"limit":            {models.DecisionFilter{Limit: 1}, []string{"d"}},
		"no such":          {models.DecisionFilter{Service: models.ServiceSearch}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := s.Decisions(t.Context(), c.filter)
			require.NoError(t, err)
			require.NotNil(t, found)
			assert.Equal(t, c.want, ids(found))
		})
	}
}

// Whatever the page size, and however many decisions share a time, pages give each
// decision once, newest first.
func TestPagesGiveEachDecisionOnce(t *testing.T) {
	s := fresh(t)
	const n = 23
	for i := range n {
		d := aDecision(fmt.Sprintf("d%02d", (i*7)%n), models.DecisionExecuting)
		d.CreatedAt = noon.Add(time.Duration(i/4) * time.Microsecond)
		require.NoError(t, s.RecordDecision(t.Context(), d))
	}
	whole, err := s.Decisions(t.Context(), models.DecisionFilter{})
	require.NoError(t, err)
	require.Len(t, whole, n)
	for limit := 1; limit <= n+1; limit++ {
		var all []models.Decision
		f := models.DecisionFilter{Limit: limit}
		for {
			page, err := s.Decisions(t.Context(), f)
			require.NoError(t, err)
			all = append(all, page...)
			if len(page) < limit {
				break
			}
			last := page[len(page)-1]
			f.Before = &models.Cursor{At: last.CreatedAt, ID: last.ID}
		}
		assert.Equal(t, ids(whole), ids(all), "pages of %d", limit)
	}
}
