package models_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

var noon = time.Date(2027, 6, 12, 12, 0, 0, 0, time.UTC)

func reservation(kind models.ReservationKind, replicas int) models.Reservation {
	return models.Reservation{
		ID: "r1", Service: models.ServiceAPI, Kind: kind, Replicas: replicas,
		From: noon, Until: noon.Add(4 * time.Hour), Holder: "user:ada", Reason: "a wedding with 180 guests",
	}
}

func TestReservationsAreAccepted(t *testing.T) {
	for name, r := range map[string]models.Reservation{
		"a floor": reservation(models.ReservationFloor, 1), "a cap": reservation(models.ReservationCap, 100000),
		"a freeze": reservation(models.ReservationFreeze, 0), "no scale-in": reservation(models.ReservationNoIn, 0),
	} {
		require.NoError(t, r.Validate(), name)
	}
	long := reservation(models.ReservationFloor, 1)
	long.Until, long.Reason = long.From.AddDate(0, 0, 366), strings.Repeat("ü", 500)
	assert.NoError(t, long.Validate(), "characters are counted, not bytes")
}

func TestReservationsAreRefused(t *testing.T) {
	cases := map[string]struct {
		change func(*models.Reservation)
		field  string
	}{
		"no service":               {func(r *models.Reservation) { r.Service = "" }, "service"},
		"an unknown service":       {func(r *models.Reservation) { r.Service = "web" }, "service"},
		"no kind":                  {func(r *models.Reservation) { r.Kind = "" }, "kind"},
		"an unknown kind":          {func(r *models.Reservation) { r.Kind = "wish" }, "kind"},
		"a floor of nothing":       {func(r *models.Reservation) { r.Replicas = 0 }, "replicas"},
		"a negative floor":         {func(r *models.Reservation) { r.Replicas = -1 }, "replicas"},
		"more than there can be":   {func(r *models.Reservation) { r.Replicas = 100001 }, "replicas"},
		"a cap of nothing":         {func(r *models.Reservation) { r.Kind, r.Replicas = models.ReservationCap, 0 }, "replicas"},
		"a freeze with a number":   {func(r *models.Reservation) { r.Kind = models.ReservationFreeze }, "replicas"},
		"no scale-in with one":     {func(r *models.Reservation) { r.Kind = models.ReservationNoIn }, "replicas"},
		"no beginning":             {func(r *models.Reservation) { r.From = time.Time{} }, "from"},
		"no end":                   {func(r *models.Reservation) { r.Until = time.Time{} }, "until"},
		"an end at its beginning":  {func(r *models.Reservation) { r.Until = r.From }, "until"},
		"an end before it":         {func(r *models.Reservation) { r.Until = r.From.Add(-time.Second) }, "until"},
		"more than a year":         {func(r *models.Reservation) { r.Until = r.From.AddDate(0, 0, 366).Add(time.Second) }, "until"},
		"no reason":                {func(r *models.Reservation) { r.Reason = "" }, "reason"},
		"a blank reason":           {func(r *models.Reservation) { r.Reason = "      " }, "reason"},
		"a reason of two":          {func(r *models.Reservation) { r.Reason = "éé" }, "reason"},
		"a story":                  {func(r *models.Reservation) { r.Reason = strings.Repeat("a", 501) }, "reason"},
		"a reason that ends a row": {func(r *models.Reservation) { r.Reason = "a\x00b and more" }, "reason"},
		"a reason that rings":      {func(r *models.Reservation) { r.Reason = "\x1b[2Jgone" }, "reason"},
		"a reason that is no text": {func(r *models.Reservation) { r.Reason = "abc\xff" }, "reason"},
		"negative guests":          {func(r *models.Reservation) { r.Guests = -1 }, "guests"},
		"a city of guests":         {func(r *models.Reservation) { r.Guests = 1_000_001 }, "guests"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := reservation(models.ReservationFloor, 4)
			require.NoError(t, r.Validate())
			c.change(&r)
			breach(t, r.Validate(), c.field)
		})
	}
}

func TestAReservationCountsFromItsBeginningToItsEnd(t *testing.T) {
	released := noon.Add(time.Hour)
	early := reservation(models.ReservationFloor, 4)
	early.EndedAt = &released
	full := reservation(models.ReservationFloor, 4)
	cases := map[string]struct {
		r    models.Reservation
		at   time.Time
		want bool
	}{
		"before":                    {full, noon.Add(-1), false},
		"at its beginning":          {full, noon, true},
		"in another zone":           {full, noon.In(time.FixedZone("", 7200)), true},
		"until the last":            {full, noon.Add(4*time.Hour - 1), true},
		"not at its end":            {full, noon.Add(4 * time.Hour), false},
		"until it is released":      {early, released.Add(-1), true},
		"not when it is":            {early, released, false},
		"nor after":                 {early, released.Add(time.Hour), false},
		"a release before it began": {models.Reservation{From: noon, Until: released, EndedAt: new(time.Time)}, noon, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, c.r.ActiveAt(c.at)) })
	}
}
