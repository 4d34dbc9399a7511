package predictor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/wedsync/scalability/internal/forecast/score"
	"github.com/wedsync/scalability/models"
)

// Bounds of the days that an accuracy is asked for.
const (
	maxAccuracyDays = 120
	gateLead        = 1 // hours: what decisions look at
)

// storedLeads are the leads at which forecasts are stored, in hours.
func storedLeads() []int { return []int{1, 2, 3, 6, 12, 18, 24, 36, 48, 72, 96, 120, 144, 168} }

// Update keeps the hours that are over, learns from them, and stores what is forecast of
// the coming ones. It gives how many forecasts are new. Repeating it changes nothing.
func (p *Predictor) Update(ctx context.Context, now time.Time) (int, error) {
	ctx = asPlatform(ctx)
	if p.opts.Rollups != nil {
		if _, err := p.opts.Rollups.RollHours(ctx, now); err != nil {
			return 0, fmt.Errorf("predictor.Update: %w", err)
		}
	}
	var rows []models.LoadForecast
	var errs []error
	for _, name := range models.ServiceNames() {
		v, err := p.viewOf(ctx, name, now)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		rows = append(rows, v.stored(now, p.opts.Holiday)...)
	}
	if p.opts.Ledger == nil {
		return 0, errors.Join(errs...)
	}
	n, err := p.opts.Ledger.SaveForecasts(ctx, rows)
	return n, errors.Join(append(errs, err)...)
}

func (p *Predictor) viewOf(ctx context.Context, name models.ServiceName, now time.Time) (*view, error) {
	service, err := p.opts.Catalogue.Service(ctx, name)
	if err != nil {
		return nil, err
	}
	return p.view(ctx, service, now, p.opts.Weddings)
}

// stored are the forecasts of a view by lead. A lead of one is the hour that begins next.
func (v *view) stored(now time.Time, holiday func(time.Time) bool) []models.LoadForecast {
	var out []models.LoadForecast
	days := v.weddingDays()
	for _, lead := range storedLeads() {
		h := v.running + int64(lead)
		in := v.at(h)
		if in.method == models.MethodNone {
			continue
		}
		f := models.LoadForecast{
			Service: v.service.Name, TargetAt: timeOf(h), LeadHours: lead, IssuedAt: now.UTC(), Method: in.method,
			Expected: in.expected(), Base: in.base, Season: in.season, Holiday: in.holiday, Weddings: in.expected() - in.own(),
			WeddingDay: days[h/24], HolidayDay: holiday != nil && holiday(timeOf(h)),
		}
		for q, to := range map[float64]**float64{0.025: &f.P025, 0.1: &f.P10, 0.5: &f.P50, 0.9: &f.P90, 0.95: &f.P95, 0.975: &f.P975} {
			if rps, ok := in.quantile(q); ok && !in.guessed {
				*to = &rps
			}
		}
		out = append(out, f)
	}
	return out
}

// weddingDays are the days (UTC) that have a ceremony.
func (v *view) weddingDays() map[int64]bool {
	out := map[int64]bool{}
	for _, w := range v.simple.weddings {
		out[hourOf(w.StartsAt)/24] = true
	}
	return out
}

// Score writes what came beside the forecasts whose hour has passed, and says of each
// service whether its forecasts are still trusted. It gives how many were scored.
func (p *Predictor) Score(ctx context.Context, now time.Time) (int, error) {
	ctx = asPlatform(ctx)
	if p.opts.Ledger == nil {
		return 0, nil
	}
	n, err := p.opts.Ledger.ScoreForecasts(ctx, now)
	if err != nil {
		return 0, fmt.Errorf("predictor.Score: %w", err)
	}
	p.mu.Lock()
	clear(p.records)
	clear(p.views)
	p.mu.Unlock()
	var errs []error
	for _, name := range models.ServiceNames() {
		g, err := p.Gate(ctx, name, now)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		p.tell(ctx, g)
	}
	return n, errors.Join(errs...)
}

// tell reports a gate, and warns when one closes.
func (p *Predictor) tell(ctx context.Context, g models.ForecastGate) {
	p.mu.Lock()
	before, known := p.trusted[g.Service]
	p.trusted[g.Service] = g.Trusted
	p.mu.Unlock()
	if known && before && !g.Trusted {
		p.opts.Log.WarnContext(ctx, "forecasts are no longer trusted", "service", g.Service, "method", g.Method, "reason", g.Reason)
	}
	if known && !before && g.Trusted {
		p.opts.Log.InfoContext(ctx, "forecasts are trusted again", "service", g.Service, "method", g.Method, "reason", g.Reason)
	}
	if p.opts.OnGate != nil {
		p.opts.OnGate(g)
	}
}

// Gates are those of the services whose forecasts are known in this process. It never
// waits: what is not known yet is prepared meanwhile.
func (p *Predictor) Gates(ctx context.Context, now time.Time) []models.ForecastGate {
	out := []models.ForecastGate{}
	ctx = context.WithoutCancel(asPlatform(ctx))
	for _, name := range models.ServiceNames() {
		p.mu.Lock()
		have := p.views[modelKey{name, p.opts.Weddings}]
		p.mu.Unlock()
		if have.value != nil && have.running >= hourOf(now)-1 {
			out = append(out, have.value.gate())
		}
		if have.value == nil || have.running != hourOf(now) {
			go func() {
				if _, err := p.Gate(ctx, name, now); err != nil {
					p.opts.Log.DebugContext(ctx, "forecasts are not known", "service", name, "error", err)
				}
			}()
		}
	}
	return out
}

// Gate says whether decisions may be made on the forecasts of a service now, and why.
func (p *Predictor) Gate(ctx context.Context, name models.ServiceName, now time.Time) (models.ForecastGate, error) {
	v, err := p.viewOf(asPlatform(ctx), name, now)
	if err != nil {
		return models.ForecastGate{}, fmt.Errorf("predictor.Gate: %w", err)
	}
	return v.gate(), nil
}

func (v *view) gate() models.ForecastGate {
	g := models.ForecastGate{Service: v.service.Name, Method: v.at(v.running + 1).method, HistoryDays: v.history}
	g.Trusted, g.Reason = v.trust()
	g.WAPE7Days, g.Coverage95 = known64(v.wape()), known64(v.record.coverage())
	if v.learned() {
		g.FittedAt = &v.fitted
	}
	return g
}

func known64(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// kept gives the record of the stored forecasts of the next hour, which is what was
// really served; nil where too few of them were scored yet.
func (p *Predictor) kept(ctx context.Context, service models.ServiceName, running int64, now time.Time) (record, error) {
	if p.opts.Ledger == nil {
		return nil, nil
	}
	p.mu.Lock()
	have, ok := p.records[service]
	p.mu.Unlock()
	if ok && have.running == running {
		return have.value, nil
	}
	rows, err := p.opts.Ledger.Forecasts(ctx, service, gateLead, timeOf(running-recordHours), timeOf(running))
	if err != nil {
		return nil, err
	}
	var r record
	for _, f := range rows {
		s := scored{hour: hourOf(f.TargetAt), actual: *f.Actual, p50: f.Expected}
		if f.P025 != nil && f.P95 != nil && f.P975 != nil {
			s.low, s.p95, s.high, s.ranged = *f.P025, *f.P95, *f.P975, true
		}
		r = append(r, s)
	}
	if len(r) < fewestScored {
		r = nil
	}
	p.mu.Lock()
	p.records[service] = known[record]{r, running, now}
	p.mu.Unlock()
	return r, nil
}

// Accuracy is how the stored forecasts of the last days did, by lead and group of hours.
func (p *Predictor) Accuracy(ctx context.Context, service models.ServiceName, days int, now time.Time) (models.ForecastAccuracy, error) {
	const op = "predictor.Accuracy"
	if days < 1 || days > maxAccuracyDays {
		return models.ForecastAccuracy{}, models.Invalid("days", days, fmt.Sprintf("must be from 1 to %d", maxAccuracyDays))
	}
	ctx = asPlatform(ctx)
	out := models.ForecastAccuracy{Service: service, Days: days, Rows: []models.AccuracyRow{}}
	var err error
	if out.Gate, err = p.Gate(ctx, service, now); err != nil {
		return models.ForecastAccuracy{}, fmt.Errorf("%s: %w", op, err)
	}
	if p.opts.Ledger == nil {
		return out, nil
	}
	from := timeOf(hourOf(now) - int64(days)*24)
	rows, err := p.opts.Ledger.Forecasts(ctx, service, 0, from, now)
	if err != nil {
		return models.ForecastAccuracy{}, fmt.Errorf("%s: %w", op, err)
	}
	load, err := p.history(ctx, service, now)
	if err != nil {
		return models.ForecastAccuracy{}, fmt.Errorf("%s: %w", op, err)
	}
	byLead := map[int][]score.Record{}
	for _, f := range rows {
		byLead[f.LeadHours] = append(byLead[f.LeadHours], recordOf(f, load))
	}
	for _, lead := range storedLeads() {
		out.Rows = append(out.Rows, groups(lead, byLead[lead])...)
	}
	return out, nil
}

func recordOf(f models.LoadForecast, load map[int64]float64) score.Record {
	r := score.Record{
		Actual: *f.Actual, Forecast: f.Expected, Lead: f.LeadHours, Event: f.WeddingDay, Holiday: f.HolidayDay,
		Day: math.NaN(), Week: math.NaN(), Low: orNaN(f.P025), High: orNaN(f.P975),
		Q10: orNaN(f.P10), Q50: orNaN(f.P50), Q90: orNaN(f.P90), Q95: orNaN(f.P95),
	}
	h := hourOf(f.TargetAt)
	if v, ok := load[h-24]; ok {
		r.Day = v
	}
	if v, ok := load[h-week]; ok {
		r.Week = v
	}
	return r
}

func orNaN(v *float64) float64 { return or(v, math.NaN()) }

// groups are the accuracies of one lead; groups without an hour are left out.
func groups(lead int, records []score.Record) []models.AccuracyRow {
	var out []models.AccuracyRow
	for _, g := range []struct {
		name   models.ForecastGroup
		chosen func(score.Record) bool
	}{
		{models.GroupAll, nil},
		{models.GroupWeddings, func(r score.Record) bool { return r.Event }},
		{models.GroupPlain, func(r score.Record) bool { return !r.Event && !r.Holiday }},
		{models.GroupHolidays, func(r score.Record) bool { return r.Holiday }},
	} {
		t := score.TallyOf(records, g.chosen)
		if t.Hours == 0 {
			continue
		}
		row := models.AccuracyRow{
			LeadHours: lead, Group: g.name, Hours: t.Hours, Accuracy: known64(t.Accuracy()), WAPE: known64(t.WAPE),
			MASE24: known64(t.MASE24), MASE168: known64(t.MASE168), SMAPE: known64(t.SMAPE), Bias: known64(t.Bias),
			Coverage: known64(t.Coverage), Width: known64(t.Width),
		}
		if !math.IsNaN(t.Width) {
			row.Pinball10, row.Pinball50 = known64(t.Pinball.P10), known64(t.Pinball.P50)
			row.Pinball90, row.Pinball95 = known64(t.Pinball.P90), known64(t.Pinball.P95)
		}
		out = append(out, row)
	}
	return slices.Clip(out)
}
