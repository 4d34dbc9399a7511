package predictor

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/wedsync/scalability/models"
)

const (
	trustedWAPE     = 0.35 // largest error of a trusted forecast, over seven days and over the last one
	naiveWAPE       = 0.10 // largest of one that is last week's hours, since the models did worse
	coverLow        = 0.90 // of the 95th percentile, over seven days
	smallWAPE       = 0.05 // below it an error needs no interval
	driftHours      = 24
	fewestScored    = recordHours / 2
	lookAheadWithin = 30 * time.Minute
)

// Forecast gives the largest load expected in [now, now+within], or nil when there is
// nothing to say or forecasts are switched off. It comes from the minutes of the last
// weeks where those carry one, else from the hours, and says which. It is trusted where
// the method has shown on this service's own history that it can be.
func (p *Predictor) Forecast(ctx context.Context, service models.Service, now time.Time, within time.Duration) (*models.ForecastPoint, error) {
	if !p.opts.Weddings {
		return nil, nil
	}
	v, err := p.view(ctx, service, now, true)
	if err != nil {
		return nil, fmt.Errorf("predictor.Forecast: %w", err)
	}
	within = min(max(within, 0), MaxHorizonHours*time.Hour)
	lead := v.largest(now, within)
	if lead.method == models.MethodNone {
		return nil, nil
	}
	f := models.ForecastPoint{
		P50: lead.p50, P95: lead.p95, P99: lead.p99, IssuedAt: now.UTC(), Model: string(lead.method), Calendar: lead.guested,
	}
	if lead.ranged {
		f.P70 = lead.p70
		f.VerifiedP70 = v.largest(now, within+verifying(service.Policy)).p70
		f.LookAheadP90 = v.largest(now, lookAheadWithin).p90
	}
	f.Trusted, f.Reason = v.trust()
	by, serves := p.byMinute(ctx, v, &f, now, within)
	if serves {
		f.Model = minuteModel
	}
	f.Reason += "; " + by
	f.HistoryDays = &v.history
	if w := v.wape(); !math.IsNaN(w) {
		f.WAPE7Days = &w
		if c := v.record.coverage(); v.learned() && w > smallWAPE && !math.IsNaN(c) {
			f.Coverage95 = &c
		}
	}
	return &f, nil
}

// verifying is how long an order is looked at before the next may be made.
func verifying(p models.ScalingPolicy) time.Duration {
	seconds := p.SoakSeconds + p.Measurements*p.MeasurementIntervalSeconds
	return time.Duration(min(max(seconds, 0), 3600)) * time.Second
}

// crest is the highest of each quantile over a time.
type crest struct {
	p50, p70, p90, p95, p99 float64
	ranged, guested         bool
	method                  models.PredictionMethod
}

// forecastStep is how finely the course of the guests is looked at: their load changes
// within minutes.
const forecastStep = time.Minute

// largest is the highest load in [now, now+within].
func (v *view) largest(now time.Time, within time.Duration) (top crest) {
	step := max(forecastStep, within/1000)
	for after := time.Duration(0); ; after = min(after+step, within) {
		p50, in := v.moment(now.Add(after))
		top.take(p50, in, v.guestsWithin(in, p50))
		if after == within {
			return top
		}
	}
}

// guestsWithin says whether guests are part of a moment.
func (v *view) guestsWithin(in hour, p50 float64) bool {
	if v.learned() && !v.assumed {
		return len(in.shares) > 0
	}
	return p50 > in.own()+1e-9 && len(in.shares) > 0
}

func (t *crest) take(p50 float64, in hour, guested bool) {
	method := in.method
	if method == models.MethodCalendarOnly && !guested {
		method = models.MethodNone
	}
	if t.method == models.MethodNone || method != models.MethodNone {
		t.method = method
	}
	t.guested = t.guested || guested
	t.ranged = in.ranged && !in.guessed // decisions take measured errors alone
	whole := in.expected()
	at := func(q float64) float64 {
		rps, ok := in.quantile(q)
		if !ok || !(whole > 0) {
			return p50
		}
		return p50 * math.Max(1, rps/whole)
	}
	t.p50 = math.Max(t.p50, p50)
	t.p70, t.p90 = math.Max(t.p70, at(0.70)), math.Max(t.p90, at(0.90))
	t.p95, t.p99 = math.Max(t.p95, at(0.95)), math.Max(t.p99, at(0.99))
}

// wape is the error of the last seven days; NaN where too few hours could be scored.
func (v *view) wape() float64 {
	switch {
	case v.learned() && len(v.record) >= fewestScored:
		return v.record.wape()
	case !v.learned() && v.simple.wape != nil:
		return *v.simple.wape
	default:
		return math.NaN()
	}
}

// trust says whether decisions may be made on the forecasts, and why or why not.
func (v *view) trust() (bool, string) {
	if !v.learned() {
		return v.simple.trust()
	}
	wape, day := v.wape(), v.record.since(v.running-driftHours)
	last, cover := day.wape(), v.record.coverage()
	switch method := v.at(v.running).method; {
	case method == models.MethodCohort:
		return false, fmt.Sprintf("not trusted: %.0f days of history, under the 14 that models learn from: services like it stand in", v.history)
	case method == models.MethodNone:
		return false, "not trusted: nothing was measured"
	case math.IsNaN(wape):
		return false, "not trusted: too few hours of the last 7 days could be scored"
	case wape > trustedWAPE:
		return false, fmt.Sprintf("not trusted: an error of %.0f %% over the last 7 days, 35 %% is allowed", 100*wape)
	case len(day) >= driftHours/2 && last > trustedWAPE && last > 2*wape:
		return false, fmt.Sprintf("not trusted: the load has drifted: an error of %.0f %% over the last day, %.0f %% over 7 days", 100*last, 100*wape)
	case method == models.MethodSeasonalNaive && wape > naiveWAPE:
		return false, fmt.Sprintf("not trusted: skill is lost: the same hours of last week did better than the models, and were off by %.0f %%", 100*wape)
	case wape > smallWAPE && cover < coverLow:
		return false, fmt.Sprintf("not trusted: the 95th percentile held %.0f %% of the last 7 days", 100*cover)
	default:
		return true, fmt.Sprintf("trusted: an error of %.0f %% over %d hours of the last 7 days", 100*wape, len(v.record))
	}
}
