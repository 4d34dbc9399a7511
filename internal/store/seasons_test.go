package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func aSeason(id string) models.Season {
	return models.Season{
		ID: id, TimeZone: "Europe/London", From: noon, Until: noon.AddDate(0, 7, 0), Bounds: models.DefaultSeasonBounds(),
		RequestedBy: "user:anna", Phase: models.SeasonApproval, Sentence: "begins", CreatedAt: noon, UpdatedAt: noon,
	}
}

func aPlan(season string, version int) models.SeasonPlan {
	return models.SeasonPlan{
		SeasonID: season, Version: version, MadeAt: noon, Status: models.PlanProposed, Cost: 12.5, Sentence: "a plan",
		Weeks: []models.PlanWeek{{Service: models.ServiceAPI, From: noon, Until: noon.AddDate(0, 0, 7), Floor: 3, Peak: 5, Wanted: 5}},
		Quota: []models.QuotaNeed{}, Deficits: []models.PlanDeficit{}, Edits: []models.SeasonEdit{},
	}
}

func aProof(id string, at time.Time, rps float64) models.CapacityProof {
	return models.CapacityProof{ID: id, SeasonID: "summer", Service: models.ServiceAPI, CapacityRPS: rps, MaxReplicas: 9, PeakRPS: 900, IssuedAt: at, ExpiresAt: at.AddDate(0, 0, 30)}
}

// keepSeason keeps a season with a row in each of its tables.
func keepSeason(t *testing.T, s *Store, id string) {
	t.Helper()
	gate := models.SeasonGate{SeasonID: id, Gate: models.GateQuota, Due: noon, Status: models.GatePassed, Attempts: 1, FinishedAt: noon, Text: "well"}
	require.NoError(t, s.KeepSeason(t.Context(), aSeason(id), nil, []models.SeasonGate{gate}))
	require.NoError(t, s.SavePlan(t.Context(), aPlan(id, 1)))
	require.NoError(t, s.SaveCapacityProofs(t.Context(), []models.CapacityProof{aProof("proof-1", noon, 80)}))
}

func TestASeasonIsKeptWithItsGatesAndProofs(t *testing.T) {
	_, appURL := database(t)
	s := open(t, appURL).As(system)
	ctx := t.Context()
	keepSeason(t, s, "summer")
	keepSeason(t, s, "summer") // again

	later := aSeason("summer")
	later.Phase, later.Sentence, later.RequestedBy, later.Approved = models.SeasonRunning, "runs", "user:mallory", 1
	skipped := models.SeasonGate{SeasonID: "summer", Gate: models.GateQuota, Due: noon, Status: models.GateSkipped, Actor: "user:anna", Reason: "known", FinishedAt: noon}
	at := noon.Add(time.Hour)
	settled := models.SeasonPlan{SeasonID: "summer", Version: 1, Status: models.PlanApproved, DecidedBy: "user:bob", Reason: "good", DecidedAt: &at}
	require.NoError(t, s.KeepSeason(ctx, later, []models.SeasonPlan{settled}, []models.SeasonGate{skipped}))
	got, err := s.Season(ctx, "summer")
	require.NoError(t, err)
	assert.Equal(t, models.SeasonRunning, got.Phase)
	assert.Equal(t, "user:anna", got.RequestedBy, "who made it stays")
	require.Len(t, got.Gates, 1)
	assert.Equal(t, models.GateSkipped, got.Gates[0].Status)
	require.Len(t, got.Proofs, 1)

	changed := aPlan("summer", 1)
	changed.Cost = 99
	require.NoError(t, s.SavePlan(ctx, changed))
	plan, err := s.SeasonPlan(ctx, "summer", 1)
	require.NoError(t, err)
	assert.InDelta(t, 12.5, plan.Cost, 0, "what a person decided on is not changed any more")
	assert.Equal(t, models.PlanApproved, plan.Status)
	assert.Equal(t, 5, plan.Weeks[0].Peak)

	second := aPlan("summer", 2)
	second.Status = models.PlanAmended
	require.NoError(t, s.SavePlan(ctx, second))
	require.NoError(t, s.SavePlan(ctx, aPlan("summer", 3), 1, 2))
	plan, err = s.SeasonPlan(ctx, "summer", 2)
	require.NoError(t, err)
	assert.Equal(t, models.PlanSuperseded, plan.Status)
	plan, err = s.SeasonPlan(ctx, "summer", 1)
	require.NoError(t, err)
	assert.Equal(t, models.PlanApproved, plan.Status, "what was agreed to stays on record")

	_, err = s.SeasonPlan(ctx, "summer", 9)
	assert.Equal(t, models.KindNotFound, models.KindOf(err))
	_, err = s.Season(ctx, "winter")
	assert.Equal(t, models.KindNotFound, models.KindOf(err))
	all, err := s.Seasons(ctx)
	require.NoError(t, err)
	assert.Len(t, all, 1)
}

func TestWhatALoadTestCertifiedIsLearned(t *testing.T) {
	_, appURL := database(t)
	s := open(t, appURL).As(system)
	ctx := t.Context()
	l, err := s.Learned(ctx, models.ServiceAPI, noon)
	require.NoError(t, err)
	assert.Nil(t, l.CertifiedAt)
	require.NoError(t, s.SaveCapacityProofs(ctx, []models.CapacityProof{aProof("a", noon, 80), aProof("b", noon.Add(time.Hour), 70)}))
	l, err = s.Learned(ctx, models.ServiceAPI, noon.Add(30*time.Minute))
	require.NoError(t, err)
	assert.InDelta(t, 80, l.CapacityP10RPS, 0, "the last one until then")
	l, err = s.Learned(ctx, models.ServiceAPI, noon.Add(2*time.Hour))
	require.NoError(t, err)
	assert.InDelta(t, 70, l.CapacityP10RPS, 0)
	assert.Equal(t, noon.Add(time.Hour), *l.CertifiedAt)
	l, err = s.Learned(ctx, models.ServiceMedia, noon.Add(2*time.Hour))
	require.NoError(t, err)
	assert.Zero(t, l)
}

func TestAHoldersReservationsAreReleasedTogether(t *testing.T) {
	_, appURL := database(t)
	s := open(t, appURL).As(system)
	ctx := t.Context()
	for _, id := range []string{"a", "b", "c"} {
		r := aReservation(id)
		r.Holder, r.From, r.Until = "season/summer", noon, noon.Add(time.Hour)
		if id == "c" {
			r.Holder = "season/winter"
		}
		require.NoError(t, s.CreateReservation(ctx, r))
	}
	have, err := s.ReservationsOf(ctx, "season/summer", noon)
	require.NoError(t, err)
	require.Len(t, have, 2)
	n, err := s.EndReservations(ctx, []string{"a", "b"}, "svc:season", noon.Add(time.Minute))
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	n, err = s.EndReservations(ctx, []string{"a", "b"}, "svc:season", noon.Add(2*time.Minute))
	require.NoError(t, err)
	assert.Zero(t, n, "once")
	r, err := s.Reservation(ctx, "a")
	require.NoError(t, err)
	assert.Equal(t, noon.Add(time.Minute), *r.EndedAt)
	have, err = s.ReservationsOf(ctx, "season/winter", noon)
	require.NoError(t, err)
	assert.Len(t, have, 1, "another's stays")

	busy, err := s.CeremonyAt(ctx, noon)
	require.NoError(t, err)
	assert.False(t, busy)
	w := aWedding("ref", "")
	w.StartsAt, w.EndsAt = noon, noon.Add(time.Hour)
	_, err = s.CreateWedding(ctx, w)
	require.NoError(t, err)
	busy, err = s.CeremonyAt(ctx, noon.Add(time.Minute))
	require.NoError(t, err)
	assert.True(t, busy)
	most, err := s.MostReplicas(ctx, models.ServiceAPI, noon, noon.Add(time.Hour))
	require.NoError(t, err)
	assert.Nil(t, most)
}
