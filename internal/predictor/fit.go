package predictor

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wedsync/scalability/internal/forecast"
	"github.com/wedsync/scalability/models"
)

const (
	refitAfter = 26 * time.Hour // where no schedule did it, say in a process that runs no jobs
	refitsOnce = 2              // at the same time
)

// view gives what the forecasts of a service are read from.
func (p *Predictor) view(ctx context.Context, service models.Service, now time.Time, weddings bool) (*view, error) {
	key := modelKey{service.Name, weddings}
	m, err := p.model(ctx, service.Name, now, weddings)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	have := p.views[key]
	p.mu.Unlock()
	if have.value != nil && have.value.simple == m {
		mine := *have.value
		mine.service = service // its policy may be newer
		return &mine, nil
	}
	v, err, _ := p.group.Do("view/"+string(service.Name)+map[bool]string{true: "/weddings"}[weddings], func() (any, error) {
		reading, cancel := context.WithTimeout(context.WithoutCancel(asPlatform(ctx)), readTimeout)
		defer cancel()
		return p.see(reading, service, m, now, weddings)
	})
	if err != nil {
		return nil, err
	}
	seen, _ := v.(*view)
	mine := *seen
	mine.service = service
	return &mine, nil
}

func (p *Predictor) see(ctx context.Context, service models.Service, m *model, now time.Time, weddings bool) (*view, error) {
	v := &view{service: service, zone: p.opts.Zone, running: m.running, simple: m, history: m.days()}
	l, err := p.learner(ctx, m, now)
	if err != nil {
		return nil, err
	}
	if l != nil {
		if err := p.refresh(ctx, l, m, v, now); err != nil {
			return nil, err
		}
		r, err := p.kept(ctx, service.Name, m.running, now)
		if err != nil {
			return nil, err
		}
		if r != nil {
			v.record = r
		}
		if !weddings {
			for i := range v.hours {
				v.hours[i] = v.hours[i].without()
			}
		}
	}
	p.mu.Lock()
	p.views[modelKey{service.Name, weddings}] = known[*view]{v, m.running, now}
	p.mu.Unlock()
	return v, nil
}

// refresh lets a learner take what is new, and reads the coming hours off it.
func (p *Predictor) refresh(ctx context.Context, l *learner, m *model, v *view, now time.Time) error {
	var coming []models.Wedding
	if p.opts.Weddings {
		var err error
		if coming, _, err = p.booked(ctx, now); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.opts.Weddings {
		l.rebook(coming, timeOf(m.running-lookback))
	}
	l.take(m.actual, m.running)
	v.look(l)
	return nil
}

// rebook takes the calendar from a time on as it is now.
func (l *learner) rebook(newest []models.Wedding, from time.Time) {
	var all []models.Wedding
	for _, w := range l.booked {
		if !w.EndsAt.After(from) {
			all = append(all, w)
		}
	}
	all = append(all, newest...)
	same := slices.EqualFunc(all, l.booked, func(a, b models.Wedding) bool {
		return a.ID == b.ID && a.StartsAt.Equal(b.StartsAt) && a.EndsAt.Equal(b.EndsAt) && a.Guests == b.Guests && a.Status == b.Status && a.Region == b.Region && a.Type == b.Type && a.Tier == b.Tier
	})
	if !same {
		l.book(all)
	}
}

// learnable says whether models have enough to learn from: two weeks, most of their hours,
// and most of the last one's.
func (m *model) learnable() bool {
	return m.historyReaches(learnedAfter) && len(m.actual) >= learnedLeast && m.closedSince(week) >= enoughOfAWeek
}

// days is the age of the history.
func (m *model) days() float64 {
	first := m.running
	for h := range m.actual {
		first = min(first, h)
	}
	return float64(m.running-first) / 24
}

// learner gives that of a service; nil where models would have too little to learn from.
func (p *Predictor) learner(ctx context.Context, m *model, now time.Time) (*learner, error) {
	enough := m.learnable()
	if !enough && m.historyReaches(week) {
		return nil, nil
	}
	p.mu.Lock()
	l := p.learners[m.service]
	p.mu.Unlock()
	switch {
	case l != nil && l.reaches(m.running, enough):
		if age := now.Sub(l.age()); age > refitAfter {
			p.renew(ctx, m.service, now)
		}
		return l, nil
	case enough:
		return p.fit(ctx, m.service, now)
	default:
		return p.standIn(ctx, m, now)
	}
}

func (l *learner) age() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fitted
}

// reaches says whether a learner can go on to an hour; one that stood in for too little
// history cannot where there is enough now, and none goes back in time.
func (l *learner) reaches(running int64, enough bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cohort != enough && l.next <= running && running-l.next < lookback
}

// fit learns from all that is known of a service.
func (p *Predictor) fit(ctx context.Context, service models.ServiceName, now time.Time) (*learner, error) {
	v, err, _ := p.group.Do("fit/"+string(service), func() (any, error) {
		load, err := p.history(ctx, service, now)
		if err != nil {
			return nil, err
		}
		s := lesson{running: hourOf(now), load: load, events: p.opts.Weddings, zone: p.opts.Zone, holiday: p.opts.Holiday}
		if s.events {
			if s.weddings, err = p.calendar(ctx, timeOf(s.first()), timeOf(s.running+MaxHorizonHours+1+eveHours)); err != nil {
				return nil, err
			}
		}
		return p.keep(service, s.learn(now)), nil
	})
	l, _ := v.(*learner)
	return l, err
}

func (p *Predictor) keep(service models.ServiceName, l *learner) *learner {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.learners[service] = l
	for _, weddings := range []bool{true, false} {
		delete(p.views, modelKey{service, weddings})
	}
	return l
}

// renew fits a service anew while what is there serves on.
func (p *Predictor) renew(ctx context.Context, service models.ServiceName, now time.Time) {
	ctx = context.WithoutCancel(asPlatform(ctx))
	go func() {
		if _, err := p.refit(ctx, service, now); err != nil {
			p.opts.Log.WarnContext(ctx, "forecasts go on with the models of yesterday", "service", service, "error", err)
		}
	}()
}

func (p *Predictor) refit(ctx context.Context, service models.ServiceName, now time.Time) (*learner, error) {
	p.mu.Lock()
	delete(p.past, service) // what came late counts
	p.mu.Unlock()
	return p.fit(ctx, service, now)
}

// Refit learns anew from the whole history of each service that has enough of it, and
// gives the names of those. One that fails does not keep the others from it.
func (p *Predictor) Refit(ctx context.Context, now time.Time) ([]models.ServiceName, error) {
	ctx = asPlatform(ctx)
	names := models.ServiceNames()
	done, errs := make([]bool, len(names)), make([]error, len(names))
	var g errgroup.Group
	g.SetLimit(refitsOnce)
	for i, name := range names {
		g.Go(func() error {
			m, err := p.model(ctx, name, now, p.opts.Weddings)
			if err == nil && m.learnable() {
				_, err = p.refit(ctx, name, now)
				done[i] = err == nil
			}
			errs[i] = err
			return nil
		})
	}
	_ = g.Wait()
	var fitted []models.ServiceName
	for i, ok := range done {
		if ok {
			fitted = append(fitted, names[i])
		}
	}
	return fitted, errors.Join(errs...)
}

// standIn learns under a week of history on top of what services alike do; nil where
// there are none.
func (p *Predictor) standIn(ctx context.Context, m *model, now time.Time) (*learner, error) {
	p.mu.Lock()
	asked := p.alone[m.service]
	p.mu.Unlock()
	if asked == m.running {
		return nil, nil
	}
	var loads [][]float64
	for _, other := range models.ServiceNames() {
		if other == m.service {
			continue
		}
		load, err := p.history(ctx, other, now)
		if err != nil {
			return nil, err
		}
		if weeks := alike(load, m.running, p.opts.Zone, share(m.service)/share(other)); weeks != nil {
			loads = append(loads, weeks)
		}
	}
	cohort, ok := forecast.CohortOf(loads...)
	if !ok {
		p.mu.Lock()
		p.alone[m.service] = m.running
		p.mu.Unlock()
		return nil, nil
	}
	s := lesson{running: m.running, load: m.actual, zone: p.opts.Zone, holiday: p.opts.Holiday, cohort: &cohort}
	return p.keep(m.service, s.learn(now)), nil
}

// cohortHours is how much of the others' past a stand-in is made from.
const cohortHours = 28 * 24

// alike is what another service did from a Monday's midnight on, by its share of what the
// front door gets; nil where that is under two weeks, or has gaps that a week before does
// not fill.
func alike(load map[int64]float64, running int64, zone *time.Location, ratio float64) []float64 {
	from := running - cohortHours
	for t := timeOf(from).In(zone); t.Weekday() != time.Monday || t.Hour() != 0; t = timeOf(from).In(zone) {
		from++
	}
	var out []float64
	for h := from; h < running; h++ {
		v, ok := load[h]
		for back := int64(week); !ok && back <= weeksBack*week; back += week {
			v, ok = load[h-back]
		}
		if !ok {
			if len(out) > 0 {
				return nil
			}
			continue
		}
		if len(out) == 0 && (h-from)%week != 0 {
			continue
		}
		out = append(out, v*ratio)
	}
	if len(out) < 2*week {
		return nil
	}
	return out[:len(out)/week*week]
}
