package ingest

import (
	"fmt"
	"math"
	"time"
)

const (
	surgeSeconds = 6   // length of the window that is looked at
	clearlyOver  = 1.5 // a single second counts from this multiple of the threshold
)

// threshold is the load above which a service's ready capacity is outrun, in requests
// per second, with κ the capacity of one replica, r the ready ones, and u the share of
// κ that a replica is run at:
//
//	outrun   load > trigger · r · κ             most of what is ready is in use
//	KPA      ⌈load / (κ·u)⌉ ≥ 2·r               twice what is ready is needed,
//	         which is load > κ·u · (2·r − 1)
//
// The lower one counts. With nothing ready any load is a spike.
func (c Capacity) threshold() float64 {
	if c.Ready <= 0 {
		return 0
	}
	u := c.Target
	if !(u > 0) {
		u = 1
	}
	return math.Min(c.Trigger*float64(c.Ready)*c.RPS, c.RPS*u*float64(2*c.Ready-1))
}

// known says whether load can be compared with this capacity at all.
func (c Capacity) known() bool {
	return c.RPS > 0 && !math.IsInf(c.RPS, 0) && c.Trigger > 0
}

// recent are the mean loads of the last seconds, newest first; NaN is a second without
// a sample: missing, never zero.
type recent [surgeSeconds]float64

// surge judges the newest load. A rate counts when enough seconds stand behind it, so
// that the noise of one sample near the threshold is no spike, and a jump far above it
// is one at its first sample:
//
//	mean of 6 s     at least two of the seconds have samples
//	mean of 2 s     both seconds have samples
//	newest second   at least 1.5 times the threshold
//
// The largest that counts is the rate; it is a spike when it is above the threshold.
func (r recent) surge(threshold float64) (rate float64, reason string, spike bool) {
	if math.IsNaN(r[0]) {
		return 0, "", false
	}
	take := func(mean float64, what string) {
		if mean > rate {
			rate, reason = mean, fmt.Sprintf("%.0f requests/s %s outrun %.0f that the ready replicas can take", mean, what, threshold)
		}
	}
	if mean, n := r.mean(surgeSeconds); n >= 2 {
		take(mean, "over 6 s")
	}
	if mean, n := r.mean(2); n == 2 {
		take(mean, "over 2 s")
	}
	if r[0] >= clearlyOver*threshold {
		take(r[0], "in the newest second")
	}
	return rate, reason, rate > threshold
}

// mean is over the seconds among the newest n that have samples, and how many those are.
func (r recent) mean(n int) (mean float64, seconds int) {
	sum := 0.0
	for _, v := range r[:n] {
		if !math.IsNaN(v) {
			sum += v
			seconds++
		}
	}
	if seconds == 0 {
		return 0, 0
	}
	return sum / float64(seconds), seconds
}

// load gives the newest seconds of a series; they are those before and with the newest
// one that has a sample, which is at most 6 s back.
func (b *book) load(series int, now time.Time) (r recent, newest int64) {
	newest = b.latest[series].at / int64(time.Second)
	for i := range r {
		r[i] = math.NaN()
		if c, ok := b.seconds[slot{series, newest - int64(i)}]; ok && now.Unix()-newest < surgeSeconds {
			r[i] = c.mean()
		}
	}
	return r, newest
}

// onset finds when the load that outruns the threshold went above it: the oldest sample
// of the unbroken run of seconds above it that ends with the newest. Where the newest
// second is below, the spike is in the mean, and the oldest second above it counts.
func (b *book) onset(series int, newest int64, threshold float64) time.Time {
	running, reach := b.above(series, newest, threshold), int64(surgeSeconds)
	if running {
		reach = int64(keptRecent / time.Second)
	}
	at := b.latest[series].at
	for back := range reach {
		c, ok := b.seconds[slot{series, newest - back}]
		switch {
		case !ok: // a gap says nothing
		case c.mean() > threshold:
			at = c.firstAt
		case running:
			return time.Unix(0, at).UTC()
		}
	}
	return time.Unix(0, at).UTC()
}

// above says whether a series' second is above the threshold.
func (b *book) above(series int, second int64, threshold float64) bool {
	c, ok := b.seconds[slot{series, second}]
	return ok && c.mean() > threshold
}
