package minute

import (
	"math"
	"slices"
)

const (
	surgeOver    = 1.7 // times the quiet level is a surge
	surgeApart   = 10  // minutes from one surge to the next, at least
	surgeMost    = 20  // minutes that one lasts, at most
	surgeLate    = 3   // minutes that one may begin after its place on the clock
	surgeWeek    = 7   // days that are learned from
	surgeFew     = 8   // fewer in that time teach nothing
	placeShare   = 0.15
	placesCover  = 0.70
	surgeGaps    = 12
	surgePrior   = 4.0 // places' worth of trust in the rate of all
	dayPrior     = 1.0 // days' worth
	surgeHighest = 6.0 // times the quiet level
	surgeNear    = 120 // minutes of the day
	surgePlanned = 0.2 // chance from which one is planned for: one that is missed fails four minutes
)

// surges learns the surges that come by the clock, as jobs of other people's make them:
// at some minutes of the hour, more often at some hours, and some time after the last one.
//
//	odds(surge) = odds(given the places since the last) · odds(given the time of day) ÷ odds(at all)
//
// It says nothing of a load whose surges come at any minute, or that has none.
type surges struct {
	starts []jump
	places []int // minutes of the hour
	gaps   [surgeGaps + 1]struct{ hits, all float64 }
	rate   float64
	length int // minutes, median
	day    int // of the record that was learned last
}

type jump struct {
	minute, length int
	ratio          float64
	over           bool
}

// see takes the newest minute of the record into account.
func (s *surges) see(load *prefix, now int) {
	at := now - 1
	x := load.value(at)
	if n := len(s.starts) - 1; n >= 0 && at < s.starts[n].minute+surgeMost {
		last := &s.starts[n]
		quiet := quietBefore(load, last.minute)
		switch {
		case last.over || math.IsNaN(x) || !(quiet > 0):
		case x < surgeFrom*quiet:
			last.over, last.length = true, at-last.minute
		default:
			last.length, last.ratio = at-last.minute+1, math.Max(last.ratio, x/quiet)
		}
		if at < last.minute+surgeApart || !last.over {
			s.learn(now)
			return
		}
	}
	if quiet := quietBefore(load, at); quiet > 0 && x > surgeOver*quiet {
		s.starts = append(s.starts, jump{minute: at, length: 1, ratio: x / quiet})
	}
	s.learn(now)
}

// quietBefore is the median of the quarter of an hour before a minute.
func quietBefore(load *prefix, minute int) float64 {
	var values [levelSpan]float64
	known := values[:0]
	for i := minute - levelSpan; i < minute; i++ {
		if x := load.value(i); !math.IsNaN(x) {
			known = append(known, x)
		}
	}
	if len(known) < levelSpan/2 {
		return 0
	}
	slices.Sort(known)
	return known[len(known)/2]
}

// learn looks once a day at the last week.
func (s *surges) learn(now int) {
	if now/dayMinutes == s.day {
		return
	}
	s.day = now / dayMinutes
	from := max(0, now-surgeWeek*dayMinutes)
	i := 0
	for i < len(s.starts) && s.starts[i].minute < from {
		i++
	}
	s.starts = slices.Delete(s.starts, 0, i)
	s.places = nil
	if len(s.starts) < surgeFew {
		return
	}
	s.find()
	if len(s.places) == 0 {
		return
	}
	s.count(from, now)
	lengths := make([]int, 0, len(s.starts))
	for _, x := range s.starts {
		lengths = append(lengths, x.length)
	}
	slices.Sort(lengths)
	s.length = max(2, lengths[len(lengths)/2])
}

// find looks for the minutes of the hour at which most surges begin.
func (s *surges) find() {
	var at [60]int
	for _, x := range s.starts {
		at[x.minute%60]++
	}
	total, covered := len(s.starts), 0
	for {
		best, most := 0, 0
		for m := range at {
			if at[m] > most {
				best, most = m, at[m]
			}
		}
		n := 0
		for k := -1; k <= surgeLate; k++ {
			n += at[(best+k+60)%60]
		}
		if most == 0 || float64(n) < placeShare*float64(total) {
			break
		}
		for k := -1; k <= surgeLate; k++ {
			at[(best+k+60)%60] = 0
		}
		s.places, covered = append(s.places, best), covered+n
	}
	if float64(covered) < placesCover*float64(total) {
		s.places = nil
	}
	slices.Sort(s.places)
}

// count goes through the places on the clock of the last week.
func (s *surges) count(from, now int) {
	s.gaps = [surgeGaps + 1]struct{ hits, all float64 }{}
	hits, all, gap := 0.0, 0.0, surgeGaps
	for m := from; m < now; m++ {
		if !slices.Contains(s.places, m%60) {
			continue
		}
		g := &s.gaps[gap]
		g.all++
		all++
		gap = min(gap+1, surgeGaps)
		if s.began(m) {
			g.hits++
			hits++
			gap = 1
		}
	}
	s.rate = hits / math.Max(all, 1)
}

// began says whether a surge began at a place.
func (s *surges) began(place int) bool {
	i, _ := slices.BinarySearchFunc(s.starts, place-1, func(x jump, m int) int { return x.minute - m })
	return i < len(s.starts) && s.starts[i].minute <= place+surgeLate
}

// chance is that a surge begins at a place that is still to come.
func (s *surges) chance(place int) float64 {
	gap := 1
	for m := place - 1; gap < surgeGaps && m > place-dayMinutes; m-- {
		if slices.Contains(s.places, m%60) {
			if s.began(m) {
				break
			}
			gap++
		}
	}
	g := s.gaps[gap]
	since := (g.hits + surgePrior*s.rate) / (g.all + surgePrior)
	days, hits := 0.0, 0.0
	for d := 1; d <= surgeWeek && place-d*dayMinutes >= 0; d++ {
		days++
		if s.began(place - d*dayMinutes) {
			hits++
		}
	}
	hour := (hits + dayPrior*s.rate) / (days + dayPrior)
	o := odds(since) * odds(hour) / odds(s.rate)
	return o / (1 + o)
}

// height is the median of how high surges went over the quiet level at about this
// time of day.
func (s *surges) height(place int) float64 {
	var near []float64
	for _, x := range s.starts {
		off := (x.minute - place) % dayMinutes
		if off < 0 {
			off += dayMinutes
		}
		if min(off, dayMinutes-off) <= surgeNear {
			near = append(near, x.ratio)
		}
	}
	if len(near) == 0 {
		return surgeOver
	}
	slices.Sort(near)
	return math.Min(near[len(near)/2], surgeHighest)
}

func odds(p float64) float64 {
	p = math.Max(1e-3, math.Min(p, 1-1e-3))
	return p / (1 - p)
}

// plan lays the surges that are likely enough into a profile from now on, and takes out
// those that are not.
func (s *surges) plan(profile []float64, load *prefix, now int) {
	if len(s.places) == 0 {
		return
	}
	quiet := quietBefore(load, now)
	if !(quiet > 0) {
		return
	}
	for m := now; m < len(profile); m++ {
		if !slices.Contains(s.places, m%60) {
			continue
		}
		likely, height := s.chance(m) >= surgePlanned, s.height(m)
		for i := m; i <= m+s.length && i < len(profile); i++ {
			switch {
			case i < now:
			case likely:
				profile[i] = height * quiet
			default:
				profile[i] = math.Min(profile[i], surgeFrom*quiet)
			}
		}
	}
}
