package activities

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

// venue is everything around a wedding day's check-list.
type venue struct {
	services []models.Service
	learned  models.Learned
	limits   models.Limits
	frozen   bool
	feeds    []models.CalendarFeed
	err      error
}

func (v *venue) Service(context.Context, models.ServiceName) (models.Service, error) {
	return v.services[0], nil
}
func (v *venue) Services(context.Context) ([]models.Service, error) { return v.services, nil }
func (v *venue) Learned(context.Context, models.ServiceName, time.Time) (models.Learned, error) {
	return v.learned, v.err
}
func (v *venue) Measure(context.Context, models.MeasureRequest) (models.Measurement, error) {
	return models.Measurement{}, nil
}
func (v *venue) Limits(context.Context, models.Service) (models.Limits, error) {
	return v.limits, v.err
}
func (v *venue) ActiveReservations(_ context.Context, _ models.ServiceName, at time.Time) ([]models.Reservation, error) {
	if v.frozen {
		return []models.Reservation{{Kind: models.ReservationFreeze, Holder: "season/2027", Until: at.Add(time.Hour)}}, nil
	}
	return nil, v.err
}
func (v *venue) OpenRequests(context.Context, models.ServiceName) ([]models.DecisionRequest, error) {
	return nil, nil
}
func (v *venue) CalendarFeeds(context.Context) ([]models.CalendarFeed, error) { return v.feeds, v.err }

func TestTheCheckListNamesWhatIsNotInOrderWithItsRemedy(t *testing.T) {
	saturday := time.Date(2027, 6, 12, 9, 0, 0, 0, time.UTC)
	whole := func() (*venue, *WeddingDayKeeper, CheckDayInput) {
		certified, quota := saturday.Add(-10*24*time.Hour), 50
		v := &venue{services: models.DefaultServices("fleet"), learned: models.Learned{CapacityP10RPS: 90, CertifiedAt: &certified}, limits: models.Limits{
			Quota: &quota, Database: &models.DatabaseLimit{MaxConnections: 200, Reserved: 20},
		}, feeds: []models.CalendarFeed{{Source: "crm", Enabled: true, LastReadAt: &saturday}}}
		k := &WeddingDayKeeper{Catalogue: v, Learned: v, Measurer: v, Frozen: v, Feeds: v, Routes: func() []string { return []string{"slack", "phone"} }, Now: func() time.Time { return saturday }}
		return v, k, CheckDayInput{
			Day: DayRef{Date: "2027-06-12"}, Guests: 300, ReadAt: saturday, Window: models.TimeSpan{From: saturday, Until: saturday.Add(time.Hour)},
			Floors: []models.DayFloor{{Service: models.ServiceAPI, Replicas: 20}, {Service: models.ServiceDatabase, Replicas: 6}},
		}
	}
	for name, c := range map[string]struct {
		change  func(v *venue, k *WeddingDayKeeper, in *CheckDayInput)
		check   string
		verdict models.CheckVerdict
		says    string
	}{
		"no floors": {func(_ *venue, _ *WeddingDayKeeper, in *CheckDayInput) { in.Floors = nil }, "floors", models.CheckFailed, "the load of a guest is not known"},
		"an old certificate": {func(v *venue, _ *WeddingDayKeeper, _ *CheckDayInput) {
			*v.learned.CertifiedAt = saturday.Add(-31 * 24 * time.Hour)
		}, "capacity_certificate", models.CheckWarning, "api, database"},
		"no quota left":        {func(v *venue, _ *WeddingDayKeeper, _ *CheckDayInput) { *v.limits.Quota = 19 }, "quota", models.CheckFailed, "api needs 20 of a quota of 19"},
		"above the maximum":    {func(_ *venue, _ *WeddingDayKeeper, in *CheckDayInput) { in.Floors[0].Replicas = 31 }, "quota", models.CheckFailed, "api needs 31 and may have 30"},
		"too many connections": {func(v *venue, _ *WeddingDayKeeper, _ *CheckDayInput) { v.limits.Database.MaxConnections = 110 }, "database", models.CheckFailed, "80 of 90 connections (89 %)"},
		"limits away":          {func(v *venue, _ *WeddingDayKeeper, _ *CheckDayInput) { v.err = errors.New("away") }, "quota", models.CheckUnknown, "could not be read"},
		"an old copy":          {func(_ *venue, _ *WeddingDayKeeper, in *CheckDayInput) { in.ReadAt = saturday.Add(-7 * time.Hour) }, "calendar", models.CheckWarning, "7h0m0s ago"},
		"a feed that is silent": {func(v *venue, _ *WeddingDayKeeper, _ *CheckDayInput) {
			old := saturday.Add(-25 * time.Hour)
			v.feeds[0].LastReadAt = &old
		}, "calendar", models.CheckFailed, "feed crm was last read whole 25 h ago"},
		"nobody is woken": {func(_ *venue, k *WeddingDayKeeper, _ *CheckDayInput) {
			k.Routes = func() []string { return []string{"email"} }
		}, "alert_routes", models.CheckFailed, "nobody is woken"},
		"routes unknown": {func(_ *venue, k *WeddingDayKeeper, _ *CheckDayInput) { k.Routes = nil }, "alert_routes", models.CheckUnknown, "not known"},
		"a freeze":       {func(v *venue, _ *WeddingDayKeeper, _ *CheckDayInput) { v.frozen = true }, "freeze", models.CheckFailed, "api is frozen by season/2027"},
	} {
		t.Run(name, func(t *testing.T) {
			v, k, in := whole()
			before, err := k.CheckDay(t.Context(), in)
			require.NoError(t, err)
			for _, b := range before {
				assert.Equal(t, models.CheckOK, b.Verdict, "%+v", b)
			}
			c.change(v, k, &in)
			after, err := k.CheckDay(t.Context(), in)
			require.NoError(t, err)
			for _, a := range after {
				if a.Name == c.check {
					assert.Equal(t, c.verdict, a.Verdict, "%+v", a)
					assert.Contains(t, a.Text, c.says)
					assert.NotEmpty(t, a.Remedy, "with what can be done")
				}
			}
		})
	}
}
