package predictor

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/wedsync/scalability/internal/forecast/minute"
	"github.com/wedsync/scalability/models"
)

const (
	minuteDays       = 21               // of minutes that a forecast is made from
	minutesLife      = 24 * time.Hour   // after which it is made anew, with what came late and the calendar as it is now
	minutesRetry     = time.Minute      // until a reading that failed is tried again
	minutesOnce      = 2                // that are read at the same time
	minutesTimeout   = time.Minute      // of such a reading
	stepTimeout      = 2 * time.Second  // of reading the newest minutes: decisions wait for it
	settled          = 5 * time.Second  // after its end a minute's rollups are stored
	minutesLate      = 5 * time.Minute  // that the record may end before the time that is asked for
	minutesEarly     = 90 * time.Second // that it may end after it: callers are not quite in order
	guestsAhead      = 60               // minutes beyond the lead time for which guests are laid out
	fewestMinuteDays = 3.0              // of minutes that were measured
	newestSpan       = 15               // minutes, of which half must be known
	levelWeeks       = 8                // of hours that tell the level of a weekday
	dayMinutes       = 24 * 60
)

// minuteModel names forecasts that come from minutes.
const minuteModel = "profile"

// minutely is the load of one service by the minute, and the forecast that is made from it.
// A minute that is missing when its turn comes stays so until all is read anew. It
// holds at most the minutes of minuteDays and minutesLife: about 3 MB.
type minutely struct {
	mu      sync.Mutex
	service models.ServiceName
	zone    *time.Location
	offset  time.Duration // of its clock when this was made; before a change hours are moved, so that days are alike by the clock
	made    time.Time
	origin  time.Time // of the record, a full hour
	record  []float64 // mean load of each minute, NaN where nothing is known
	core    *minute.Forecaster
	point   models.ForecastPoint
	ahead   []float64 // what guests are expected to bring, from the minute aheadAt on
	aheadAt int
	days    [7]float64 // level of a weekday, by the mean of all
	lead    int        // minutes
}

// byMinute puts the forecast by the minute in the place of that by the hour where it
// serves, and says which of both does and why.
func (p *Predictor) byMinute(ctx context.Context, v *view, f *models.ForecastPoint, now time.Time, within time.Duration) (by string, serves bool) {
	if p.opts.Minutes == nil {
		return "by the hour: minutes are not kept", false
	}
	c := p.minutely(ctx, v, now, within)
	if c == nil {
		return "by the hour until the minutes of the last weeks are read", false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.advance(ctx, p.opts.Minutes, v, span{earlier(now, p.opts.Now()), within}); err != nil {
		p.opts.Log.WarnContext(ctx, "the newest minutes cannot be read: forecasts are by the hour", "service", c.service, "error", err)
		return "by the hour: the newest minutes cannot be read", false
	}
	if why := c.fails(now); why != "" {
		return "by the hour: " + why, false
	}
	x := c.point
	f.P50, f.P70, f.VerifiedP70, f.P95, f.P99, f.LookAheadP90 = x.P50, x.P70, x.VerifiedP70, x.P95, x.P99, x.LookAheadP90
	f.Calendar, f.IssuedAt = c.guested(), x.IssuedAt.UTC()
	return fmt.Sprintf("by the minute: the same minutes of %.0f days, off by %.0f %% over seven days", *x.HistoryDays, 100**x.WAPE7Days), true
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// minutelyOf is what is there of a service; nil where nothing was read yet.
func (p *Predictor) minutelyOf(service models.ServiceName) *minutely {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.minutes[service]
}

// minutely gives that of a service, nil until it is read. That happens beside the decisions:
// they go on with the hours at first, and with the old one where it is made anew.
func (p *Predictor) minutely(ctx context.Context, v *view, now time.Time, within time.Duration) *minutely {
	name := v.service.Name
	p.mu.Lock()
	defer p.mu.Unlock()
	have := p.minutes[name]
	if have != nil && now.Sub(have.made) < minutesLife && offset(p.opts.Zone, now) == have.offset {
		return have
	}
	if since := now.Sub(p.asked[name]).Abs(); !p.busy[name] && since >= minutesRetry {
		p.asked[name], p.busy[name] = now, true
		go p.readMinutes(context.WithoutCancel(asPlatform(ctx)), v, span{earlier(now, p.opts.Now()), within})
	}
	if have != nil && now.Sub(have.made) > 2*minutesLife {
		delete(p.minutes, name) // too far behind to be caught up with in passing
		return nil
	}
	return have
}

// readMinutes makes one of all that is kept.
func (p *Predictor) readMinutes(ctx context.Context, v *view, s span) {
	p.reading <- struct{}{}
	defer func() { <-p.reading }()
	ctx, cancel := context.WithTimeout(ctx, minutesTimeout)
	defer cancel()
	c := newMinutely(v.service.Name, s.now, p.opts.Zone)
	err := c.advance(ctx, p.opts.Minutes, v, s)
	if err != nil {
		p.opts.Log.WarnContext(ctx, "the minutes of the last weeks cannot be read", "service", c.service, "error", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy[c.service] = false
	if err == nil {
		p.minutes[c.service] = c
	}
}

func newMinutely(service models.ServiceName, now time.Time, zone *time.Location) *minutely {
	c := &minutely{service: service, zone: zone, offset: offset(zone, now), made: now, origin: now.UTC().Truncate(time.Hour).Add(-minuteDays * 24 * time.Hour)}
	c.core = minute.New(c.guests)
	return c
}

// span is the time that a forecast is of.
type span struct {
	now  time.Time
	lead time.Duration
}

// advance takes the minutes that are over since the last time.
func (c *minutely) advance(ctx context.Context, from Minutes, v *view, s span) error {
	until := s.now.Add(-settled).Truncate(time.Minute)
	n := int(until.Sub(c.origin) / time.Minute)
	if n <= len(c.record) {
		return nil
	}
	if len(c.record) > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, stepTimeout)
		defer cancel()
	}
	rows, err := from.MinuteLoad(asPlatform(ctx), c.service, c.end(), until)
	if err != nil {
		return err
	}
	// The record ends a little before now, so the same lead reaches as far ahead of it.
	lead := max(s.lead, 0) + settled
	c.lead = int(lead.Minutes())
	c.book(v, n)
	c.append(rows, n)
	c.days = v.weekdays()
	c.point = c.core.Next(c.record, lead, s.now)
	return nil
}

// end is the end of the record.
func (c *minutely) end() time.Time { return c.origin.Add(time.Duration(len(c.record)) * time.Minute) }

// index is the place of a moment in the record: by the clock as it stands. Of an hour that
// the clock repeats the later counts, one that it leaves out is missing.
func (c *minutely) index(at time.Time) float64 {
	moved := time.Duration(0)
	if at.Before(c.made) {
		moved = offset(c.zone, at) - c.offset
	}
	return (at.Sub(c.origin) + moved).Minutes()
}

// append lets the record have n minutes; those that no row tells of are missing.
func (c *minutely) append(rows []models.MinuteLoad, n int) {
	for len(c.record) < n {
		c.record = append(c.record, math.NaN())
	}
	for _, r := range rows {
		i := int(math.Floor(c.index(r.Minute)))
		if i >= 0 && i < n && r.MeanRPS >= 0 && !math.IsInf(r.MeanRPS, 0) {
			c.record[i] = r.MeanRPS
		}
	}
}

// book lays out what the guests of the calendar bring, from the minutes that are new to an
// hour after the lead time.
func (c *minutely) book(v *view, n int) {
	c.aheadAt = max(len(c.record)-1, 0)
	c.ahead = make([]float64, n+c.lead+guestsAhead-c.aheadAt)
	k := v.kernel()
	for _, w := range v.simple.weddings {
		start := int(math.Round(c.index(w.StartsAt))) + k.FromMinutes - c.aheadAt
		for i := max(start, 0); i < min(start+len(k.P50)*k.StepMinutes, len(c.ahead)); i++ {
			c.ahead[i] += float64(w.Guests) * k.P50[(i-start)/k.StepMinutes]
		}
	}
}

// guests is what they bring in a minute of the record.
func (c *minutely) guests(at int) float64 {
	if i := at - c.aheadAt; i >= 0 && i < len(c.ahead) {
		return c.ahead[i]
	}
	return 0
}

// guested says whether guests are expected within the lead time.
func (c *minutely) guested() bool {
	for i := range c.lead + 1 {
		if c.guests(len(c.record)+i) > 0 {
			return true
		}
	}
	return false
}

// enough says what the record lacks to forecast from at a time; "" where nothing.
func (c *minutely) enough(now time.Time) string {
	known := 0
	for _, x := range c.record[max(0, len(c.record)-newestSpan):] {
		if !math.IsNaN(x) {
			known++
		}
	}
	days, gap := c.point.HistoryDays, now.Sub(c.end())
	switch {
	case days == nil || *days < fewestMinuteDays:
		had := 0.0
		if days != nil {
			had = *days
		}
		return fmt.Sprintf("the minutes of %.1f days were measured, those of %.0f are needed", had, fewestMinuteDays)
	case gap > minutesLate || gap < -minutesEarly:
		return "minutes are known until " + c.end().Format("15:04")
	case 2*known < newestSpan:
		return "most minutes of the last quarter of an hour are missing"
	default:
		return ""
	}
}

// fails says why the hours are to be preferred; "" where they are not.
func (c *minutely) fails(now time.Time) string {
	if why := c.enough(now); why != "" {
		return why
	}
	x := c.point
	for _, q := range []float64{x.P50, x.P70, x.VerifiedP70, x.P95, x.P99, x.LookAheadP90} {
		if math.IsNaN(q) || math.IsInf(q, 0) {
			return "the minutes give no number"
		}
	}
	switch {
	case x.WAPE7Days == nil || x.Coverage95 == nil:
		return "no forecast by the minute was judged yet"
	case !(*x.WAPE7Days <= trustedWAPE):
		return fmt.Sprintf("by the minute it was off by %.0f %% over seven days, 35 %% is allowed", 100**x.WAPE7Days)
	case *x.WAPE7Days > smallWAPE && *x.Coverage95 < coverLow:
		return fmt.Sprintf("by the minute the 95th percentile held %.0f %% of seven days", 100**x.Coverage95)
	default:
		return ""
	}
}

// base is the load without guests that is usual now.
func (c *minutely) base(now time.Time) (float64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.enough(now) != "" {
		return 0, false
	}
	return c.core.Base(c.level), true
}

// usual is the 95th percentile of the minutes of this hour of the week.
func (c *minutely) usual(at time.Time) (float64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.enough(at) != "" || hourOf(at) != hourOf(c.end()) {
		return 0, false
	}
	return c.core.Usual()
}

// level is that of a minute's weekday, by the mean of all.
func (c *minutely) level(at int) float64 {
	if d := c.days[c.origin.Add(c.offset+time.Duration(at)*time.Minute).Weekday()]; d > 0 {
		return d
	}
	return 1
}

// weekdays is the level of each weekday without guests, by the mean of all: that of its
// hours over the last weeks. Zero where an hour of it was never measured.
func (v *view) weekdays() (level [7]float64) {
	all := 0.0
	for d := range level {
		for h := range int64(24) {
			mean := v.hourOfWeek(int64(d)*24 + h)
			level[d] += mean / 24
		}
		all += level[d] / 7
	}
	for d := range level {
		level[d] /= all
	}
	if !(all > 0) { // also where something is NaN
		return [7]float64{}
	}
	return level
}

// hourOfWeek is the mean load without guests of an hour of the week that begins on Sunday;
// NaN where it was not measured.
func (v *view) hourOfWeek(hour int64) float64 {
	const sunday = 3 * 24 // the first hour of a Sunday since 1970
	sum, n := 0.0, 0
	local := v.running - 1 + int64(offset(v.zone, timeOf(v.running-1))/time.Hour)
	first := v.running - 1 - ((local-sunday-hour)%week+week)%week
	for back := int64(0); back <= levelWeeks*week; back += week {
		if x, ok := v.own(sameHour(v.zone, first, back)); ok {
			sum, n = sum+x, n+1
		}
	}
	return sum / float64(n)
}

// own is the load of a past hour without guests.
func (v *view) own(hour int64) (float64, bool) {
	if v.base == nil {
		x, ok := v.simple.series[hour]
		return x * v.simple.season(hour), ok
	}
	if i := hour - v.baseAt; i >= 0 && i < int64(len(v.base)) && !math.IsNaN(v.base[i]) {
		return v.base[i], true
	}
	return 0, false
}
