package simulate

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
)

const (
	slotMinutes  = 5    // of the kernel's steps
	kernelFrom   = -120 // minutes from the ceremony to the first step
	kernelUntil  = 480  // and to the end of the last
	kernelSteps  = (kernelUntil - kernelFrom) / slotMinutes
	fitDays      = 56        // of load that a fit looks back on
	fitEvery     = 7 * 86400 // seconds between two fits
	fitSweeps    = 25        // of the descent
	fitWeddings  = 10        // fewer past ones teach nothing
	fitPrior     = 6.0       // samples' worth of trust that weekdays are alike
	assumedGuest = 2.6       // requests per second of one guest at the busiest moment, before anything is learned
	normal90     = 1.28
	hoursOfWeek  = 7 * 24
	perSlotHour  = 60 / slotMinutes
	slotsOfDay   = 24 * perSlotHour
)

// guests turns people into load. It learns what one guest brings around the ceremony from
// the weddings and the load of the past:
//
//	load(t) = base(hour of the week) + Σ guests_w · k(t − start_w),  base, k ≥ 0
//
// by coordinate descent on least squares, with each hour's base drawn towards that hour
// on all weekdays. Until ten weddings are known, an assumed course counts.
type guests struct {
	origin   time.Time // of the first minute of the record
	start    time.Time
	next     int // second of the next fit
	steps    [kernelSteps]float64
	spread   [kernelSteps]float64 // standard deviation of one wedding's guest
	days     [7]float64           // level of a weekday without guests, by the mean of all
	expected []float64            // of all guests, for each slot since origin
	export   models.GuestKernel
}

func newGuests(start time.Time) *guests { return &guests{start: start} }

// learn fits anew once a week.
func (g *guests) learn(v View) {
	if v.Second < g.next {
		return
	}
	g.next = v.Second + fitEvery
	g.origin = g.start.Add(-time.Duration(v.Metrics.MinutesBeforeStart()) * time.Minute)
	arrivals := g.arrivals(v.Calendar)
	if !g.fit(v, arrivals) && g.expected == nil {
		g.assume()
	}
	g.spreadOut(arrivals)
	g.export = models.GuestKernel{FromMinutes: kernelFrom, StepMinutes: slotMinutes, P90: make([]float64, kernelSteps), P50: make([]float64, kernelSteps)}
	for i := range g.export.P90 {
		g.export.P90[i] = g.steps[i] + normal90*g.spread[i]
		g.export.P50[i] = g.steps[i]
	}
}

// kernel is what one guest brings, in the product's words.
func (g *guests) kernel() *models.GuestKernel { return &g.export }

// at is the load that the guests of all windows are expected to bring in a minute of the
// record.
func (g *guests) at(minute int) float64 {
	if slot := minute / slotMinutes; slot >= 0 && slot < len(g.expected) {
		return g.expected[slot]
	}
	return 0
}

// day is the level of a minute's weekday without guests, by the mean of all.
func (g *guests) day(minute int) float64 {
	if d := g.days[g.origin.Add(time.Duration(minute)*time.Minute).UTC().Weekday()]; d > 0 {
		return d
	}
	return 1
}

// assume is the course that the predictor assumes of a wedding of eight hours: guests
// look up the way, share photographs, and leave.
func (g *guests) assume() {
	g.spread = [kernelSteps]float64{}
	stay, end := 480.0/3, 480.0
	for i := range g.steps {
		switch m := float64(kernelFrom + i*slotMinutes); {
		case m < 0:
			g.steps[i] = assumedGuest * square(1+(m+slotMinutes)/-kernelFrom)
		case m < stay:
			g.steps[i] = assumedGuest * (1 - 0.3*m/stay)
		default:
			g.steps[i] = assumedGuest * 0.7 * square(1-(m-stay)/(end-stay))
		}
	}
}

func square(x float64) float64 { return x * x }

// arrival is the guests whose wedding has its first step in a slot of the record.
type arrival struct {
	slot   int
	guests float64
}

// arrivals orders the windows by slot and adds up those of the same.
func (g *guests) arrivals(calendar []Window) []arrival {
	var out []arrival
	for _, w := range calendar {
		minute := int(math.Round(w.Start.Sub(g.origin).Minutes())) + kernelFrom
		out = append(out, arrival{int(math.Floor(float64(minute) / slotMinutes)), float64(w.Guests)})
	}
	slices.SortFunc(out, func(a, b arrival) int { return cmp.Compare(a.slot, b.slot) })
	merged := out[:0]
	for _, a := range out {
		if n := len(merged); n > 0 && merged[n-1].slot == a.slot {
			merged[n-1].guests += a.guests
			continue
		}
		merged = append(merged, a)
	}
	return merged
}

// spreadOut lays the kernel over all windows, past and to come.
func (g *guests) spreadOut(arrivals []arrival) {
	last := 0
	for _, a := range arrivals {
		last = max(last, a.slot+kernelSteps)
	}
	g.expected = make([]float64, last+1)
	for _, a := range arrivals {
		for i, k := range g.steps {
			if s := a.slot + i; s >= 0 {
				g.expected[s] += a.guests * k
			}
		}
	}
}

// fit learns the kernel; false where there is too little to learn from.
func (g *guests) fit(v View, arrivals []arrival) bool {
	load, first := slotsOf(v.Metrics.Minutes(), fitDays)
	var past []arrival
	for _, a := range arrivals {
		if s := a.slot - first; s >= 0 && s+kernelSteps <= len(load) && a.guests > 0 {
			past = append(past, arrival{s, a.guests})
		}
	}
	if len(past) < fitWeddings {
		return false
	}
	f := newFit(load, past, g.hourOf(first))
	for range fitSweeps {
		f.sweepBase()
		f.sweepKernel()
	}
	g.steps, g.spread, g.days = f.kernel, f.spread(), f.days()
	return true
}

// hourOf gives the slot's place in the week, in slots.
func (g *guests) hourOf(slot int) int {
	at := g.origin.Add(time.Duration(slot*slotMinutes) * time.Minute).UTC()
	return int(at.Weekday())*slotsOfDay + at.Hour()*perSlotHour + at.Minute()/slotMinutes
}

// slotsOf averages the last days of a record over slots; NaN where nothing is known.
// first is the slot of the record that they begin with.
func slotsOf(minutes []float64, days int) (load []float64, first int) {
	first = max(0, len(minutes)/slotMinutes-days*slotsOfDay)
	for s := first; (s+1)*slotMinutes <= len(minutes); s++ {
		load = append(load, mean(minutes[s*slotMinutes:(s+1)*slotMinutes]))
	}
	return load, first
}
