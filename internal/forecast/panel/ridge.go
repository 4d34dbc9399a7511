package panel

import (
	"cmp"
	"math"
	"slices"

	"github.com/wedsync/scalability/internal/forecast/linear"
)

const (
	ridgeShrink = 30.0  // of the ridges that series share, in rows of an error like their own
	localShrink = 300.0 // of a series' own ridge towards that of its group, in rows
	stride      = 3     // hours between the origins that a ridge learns from
	groupSize   = 24    // series that share a ridge, at least
	mostGroups  = 6
	smallError  = 1e-3 // of a logarithm
)

// earliest is the first origin with all lags of a row, the two weeks before it.
const earliest = 2*week + 2

// ridges makes, for each lead, a ridge that the series of a group share and one for each
// series that is shrunk to it.
func (w *work) ridges() ([]*member, error) {
	shared, own := newMember("shared ridge", len(w.z)), newMember("own ridge", len(w.z))
	for _, m := range []*member{shared, own} {
		for o := range origins {
			for i := range w.z {
				if len(w.known(i, o)) > earliest+w.horizon {
					m.at[o][i] = make([]float64, w.horizon)
				}
			}
		}
	}
	for _, fit := range []int{origins - 1, 0} {
		groups, count := w.groups(fit)
		err := w.each(w.horizon, func(lead int) error { return w.ridge(lead+1, fit, lot{groups, count}, shared, own) })
		if err != nil {
			return nil, err
		}
	}
	return []*member{shared, own}, nil
}

// lot says which group each series is in.
type lot struct {
	of    []int
	count int
}

// groups sorts the series by how much alike a day is to the day before, against the week
// before, and cuts that order into groups of one size.
func (w *work) groups(fit int) (of []int, count int) {
	type placed struct {
		series int
		ratio  float64
	}
	order := make([]placed, len(w.z))
	for i := range w.z {
		y := w.known(i, fit)
		byDay, byWeek := smallError, smallError
		for t := week; t < len(y); t++ {
			byDay += math.Abs(y[t] - y[t-day])
			byWeek += math.Abs(y[t] - y[t-week])
		}
		order[i] = placed{i, byDay / byWeek}
	}
	slices.SortStableFunc(order, func(a, b placed) int { return cmp.Compare(a.ratio, b.ratio) })
	count = min(max(1, len(w.z)/groupSize), mostGroups)
	of = make([]int, len(w.z))
	for rank, p := range order {
		of[p.series] = rank * count / len(order)
	}
	return of, count
}

// spread is the mean difference from week to week, by which rows are weighted: a noisy
// series does not outvote the others.
func spread(y []float64) float64 {
	sum := 0.0
	for t := week; t < len(y); t++ {
		sum += math.Abs(y[t] - y[t-week])
	}
	return sum/float64(max(1, len(y)-week)) + smallError
}

func (w *work) ridge(lead, fit int, groups lot, shared, own *member) error {
	row := make([]float64, 0, 96)
	each := make([]*linear.Normal, len(w.z))
	pools := make([]*linear.Normal, groups.count)
	var all *linear.Normal
	for i := range w.z {
		y := w.known(i, fit)
		if len(y) < Shortest {
			continue
		}
		weight := 1 / square(spread(y))
		for origin := earliest + (i+lead)%stride; origin+lead < len(y); origin += stride {
			var level float64
			row, level = features(row, y[:origin+1], lead)
			if each[i] == nil {
				each[i] = linear.NewNormal(len(row))
			}
			each[i].Add(row, y[origin+lead]-level, weight)
		}
		if each[i] == nil {
			continue
		}
		for _, pool := range []**linear.Normal{&all, &pools[groups.of[i]]} {
			if *pool == nil {
				*pool = linear.NewNormal(len(row))
			}
			(*pool).Merge(each[i])
		}
	}
	if all == nil {
		return nil
	}
	common, err := all.Solve(func(int) float64 { return ridgeShrink }, nil)
	if err != nil {
		return err
	}
	return w.predict(lead, fit, solved{each, pools, all, common, groups}, shared, own)
}

// solved is what the ridges of one lead are made from.
type solved struct {
	each, pools []*linear.Normal
	all         *linear.Normal
	common      []float64
	groups      lot
}

func (w *work) predict(lead, fit int, s solved, shared, own *member) error {
	group := make([][]float64, s.groups.count)
	for g, pool := range s.pools {
		group[g] = s.common
		if pool != nil {
			var err error
			if group[g], err = pool.Solve(func(int) float64 { return ridgeShrink }, s.common); err != nil {
				return err
			}
		}
	}
	var row []float64
	for i := range w.z {
		theirs := group[s.groups.of[i]]
		mine := theirs
		if s.each[i] != nil {
			var err error
			mine, err = s.each[i].Solve(func(k int) float64 { return localShrink * s.all.Moment(k) / s.all.Rows() }, theirs)
			if err != nil {
				return err
			}
		}
		for o := range origins {
			if fitted(o) != fit || shared.at[o][i] == nil {
				continue
			}
			var level float64
			row, level = features(row, w.known(i, o), lead)
			shared.at[o][i][lead-1] = level + linear.Dot(row, theirs)
			own.at[o][i][lead-1] = level + linear.Dot(row, mine)
		}
	}
	return nil
}

func square(x float64) float64 { return x * x }

// features are what is known of the hour lead hours after the end of y, relative to the
// level of the last week: the same hours of other days and weeks and their neighbours,
// the newest hours beside those of a day and a week before, and the means of days.
func features(row, y []float64, lead int) ([]float64, float64) {
	row = row[:0]
	origin := len(y) - 1
	sums := prefix(y[len(y)-2*week-2:])
	mean := func(back, n int) float64 { // of the n hours that end back hours before the origin
		end := len(sums) - 1 - back
		return (sums[end] - sums[end-n]) / float64(n)
	}
	level := mean(0, week)
	t := origin + lead
	first := (lead + day - 1) / day
	for k := first; k < first+7; k++ {
		row = append(row, y[t-day*k]-level)
	}
	for _, lag := range [2]int{week, 2 * week} {
		row = append(row, y[t-lag-1]-level, y[t-lag]-level, y[min(t-lag+1, origin)]-level)
	}
	row = append(row, y[t-week-day]-level, y[t-week-2*day]-level)
	for _, back := range [3]int{0, day, week} {
		for j := range 12 {
			row = append(row, y[origin-back-j]-level)
		}
		for j := 12; j < day; j += 2 {
			row = append(row, mean(back+j, 2)-level)
		}
	}
	for k := range 8 {
		row = append(row, mean(day*k, day)-level)
	}
	row = append(row, mean(week, week)-level)
	target := mean(week-day*first, day) - mean(week, day) // the day of last week against the one before the origin
	row = append(row, mean(week-day*first, day)-level, target)
	return append(row, 1), level
}

func prefix(y []float64) []float64 {
	out := make([]float64, len(y)+1)
	for i, v := range y {
		out[i+1] = out[i] + v
	}
	return out
}
