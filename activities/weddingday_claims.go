package activities

import (
	"fmt"
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
)

// wanted are the reservations that a day's floors and raises come to, from now on. Guests
// of all weddings are in each floor already, so that none is to be added up again.
func wanted(in HoldInput, floors []models.DayFloor, now time.Time) []models.Reservation {
	var out []models.Reservation
	for _, f := range floors {
		r := models.Reservation{
			Service: f.Service, Kind: models.ReservationFloor, Replicas: f.Replicas,
			From: in.Day.Lens.Clock(f.From), Until: in.Day.Lens.Clock(f.Until), Holder: in.Day.Holder, CreatedBy: in.Day.Holder, CreatedAt: now,
			Reason: fmt.Sprintf("%d guests at once on the wedding day %s", f.Guests, in.Day.Date),
		}
		out = append(out, r)
	}
	for _, a := range in.Raises {
		out = append(out, models.Reservation{
			Service: a.Service, Kind: models.ReservationFloor, Replicas: a.Replicas, From: in.Day.Lens.Clock(a.From), Until: in.Day.Lens.Clock(a.Until),
			Holder: in.Day.Holder, CreatedBy: a.Actor, CreatedAt: now, WeddingID: a.WeddingID,
			Reason: fmt.Sprintf("raised by %s: %s", a.Actor, a.Reason),
		})
	}
	out = slices.DeleteFunc(out, func(r models.Reservation) bool { return !r.Until.After(now) })
	for i := range out {
		r := &out[i]
		r.From, r.Until = r.From.UTC().Truncate(time.Microsecond), r.Until.UTC().Truncate(time.Microsecond)
		r.ID = madeID("wedding-day", r.Holder, string(r.Service), r.From.Format(time.RFC3339Nano), r.Until.Format(time.RFC3339Nano), fmt.Sprint(r.Replicas, in.Round))
		r.From = latestOf(r.From, now.UTC().Truncate(time.Microsecond))
	}
	return out
}

func latestOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// standing finds a row that is what is wanted already; of one that counts now its beginning
// does not matter.
func standing(rows []models.Reservation, want models.Reservation, now time.Time) string {
	for _, r := range rows {
		same := r.Service == want.Service && r.Replicas == want.Replicas && r.Until.Equal(want.Until) && r.WeddingID == want.WeddingID && r.CreatedBy == want.CreatedBy
		began := r.From.Equal(want.From) || !r.From.After(now) && !want.From.After(now)
		if same && began && r.EndedAt == nil && r.Until.After(now) {
			return r.ID
		}
	}
	return ""
}
