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

const (
	// extension is how many measurements one extension has: 120 s of the default ones.
	extension = 8
	// errorsInARow end a round: what cannot be measured is not measured by more attempts.
	errorsInARow = 4
	// softFactor times the 95th percentile of the start-up time, a wave is late.
	softFactor = 1.5
	// alternates is how often what did not start is ordered again.
	alternates = 2
	// longestWindow bounds what an actuator is asked to remember.
	longestWindow = 120 * time.Second
	// probeRPS is offered to new replicas that too few people use.
	probeRPS = 10.0
	// changeNoSoak marks runs whose scale-ins are measured without a soak before it.
	changeNoSoak = "scale-in-without-soak"
)

// verify waits until a wave is ready, lets it soak, measures and judges it. Replicas that
// crash or never start are judged at once. The last wave has one extension when there
// was too little to judge by, with synthetic requests where something can send them.
func (o *operation) verify(ctx workflow.Context, target int, last bool) (verification.Result, *ending) {
	verdict := func(ms []models.Measurement) verification.Result {
		return verification.Judge(verification.Inputs{
			Service: o.in.Service, Baseline: o.before, Measurements: ms,
			Expected: target, Added: target - o.in.Baseline, Lame: o.lame, WeddingDay: o.weddingDay(),
		})
	}
	t := trial{target: target, serving: target - o.lame, added: target - o.in.Baseline, count: max(1, o.policy.Measurements), interval: o.interval(), judge: verdict}
	if last {
		t.extension = extension
	}
	return o.evidence(ctx, t)
}

// verifyShrink judges what a scale-in left behind.
func (o *operation) verifyShrink(ctx workflow.Context, target int) (verification.Result, *ending) {
	serving := min(target, o.served)
	verdict := func(ms []models.Measurement) verification.Result {
		return verification.JudgeShrink(verification.ShrinkInputs{Service: o.in.Service, Baseline: o.before, Measurements: ms, Expected: serving})
	}
	return o.evidence(ctx, trial{target: target, serving: serving, count: shrinkMeasurements, interval: shrinkIntervals * o.interval(), judge: verdict, strict: true})
}

// trial is how one wave is tried.
type trial struct {
	target    int
	serving   int // of the target that are to be ready: what did not serve before need not
	added     int // new replicas in all; 0: of a scale-in
	count     int // measurements of the first round
	extension int // of a second one, when the first says too little
	interval  time.Duration
	judge     judge
	strict    bool // the first breach ends it
}

func (o *operation) interval() time.Duration {
	return max(time.Second, seconds(o.policy.MeasurementIntervalSeconds))
}

// evidence carries out a trial; an ending other than nil ends the operation.
func (o *operation) evidence(ctx workflow.Context, t trial) (verification.Result, *ending) {
	ready, end := o.awaitReady(ctx, t)
	if end != nil {
		return verification.Result{}, end
	}
	if !ready {
		return o.judgeAtOnce(ctx, t)
	}
	if end := o.soak(ctx, t); end != nil {
		return verification.Result{}, end
	}
	o.phase(phaseMeasure)
	ms, res, end := o.round(ctx, t, t.count, nil)
	if end == nil && res.Verdict == models.VerdictHold && t.extension > 0 {
		o.step(ctx, "extended", res.Reason)
		if len(ms) > 0 {
			o.probe(ctx, t)
		}
		_, res, end = o.round(ctx, t, t.extension, ms)
	}
	if end != nil {
		return res, end
	}
	o.judged(ctx, res)
	return res, nil
}

// soak lets new replicas warm up before they are measured. A scale-in has none: what it
// leaves behind is warm, and the sooner it is measured the sooner it is undone.
func (o *operation) soak(ctx workflow.Context, t trial) *ending {
	if t.added <= 0 && workflow.GetVersion(ctx, changeNoSoak, workflow.DefaultVersion, 1) == 1 {
		return nil
	}
	o.phase(phaseSoak)
	if err := workflow.Sleep(ctx, min(seconds(o.policy.SoakSeconds), o.left(ctx))); err != nil {
		return &ending{interrupted: true}
	}
	return nil
}

// probe sends synthetic requests to the new replicas for the time of the extension.
func (o *operation) probe(ctx workflow.Context, t trial) {
	req := models.ProbeRequest{
		Service: o.in.Service.Name, Baseline: o.baseline, RPS: probeRPS,
		Seconds: int((time.Duration(t.extension) * t.interval).Seconds()),
	}
	var res activities.ProbeResult
	err := workflow.ExecuteActivity(within(ctx, effectAttempt, measureBudget), operator.Probe, req).Get(ctx, &res)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		o.step(ctx, phaseMeasure, "no synthetic requests: "+cause(err))
	case res.Sent:
		o.step(ctx, phaseMeasure, fmt.Sprintf("%.0f synthetic requests/s are sent to the new replicas", probeRPS))
	}
}

// judgeAtOnce judges replicas that crash or did not start by one measurement, without
// waiting for traffic.
func (o *operation) judgeAtOnce(ctx workflow.Context, t trial) (verification.Result, *ending) {
	o.phase(phaseMeasure)
	m, ok := o.measure(ctx, t.interval)
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
// verdict cannot change, when nothing can be measured, and at the operation's deadline.
func (o *operation) round(ctx workflow.Context, t trial, count int, ms []models.Measurement) ([]models.Measurement, verification.Result, *ending) {
	failed := 0
	for range count {
		if o.left(ctx) < t.interval {
			o.step(ctx, phaseMeasure, "the operation's time is over")
			break
		}
		if err := workflow.Sleep(ctx, t.interval); err != nil {
			return ms, verification.Result{}, &ending{interrupted: true}
		}
		m, ok := o.measure(ctx, t.interval)
		if ctx.Err() != nil {
			return ms, verification.Result{}, &ending{interrupted: true}
		}
		if !ok {
			if failed++; failed == errorsInARow {
				o.step(ctx, phaseMeasure, fmt.Sprintf("%d measurements in a row could not be taken", failed))
				break
			}
			continue
		}
		failed = 0
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

// measure takes one measurement; one that cannot be taken is noted and missing.
func (o *operation) measure(ctx workflow.Context, window time.Duration) (models.Measurement, bool) {
	req := models.MeasureRequest{Service: o.in.Service.Name, Baseline: o.baseline, WindowSeconds: int(min(window, longestWindow).Seconds())}
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
