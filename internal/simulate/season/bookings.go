package season

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
)

// BookingOptions say which calendar is drawn.
type BookingOptions struct {
	Count int
	From  time.Time // first date
	Until time.Time // last date
	Seed  uint64
}

const (
	maxBookings    = 20_000
	maxBookingDays = 400
)

// Bookings draws a calendar of exactly Count weddings without their load: by the shares of
// months, weekdays, zones and hours of a season. Each night of the range in which the
// clocks of a zone change has a wedding of that zone across it.
func Bookings(o BookingOptions) ([]Wedding, error) {
	days := int(o.Until.Sub(o.From)/(24*time.Hour)) + 1
	switch {
	case o.Count < 1 || o.Count > maxBookings:
		return nil, models.Invalid("count", o.Count, "must be from 1 to 20000")
	case o.From.IsZero() || days < 1 || days > maxBookingDays:
		return nil, models.Invalid("until", o.Until.Format(time.DateOnly), "must be a date from the first one on, at most 400 days later")
	}
	zones, err := loadZones()
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(o.Seed, 0xb00c)) //nolint:gosec // a season has to be repeatable
	dates, shares := weigh(o.From.UTC().Truncate(24*time.Hour), days)
	all := changeNights(dates, zones, rng)
	all = all[:min(len(all), o.Count)]
	for len(all) < o.Count {
		all = append(all, one(dates[pick(shares, rng)], zones, rng))
	}
	slices.SortStableFunc(all, func(a, b Wedding) int { return a.Start.Compare(b.Start) })
	return all, nil
}

// weigh lists the dates with their shares of the weddings.
func weigh(first time.Time, days int) (dates []time.Time, shares []float64) {
	total := 0.0
	for d := range days {
		date := first.AddDate(0, 0, d)
		share := monthShares()[date.Month()-1] * weekdayShares()[date.Weekday()]
		dates, shares, total = append(dates, date), append(shares, share), total+share
	}
	for i := range shares {
		shares[i] /= total
	}
	return dates, shares
}

// changeNights makes a wedding over each night in which clocks change: it begins at half
// past six and lasts ten hours, past all hours at which zones change.
func changeNights(dates []time.Time, zones []*time.Location, rng *rand.Rand) []Wedding {
	var all []Wedding
	for _, date := range dates {
		for i, zone := range zones {
			noon := time.Date(date.Year(), date.Month(), date.Day(), 12, 0, 0, 0, zone)
			_, before := noon.Zone()
			if _, after := noon.AddDate(0, 0, 1).Zone(); before == after {
				continue
			}
			w := one(date, zones, rng)
			begin := time.Date(date.Year(), date.Month(), date.Day(), 18, 30, 0, 0, zone)
			w.Start, w.End, w.Zone, w.Confirmed = begin.UTC(), begin.Add(10*time.Hour).UTC(), regions()[i].zone, true
			all = append(all, w)
		}
	}
	return all
}

func loadZones() ([]*time.Location, error) {
	zones := make([]*time.Location, len(regions()))
	for i, r := range regions() {
		loc, err := time.LoadLocation(r.zone)
		if err != nil {
			return nil, err
		}
		zones[i] = loc
	}
	return zones, nil
}
