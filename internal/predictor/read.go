package predictor

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/wedsync/scalability/models"
)

const (
	lateHours   = 48               // that are read again, since samples may come late
	kept        = time.Minute      // a model, so that a change of the calendar counts within a minute
	readTimeout = 20 * time.Second // of all that a model is made from
	pageSize    = 500
	eveHours    = 48 // before a ceremony in which guests look things up
)

// known is something that was read or built, and when.
type known[T any] struct {
	value   T
	running int64 // the hour it belongs to
	at      time.Time
}

// fresh says whether it still holds: in its own hour, and for a minute.
func (k known[T]) fresh(now time.Time) bool {
	age := now.Sub(k.at)
	return k.running == hourOf(now) && age >= 0 && age < kept
}

type modelKey struct {
	service  models.ServiceName
	weddings bool
}

// asPlatform reads on the platform's own behalf. What is read is kept and shared by all
// callers, so it must not depend on who asked first.
func asPlatform(ctx context.Context) context.Context {
	return models.WithScope(ctx, models.Scope{Role: models.ScopeSystem, Subject: "predictor"})
}

// model gives the model of a service at a time. Callers at once share one reading.
func (p *Predictor) model(ctx context.Context, service models.ServiceName, now time.Time, weddings bool) (*model, error) {
	key := modelKey{service, weddings}
	p.mu.Lock()
	have := p.models[key]
	p.mu.Unlock()
	if have.value != nil && have.fresh(now) {
		return have.value, nil
	}
	name := fmt.Sprintf("%s/%t/%d", service, weddings, hourOf(now))
	v, err, _ := p.group.Do(name, func() (any, error) {
		// The reading outlives the caller that started it: others wait for it too.
		reading, cancel := context.WithTimeout(context.WithoutCancel(asPlatform(ctx)), readTimeout)
		defer cancel()
		return p.read(reading, key, now)
	})
	if err != nil {
		return nil, err
	}
	m, _ := v.(*model)
	return m, nil
}

func (p *Predictor) read(ctx context.Context, key modelKey, now time.Time) (*model, error) {
	running := hourOf(now)
	actual, err := p.history(ctx, key.service, now)
	if err != nil {
		return nil, err
	}
	var weddings []models.Wedding
	asOf := now
	if key.weddings {
		if weddings, asOf, err = p.booked(ctx, now); err != nil {
			return nil, err
		}
	}
	m := build(key.service, running, actual, weddings, p.opts.SeasonMultipliers)
	p.mu.Lock()
	p.models[key] = known[*model]{m, running, asOf}
	p.mu.Unlock()
	return m, nil
}

// history reads the hours of the last year, up to and with the running one: once, and
// from then on those of the last days once an hour; under a week, where the running hour
// counts, each minute. As long as they are too few to learn from all are read again: a past
// may have been loaded meanwhile.
func (p *Predictor) history(ctx context.Context, service models.ServiceName, now time.Time) (map[int64]float64, error) {
	running := hourOf(now)
	p.mu.Lock()
	have := p.past[service]
	p.mu.Unlock()
	if have.value != nil && (have.fresh(now) || (have.running == running && len(have.value) > week)) {
		return have.value, nil
	}
	from := running - learnHours
	if have.value != nil && have.running <= running && len(have.value) >= learnedLeast {
		from = max(from, have.running-lateHours)
	}
	rows, err := p.opts.History.HourlyLoad(ctx, service, timeOf(from), timeOf(running+1))
	if err != nil {
		return nil, err
	}
	hours := make(map[int64]float64, len(rows)+len(have.value))
	for h, v := range have.value {
		if h < from && h >= running-learnHours {
			hours[h] = v
		}
	}
	for _, r := range rows {
		if r.Samples > 0 && r.MeanRPS >= 0 && !math.IsInf(r.MeanRPS, 0) {
			hours[hourOf(r.Hour)] = r.MeanRPS
		}
	}
	p.mu.Lock()
	p.past[service] = known[map[int64]float64]{hours, running, now}
	p.mu.Unlock()
	return hours, nil
}

// booked reads the weddings that any model at this time needs, and says when they were
// read. All services share them.
func (p *Predictor) booked(ctx context.Context, now time.Time) ([]models.Wedding, time.Time, error) {
	running := hourOf(now)
	p.mu.Lock()
	have := p.weddings
	p.mu.Unlock()
	if have.fresh(now) {
		return have.value, have.at, nil
	}
	all, err := p.calendar(ctx, timeOf(running-lookback), timeOf(running+MaxHorizonHours+1+eveHours))
	if err != nil {
		return nil, time.Time{}, err
	}
	p.mu.Lock()
	p.weddings = known[[]models.Wedding]{all, running, now}
	p.mu.Unlock()
	return all, now, nil
}

// calendar reads all weddings that overlap [from, until), page by page, until a page
// brings nothing new.
func (p *Predictor) calendar(ctx context.Context, from, until time.Time) ([]models.Wedding, error) {
	var all []models.Wedding
	seen := map[string]bool{}
	f := models.WeddingFilter{From: from, Until: until, Limit: pageSize}
	for {
		page, err := p.opts.Calendar.Weddings(ctx, f)
		if err != nil {
			return nil, err
		}
		before := len(all)
		for _, w := range page {
			if !seen[w.ID] {
				seen[w.ID] = true
				all = append(all, w)
			}
		}
		if len(all) == before {
			return all, nil
		}
		last := all[len(all)-1]
		f.After = &models.Cursor{At: last.StartsAt, ID: last.ID}
	}
}

// Others stands for the weddings that a caller may not see.
const Others = "others"

// conceal puts the shares of weddings that the caller may not see into one without a
// name. The calendar itself says, in the caller's own scope, which those are. The
// platform's processes see all.
func (p *Predictor) conceal(ctx context.Context, out *models.Prediction) error {
	role := models.ScopeFrom(ctx).Role
	if role == models.ScopeNone || role == models.ScopeSystem || len(out.Points) == 0 {
		return nil
	}
	seen, err := p.calendar(ctx, out.Points[0].At, out.Points[len(out.Points)-1].At.Add((1+longestArrival)*time.Hour))
	if err != nil {
		return err
	}
	mine := map[string]bool{}
	for _, w := range seen {
		mine[w.ID] = true
	}
	for i := range out.Points {
		out.Points[i].Weddings = concealed(out.Points[i].Weddings, mine)
	}
	return nil
}

func concealed(shares []models.WeddingShare, mine map[string]bool) []models.WeddingShare {
	var out []models.WeddingShare
	others := 0.0
	for _, s := range shares {
		if mine[s.WeddingID] {
			out = append(out, s)
		} else {
			others += s.RPS
		}
	}
	if others > 0 {
		out = append(out, models.WeddingShare{WeddingID: Others, RPS: others})
	}
	return out
}
