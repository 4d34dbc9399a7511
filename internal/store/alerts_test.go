package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func anAlert(id string) models.Threat {
	until := noon.Add(15 * time.Minute)
	return models.Threat{
		ID: id, Rule: models.ThreatBruteForce, Kind: "account", Severity: models.ThreatWarning, Subject: "user:anna", Claimed: true,
		Network: "192.0.2.0/24", At: noon, RaisedAt: noon, Entries: 12, Evidence: []string{"e1", "e2"}, Sentence: "Somebody tries.",
		Response: models.RespondDelayAccount, RespondUntil: &until,
	}
}

func TestAnAlertIsRaisedOnceAndComesBackWhole(t *testing.T) {
	s := fresh(t)
	isNew, err := s.RaiseAlert(t.Context(), anAlert("a1"))
	require.NoError(t, err)
	assert.True(t, isNew)
	again := anAlert("a1")
	again.Sentence = "Another."
	isNew, err = s.RaiseAlert(t.Context(), again)
	require.NoError(t, err)
	assert.False(t, isNew)

	found, err := s.SecurityAlerts(t.Context(), models.ThreatFilter{})
	require.NoError(t, err)
	assert.Equal(t, []models.Threat{anAlert("a1")}, found)
}

func TestAlertsAreFoundByTimeSeverityAndRulePageByPage(t *testing.T) {
	s := fresh(t)
	for i, id := range []string{"a1", "a2", "a3"} {
		a := anAlert(id)
		a.RaisedAt = noon.Add(time.Duration(i) * time.Minute)
		if id == "a2" {
			a.Rule, a.Severity = models.ThreatSpray, models.ThreatCritical
		}
		_, err := s.RaiseAlert(t.Context(), a)
		require.NoError(t, err)
	}
	for name, c := range map[string]struct {
		filter models.ThreatFilter
		want   []string
	}{
		"all":           {models.ThreatFilter{}, []string{"a3", "a2", "a1"}},
		"critical":      {models.ThreatFilter{Severity: models.ThreatCritical}, []string{"a2"}},
		"of a rule":     {models.ThreatFilter{Rule: models.ThreatBruteForce}, []string{"a3", "a1"}},
		"since":         {models.ThreatFilter{Since: noon.Add(time.Minute)}, []string{"a3", "a2"}},
		"the next page": {models.ThreatFilter{Before: &models.Cursor{At: noon.Add(time.Minute), ID: "a2"}, Limit: 1}, []string{"a1"}},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := s.SecurityAlerts(t.Context(), c.filter)
			require.NoError(t, err)
			ids := []string{}
			for _, f := range found {
				ids = append(ids, f.ID)
			}
			assert.Equal(t, c.want, ids)
		})
	}
}

func TestTheFirstAcknowledgementStays(t *testing.T) {
	s := fresh(t)
	_, err := s.RaiseAlert(t.Context(), anAlert("a1"))
	require.NoError(t, err)
	as := models.WithScope(t.Context(), models.Scope{Role: models.ScopeAdmin, Subject: "user:olga"})
	word := models.Acknowledgement{ID: "a1", Actor: "user:olga", Note: "a rehearsal", At: noon.Add(time.Hour)}

	_, err = s.AcknowledgeAlert(as, models.Acknowledgement{ID: "a1", Actor: "user:olga", At: noon})
	assert.Equal(t, models.KindInvalid, models.KindOf(err), "it needs a note")
	_, err = s.AcknowledgeAlert(as, models.Acknowledgement{ID: "none", Actor: "user:olga", Note: "a rehearsal", At: noon})
	assert.Equal(t, models.KindNotFound, models.KindOf(err))
	got, err := s.AcknowledgeAlert(as, word)
	require.NoError(t, err)
	assert.Equal(t, "user:olga", got.AcknowledgedBy)
	_, err = s.AcknowledgeAlert(as, word)
	assert.Equal(t, models.KindConflict, models.KindOf(err))

	found, err := s.SecurityAlerts(t.Context(), models.ThreatFilter{})
	require.NoError(t, err)
	assert.Equal(t, "a rehearsal", found[0].Note)
	assert.Equal(t, anAlert("a1").Sentence, found[0].Sentence)
}

func TestOneProcessWatchesAtATime(t *testing.T) {
	s := fresh(t)
	first, held, err := s.WatchThreats(t.Context(), "one", time.Minute, time.Time{})
	require.NoError(t, err)
	assert.True(t, held)
	assert.WithinDuration(t, time.Now(), first, time.Hour, "a new installation begins now")

	_, held, err = s.WatchThreats(t.Context(), "two", time.Minute, time.Time{})
	require.NoError(t, err)
	assert.False(t, held)

	seen := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	_, held, err = s.WatchThreats(t.Context(), "one", time.Millisecond, seen)
	require.NoError(t, err)
	assert.True(t, held, "a lease is renewed by its holder")
	require.Eventually(t, func() bool {
		before, held, err := s.WatchThreats(t.Context(), "two", time.Minute, seen.Add(-time.Minute))
		return err == nil && held && before.Equal(seen)
	}, 10*time.Second, 10*time.Millisecond, "a lease that ran out is taken over, from where the other one was")
	before, held, err := s.WatchThreats(t.Context(), "two", time.Minute, time.Time{})
	require.NoError(t, err)
	assert.True(t, held)
	assert.Equal(t, seen, before, "what was seen is not unseen")
}

func TestNoAlertEndsSessionsOnANameThatNothingVouchesFor(t *testing.T) {
	s := fresh(t)
	a := anAlert("a1")
	a.Response = models.RespondRevokeSubject
	_, err := s.RaiseAlert(t.Context(), a)
	require.Error(t, err, "the database refuses it, whatever the program thinks")
	a.Claimed = false
	isNew, err := s.RaiseAlert(t.Context(), a)
	require.NoError(t, err)
	assert.True(t, isNew)
}
