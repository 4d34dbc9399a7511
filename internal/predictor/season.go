package predictor

import "time"

// season is the factor of a month and a weekday on a wedding platform's own load: the
// value of the month, which stands for its middle and goes over evenly into the next,
// times that of the weekday (UTC). Both tables have mean 1. They are assumed, for the
// northern hemisphere, and off unless WEDDING_SEASON_MULTIPLIERS_ENABLED is set.
//
//	Jan 0.80  Feb 0.82  Mar 0.88  Apr 0.95  May 1.08  Jun 1.22
//	Jul 1.18  Aug 1.18  Sep 1.20  Oct 1.05  Nov 0.85  Dec 0.79
//	Mon 0.92  Tue 0.92  Wed 0.93  Thu 0.95  Fri 1.05  Sat 1.22  Sun 1.01
//
// A forecast multiplies by the factor of its hour and divides by that of the hour it
// comes from, so that the same hour of last week changes by what the month moves, and
// a level of few days also by the weekday.
func season(at time.Time) float64 {
	months := [12]float64{0.80, 0.82, 0.88, 0.95, 1.08, 1.22, 1.18, 1.18, 1.20, 1.05, 0.85, 0.79}
	weekdays := [7]float64{1.01, 0.92, 0.92, 0.93, 0.95, 1.05, 1.22} // from Sunday
	at = at.UTC()
	before := middle(at.Year(), at.Month())
	if at.Before(before) {
		before = middle(at.Year(), at.Month()-1)
	}
	after := middle(before.Year(), before.Month()+1)
	way := float64(at.Sub(before)) / float64(after.Sub(before))
	month := months[before.Month()-1]*(1-way) + months[after.Month()-1]*way
	return month * weekdays[at.Weekday()]
}

// middle is the middle of a month; months beyond the year's ends are those of the next
// or last year.
func middle(year int, month time.Month) time.Time {
	return time.Date(year, month, 16, 0, 0, 0, 0, time.UTC)
}
