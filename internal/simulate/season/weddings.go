package season

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

// Wedding is one wedding of the season: what was booked, and what happens.
type Wedding struct {
	Start     time.Time // of the ceremony, as booked
	End       time.Time // of the celebration, as booked
	Zone      string
	Guests    int  // as booked
	Confirmed bool // an unconfirmed one takes place every other time

	// What nobody knows beforehand.
	active float64       // guests who come and use the platform; 0: it does not take place
	late   time.Duration // of the ceremony and all that follows
}

// The shares below are rounded from what is published about weddings in Great Britain
// and North America: registrations by month and weekday of the statistical offices, and
// the yearly surveys of wedding magazines. Two of three weddings are on a Saturday,
// Fridays and Sundays share most of the rest, three of four fall between May and
// October with a peak in September, and a wedding has about 120 guests.

// monthShares holds the share of a year's weddings from January on.
func monthShares() [12]float64 {
	return [12]float64{0.02, 0.03, 0.05, 0.08, 0.11, 0.13, 0.11, 0.12, 0.15, 0.12, 0.05, 0.03}
}

// weekdayShares holds the share of a week's weddings from Sunday on.
func weekdayShares() [7]float64 {
	return [7]float64{0.12, 0.035, 0.015, 0.02, 0.04, 0.13, 0.64}
}

// ceremonyHours holds the share of ceremonies that begin in an hour of local time, from
// 11 on; the begin is on the hour or on the half.
func ceremonyHours() []float64 {
	return []float64{0.05, 0.10, 0.20, 0.22, 0.18, 0.12, 0.08, 0.05}
}

// region is a time zone with its share of the platform's weddings.
type region struct {
	zone  string
	share float64
}

func regions() []region {
	return []region{
		{"Europe/London", 0.42}, {"Europe/Dublin", 0.06}, {"Europe/Paris", 0.10}, {"Europe/Rome", 0.08},
		{"America/New_York", 0.14}, {"America/Chicago", 0.05}, {"America/Los_Angeles", 0.05},
		{"Asia/Kolkata", 0.06}, {"Australia/Sydney", 0.04},
	}
}

// Guests are log-normal: a median of 110 and a sigma of 0.45 give a mean of about 122.
const (
	guestMedian = 110.0
	guestSigma  = 0.45
	guestLeast  = 20
	guestMost   = 400
)

// What the calendar does not know.
const (
	unconfirmed  = 0.06 // share of the weddings that are booked and not confirmed
	turnOutMean  = 0.86 // share of the guests who come
	turnOutSigma = 0.08
	livelySigma  = 0.22 // log-normal: how much the guests of one wedding use the platform
	lateMean     = 6.0  // minutes
	lateSigma    = 9.0
	earliest     = -10.0
	latest       = 40.0
	celebration  = 8 * time.Hour
)

// draw makes the weddings of each day in the order of their ceremonies. The dates are
// those of the venue: a Saturday begins in Sydney before it does in London.
func draw(o Options) ([]Wedding, error) {
	zones, err := loadZones()
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(o.Seed, 0x3edd1)) //nolint:gosec // a season has to be repeatable
	first := o.Start.UTC().Truncate(24*time.Hour).AddDate(0, 0, -1)
	var all []Wedding
	for d := range o.Days + 3 { // a day more at each end: zones, and celebrations past midnight
		date := first.AddDate(0, 0, d)
		for range number(o.WeddingsPerYear, date, rng) {
			all = append(all, one(date, zones, rng))
		}
	}
	slices.SortFunc(all, func(a, b Wedding) int { return a.Start.Compare(b.Start) })
	return all, nil
}

// number draws how many weddings a date has: the month's share, split by weekday over
// the dates of that weekday in the month.
func number(perYear float64, date time.Time, rng *rand.Rand) int {
	days := time.Date(date.Year(), date.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
	mean := perYear * monthShares()[date.Month()-1] * weekdayShares()[date.Weekday()] * 7 / float64(days)
	if mean <= 0 {
		return 0
	}
	return int(distuv.Poisson{Lambda: mean, Src: rng}.Rand())
}

func one(date time.Time, zones []*time.Location, rng *rand.Rand) Wedding {
	shares := make([]float64, len(zones))
	for i, r := range regions() {
		shares[i] = r.share
	}
	zone := pick(shares, rng)
	begin := time.Date(date.Year(), date.Month(), date.Day(), 11+pick(ceremonyHours(), rng), 30*rng.IntN(2), 0, 0, zones[zone])
	guests := guestMedian * math.Exp(guestSigma*rng.NormFloat64())
	w := Wedding{
		Start: begin.UTC(), End: begin.Add(celebration).UTC(), Zone: regions()[zone].zone,
		Guests:    int(math.Round(min(max(guests, guestLeast), guestMost))),
		Confirmed: rng.Float64() >= unconfirmed,
	}
	turnOut := min(max(turnOutMean+turnOutSigma*rng.NormFloat64(), 0.4), 1)
	w.active = float64(w.Guests) * turnOut * math.Exp(livelySigma*rng.NormFloat64()-livelySigma*livelySigma/2)
	late := min(max(lateMean+lateSigma*rng.NormFloat64(), earliest), latest)
	w.late = time.Duration(late * float64(time.Minute)).Truncate(time.Second)
	if takesPlace := rng.IntN(2) == 0; !w.Confirmed && !takesPlace {
		w.active = 0
	}
	return w
}

// pick draws an index by share; the shares add up to one.
func pick(shares []float64, rng *rand.Rand) int {
	x := rng.Float64()
	for i, s := range shares {
		if x -= s; x < 0 {
			return i
		}
	}
	return len(shares) - 1
}
