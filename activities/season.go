package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/season"
)

// Severities of what people have to hear of.
const (
	SeverityWarning  = "warning"
	SeverityCritical = "critical"
)

// PlatformActor is who acts when no person does.
const PlatformActor = "svc:season"

// SeasonHolder is who holds the reservations of a season; it is also the ID of its
// workflow.
func SeasonHolder(id string) string { return "season/" + id }

// Seasons are the effects of a season's preparation.
type Seasons struct {
	Catalogue Catalogue
	Measurer  Measurer
	Learned   LearnedReader // nil: the catalogue's figures count
	Days      DayForecaster
	Keeper    SeasonKeeper
	Plans     PlanKeeper
	Proofs    ProofKeeper
	Claims    SeasonClaims
	Nudger    Nudger
	Actuator  Actuator
	Observer  *Observer
	Tester    LoadTester // nil: load tests are off
	PreScale  bool       // what is tested is what is scaled: its replicas are got ready before
	Ceremony  CeremonyReader
	Usage     UsageReader
	Audit     Auditor
	Escalator Escalator // nil: what is escalated stands in the audit log alone
	Zone      func(string) (*time.Location, error)
	Now       func() time.Time
	Poll      time.Duration // between two looks while replicas start
	// StepSeconds is how long a step of a load test lasts; 0: 60 s.
	StepSeconds int
}

// PlanVerdict is what became of a forecast.
type PlanVerdict string

// The verdicts on a forecast. The zero value changed nothing.
const (
	PlanUnchanged PlanVerdict = ""
	PlanAsks      PlanVerdict = "asks"   // saved, and waits for a person
	PlanAmends    PlanVerdict = "amends" // saved, and in effect
)

// PlanSeasonInput says which plan is made, and against which it is held.
type PlanSeasonInput struct {
	Season    models.Season       `json:"season"`
	Version   int                 `json:"version"` // of the plan that is made
	Approved  int                 `json:"approved"`
	Effective int                 `json:"effective"`
	Proposed  int                 `json:"proposed"` // that waits for a person
	Declined  int                 `json:"declined"` // that a person refused
	Edits     []models.SeasonEdit `json:"edits,omitempty"`
	Bounds    models.SeasonBounds `json:"bounds"`
	Forced    bool                `json:"forced"` // a person changed it
}

// PlanSeasonResult is the plan in short; all of it is in the database.
type PlanSeasonResult struct {
	Verdict   PlanVerdict `json:"verdict"`
	Withdrawn bool        `json:"withdrawn"` // the plan that waited is no longer needed
	Sentence  string      `json:"sentence"`
	Cost      float64     `json:"cost"`
	Deficits  int         `json:"deficits"`
	Text      string      `json:"text,omitempty"` // the first deficit
	Remedies  []string    `json:"remedies,omitempty"`
}

// PlanSeason forecasts the season, plans capacity for it, and says what that plan may do:
// take effect within the bounds of the approved one, or wait for a person.
func (s *Seasons) PlanSeason(ctx context.Context, in PlanSeasonInput) (PlanSeasonResult, error) {
	res, err := s.plan(ctx, in)
	return res, fail(err)
}

func (s *Seasons) plan(ctx context.Context, in PlanSeasonInput) (PlanSeasonResult, error) {
	inputs, err := s.inputs(ctx, in)
	if err != nil {
		return PlanSeasonResult{}, err
	}
	next := season.Build(inputs)
	next.Version = in.Version
	held, err := s.hold(ctx, in, next)
	if err != nil {
		return PlanSeasonResult{}, err
	}
	res := PlanSeasonResult{Verdict: held.verdict, Withdrawn: held.withdrawn}
	if held.verdict == PlanUnchanged {
		if held.withdrawn {
			return res, s.Plans.SavePlan(ctx, held.plan, in.Proposed)
		}
		return res, nil
	}
	p := held.plan
	res.Sentence, res.Cost, res.Deficits = p.Sentence, p.Cost, len(p.Deficits)
	if len(p.Deficits) > 0 {
		res.Text, res.Remedies = p.Deficits[0].Text, p.Deficits[0].Remedies
	}
	return res, s.Plans.SavePlan(ctx, p, held.superseded...)
}

// inputs reads what a plan is made from.
func (s *Seasons) inputs(ctx context.Context, in PlanSeasonInput) (season.Inputs, error) {
	zone, err := s.zone(in.Season.TimeZone)
	if err != nil {
		return season.Inputs{}, models.Invalid("timeZone", in.Season.TimeZone, "must be an IANA time zone such as Europe/London")
	}
	now := s.Now().UTC()
	out := season.Inputs{Season: in.Season, Zone: zone, Edits: in.Edits, Now: now}
	services, err := s.Catalogue.Services(ctx)
	if err != nil {
		return out, err
	}
	for _, svc := range services {
		d, err := s.demand(ctx, svc, in.Season, now)
		if err != nil {
			return out, fmt.Errorf("%s: %w", svc.Name, err)
		}
		out.Demands = append(out.Demands, d)
	}
	if in.Effective > 0 {
		prior, err := s.Plans.SeasonPlan(ctx, in.Season.ID, in.Effective)
		if err != nil {
			return out, err
		}
		out.Prior = &prior
	}
	return out, nil
}

// demand reads one service. Days that are over are not forecast. Ceilings and the record
// may be unknown: the plan then says so by having none.
func (s *Seasons) demand(ctx context.Context, svc models.Service, of models.Season, now time.Time) (season.Demand, error) {
	d := season.Demand{Service: svc}
	from := of.From
	if now.After(from) {
		from = now.Truncate(24 * time.Hour).Add(-7 * 24 * time.Hour) // the week that runs stays whole
		if from.Before(of.From) {
			from = of.From
		}
	}
	var err error
	if d.Days, err = s.Days.Days(ctx, svc.Name, from, of.Until); err != nil {
		return d, err
	}
	if l, err := s.Measurer.Limits(ctx, svc); err == nil {
		d.Limits = l
	}
	if s.Learned != nil {
		if l, err := s.Learned.Learned(ctx, svc.Name, now); err == nil {
			d.Learned = &l
		}
	}
	return d, nil
}

// holding is what a plan may do.
type holding struct {
	verdict    PlanVerdict
	withdrawn  bool
	plan       models.SeasonPlan
	superseded []int
}

// hold compares a plan with those that a person agreed to, refused, or has before them.
func (s *Seasons) hold(ctx context.Context, in PlanSeasonInput, next models.SeasonPlan) (holding, error) {
	if in.Approved == 0 {
		return s.first(ctx, in, next)
	}
	approved, err := s.Plans.SeasonPlan(ctx, in.Season.ID, in.Approved)
	if err != nil {
		return holding{}, err
	}
	effective, err := s.Plans.SeasonPlan(ctx, in.Season.ID, in.Effective)
	if err != nil {
		return holding{}, err
	}
	a := season.Compare(approved, next, in.Bounds, next.MadeAt)
	if a.Verdict == models.AmendmentAsk {
		known, declined, err := s.known(ctx, in, next)
		switch {
		case err != nil:
			return holding{}, err
		case known && !declined:
			return holding{}, nil
		case !known:
			next.Status, next.Amendment = models.PlanProposed, &a
			return holding{verdict: PlanAsks, plan: next, superseded: others(in.Proposed)}, nil
		}
		next = season.Clip(approved, next, in.Bounds) // as far as it was agreed to
	}
	if season.Same(effective, next, next.MadeAt) {
		effective.Amendment = &a
		return holding{withdrawn: in.Proposed > 0, plan: effective}, nil
	}
	next.Status, next.Amendment = models.PlanAmended, &a
	next.Sentence += " " + a.Text + "."
	old := others(in.Proposed)
	if in.Effective != in.Approved {
		old = append(old, in.Effective)
	}
	return holding{verdict: PlanAmends, plan: next, superseded: old}, nil
}

// first holds a plan against the one that waits, as long as none was agreed to: a person
// is not asked anew for what differs by less than the bounds.
func (s *Seasons) first(ctx context.Context, in PlanSeasonInput, next models.SeasonPlan) (holding, error) {
	next.Status = models.PlanProposed
	if in.Proposed > 0 && !in.Forced {
		was, err := s.Plans.SeasonPlan(ctx, in.Season.ID, in.Proposed)
		if err != nil {
			return holding{}, err
		}
		if season.Compare(was, next, in.Bounds, next.MadeAt).Verdict != models.AmendmentAsk {
			return holding{}, nil
		}
	}
	return holding{verdict: PlanAsks, plan: next, superseded: others(in.Proposed)}, nil
}

// known says whether a person was asked for as much already, and whether they refused.
func (s *Seasons) known(ctx context.Context, in PlanSeasonInput, next models.SeasonPlan) (known, declined bool, err error) {
	v := in.Proposed
	if v == 0 {
		v = in.Declined
	}
	if v == 0 || in.Forced {
		return false, false, nil
	}
	was, err := s.Plans.SeasonPlan(ctx, in.Season.ID, v)
	if err != nil {
		return false, false, err
	}
	known = season.Compare(was, next, in.Bounds, next.MadeAt).Verdict != models.AmendmentAsk
	return known, known && v == in.Declined, nil
}

func others(version int) []int {
	if version == 0 {
		return nil
	}
	return []int{version}
}

// SeasonRecord is what is to be written down of a season.
type SeasonRecord struct {
	Season      models.Season             `json:"season"`
	Settled     []PlanSettlement          `json:"settled,omitempty"`
	Gates       []models.SeasonGate       `json:"gates,omitempty"`
	Acts        []SeasonAct               `json:"acts,omitempty"`
	Escalations []models.SeasonEscalation `json:"escalations,omitempty"`
}

// And joins two records, the later last.
func (r SeasonRecord) And(later SeasonRecord) SeasonRecord {
	r.Settled = append(r.Settled, later.Settled...)
	r.Gates = append(r.Gates, later.Gates...)
	r.Acts = append(r.Acts, later.Acts...)
	r.Escalations = append(r.Escalations, later.Escalations...)
	return r
}

// PlanSettlement is how a plan that waited for a person ended.
type PlanSettlement struct {
	Version int               `json:"version"`
	Status  models.PlanStatus `json:"status"`
	Actor   string            `json:"actor"`
	Reason  string            `json:"reason"`
	At      time.Time         `json:"at"`
}

// SeasonAct is what somebody did to a season's preparation.
type SeasonAct struct {
	Action  string    `json:"action"`
	Actor   string    `json:"actor"`
	Reason  string    `json:"reason"`
	Version int       `json:"version"`
	At      time.Time `json:"at"`
	Step    int64     `json:"step"` // of the preparation: two like acts are two
}

// KeepSeason writes a record down. The trail comes first, so that nothing is in effect
// that it does not hold; all IDs are made from what they name, so that a repetition adds
// nothing.
func (s *Seasons) KeepSeason(ctx context.Context, rec SeasonRecord) error {
	for _, a := range rec.Acts {
		err := s.Audit.Record(ctx, models.AuditEntry{
			ID: madeID(a.Action, rec.Season.ID, fmt.Sprint(a.Version, "/", a.Step), a.Actor, a.Reason), At: a.At, Actor: a.Actor, Action: a.Action,
			Object: fmt.Sprintf("season/%s/plan/%d", rec.Season.ID, a.Version), Decision: models.AuditAllow, Rule: "season preparation",
			RequestID: SeasonHolder(rec.Season.ID), Context: map[string]string{"reason": a.Reason},
		})
		if err != nil {
			return fail(err)
		}
	}
	settled := make([]models.SeasonPlan, 0, len(rec.Settled))
	for _, p := range rec.Settled {
		at := p.At
		settled = append(settled, models.SeasonPlan{
			SeasonID: rec.Season.ID, Version: p.Version, Status: p.Status, DecidedBy: p.Actor, Reason: p.Reason, DecidedAt: &at,
		})
	}
	if err := s.Keeper.KeepSeason(ctx, rec.Season, settled, rec.Gates); err != nil {
		return fail(err)
	}
	for _, e := range rec.Escalations {
		if err := s.escalate(ctx, e); err != nil {
			return fail(err)
		}
	}
	return nil
}

func (s *Seasons) escalate(ctx context.Context, e models.SeasonEscalation) error {
	err := s.Audit.Record(ctx, models.AuditEntry{
		ID: madeID("season.escalation", e.ID), At: e.At, Actor: PlatformActor, Action: "season.escalation", Object: SeasonHolder(e.SeasonID) + "/" + e.What,
		Decision: models.AuditAllow, Rule: e.Severity, RequestID: SeasonHolder(e.SeasonID), Context: map[string]string{"text": e.Text},
	})
	if err != nil || s.Escalator == nil {
		return err
	}
	return s.Escalator.EscalateSeason(ctx, e)
}
