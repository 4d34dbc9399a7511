package calendar

import (
	"fmt"
	"strings"
	"time"

	"github.com/wedsync/scalability/models"
)

// moment is a time as it was understood.
type moment struct {
	at   time.Time
	note string // what had to be decided; empty where nothing had
}

// localForms are times of the venue's clock, without an offset.
func localForms() []string {
	return []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", "20060102T150405", "20060102T1504"}
}

// fixedForms are times with an offset.
func fixedForms() []string {
	return []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04Z07:00", "20060102T150405Z"}
}

// parseMoment reads a time; one without an offset is that of the venue's clock.
func parseMoment(s string, loc *time.Location) (moment, bool) {
	for _, form := range fixedForms() {
		if t, err := time.Parse(form, s); err == nil {
			return moment{at: t.UTC()}, true
		}
	}
	for _, form := range localForms() {
		if wall, err := time.Parse(form, s); err == nil {
			return resolve(wall, loc), true
		}
	}
	return moment{}, false
}

// resolve finds the moment at which the clocks of a place show wall, whose location is
// ignored. A time that the clocks skip is read with the offset before the change, so that
// 02:30 of a lost hour is 03:30; of a time that comes twice the first counts. Both are as
// RFC 5545, section 3.3.5 has it.
func resolve(wall time.Time, loc *time.Location) moment {
	wall = time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, time.UTC)
	before, after := offsetAt(wall.Add(-24*time.Hour), loc), offsetAt(wall.Add(24*time.Hour), loc)
	early, late := wall.Add(-before), wall.Add(-after)
	fitsEarly, fitsLate := offsetAt(early, loc) == before, offsetAt(late, loc) == after
	shown := wall.Format("2006-01-02 15:04")
	switch {
	case before == after, fitsEarly && !fitsLate:
		return moment{at: early}
	case fitsEarly && fitsLate:
		return moment{at: early, note: fmt.Sprintf("%s comes twice in %s, where the clocks go back; the first is meant", shown, loc)}
	case fitsLate:
		return moment{at: late}
	default:
		return moment{at: early, note: fmt.Sprintf("%s does not exist in %s, where the clocks go forward; read as %s", shown, loc, early.In(loc).Format("15:04"))}
	}
}

func offsetAt(t time.Time, loc *time.Location) time.Duration {
	_, seconds := t.In(loc).Zone()
	return time.Duration(seconds) * time.Second
}

// endOf reads when the last guest leaves: a time, a clock time such as 01:30 of the same
// night, or nothing.
func endOf(s string, start time.Time, loc *time.Location) (moment, bool) {
	if s == "" {
		return moment{at: start.Add(models.UsualWedding), note: "no end is given; eight hours are assumed"}, true
	}
	clock, err := time.Parse("15:04", strings.TrimSpace(s))
	if err != nil {
		return parseMoment(s, loc)
	}
	day := start.In(loc)
	at := func(day time.Time) moment {
		return resolve(time.Date(day.Year(), day.Month(), day.Day(), clock.Hour(), clock.Minute(), 0, 0, time.UTC), loc)
	}
	end := at(day)
	if !end.at.After(start) {
		end = at(day.AddDate(0, 0, 1)) // past midnight
	}
	return end, true
}
