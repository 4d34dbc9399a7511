package activities

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

// beat tells Temporal that the activity lives; outside of one it does nothing.
func beat(ctx context.Context, at string) {
	if activity.IsActivity(ctx) {
		activity.RecordHeartbeat(ctx, at)
	}
}

// loadTest offers each service 1.5 times its largest peak and keeps what that shows as a
// capacity certificate. Services that an attempt has tested are not tested again when it
// is repeated.
func (g *gateRun) loadTest(ctx context.Context) error {
	g.good = fmt.Sprintf("each service served %.1f times its largest peak", loadTestFactor)
	if g.Tester == nil {
		g.bad("", "load tests are switched off", "set SEASON_LOAD_TEST to the address of a test installation, or to fleet where a modelled one may be loaded", "skip the gate, when another test has shown it")
		return nil
	}
	if busy, err := g.ceremony(ctx); err != nil || busy {
		return err
	}
	known, err := g.Proofs.CapacityProofs(ctx, g.in.Season.ID)
	if err != nil {
		return err
	}
	for _, svc := range g.services {
		replicas, rps := g.peak(svc.Name)
		if rps <= 0 {
			g.ok(svc.Name, "no load of %s is expected", svc.Name)
			continue
		}
		id := g.proofID(svc.Name)
		if slices.ContainsFunc(known, func(p models.CapacityProof) bool { return p.ID == id }) {
			g.ok(svc.Name, "tested before this attempt was interrupted")
			continue
		}
		if err := g.testService(ctx, svc, replicas, rps*loadTestFactor); err != nil {
			return err
		}
	}
	return nil
}

func (g *gateRun) proofID(name models.ServiceName) string {
	return madeID("proof", g.in.Season.ID, string(name), fmt.Sprint(g.in.Attempt))
}

// ceremony says whether guests are there, who are nobody's test.
func (g *gateRun) ceremony(ctx context.Context) (bool, error) {
	now, err := g.Ceremony.CeremonyAt(ctx, g.Now())
	if now {
		g.bad("", "a ceremony takes place now", "it is tried again tomorrow; a day without weddings is best")
	}
	return now, err
}

func (g *gateRun) testService(ctx context.Context, svc models.Service, peak int, rps float64) error {
	if g.PreScale {
		want := min(int(math.Ceil(float64(peak)*loadTestFactor)), svc.MaxReplicas)
		set, release, err := g.hold(ctx, svc, want, "load test")
		defer release()
		if err != nil {
			return err
		}
		if set.Ready < want {
			g.bad(svc.Name, fmt.Sprintf("%s had %d of %d replicas ready after %s", svc.Name, set.Ready, want, gateReady), "see why replicas of "+string(svc.Name)+" do not become ready")
			return nil
		}
	}
	step := g.StepSeconds
	if step == 0 {
		step = defaultStep
	}
	req := models.LoadTestRequest{Service: svc.Name, RPS: rps, StepSeconds: step, SLOMS: svc.SLOResponseTimeMS}
	res, err := g.Tester.LoadTest(ctx, req, func(models.LoadTestSample) { beat(ctx, string(svc.Name)) })
	if err != nil {
		return err
	}
	if res.Aborted != "" {
		g.bad(svc.Name, fmt.Sprintf("the load test of %s was stopped at %.0f requests/s, %.0f were to be shown: %s", svc.Name, res.PeakRPS, rps, res.Aborted),
			"find what gives way first: replicas, the database or a service behind", fmt.Sprintf("raise the floors of %s, or the ceiling that held it", svc.Name))
		return nil
	}
	return g.certify(ctx, svc, res)
}

func (g *gateRun) certify(ctx context.Context, svc models.Service, res models.LoadTestResult) error {
	now := g.Now().UTC()
	p := models.CapacityProof{
		ID: g.proofID(svc.Name), SeasonID: g.in.Season.ID, Service: svc.Name, CapacityRPS: res.CapacityRPS, MaxReplicas: res.MaxReplicas,
		PeakRPS: res.PeakRPS, IssuedAt: now, ExpiresAt: now.AddDate(0, 0, models.CertificateDays),
	}
	if l, err := g.Measurer.Limits(ctx, svc); err == nil {
		if n := databaseCap(l); n != nil {
			p.DatabaseCap = *n
		}
	}
	if err := g.Proofs.SaveCapacityProofs(ctx, []models.CapacityProof{p}); err != nil {
		return err
	}
	behind := "what serves it cannot be seen from outside"
	if res.CapacityRPS > 0 {
		behind = fmt.Sprintf("on %d replicas, of which one serves %.1f", res.MaxReplicas, res.CapacityRPS)
	}
	g.ok(svc.Name, "%.0f requests/s within %.0f ms; %s; certified until %s", res.PeakRPS, svc.SLOResponseTimeMS, behind, p.ExpiresAt.Format(time.DateOnly))
	return nil
}

// gameDay brings the critical services to their peak in production while no guest is
// there, measures how long that takes, and drills what must not go wrong.
func (g *gateRun) gameDay(ctx context.Context) error {
	g.good = "the critical services reach their peak, survive without metrics, and a change is taken back safely"
	if busy, err := g.ceremony(ctx); err != nil || busy {
		return err
	}
	for _, svc := range g.services {
		if svc.Tier != models.TierCritical {
			continue
		}
		if err := g.gameService(ctx, svc); err != nil {
			return err
		}
	}
	return nil
}

func (g *gateRun) gameService(ctx context.Context, svc models.Service) error {
	before, err := g.Actuator.Describe(ctx, svc.Name)
	if err != nil {
		return err
	}
	want, _ := g.peak(svc.Name)
	set, release, err := g.hold(ctx, svc, max(want, svc.MinReplicas), "game day")
	defer release()
	if err != nil {
		return err
	}
	if set.Ready < want {
		g.bad(svc.Name, fmt.Sprintf("%s had %d of %d replicas ready after %s", svc.Name, set.Ready, want, gateReady),
			"see why replicas of "+string(svc.Name)+" do not become ready", "see that its autoscaler runs and is not paused")
		return nil
	}
	if s := slowest(set, before); s > 0 {
		g.ok(svc.Name, "%d replicas ready; 95 of 100 new ones within %.0f s", set.Ready, s)
		if limit := 1.5 * svc.StartupP95Seconds; limit > 0 && s > limit {
			g.bad(svc.Name, fmt.Sprintf("new replicas of %s took %.0f s to be ready, %.0f s are planned for", svc.Name, s, svc.StartupP95Seconds),
				fmt.Sprintf("set startupP95Seconds of %s to %.0f", svc.Name, math.Ceil(s)), "pull images ahead, or keep warm nodes")
		}
	} else {
		g.ok(svc.Name, "%d replicas were ready already", set.Ready)
	}
	g.serves(ctx, svc, before)
	g.metricOutage(ctx, svc)
	g.rollback(ctx, svc, before, set)
	return nil
}

// slowest is the 95th percentile of the times to ready of new replicas, in seconds; 0:
// none started.
func slowest(set, before models.ReplicaSet) float64 {
	old := before.IDs()
	var took []float64
	for _, r := range set.Replicas {
		if r.ReadyAt != nil && !slices.Contains(old, r.ID) {
			took = append(took, r.ReadyAt.Sub(r.OrderedAt).Seconds())
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[int(math.Ceil(0.95*float64(len(took))))-1]
}

func (g *gateRun) serves(ctx context.Context, svc models.Service, before models.ReplicaSet) {
	m, err := g.Measurer.Measure(ctx, models.MeasureRequest{Service: svc.Name, Baseline: before.IDs(), WindowSeconds: 15})
	switch {
	case err != nil:
		g.bad(svc.Name, fmt.Sprintf("%s could not be measured: %s", svc.Name, cause(err)), "see that the actuator measures")
	case m.Service.ErrorRate != nil && *m.Service.ErrorRate > 0.01:
		g.bad(svc.Name, fmt.Sprintf("%s fails %.1f %% of its requests at its peak", svc.Name, 100**m.Service.ErrorRate), "look at what fails before it is scaled further")
	case m.Service.P95MS != nil && *m.Service.P95MS > svc.SLOResponseTimeMS:
		g.bad(svc.Name, fmt.Sprintf("%s answers in %.0f ms at its peak, %.0f are allowed", svc.Name, *m.Service.P95MS, svc.SLOResponseTimeMS), "look at what is slow behind it")
	default:
		g.ok(svc.Name, "it serves as it should at that size")
	}
}

// metricOutage decides on what is observed now as if no metric had arrived: capacity must
// not shrink.
func (g *gateRun) metricOutage(ctx context.Context, svc models.Service) {
	obs, err := g.Observer.Observe(ctx, ObserveInput{Service: svc.Name})
	if err != nil || obs.Replicas == nil {
		g.bad(svc.Name, fmt.Sprintf("the metric outage of %s could not be drilled: it cannot be observed", svc.Name), "see that the actuator answers")
		return
	}
	obs.Service, obs.Signals, obs.Reservations, obs.Requests, obs.Forecast = svc, []models.Signal{}, []models.Reservation{}, []models.DecisionRequest{}, nil
	e, _ := scaling.Decide(scaling.Inputs{Now: obs.At, Observation: obs, Shadow: true})
	if e.Desired < obs.Replicas.Spec {
		g.bad(svc.Name, fmt.Sprintf("without metrics %s would shrink from %d to %d", svc.Name, obs.Replicas.Spec, e.Desired), "this is a fault of the decision: freeze the service and report it")
		return
	}
	g.ok(svc.Name, "without metrics it keeps its %d replicas", obs.Replicas.Spec)
}

// rollback plans how the growth of this drill would be taken back: never below what is
// needed now.
func (g *gateRun) rollback(ctx context.Context, svc models.Service, before, set models.ReplicaSet) {
	plan, err := (&Operator{Observer: g.Observer}).PlanRollback(ctx, RollbackInput{Service: svc, BaselineSpec: before.Spec, Baseline: before.IDs()})
	switch {
	case err != nil:
		g.bad(svc.Name, fmt.Sprintf("the rollback of %s could not be drilled: %s", svc.Name, cause(err)), "see that the service can be observed")
	case plan.Target < plan.Need || plan.Target > set.Spec && plan.Target > plan.Need:
		g.bad(svc.Name, fmt.Sprintf("a rollback of %s would go to %d, %d are needed and %d stand", svc.Name, plan.Target, plan.Need, set.Spec), "this is a fault of the plan to roll back: report it")
	default:
		g.ok(svc.Name, "a rollback would go back to %d, %d are needed now", plan.Target, plan.Need)
	}
}

// rehearsal decides on each service as on a wedding day with its peak reserved, and sees
// that what was prepared still stands.
func (g *gateRun) rehearsal(ctx context.Context) error {
	g.good = "each service would be given its peak on a wedding day, and what was prepared stands"
	held, err := g.Claims.ReservationsOf(ctx, SeasonHolder(g.in.Season.ID), g.Now().UTC())
	if err != nil {
		return err
	}
	proofs, err := g.Proofs.CapacityProofs(ctx, g.in.Season.ID)
	if err != nil {
		return err
	}
	for _, svc := range g.services {
		if !slices.ContainsFunc(held, func(r models.Reservation) bool {
			return r.Service == svc.Name && !r.From.After(g.in.Season.From) && r.Until.After(g.in.Season.From)
		}) {
			g.bad(svc.Name, fmt.Sprintf("no reservation of %s stands for the first week", svc.Name), "place one with POST /api/scalability/reservations, or have the plan made again")
		}
		if at := g.in.FrozenAt; !at.IsZero() && svc.UpdatedAt.After(at) {
			g.bad(svc.Name, fmt.Sprintf("the catalogue entry of %s was changed after the freeze", svc.Name), "undo the change, or test it as the first time")
		}
		if !slices.ContainsFunc(proofs, func(p models.CapacityProof) bool { return p.Service == svc.Name && p.ExpiresAt.After(g.in.Season.From) }) {
			g.ok(svc.Name, "no capacity certificate of it holds on the first day: a fifth more capacity is planned for that")
		}
		g.rehearse(ctx, svc)
	}
	return nil
}

func (g *gateRun) rehearse(ctx context.Context, svc models.Service) {
	want, _ := g.peak(svc.Name)
	obs, err := g.Observer.Observe(ctx, ObserveInput{Service: svc.Name})
	if err != nil || obs.Replicas == nil {
		g.bad(svc.Name, fmt.Sprintf("%s cannot be observed", svc.Name), "see that its metrics arrive and the actuator answers")
		return
	}
	obs.Service, obs.Mode, obs.Requests = svc, models.ModeWeddingDay, []models.DecisionRequest{}
	obs.Reservations = append(slices.Clone(obs.Reservations), models.Reservation{
		ID: "rehearsal", Service: svc.Name, Kind: models.ReservationFloor, Replicas: want, From: obs.At.Add(-time.Minute), Until: obs.At.Add(time.Hour),
		Holder: SeasonHolder(g.in.Season.ID), Reason: "rehearsal", CreatedAt: obs.At, CreatedBy: PlatformActor,
	})
	e, _ := scaling.Decide(scaling.Inputs{Now: obs.At, Observation: obs, Shadow: true})
	if e.Desired < want {
		g.bad(svc.Name, fmt.Sprintf("on a wedding day %s would get %d of %d replicas: %s", svc.Name, e.Desired, want, e.Text), "lift the ceiling that holds it, or amend the plan")
		return
	}
	g.ok(svc.Name, "on a wedding day it would get %d replicas, %d are planned", e.Desired, want)
}
