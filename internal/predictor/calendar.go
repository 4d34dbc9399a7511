package predictor

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"

	"github.com/wedsync/scalability/models"
)

const (
	windowsBefore = 24 * time.Hour
	windowsAhead  = 48 * time.Hour
	baseWithin    = time.Hour // in which the base of the calendar is the largest
	usualQuantile = 0.95
	fewestUsual   = 2 // weeks in which an hour was measured
)

// The guests' kernel goes from six hours before the ceremony to twelve after it: the
// decision engine plans with these, and what comes before is part of the forecast.
const (
	kernelFrom  = -6 * 60 // minutes
	kernelStep  = 10
	kernelSteps = 18 * 60 / kernelStep
	assumedTail = 1.5 // of nine of ten assumed guests, on what is expected of them
)

// Calendar gives the weddings around a time, what a guest of them brings, and the load
// without guests. While the calendar cannot be read its last copy counts, with the time
// at which that was read. It is nil where wedding intelligence is switched off.
func (p *Predictor) Calendar(ctx context.Context, service models.Service, now time.Time) (*models.Calendar, error) {
	if !p.opts.Weddings {
		return nil, nil
	}
	weddings, readAt, err := p.booked(asPlatform(ctx), now)
	if err != nil {
		p.mu.Lock()
		have := p.weddings
		p.mu.Unlock()
		if have.at.IsZero() {
			return nil, fmt.Errorf("predictor.Calendar: %w", err)
		}
		p.opts.Log.WarnContext(ctx, "the calendar cannot be read: its last copy counts", "read_at", have.at, "error", err)
		weddings, readAt = have.value, have.at
	}
	out := &models.Calendar{ReadAt: p.asOf(ctx, readAt).UTC(), Windows: windows(weddings, now)}
	v, err := p.view(ctx, service, now, true)
	if err != nil {
		// Without a history guests are still coming: what they bring is assumed.
		out.Kernel = assumedKernel(service.Name, 1)
		return out, nil //nolint:nilerr // said by the forecast, which has nothing else to give
	}
	out.Kernel, out.BaseRPS = v.kernel(), p.usualBase(v, now)
	return out, nil
}

// asOf is how old what was read is: a calendar is as old as the feed that is most out of
// date. Where that cannot be read the reading itself counts, which failed too if Postgres
// is away.
func (p *Predictor) asOf(ctx context.Context, readAt time.Time) time.Time {
	if p.opts.Feeds == nil {
		return readAt
	}
	fed, err := p.opts.Feeds.CalendarReadAt(asPlatform(ctx))
	if err != nil {
		p.opts.Log.WarnContext(ctx, "the age of the calendar feeds cannot be read", "error", err)
		return readAt
	}
	if fed.Before(readAt) {
		return fed
	}
	return readAt
}

func windows(weddings []models.Wedding, now time.Time) []models.CalendarWindow {
	out := []models.CalendarWindow{}
	for _, w := range weddings {
		if counts(w) && w.EndsAt.After(now.Add(-windowsBefore)) && w.StartsAt.Before(now.Add(windowsAhead)) {
			out = append(out, models.CalendarWindow{
				ID: w.ID, Start: w.StartsAt.UTC(), End: w.EndsAt.UTC(), Guests: w.Guests,
				Confirmed: w.Status == models.WeddingConfirmed, TimeZone: w.TimeZone,
			})
		}
	}
	slices.SortFunc(out, func(a, b models.CalendarWindow) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// kernel is the load of a guest as it was learned, else as it is assumed.
func (v *view) kernel() *models.GuestKernel {
	if v.course == nil {
		return assumedKernel(v.service.Name, v.simple.scale)
	}
	k := &models.GuestKernel{FromMinutes: kernelFrom, StepMinutes: kernelStep}
	for i := range kernelSteps {
		p50, p90 := v.course.At((kernelFrom + (float64(i)+0.5)*kernelStep) / 60)
		k.P50, k.P90 = append(k.P50, p50), append(k.P90, p90)
	}
	return k
}

// assumedKernel is that of a wedding of six hours.
func assumedKernel(service models.ServiceName, scale float64) *models.GuestKernel {
	course := kernel{arrive: longestArrival, stay: 2, end: 6}
	k := &models.GuestKernel{FromMinutes: kernelFrom, StepMinutes: kernelStep}
	for i := range kernelSteps {
		rps := scale * peakPerGuest * share(service) * course.at((kernelFrom+(float64(i)+0.5)*kernelStep)/60)
		k.P50, k.P90 = append(k.P50, rps), append(k.P90, assumedTail*rps)
	}
	return k
}

// usualBase is the largest load without guests that is usual at this time. It is not taken
// to the level of now: what is left of that, a decision weighs against what guests bring.
func (p *Predictor) usualBase(v *view, now time.Time) float64 {
	if c := p.minutelyOf(v.service.Name); c != nil {
		if base, ok := c.base(now); ok {
			return base
		}
	}
	return v.usualBase(now)
}

// usualBase is the median of the same hours of the last weeks, the largest within an hour;
// what is forecast of an hour where too few of them were measured.
func (v *view) usualBase(now time.Time) float64 {
	most := 0.0
	for h := hourOf(now); h <= hourOf(now.Add(baseWithin)); h++ {
		own := v.at(h).own()
		if same := v.sameHours(h); v.learned() && len(same) >= fewestUsual {
			own = stat.Quantile(0.5, stat.LinInterp, same, nil)
		}
		most = max(most, own)
	}
	return most
}

// sameHours is the load without guests of an hour of the week, of the last weeks in which
// it was measured; sorted.
func (v *view) sameHours(hour int64) (same []float64) {
	for back := int64(week); back <= weeksBack*week; back += week {
		if i := sameHour(v.zone, hour, back) - v.baseAt; i >= 0 && i < int64(len(v.base)) && !math.IsNaN(v.base[i]) {
			same = append(same, v.base[i])
		}
	}
	slices.Sort(same)
	return same
}

// Usual is the 95th percentile of the load at this hour of the week: over its minutes in
// the weeks of which these are known, else over the hours that were measured; nil where
// those are under two.
func (p *Predictor) Usual(ctx context.Context, service models.ServiceName, at time.Time) (*float64, error) {
	if c := p.minutelyOf(service); c != nil {
		if usual, ok := c.usual(at); ok {
			return &usual, nil
		}
	}
	load, err := p.history(asPlatform(ctx), service, at)
	if err != nil {
		return nil, fmt.Errorf("predictor.Usual: %w", err)
	}
	var same []float64
	for back := int64(week); back <= lookback; back += week {
		if v, ok := load[sameHour(p.opts.Zone, hourOf(at), back)]; ok {
			same = append(same, v)
		}
	}
	if len(same) < fewestUsual {
		return nil, nil
	}
	slices.Sort(same)
	usual := stat.Quantile(usualQuantile, stat.LinInterp, same, nil)
	return &usual, nil
}
