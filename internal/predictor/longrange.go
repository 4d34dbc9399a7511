package predictor

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"

	"github.com/wedsync/scalability/models"
)

// MaxDaysAhead bounds how far ahead days are forecast: a year, and the time to plan it.
const MaxDaysAhead = 400

const (
	levelDays   = 28  // whose mean is the level
	profileDays = 56  // that the course of the week is made of
	yearDays    = 300 // of history from which on the time of the year is learned
	monthDays   = 14  // on either side of a day of last year, that stand for it
	fewestDays  = 7
)

// Usual tails of a load a long time ahead, where history is too short to know them.
const (
	usualTail90 = 1.25
	usualTail95 = 1.35
)

// Days forecasts the highest hour of each day (UTC) of [from, until), up to 400 days
// ahead. The days of the coming week come from the models; those after it from the level,
// the time of the year, the hour of the week and the guests of the calendar, and say so.
func (p *Predictor) Days(ctx context.Context, service models.ServiceName, from, until time.Time) ([]models.DayLoad, error) {
	from = from.UTC().Truncate(24 * time.Hour)
	points, err := p.Hours(ctx, service, from, until)
	if err != nil {
		return nil, err
	}
	weddings, err := p.far(ctx, from, until)
	if err != nil {
		return nil, fmt.Errorf("predictor.Days: %w", err)
	}
	days := []models.DayLoad{}
	for _, pt := range points {
		date := pt.At.Format(time.DateOnly)
		if len(days) == 0 || days[len(days)-1].Date != date {
			days = append(days, models.DayLoad{Date: date, PeakAt: pt.At, Method: pt.Method, PeakP50: -1})
		}
		d := &days[len(days)-1]
		if pt.P50 > d.PeakP50 {
			d.PeakAt, d.PeakP50, d.Method = pt.At, pt.P50, pt.Method
		}
		p90, p95 := or(pt.P90, usualTail90*pt.P50), or(pt.P95, usualTail95*pt.P50)
		if pt.Assumed { // of a day's highest hour less is unknown than of a single one
			p90, p95 = usualTail90*pt.P50, usualTail95*pt.P50
		}
		d.PeakP90, d.PeakP95 = math.Max(d.PeakP90, p90), math.Max(d.PeakP95, p95)
	}
	for i := range days {
		day, _ := time.Parse(time.DateOnly, days[i].Date)
		for _, w := range weddings {
			if counts(w) && w.StartsAt.Before(day.Add(24*time.Hour)) && w.EndsAt.After(day) {
				days[i].Weddings++
				days[i].Guests += w.Guests
			}
		}
	}
	return days, nil
}

func or(v *float64, other float64) float64 {
	if v == nil {
		return other
	}
	return *v
}

// lowest is the quantile that, with P95, bounds nine of ten.
const lowest = 0.05

// Hours forecasts the hours of [from, until), as Days does, with the 5th percentile.
func (p *Predictor) Hours(ctx context.Context, service models.ServiceName, from, until time.Time) ([]models.PredictionPoint, error) {
	now := p.opts.Now()
	if !until.After(from) {
		return nil, models.Invalid("until", until.Format(time.RFC3339), "must be after from")
	}
	if until.After(now.Add((MaxDaysAhead+1)*24*time.Hour)) || until.Sub(from) > (MaxDaysAhead+1)*24*time.Hour {
		return nil, models.Invalid("until", until.Format(time.RFC3339), fmt.Sprintf("must be at most %d days ahead, and as long after from", MaxDaysAhead))
	}
	row, err := p.opts.Catalogue.Service(asPlatform(ctx), service)
	if err != nil {
		return nil, fmt.Errorf("predictor.Hours: %w", err)
	}
	v, err := p.view(ctx, row, now, p.opts.Weddings)
	if err != nil {
		return nil, fmt.Errorf("predictor.Hours: %w", err)
	}
	first, last := hourOf(from), hourOf(until.Add(time.Hour-1))
	near := v.running + MaxHorizonHours
	var far *longRange
	if last > near+1 || first < v.running {
		weddings, err := p.far(ctx, from, until)
		if err != nil {
			return nil, fmt.Errorf("predictor.Hours: %w", err)
		}
		far = v.longRange(weddings)
	}
	out := make([]models.PredictionPoint, 0, last-first)
	for h := first; h < last; h++ {
		if h >= v.running && h <= near {
			out = append(out, v.point(h, v.at(h), []float64{lowest}))
		} else {
			out = append(out, v.point(h, far.at(h), []float64{lowest}))
		}
	}
	return out, nil
}

// far reads the weddings that may be felt in a time.
func (p *Predictor) far(ctx context.Context, from, until time.Time) ([]models.Wedding, error) {
	if !p.opts.Weddings {
		return nil, nil
	}
	return p.calendar(asPlatform(ctx), from.Add(-eveHours*time.Hour), until.Add(eveHours*time.Hour))
}

// longRange forecasts a long time ahead:
//
//	level of four weeks · time of the year · hour of the week + Σ guests
//
// The time of the year is that of a year ago against now where history has it, else the
// multipliers of the months where these are switched on, else nothing.
type longRange struct {
	v        *view
	level    float64
	hours    [week]float64 // by hour of the week from Monday, mean one
	days     []float64     // mean load of each day of the past without guests, NaN where unknown
	firstDay int64         // number of days[0] since 1970
	guests   map[int64][]guests
	chance   map[int64]float64 // what nine of ten weddings of an hour bring beyond what is expected, squared
	tail90   float64
	tail95   float64
	known    bool
}

func (v *view) longRange(weddings []models.Wedding) *longRange {
	r := &longRange{v: v, tail90: usualTail90, tail95: usualTail95}
	r.invite(weddings)
	base, at := v.base, v.baseAt
	if !v.learned() || v.course == nil {
		base, at = v.simple.past()
	}
	r.daily(base, at)
	r.weekly(base, at)
	r.tails()
	return r
}

// past is the load of the past without guests, where these are known.
func (m *model) past() (base []float64, from int64) {
	from = m.running
	for h := range m.actual {
		from = min(from, h)
	}
	for h := from; h < m.running; h++ {
		v, ok := m.actual[h]
		if !ok {
			base = append(base, math.NaN())
			continue
		}
		if m.fitted {
			v = math.Max(v/10, v-m.scale*total(m.guests[h]))
		}
		base = append(base, v)
	}
	return base, from
}

// daily makes the means of the days, and the level.
func (r *longRange) daily(base []float64, at int64) {
	skip := (24 - at%24) % 24
	r.firstDay = (at + skip) / 24
	for i := int(skip); i+24 <= len(base); i += 24 {
		r.days = append(r.days, meanOf(base[i:i+24]))
	}
	recent := r.days[max(0, len(r.days)-levelDays):]
	r.level = meanOf(recent)
	if math.IsNaN(r.level) {
		r.level = meanOf(base)
	}
	r.known = !math.IsNaN(r.level)
}

// meanOf skips what is not known; NaN where nothing is.
func meanOf(v []float64) float64 {
	sum, n := 0.0, 0.0
	for _, x := range v {
		if !math.IsNaN(x) {
			sum += x
			n++
		}
	}
	return sum / n
}

// weekly makes the course of the week.
func (r *longRange) weekly(base []float64, at int64) {
	var n [week]float64
	for i := max(0, len(base)-profileDays*24); i < len(base); i++ {
		if !math.IsNaN(base[i]) {
			h := r.v.weekHour(at + int64(i))
			r.hours[h] += base[i]
			n[h]++
		}
	}
	whole := meanOf(base[max(0, len(base)-profileDays*24):])
	for h := range r.hours {
		if n[h] > 0 && whole > 0 {
			r.hours[h] /= n[h] * whole
		} else {
			r.hours[h] = 1
		}
	}
}

// weekHour counts from Monday's midnight on the zone's clock; 1970 began on a Thursday.
func (v *view) weekHour(h int64) int {
	h += int64(offset(v.zone, timeOf(h)) / time.Hour)
	return int((h+3*24)%week+week) % week
}

// year is what the time of the year makes of the level.
func (r *longRange) year(h int64) float64 {
	today := r.v.running / 24
	if len(r.days) >= yearDays {
		then, now := r.around(h/24), r.around(today)
		if then > 0 && now > 0 {
			return then / now
		}
	}
	if r.v.simple.seasonal {
		return seasonOfMonth(timeOf(h)) / seasonOfMonth(timeOf(r.v.running))
	}
	return 1
}

// around is the mean of the days about the same date in the year that is known.
func (r *longRange) around(day int64) float64 {
	for newest := r.firstDay + int64(len(r.days)); day >= newest; {
		day -= 364 // the same weekday
	}
	i := int(day - r.firstDay)
	if i < 0 {
		i += 364
	}
	if i >= len(r.days) {
		return math.NaN()
	}
	return meanOf(r.days[max(0, i-monthDays):min(len(r.days), i+monthDays+1)])
}

// tails are what the days of the past were above their level, at most.
func (r *longRange) tails() {
	var ratios []float64
	for i := levelDays; i < len(r.days); i++ {
		before := meanOf(r.days[i-levelDays : i])
		weekday := (r.firstDay + int64(i) + 3) % 7
		if usual := before * meanOf(r.hours[weekday*24:weekday*24+24]); usual > 0 && !math.IsNaN(r.days[i]) {
			ratios = append(ratios, r.days[i]/usual)
		}
	}
	if len(ratios) < fewestDays {
		return
	}
	slices.Sort(ratios)
	r.tail90 = math.Max(1, stat.Quantile(0.9, stat.LinInterp, ratios, nil))
	r.tail95 = math.Max(r.tail90, stat.Quantile(0.95, stat.LinInterp, ratios, nil))
}

// invite lays the guests of the calendar on the hours.
func (r *longRange) invite(weddings []models.Wedding) {
	r.guests, r.chance = map[int64][]guests{}, map[int64]float64{}
	if r.v.course == nil {
		for h, list := range guestHours(slices.DeleteFunc(slices.Clone(weddings), func(w models.Wedding) bool { return !counts(w) }), r.v.service.Name) {
			for _, g := range list {
				rps := r.v.simple.scale * g.rps
				r.guests[h] = append(r.guests[h], guests{g.wedding, rps})
				r.chance[h] += square((assumedTail - 1) * rps)
			}
		}
		return
	}
	for _, w := range weddings {
		if !counts(w) {
			continue
		}
		for h := hourOf(w.StartsAt) - eveHours; h <= hourOf(w.StartsAt)+24; h++ {
			p50, p90 := r.v.course.At(timeOf(h).Sub(w.StartsAt).Hours() + 0.5)
			if g := float64(w.Guests); p50 > 0 {
				r.guests[h] = append(r.guests[h], guests{w.ID, g * p50})
				r.chance[h] += square(g * (p90 - p50))
			}
		}
	}
}

// at is the forecast of an hour.
func (r *longRange) at(h int64) hour {
	own := r.level * r.hours[r.v.weekHour(h)]
	if !r.known {
		own, _ = r.v.simple.baseOf(r.v.service, h)
	}
	out := hour{base: own, method: models.MethodLongRange, ranged: true}
	out.season = own * (r.year(h) - 1)
	for _, g := range r.guests[h] {
		out.shares = append(out.shares, models.WeddingShare{WeddingID: g.wedding, RPS: g.rps})
	}
	whole, chance := out.expected(), math.Sqrt(r.chance[h])
	up := func(tail, normal float64) float64 {
		return whole + math.Hypot((tail-1)*out.own(), normal*chance)
	}
	const normal95, normal99 = 1.645 / 1.282, 2.326 / 1.282 // on the 90th percentile
	p90, p95 := up(r.tail90, 1), up(r.tail95, normal95)
	p99 := math.Max(up(1+(r.tail95-1)*normal99/normal95, normal99), p95)
	low := func(high float64) float64 { return math.Max(0, 2*whole-high) }
	out.loads = [levelCount]float64{low(p95), low(p95), low(p90), whole, p90, p95, (p95 + p99) / 2, p99}
	if r.v.simple.logs == nil && !r.v.learned() {
		out.guess(r.v.simple.levelOf)
	}
	return out
}

// seasonOfMonth is the season without its weekdays, which the course of the week has.
func seasonOfMonth(at time.Time) float64 {
	sum := 0.0
	for d := range 7 {
		sum += season(at.AddDate(0, 0, d-3))
	}
	return sum / 7
}
