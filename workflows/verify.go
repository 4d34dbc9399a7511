package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/verification"
)

// judge is a verdict over measurements.
type judge func([]models.Measurement) verification.Result

// verify waits until a wave is ready, lets it soak, measures and judges it. Replicas that
// crash or never start are judged at once. The last wave has one extension when there
// was too little to judge by.
func (o *operation) verify(ctx workflow.Context, target int, last bool) (verification.Result, *ending) {
	verdict := func(ms []models.Measurement) verification.Result {
		return verification.Judge(verification.Inputs{
			Service: o.in.Service, Baseline: o.before, Measurements: ms,
			Expected: target, Added: target - o.in.Baseline,
		})
	}
	rounds := 1
	if last {
		rounds = 2
	}
	return o.evidence(ctx, trial{target: target, count: max(1, o.policy.Measurements), rounds: rounds, judge: verdict})
}

// verifyShrink judges what a scale-in left behind.
func (o *operation) verifyShrink(ctx workflow.Context, target int) (verification.Result, *ending) {
	verdict := func(ms []models.Measurement) verification.Result {
		return verification.JudgeShrink(verification.ShrinkInputs{Service: o.in.Service, Baseline: o.before, Measurements: ms, Expected: target})
	}
	return o.evidence(ctx, trial{target: target, count: shrinkMeasurements, rounds: 1, judge: verdict, strict: true})
}

// trial is how one wave is tried.
type trial struct {
	target int
	count  int // measurements of a round
	rounds int
	judge  judge
	strict bool // the first breach ends it
}

// evidence carries out a trial; an ending other than nil ends the operation.
func (o *operation) evidence(ctx workflow.Context, t trial) (verification.Result, *ending) {
	ready, end := o.awaitReady(ctx, t.target)
	if end != nil {
		return verification.Result{}, end
	}
	if !ready {
		return o.judgeAtOnce(ctx, t)
	}
	o.phase(phaseSoak)
	if err := workflow.Sleep(ctx, min(seconds(o.policy.SoakSeconds), o.left(ctx))); err != nil {
		return verification.Result{}, &ending{interrupted: true}
	}
	o.phase(phaseMeasure)
	var ms []models.Measurement
	res := t.judge(nil)
	for round := 0; round < t.rounds && res.Verdict == models.VerdictHold; round++ {
		if round > 0 {
			o.step(ctx, "extended", res.Reason)
		}
		if ms, res, end = o.round(ctx, t, ms); end != nil {
			return res, end
		}
	}
	o.judged(ctx, res)
	return res, nil
}

// judgeAtOnce judges replicas that crash or did not start by one measurement, without
// waiting for traffic.
func (o *operation) judgeAtOnce(ctx workflow.Context, t trial) (verification.Result, *ending) {
	o.phase(phaseMeasure)
	m, ok := o.measure(ctx)
	switch {
	case ctx.Err() != nil:
		return verification.Result{}, &ending{interrupted: true}
	case !ok:
		res := verification.Result{Reason: "the new replicas are not ready, and nothing could be measured"}
		o.judged(ctx, res)
		return res, nil
	}
	res := t.judge([]models.Measurement{m})
	o.judged(ctx, res)
	return res, nil
}

// round takes one round of measurements and judges all there are. It ends early when the
// verdict cannot change, and at the operation's deadline.
func (o *operation) round(ctx workflow.Context, t trial, ms []models.Measurement) ([]models.Measurement, verification.Result, *ending) {
	interval := max(time.Second, seconds(o.policy.MeasurementIntervalSeconds))
	for range t.count {
		if o.left(ctx) < interval {
			o.step(ctx, phaseMeasure, "the operation's time is over")
			break
		}
		if err := workflow.Sleep(ctx, interval); err != nil {
			return ms, verification.Result{}, &ending{interrupted: true}
		}
		m, ok := o.measure(ctx)
		if ctx.Err() != nil {
			return ms, verification.Result{}, &ending{interrupted: true}
		}
		if !ok {
			continue
		}
		ms = append(ms, m)
		if res := t.judge(ms); conclusive(res, t.strict || len(ms) > 1) {
			return ms, res, nil
		}
	}
	return ms, t.judge(ms), nil
}

// conclusive says whether more measurements could not save a change: a critical gate
// failed, or the verdict over more than one measurement is a rollback.
func conclusive(res verification.Result, several bool) bool {
	if res.Verdict != models.VerdictRollback {
		return false
	}
	return several || slices.ContainsFunc(res.Checks, func(c models.Check) bool { return c.Result == models.CheckCritical })
}

// awaitReady waits until the spec is ready. False: a new replica crashes, or the wave did
// not start in time. Replicas that cannot be read are judged by measurement.
func (o *operation) awaitReady(ctx workflow.Context, target int) (bool, *ending) {
	o.phase(phaseReady)
	left := min(seconds(o.policy.ReadyDeadlineSeconds), o.left(ctx))
	in := activities.AwaitInput{
		Service: o.in.Service.Name, Spec: target, Baseline: o.baseline,
		Deadline: workflow.Now(ctx).Add(left),
	}
	var res activities.AwaitResult
	err := workflow.ExecuteActivity(waiting(ctx, left), operator.AwaitReady, in).Get(ctx, &res)
	switch {
	case ctx.Err() != nil:
		return false, &ending{interrupted: true}
	case err != nil:
		o.step(ctx, phaseReady, "the replicas could not be read: "+cause(err))
		return true, nil
	}
	o.saw(res.Replicas)
	text := fmt.Sprintf("%d of %d replicas are ready", res.Replicas.Ready, target)
	if res.Crashing > 0 {
		text += fmt.Sprintf(", %d crash", res.Crashing)
	}
	o.step(ctx, phaseReady, text)
	return res.Ready, nil
}

// measure takes one measurement; one that cannot be taken is noted and missing.
func (o *operation) measure(ctx workflow.Context) (models.Measurement, bool) {
	req := models.MeasureRequest{Service: o.in.Service.Name, Baseline: o.baseline, WindowSeconds: max(1, o.policy.MeasurementIntervalSeconds)}
	var m models.Measurement
	if err := workflow.ExecuteActivity(within(ctx, effectAttempt, measureBudget), operator.Measure, req).Get(ctx, &m); err != nil {
		if ctx.Err() == nil {
			o.step(ctx, phaseMeasure, "no measurement: "+cause(err))
		}
		return m, false
	}
	o.progress.Evidence.Measurements = append(o.progress.Evidence.Measurements, m)
	return m, true
}

// judged keeps a verdict with its gates.
func (o *operation) judged(ctx workflow.Context, res verification.Result) {
	o.progress.Evidence.Verdict = res.Verdict
	o.progress.Evidence.Checks = append([]models.Check{}, res.Checks...)
	word := string(res.Verdict)
	if res.Verdict == models.VerdictHold {
		word = "hold"
	}
	o.step(ctx, "verdict", word+": "+res.Reason)
}
