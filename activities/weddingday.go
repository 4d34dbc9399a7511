package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/weddingday"
)

// WeddingDayKeeper reads what a wedding day is planned from, and keeps its floors.
type WeddingDayKeeper struct {
	Calendar  WeddingCalendar
	Catalogue Catalogue
	Guests    GuestLoad     // nil: only the figures that a day was given turn guests into load
	Learned   LearnedReader // nil: the catalogue's figures count
	Measurer  Measurer
	States    StatesReader
	Usage     DayUsage
	Claims    DayClaims
	Frozen    Claims
	Feeds     FeedReader        // nil: nobody reads feeds
	Starter   WeddingDayStarter // nil: days are not started by themselves
	Days      WeddingDayWriter
	Escalator DayEscalator // nil: notes stand in the day's row alone
	Nudge     Nudger
	Routes    func() []string // channels that alerts of a wedding day may use; nil: not known
	Now       func() time.Time
}

// DayRef says which day, how its time passes, and with which figures it is planned.
type DayRef struct {
	Date   string            `json:"date"`
	Region string            `json:"region,omitempty"`
	Holder string            `json:"holder"` // of its reservations: the workflow's ID
	Lens   models.TimeLens   `json:"lens"`
	Basis  []models.DayBasis `json:"basis,omitempty"` // empty: the predictor's, of all services
}

// SurveyInput asks for a day's calendar and how its services stand.
type SurveyInput struct {
	Day      DayRef               `json:"day"`
	Weddings []models.DayWedding  `json:"weddings"` // as known, with what people changed
	Others   []models.DayWedding  `json:"others"`
	Floors   []models.DayFloor    `json:"floors"`
	Turnout  []weddingday.Turnout `json:"turnout"`
	Seen     string               `json:"seen"`    // fingerprint of the calendar as known
	Measure  bool                 `json:"measure"` // services are looked at
}

// Survey is what was found. The calendar is left out where it is as it was.
type Survey struct {
	Fingerprint string              `json:"fingerprint"`
	Weddings    []models.DayWedding `json:"weddings,omitempty"`
	Others      []models.DayWedding `json:"others,omitempty"`
	ReadAt      time.Time           `json:"readAt"`
	Readings    []models.DayReading `json:"readings,omitempty"`
	Bases       []float64           `json:"bases,omitempty"` // load without guests, of each reading
	Gaps        []string            `json:"gaps,omitempty"`
}

// SurveyDay reads the calendar and, where that is asked for, how load and replicas of each
// service compare with the plan. What cannot be measured is a gap.
func (k *WeddingDayKeeper) SurveyDay(ctx context.Context, in SurveyInput) (Survey, error) {
	own, others, err := k.calendar(ctx, in.Day)
	if err != nil {
		return Survey{}, fail(err)
	}
	s := Survey{ReadAt: k.Now(), Fingerprint: fingerprintOf(own, others)}
	if s.Fingerprint != in.Seen {
		s.Weddings, s.Others = own, others
	}
	if !in.Measure {
		return s, nil
	}
	if err := k.read(ctx, in, &s); err != nil {
		s.Gaps = append(s.Gaps, "the services could not be looked at ("+cause(err)+")")
	}
	return s, nil
}

// calendar gives the weddings of the day, and those of other days whose guests are there
// at the same time. A date is the venue's own, so that the day begins and ends with it in
// the first and the last zone of the world.
func (k *WeddingDayKeeper) calendar(ctx context.Context, d DayRef) (own, others []models.DayWedding, err error) {
	noon, err := time.Parse(time.DateOnly, d.Date)
	if err != nil {
		return nil, nil, models.Invalid("date", d.Date, "must be a date as in 2027-06-12")
	}
	rows, err := k.Calendar.Weddings(ctx, models.WeddingFilter{From: noon.Add(-38 * time.Hour), Until: noon.Add(62 * time.Hour), IncludeCancelled: true})
	if err != nil {
		return nil, nil, err
	}
	var rest []models.DayWedding
	for _, w := range rows {
		day := models.DayWedding{
			ID: w.ID, Date: w.WeddingDate, Region: w.Region, StartsAt: d.Lens.Day(w.StartsAt), EndsAt: d.Lens.Day(w.EndsAt),
			Guests: w.Guests, Cancelled: w.Status == models.WeddingCancelled,
		}
		if w.WeddingDate == d.Date && (d.Region == "" || w.Region == d.Region) {
			own = append(own, day)
		} else if day.Counts() {
			rest = append(rest, day)
		}
	}
	return own, overlapping(own, rest), nil
}

// overlapping are the weddings whose guests may be there together with those of the day.
func overlapping(own, rest []models.DayWedding) []models.DayWedding {
	v := weddingday.Look(own, time.Time{})
	if v.Count == 0 {
		return nil
	}
	from, until := v.First.Add(-weddingday.NodesAhead-2*weddingday.Slack), v.Until.Add(weddingday.NodesAhead)
	return slices.DeleteFunc(rest, func(w models.DayWedding) bool {
		return w.Until().Add(weddingday.After).Before(from) || w.StartsAt.After(until)
	})
}

func fingerprintOf(own, others []models.DayWedding) string {
	raw, err := json.Marshal([2][]models.DayWedding{own, others})
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}

// read measures each service against its plan.
func (k *WeddingDayKeeper) read(ctx context.Context, in SurveyInput, s *Survey) error {
	states, err := k.States.ScalingStates(ctx)
	if err != nil {
		return err
	}
	own, others := in.Weddings, in.Others
	plans, err := k.plans(ctx, in.Day, own, others)
	if err != nil {
		return err
	}
	for _, p := range plans {
		at := in.Day.Lens.Clock(p.Now)
		demand, err := k.Usage.PeakLoad(ctx, p.Service.Name, at.Add(-in.Day.Lens.Span(20*time.Minute)), at, 0.95)
		if err != nil {
			s.Gaps = append(s.Gaps, fmt.Sprintf("the load of %s could not be read (%s)", p.Service.Name, cause(err)))
		}
		r := weddingday.Read(p, demand)
		for _, st := range states {
			if st.Service == p.Service.Name {
				r.Ready, r.Spec = st.Ready, st.Spec
			}
		}
		r.Floor = weddingday.FloorOf(in.Floors, p.Service.Name, p.Now)
		s.Readings, s.Bases = append(s.Readings, r), append(s.Bases, p.Basis.At(p.Now))
	}
	return nil
}

// plans puts together what each service's floors are made from. Without a kernel a service
// has none.
func (k *WeddingDayKeeper) plans(ctx context.Context, d DayRef, own, others []models.DayWedding) ([]weddingday.Plan, error) {
	now := k.Now()
	services, err := k.Catalogue.Services(ctx)
	if err != nil {
		return nil, err
	}
	var plans []weddingday.Plan
	for _, svc := range services {
		p := weddingday.Plan{Weddings: own, Others: others, Service: svc, Now: d.Lens.Day(now)}
		if p.Basis, err = k.basis(ctx, d, svc, own); err != nil {
			return nil, err
		}
		if p.Basis.Kernel == nil {
			continue
		}
		if k.Learned != nil && d.Lens.Factor == 0 {
			if l, err := k.Learned.Learned(ctx, svc.Name, now); err == nil && l != (models.Learned{}) {
				p.Learned = &l
			}
		}
		plans = append(plans, p)
	}
	return plans, nil
}

// basis is what a day was given, or what the predictor knows.
func (k *WeddingDayKeeper) basis(ctx context.Context, d DayRef, svc models.Service, own []models.DayWedding) (models.DayBasis, error) {
	for _, b := range d.Basis {
		if b.Service == svc.Name {
			return b, nil
		}
	}
	none := models.DayBasis{Service: svc.Name}
	if len(d.Basis) > 0 || k.Guests == nil {
		return none, nil
	}
	c, err := k.Guests.Calendar(ctx, svc, k.Now())
	if err != nil || c == nil || c.Kernel == nil {
		return none, err
	}
	b := models.DayBasis{Service: svc.Name, Kernel: c.Kernel, Base: []models.BaseHour{{RPS: c.BaseRPS}}}
	v := weddingday.Look(own, k.Now())
	if v.Count == 0 {
		return b, nil
	}
	hours, err := k.Guests.Hours(ctx, svc.Name, v.First.Add(-3*time.Hour).Truncate(time.Hour), v.Until.Add(time.Hour))
	if err != nil {
		return none, err
	}
	if len(hours) > 0 {
		b.Base = b.Base[:0]
	}
	for _, h := range hours {
		b.Base = append(b.Base, models.BaseHour{At: h.At, RPS: h.Base})
	}
	return b, nil
}

// DayRaise is a floor that a person asked for.
type DayRaise struct {
	ID        string             `json:"id"`
	Service   models.ServiceName `json:"service"`
	Replicas  int                `json:"replicas"`
	From      time.Time          `json:"from"`
	Until     time.Time          `json:"until"`
	WeddingID string             `json:"weddingId,omitempty"`
	Actor     string             `json:"actor"`
	Reason    string             `json:"reason"`
}

// HoldInput asks for the floors of a day.
type HoldInput struct {
	Day      DayRef               `json:"day"`
	Weddings []models.DayWedding  `json:"weddings"`
	Others   []models.DayWedding  `json:"others"`
	Turnout  []weddingday.Turnout `json:"turnout"`
	Needs    []models.DayReading  `json:"needs"`
	Raises   []DayRaise           `json:"raises"`
	Round    int64                `json:"round"` // tells one call from the next; the same when it is repeated
}

// Held is what stands after the call.
type Held struct {
	Floors []models.DayFloor `json:"floors"`
	Placed int               `json:"placed"`
	Ended  int               `json:"ended"`
	// Waves is the longest time that the ordering of a floor takes.
	WavesSeconds float64 `json:"wavesSeconds"`
}

// HoldDay makes the reservations of a day those that its weddings ask for now: what is
// missing is placed before what is too much ends, so that no moment has neither.
func (k *WeddingDayKeeper) HoldDay(ctx context.Context, in HoldInput) (Held, error) {
	plans, err := k.plans(ctx, in.Day, in.Weddings, in.Others)
	if err != nil {
		return Held{}, fail(err)
	}
	held := Held{Floors: []models.DayFloor{}}
	for _, p := range plans {
		for _, t := range in.Turnout {
			if t.Service == p.Service.Name {
				p.Turnout = t.Share
			}
		}
		for _, r := range in.Needs {
			if r.Service == p.Service.Name {
				p.Need = r.Need
			}
		}
		held.Floors = append(held.Floors, weddingday.Floors(p)...)
		held.WavesSeconds = max(held.WavesSeconds, wavesOf(p.Service))
	}
	held.Placed, held.Ended, err = k.reconcile(ctx, in, held.Floors)
	return held, fail(err)
}

// wavesOf is how long three waves of a change take, with two starts.
func wavesOf(s models.Service) float64 {
	p := s.Policy
	wave := s.StartupP95Seconds + float64(p.SoakSeconds+p.Measurements*p.MeasurementIntervalSeconds)
	return 2*s.StartupP95Seconds + 3*wave
}

// reconcile brings the rows in line with what is wanted.
func (k *WeddingDayKeeper) reconcile(ctx context.Context, in HoldInput, floors []models.DayFloor) (placed, ended int, err error) {
	now := k.Now()
	rows, err := k.Claims.HeldReservations(ctx, in.Day.Holder)
	if err != nil {
		return 0, 0, err
	}
	kept := map[string]bool{}
	changed := map[models.ServiceName]string{}
	for _, want := range wanted(in, floors, now) {
		if id := standing(rows, want, now); id != "" {
			kept[id] = true
			continue
		}
		err := k.Claims.CreateReservation(ctx, want)
		if models.KindOf(err) == models.KindConflict {
			err = nil // a repetition of this call
		}
		if err != nil {
			return placed, ended, err
		}
		kept[want.ID] = true
		placed++
		if want.ActiveAt(now) {
			changed[want.Service] = want.ID
		}
	}
	var errs []error
	for _, r := range rows {
		if kept[r.ID] || r.EndedAt != nil || !r.Until.After(now) {
			continue
		}
		if _, err := k.Claims.EndReservation(ctx, r.ID, in.Day.Holder, now); err != nil {
			errs = append(errs, err)
			continue
		}
		ended++
		if r.ActiveAt(now) {
			changed[r.Service] = r.ID
		}
	}
	k.wake(ctx, changed)
	return placed, ended, errors.Join(errs...)
}

// wake tells autoscalers. One that is away finds the claim by itself.
func (k *WeddingDayKeeper) wake(ctx context.Context, changed map[models.ServiceName]string) {
	for _, name := range models.ServiceNames() {
		if id, ok := changed[name]; ok && k.Nudge != nil {
			_ = k.Nudge.NudgeAutoscale(ctx, name, id) // it looks by itself within its interval
		}
	}
}
