package activities

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
)

const (
	// loadTestFactor is how much more than the largest peak a load test has to show.
	loadTestFactor = 1.5
	// gateReady is how long replicas that a gate reserves may take to be ready.
	gateReady = 10 * time.Minute
	// gateClaim is how long a gate's own reservation lasts at most.
	gateClaim   = 2 * time.Hour
	defaultStep = 60
)

// RunGateInput names a gate of a season and the plan that it is to prove.
type RunGateInput struct {
	Season  models.Season   `json:"season"`
	Gate    models.GateName `json:"gate"`
	Plan    int             `json:"plan"`
	Attempt int             `json:"attempt"`
	Due     time.Time       `json:"due"`
	// FrozenAt is when the freeze gate was passed; zero: it was not.
	FrozenAt time.Time `json:"frozenAt,omitzero"`
}

// gateRun gathers what a gate finds.
type gateRun struct {
	*Seasons
	in       RunGateInput
	plan     models.SeasonPlan
	services []models.Service
	findings []models.GateFinding
	remedies []string
	good     string // what is said when nothing is wrong
}

// RunGate carries out one gate. A gate that finds something has failed, which is no error
// of the activity: its result says what is wrong and what could be done.
func (s *Seasons) RunGate(ctx context.Context, in RunGateInput) (models.SeasonGate, error) {
	g := &gateRun{Seasons: s, in: in}
	if err := g.read(ctx); err != nil {
		return models.SeasonGate{}, fail(err)
	}
	run := map[models.GateName]func(context.Context) error{
		models.GateQuota: g.quota, models.GateLoadTest: g.loadTest, models.GateGameDay: g.gameDay,
		models.GateFreeze: g.freeze, models.GateRehearsal: g.rehearsal,
	}[in.Gate]
	if run == nil {
		return models.SeasonGate{}, fail(models.Invalid("gate", in.Gate, "must be one of quota, load_test, game_day, freeze, rehearsal"))
	}
	if err := run(ctx); err != nil {
		return models.SeasonGate{}, fail(err)
	}
	return g.result(), nil
}

func (g *gateRun) read(ctx context.Context) (err error) {
	if g.plan, err = g.Plans.SeasonPlan(ctx, g.in.Season.ID, g.in.Plan); err != nil {
		return err
	}
	g.services, err = g.Catalogue.Services(ctx)
	return err
}

func (g *gateRun) result() models.SeasonGate {
	out := models.SeasonGate{
		SeasonID: g.in.Season.ID, Gate: g.in.Gate, Due: g.in.Due, Status: models.GatePassed, Attempts: g.in.Attempt,
		FinishedAt: g.Now().UTC(), Findings: g.findings, Remedies: unique(g.remedies), Text: g.good,
	}
	bad := 0
	for _, f := range g.findings {
		if f.OK {
			continue
		}
		if bad++; bad == 1 {
			out.Text = f.Text
		}
	}
	if bad > 0 {
		out.Status = models.GateFailed
	}
	if bad > 1 {
		out.Text += fmt.Sprintf(" (and %d more)", bad-1)
	}
	return out
}

func (g *gateRun) ok(service models.ServiceName, format string, args ...any) {
	g.findings = append(g.findings, models.GateFinding{Service: service, OK: true, Text: fmt.Sprintf(format, args...)})
}

// bad notes what is wrong, and what could be done about it.
func (g *gateRun) bad(service models.ServiceName, text string, remedies ...string) {
	g.findings = append(g.findings, models.GateFinding{Service: service, Text: text})
	g.remedies = append(g.remedies, remedies...)
}

// peak is the largest planned peak of a service in what is left of the season.
func (g *gateRun) peak(name models.ServiceName) (replicas int, rps float64) {
	for _, w := range g.plan.Weeks {
		if w.Service == name && w.Until.After(g.Now()) {
			replicas, rps = max(replicas, w.Peak), math.Max(rps, w.PeakRPS)
		}
	}
	return replicas, rps
}

// quota asks the provider what it allows, and the plan what it lacks.
func (g *gateRun) quota(ctx context.Context) error {
	for _, svc := range g.services {
		need, _ := g.peak(svc.Name)
		for _, q := range g.plan.Quota {
			if q.Service == svc.Name {
				need = max(need, q.Needed)
			}
		}
		l, err := g.Measurer.Limits(ctx, svc)
		switch {
		case err != nil:
			g.bad(svc.Name, fmt.Sprintf("the limits of %s could not be read: %s", svc.Name, cause(err)), "see that the actuator answers")
		case l.Quota == nil:
			g.ok(svc.Name, "the provider names no quota; %d replicas are planned", need)
		case *l.Quota < need:
			g.bad(svc.Name, fmt.Sprintf("%s needs %d replicas and the provider allows %d", svc.Name, need, *l.Quota),
				fmt.Sprintf("ask the provider for a quota of %d replicas of %s", need, svc.Name))
		default:
			g.ok(svc.Name, "%d of %d replicas that the provider allows", need, *l.Quota)
		}
	}
	worst := worstDeficits(g.plan.Deficits)
	for _, d := range g.plan.Deficits {
		switch {
		case d.Ceiling == "quota": // told above, as it is now
		case worst[deficitKey{d.Service, d.Ceiling}].Week.Equal(d.Week):
			g.bad(d.Service, d.Text, d.Remedies...)
		default:
			g.bad(d.Service, d.Text) // what helps in the worst week helps in this one
		}
	}
	g.good = "quotas and ceilings allow what is planned"
	return nil
}

// deficitKey is what a plan may be short of more than once.
type deficitKey struct {
	service models.ServiceName
	ceiling string
}

// worstDeficits finds the week that is shortest of each service and ceiling, the first of
// equals.
func worstDeficits(all []models.PlanDeficit) map[deficitKey]models.PlanDeficit {
	worst := map[deficitKey]models.PlanDeficit{}
	for _, d := range all {
		k := deficitKey{d.Service, d.Ceiling}
		if w, seen := worst[k]; !seen || d.Replicas > w.Replicas {
			worst[k] = d
		}
	}
	return worst
}

// unique keeps the first of equal texts, in order.
func unique(texts []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(texts), func(s string) bool {
		again := seen[s]
		seen[s] = true
		return again
	})
}

// freeze looks for what still moves. What is left to change until the season is a plan's
// amendments.
func (g *gateRun) freeze(ctx context.Context) error {
	for _, svc := range g.services {
		if age := g.Now().Sub(svc.UpdatedAt); age < 24*time.Hour {
			g.bad(svc.Name, fmt.Sprintf("the catalogue entry of %s was changed %s ago", svc.Name, age.Round(time.Minute)), "let a day pass without a change of the catalogue")
		}
		set, err := g.Actuator.Describe(ctx, svc.Name)
		switch {
		case err != nil:
			g.bad(svc.Name, fmt.Sprintf("the replicas of %s could not be read: %s", svc.Name, cause(err)), "see that the actuator answers")
		case set.Rollout != "":
			g.bad(svc.Name, fmt.Sprintf("%s is being rolled out: %s", svc.Name, set.Rollout), "finish or stop the rollout of "+string(svc.Name))
		case crashing(set, nil) > 0:
			g.bad(svc.Name, fmt.Sprintf("%d replicas of %s crash", crashing(set, nil), svc.Name), "mend what crashes, or go back to what ran before")
		default:
			g.ok(svc.Name, "revision %d of the catalogue, %d of %d replicas ready", svc.Revision, set.Ready, set.Spec)
		}
	}
	if g.Escalator == nil {
		g.ok("", "no alert route is configured: what is escalated stands in the audit log")
	} else if err := g.Escalator.EscalateSeason(ctx, models.SeasonEscalation{
		ID: fmt.Sprintf("%s/route-test/%d", g.in.Season.ID, g.in.Attempt), SeasonID: g.in.Season.ID, At: g.Now().UTC(), Severity: SeverityWarning,
		What: "route test", Text: "this is a test of the alert route before the season", Remedies: []string{},
	}); err != nil {
		g.bad("", "the alert route did not take a test: "+cause(err), "see that alerts are delivered")
	} else {
		g.ok("", "the alert route took a test")
	}
	g.good = "nothing moves; from now on the catalogue and the releases stay as they are"
	return nil
}

// hold reserves replicas for the time of a gate and waits until they are ready. Its
// release may be run more than once. Only the service's autoscaler orders them.
func (g *gateRun) hold(ctx context.Context, svc models.Service, replicas int, what string) (models.ReplicaSet, func(), error) {
	now := g.Now().UTC()
	r := models.Reservation{
		ID:      madeID(SeasonHolder(g.in.Season.ID), string(g.in.Gate), string(svc.Name), fmt.Sprint(g.in.Attempt)),
		Service: svc.Name, Kind: models.ReservationFloor, Replicas: replicas, From: now, Until: now.Add(gateClaim),
		Holder: SeasonHolder(g.in.Season.ID), Reason: fmt.Sprintf("season %s, %s", g.in.Season.ID, what), CreatedAt: now, CreatedBy: PlatformActor,
	}
	release := func() {
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		// What is left over ends by itself, or with the next step of the season.
		_, _ = g.Claims.EndReservations(after, []string{r.ID}, PlatformActor, g.Now().UTC())
		g.nudge(after, r, now)
	}
	if err := g.Claims.CreateReservation(ctx, r); err != nil && models.KindOf(err) != models.KindConflict {
		return models.ReplicaSet{}, release, err
	}
	g.nudge(ctx, r, now)
	set, err := g.awaitReady(ctx, svc.Name, replicas, now.Add(gateReady))
	return set, release, err
}

func (g *gateRun) awaitReady(ctx context.Context, name models.ServiceName, replicas int, deadline time.Time) (models.ReplicaSet, error) {
	var last models.ReplicaSet
	for {
		set, err := g.Actuator.Describe(ctx, name)
		if err == nil {
			last = set
			if set.Ready >= replicas {
				return last, nil
			}
		}
		if !g.Now().Before(deadline) {
			return last, nil
		}
		beat(ctx, string(name))
		select {
		case <-ctx.Done():
			return last, ctx.Err()
		case <-time.After(g.Poll):
		}
	}
}
