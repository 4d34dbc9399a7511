package store

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func TestSeedServicesAddsWhatIsMissingAndLeavesTheRest(t *testing.T) {
	s := fresh(t)
	all := models.DefaultServices("fleet")
	added, err := s.SeedServices(t.Context(), all[:4])
	require.NoError(t, err)
	assert.Equal(t, 4, added)

	changed := all[0]
	changed.MaxReplicas = 17
	_, err = s.UpdateService(t.Context(), changed)
	require.NoError(t, err)

	added, err = s.SeedServices(t.Context(), all)
	require.NoError(t, err)
	assert.Equal(t, 5, added)
	added, err = s.SeedServices(t.Context(), all)
	require.NoError(t, err)
	assert.Zero(t, added)

	stored, err := s.Services(t.Context())
	require.NoError(t, err)
	names := []models.ServiceName{}
	for _, svc := range stored {
		names = append(names, svc.Name)
	}
	assert.Equal(t, models.ServiceNames(), names, "in the fixed order")
	assert.Equal(t, 17, stored[0].MaxReplicas, "what an operator changed stays")
	assert.Equal(t, all[1].Policy, stored[1].Policy)
	assert.False(t, stored[1].CreatedAt.IsZero())
}

func TestUpdateServiceHoldsToItsRevision(t *testing.T) {
	s := fresh(t)
	_, err := s.SeedServices(t.Context(), []models.Service{aService()})
	require.NoError(t, err)
	before, err := s.Service(t.Context(), models.ServiceAPI)
	require.NoError(t, err)
	require.Equal(t, int64(1), before.Revision)

	next := before
	next.Policy.SoakSeconds = 0
	next.ConnectionsPerReplica = 0
	next.CostPerReplicaHour = 0
	next.CreatedAt = noon
	got, err := s.UpdateService(t.Context(), next)
	require.NoError(t, err)
	assert.Equal(t, int64(2), got.Revision)
	assert.Zero(t, got.Policy.SoakSeconds)
	assert.Zero(t, got.ConnectionsPerReplica, "zero is a value")
	assert.Zero(t, got.CostPerReplicaHour)
	assert.Equal(t, before.CreatedAt, got.CreatedAt, "the time of creation stays")
	assert.False(t, got.UpdatedAt.Before(before.UpdatedAt))
	stored, err := s.Service(t.Context(), models.ServiceAPI)
	require.NoError(t, err)
	assert.Equal(t, stored, got)

	_, err = s.UpdateService(t.Context(), next)
	assertError(t, err, models.KindConflict, "revision")
	next.Name = models.ServiceMedia
	_, err = s.UpdateService(t.Context(), next)
	assertError(t, err, models.KindNotFound, "name")
	got.MaxReplicas = 1
	_, err = s.UpdateService(t.Context(), got)
	assertError(t, err, models.KindInvalid, "")
	_, err = s.Service(t.Context(), "nothing")
	assertError(t, err, models.KindNotFound, "name")
}

func assertError(t *testing.T, err error, kind models.Kind, field string) {
	t.Helper()
	var e *models.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, kind, e.Kind, err)
	assert.True(t, strings.HasPrefix(e.Op, "store."), "%v names its operation", err)
	if field != "" {
		assert.Equal(t, field, e.Field, err)
	}
}

func TestWeddingsAreKeptAsTheyWereGiven(t *testing.T) {
	s := fresh(t)
	given := aWedding("A-1", "user:carla")
	made, err := s.CreateWedding(t.Context(), given)
	require.NoError(t, err)
	assert.NotEmpty(t, made.ID)
	assert.Equal(t, int64(1), made.Revision)
	assert.Equal(t, "2027-06-12", made.WeddingDate)
	assert.WithinDuration(t, time.Now(), made.CreatedAt, time.Minute)
	got, err := s.Wedding(t.Context(), made.ID)
	require.NoError(t, err)
	assert.Equal(t, made, got)

	next := got
	next.Coordinator, next.Region, next.Status = "", "", models.WeddingCancelled
	next.Source, next.ExternalUID, next.SourceVersion, next.Tier = "elsewhere", "x", 9, models.TierOfPremium
	next.WeddingDate = "2027-06-13"
	changed, err := s.UpdateWedding(t.Context(), next)
	require.NoError(t, err)
	stored, err := s.Wedding(t.Context(), made.ID)
	require.NoError(t, err)
	assert.Equal(t, stored, changed)
	assert.Equal(t, int64(2), stored.Revision)
	assert.Empty(t, stored.Coordinator)
	assert.Equal(t, "2027-06-13", stored.WeddingDate)
	assert.Equal(t, models.TierOfPremium, stored.Tier)
	assert.Equal(t, models.SourceAPI, stored.Source, "where it came from stays")
	assert.Zero(t, stored.SourceVersion)
	assert.Equal(t, made.CreatedAt, stored.CreatedAt)

	_, err = s.UpdateWedding(t.Context(), next)
	assertError(t, err, models.KindConflict, "revision")
	next.ID = "nobody"
	_, err = s.UpdateWedding(t.Context(), next)
	assertError(t, err, models.KindNotFound, "id")
	_, err = s.Wedding(t.Context(), "nobody")
	assertError(t, err, models.KindNotFound, "id")
}

func TestAReferenceIsTakenOnce(t *testing.T) {
	s := fresh(t)
	first, err := s.CreateWedding(t.Context(), aWedding("A-1", ""))
	require.NoError(t, err)
	second, err := s.CreateWedding(t.Context(), aWedding("A-2", ""))
	require.NoError(t, err)

	_, err = s.CreateWedding(t.Context(), aWedding("A-1", ""))
	assertError(t, err, models.KindConflict, "reference")
	require.ErrorContains(t, err, "A-1")
	second.Reference = "A-1"
	_, err = s.UpdateWedding(t.Context(), second)
	assertError(t, err, models.KindConflict, "reference")
	elsewhere := aWedding("A-1", "")
	elsewhere.Source = "crm"
	_, err = s.CreateWedding(t.Context(), elsewhere)
	require.NoError(t, err, "another source has keys of its own")
	same := aWedding("A-3", "")
	same.ID = first.ID
	_, err = s.CreateWedding(t.Context(), same)
	assertError(t, err, models.KindConflict, "id")
}

func TestTextThatCannotBeKeptNamesItsField(t *testing.T) {
	s := fresh(t)
	for name, bad := range map[string]string{"a NUL": "A\x001", "a broken rune": "A\xff1"} {
		t.Run(name, func(t *testing.T) {
			_, err := s.CreateWedding(t.Context(), aWedding(bad, ""))
			assertError(t, err, models.KindInvalid, "reference")
			r := aReservation("r")
			r.Reason = bad
			assertError(t, s.CreateReservation(t.Context(), r), models.KindInvalid, "reason")
			d := aDecision("d", models.DecisionProposed)
			d.RequestedBy = bad
			r.Reason = "fine"
			d.ReservationID = "r"
			assertError(t, s.RequestScale(t.Context(), r, d), models.KindInvalid, "requestedBy")
			_, err = s.Wedding(t.Context(), bad)
			assertError(t, err, models.KindInvalid, "")
		})
	}
	d := aDecision("d", models.DecisionExecuting)
	d.Explanation = &models.Explanation{Text: "A\x001"}
	assertError(t, s.RecordDecision(t.Context(), d), models.KindInvalid, "")
	w := aWedding("A-1", "")
	w.WeddingDate = "12 June"
	_, err := s.CreateWedding(t.Context(), w)
	assertError(t, err, models.KindInvalid, "weddingDate")
}

func TestWeddingsAreFoundByOverlapAndPage(t *testing.T) {
	s := fresh(t)
	at := func(id string, start time.Time, status models.WeddingStatus) {
		w := aWedding("ref-"+id, "")
		w.ID, w.StartsAt, w.EndsAt, w.Status = id, start, start.Add(2*time.Hour), status
		_, err := s.CreateWedding(t.Context(), w)
		require.NoError(t, err)
	}
	at("c", noon, models.WeddingConfirmed)
	at("a", noon, models.WeddingTentative)
	at("b", noon, models.WeddingCancelled)
	at("d", noon.Add(time.Hour), models.WeddingConfirmed)
	at("early", noon.Add(-24*time.Hour), models.WeddingConfirmed)

	for name, c := range map[string]struct {
		filter models.WeddingFilter
		want   []string
	}{
		"all that stand":                {models.WeddingFilter{}, []string{"early", "a", "c", "d"}},
		"with the cancelled":            {models.WeddingFilter{IncludeCancelled: true}, []string{"early", "a", "b", "c", "d"}},
		"an end at From is over":        {models.WeddingFilter{From: noon.Add(2 * time.Hour)}, []string{"d"}},
		"a start at Until is not begun": {models.WeddingFilter{Until: noon}, []string{"early"}},
		"a window inside":               {models.WeddingFilter{From: noon.Add(30 * time.Minute), Until: noon.Add(31 * time.Minute)}, []string{"a", "c"}},
		"of one status":                 {models.WeddingFilter{Status: models.WeddingCancelled}, []string{"b"}},
		"of a region":                   {models.WeddingFilter{Region: "eu-west", Until: noon}, []string{"early"}},
		"of no region":                  {models.WeddingFilter{Region: "us-east"}, nil},
		"of a coordinator":              {models.WeddingFilter{Coordinator: "user:carla"}, nil},
		"of a source":                   {models.WeddingFilter{Source: models.SourceAPI, From: noon.Add(2 * time.Hour)}, []string{"d"}},
		"first page":                    {models.WeddingFilter{Limit: 2}, []string{"early", "a"}},
		"next page within one time":     {models.WeddingFilter{Limit: 2, After: &models.Cursor{At: noon, ID: "a"}}, []string{"c", "d"}},
		"after the last":                {models.WeddingFilter{After: &models.Cursor{At: noon.Add(time.Hour), ID: "d"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := s.Weddings(t.Context(), c.filter)
			require.NoError(t, err)
			require.NotNil(t, found)
			var ids []string
			for _, w := range found {
				ids = append(ids, w.ID)
			}
			assert.Equal(t, c.want, ids)
		})
	}
}

func TestPredictionsAreKeptBesideEarlierOnes(t *testing.T) {
	ownerURL, appURL := database(t)
	s := open(t, appURL).As(system)
	w, err := s.CreateWedding(t.Context(), aWedding("A-1", ""))
	require.NoError(t, err)
	p := models.WeddingPrediction{ID: "p1", WeddingID: w.ID, WeddingDate: w.WeddingDate, Service: models.ServiceAPI, CreatedAt: noon, PeakAt: noon, PeakRPS: 12.5, PeakReplicas: 3, Guests: 120, Method: models.MethodCalendarOnly}
	later := p
	later.ID, later.CreatedAt = "p2", noon.Add(time.Hour)
	require.NoError(t, s.SaveWeddingPredictions(t.Context(), []models.WeddingPrediction{p}))
	require.NoError(t, s.SaveWeddingPredictions(t.Context(), []models.WeddingPrediction{p, later}), "a repetition adds what is new")
	require.NoError(t, s.SaveWeddingPredictions(t.Context(), nil))
	p.ID, p.WeddingID = "p3", "nobody"
	assertError(t, s.SaveWeddingPredictions(t.Context(), []models.WeddingPrediction{p}), models.KindNotFound, "weddingId")

	// The guide's own question.
	n, code := try(t, connect(t, ownerURL), system, "SELECT FROM wedding_predictions WHERE wedding_date >= DATE '2027-06-12'")
	assert.Empty(t, code)
	assert.Equal(t, int64(2), n)
}
