package forecast

import (
	"math"
	"time"
)

// Lengths, in hours.
const (
	day  = 24
	week = 168
	// reach is how far back the features of an hour go.
	reach = 3*week + day
)

// Scales of features that are not logarithms of a load, so that all are shrunk alike.
const (
	flag  = 1.0
	wave  = 0.3
	curve = 3.0
)

// almanac says what is known of a day before it comes.
type almanac struct {
	start   time.Time // midnight before the first hour, in the clock of the series
	holiday func(day time.Time) bool
}

func (a almanac) date(dayNumber int) time.Time { return a.start.AddDate(0, 0, dayNumber) }

func (a almanac) isHoliday(dayNumber int) float64 {
	if a.holiday != nil && a.holiday(a.date(dayNumber)) {
		return flag
	}
	return 0
}

// Places of the features that explanations are made from.
const (
	holidayFeatures  = 6
	seasonFeatures   = 4
	calendarFeatures = holidayFeatures + seasonFeatures + 7 + 1
)

// calendarRow appends what the calendar says of a day: holiday on it, one day before and
// after, on the days that its lags come from; two waves of the year; weekday; one.
func (a almanac) calendarRow(row []float64, dayNumber int) []float64 {
	for _, d := range [holidayFeatures]int{0, -1, 1, -7, -8, -14} {
		row = append(row, a.isHoliday(dayNumber+d))
	}
	date := a.date(dayNumber)
	angle := 2 * math.Pi * float64(date.YearDay()) / 365.25
	row = append(row, wave*math.Sin(angle), wave*math.Cos(angle), wave*math.Sin(2*angle), wave*math.Cos(2*angle))
	for w := time.Sunday; w <= time.Saturday; w++ {
		if date.Weekday() == w {
			row = append(row, wave)
		} else {
			row = append(row, 0)
		}
	}
	return append(row, wave)
}

// lagRow appends what was measured before the origin, for the hour of the day that begins
// there: the same hour of other days and weeks, the profiles of the last day and of that
// day a week ago, the means of days, and the main ones of these by season and weekday and
// bent, all relative to the level of the last week, which it also gives.
func (a almanac) lagRow(row, z []float64, origin, hour int) (out []float64, level float64) {
	mean := func(end, n int) float64 {
		sum := 0.0
		for _, v := range z[end-n : end] {
			sum += v
		}
		return sum / float64(n)
	}
	level = mean(origin, week)
	t := origin + hour
	for _, lag := range [12]int{24, 48, 72, 96, 120, 144, 167, 168, 169, 192, 336, 504} {
		row = append(row, z[min(t-lag, origin-1)]-level)
	}
	for _, j := range [6]int{1, 2, 3, 4, 6, 8} {
		row = append(row, z[origin-j]-level)
	}
	for _, back := range [2]int{0, week} {
		for j := 0; j < day; j += 2 {
			row = append(row, (z[origin-back-j-1]+z[origin-back-j-2])/2-level)
		}
	}
	yesterday := mean(origin, day) - level
	row = append(row, yesterday, mean(origin-day, day)-level, mean(origin-week, day)-level,
		mean(origin-week+day, day)-level, mean(origin-week, week)-level)
	return a.crossed(row, [7]float64{
		z[t-24] - level, z[t-48] - level, z[t-168] - level, z[origin-1] - level, z[origin-6] - level, z[origin-10] - level, yesterday,
	}, origin/day), level
}

// crossed lets the main lags count differently by season and by weekday, and bends them.
func (a almanac) crossed(row []float64, main [7]float64, dayNumber int) []float64 {
	date := a.date(dayNumber)
	sin, cos := math.Sincos(2 * math.Pi * float64(date.YearDay()) / 365.25)
	var monday, saturday, sunday float64
	switch date.Weekday() {
	case time.Monday:
		monday = 1
	case time.Saturday:
		saturday = 1
	case time.Sunday:
		sunday = 1
	case time.Tuesday, time.Wednesday, time.Thursday, time.Friday:
	}
	for _, v := range main {
		row = append(row, v*sin, v*cos, v*monday, v*saturday, v*sunday, curve*v*math.Abs(v))
	}
	return row
}
