package scaling

import (
	"math"
	"time"

	"github.com/wedsync/scalability/models"
)

// Ages and shares of the quality rules. Source: docs/adr/0006-scaling-constants.md.
const (
	freshSeconds    = 10.0  // a signal reported each second is stale after this
	freshIntervals  = 2.0   // one that is reported less often, after this many intervals
	staleSeconds    = 90.0  // and missing after this
	snapshotSeconds = 300.0 // a copy at rest is missing after this; before, it is stale
	minCompleteness = 0.8
	impossible      = 10.0 // times the largest minute of seven days
	suspectFall     = 0.5  // avg60 below this share of avg300 …
	suspectErrors   = 0.02 // … with errors above this looks like an outage,
	suspectReady    = 0.9  // … or with less than this share of the replicas ready that should be,
	suspectDeploy   = 5 * time.Minute
	suspectServices = 3           // … or so many services fall together
	suspectAnew     = time.Minute // after which a fall is another one

	blindAlert = 90 * time.Second // without any signal: people have to know,
	blindPage  = 10 * time.Minute // and on a wedding day at once
)

// signals is the judged input of one decision.
type signals struct {
	throughput, cpu, queue, errors, memory, latency judged

	suspect  bool // a fall that looks like an outage, now or in the last 15 min
	blindFor time.Duration
	blind    bool
}

// judged is one signal with its quality.
type judged struct {
	models.Signal
	quality  models.Quality
	reported bool // the metric is known for this service, whatever its age
	why      string
}

// usable says whether a signal may raise capacity: stale ones may, missing ones may not.
func (j judged) usable() bool { return j.quality != models.QualityMissing }

// newest is the mean of the last seconds, or of the last minute where they are silent.
func (j judged) newest() (float64, bool) {
	switch {
	case !j.usable():
		return 0, false
	case j.Avg6 != nil:
		return *j.Avg6, true
	case j.Avg60 != nil:
		return *j.Avg60, true
	default:
		return 0, false
	}
}

// ofThroughput is the quality to show: a fall that looks like an outage is suspect.
func (s signals) ofThroughput() models.Quality {
	if s.suspect && s.throughput.usable() {
		return models.QualitySuspectLow
	}
	return s.throughput.quality
}

// judgeSignals rates each signal and remembers how long the service has been blind.
func (d *decision) judgeSignals() {
	q := &d.quality
	q.cpu, q.memory = d.judge(models.MetricCPU), d.judge(models.MetricMemory)
	q.throughput, q.queue = d.believe(d.judge(models.MetricThroughput)), d.believe(d.judge(models.MetricQueueDepth))
	q.errors, q.latency = d.judge(models.MetricErrorRate), d.judge(models.MetricResponseP95)
	d.judgeFall()
	now := d.in.Now
	switch {
	case q.throughput.usable() || q.cpu.usable():
		d.next.BlindSince = nil
	case d.next.BlindSince == nil:
		d.next.BlindSince = &now
	}
	if b := d.next.BlindSince; b != nil {
		q.blind, q.blindFor = true, now.Sub(*b)
	}
}

// judgeFall remembers a fall that looks like an outage for as long as requests fail, and
// for a while after, with what was needed before it.
func (d *decision) judgeFall() {
	q, now := &d.quality, d.in.Now
	before := d.in.State.SuspectAt
	going := before != nil && now.Sub(*before) < d.suspectHold()
	failing := q.errors.quality == models.QualityOK && q.errors.Avg60 != nil && *q.errors.Avg60 > suspectErrors
	falling := d.looksLikeOutage()
	switch {
	case falling || going && failing:
		d.next.SuspectAt = &now
	case !going:
		d.next.SuspectAt, d.next.SuspectNeed = nil, 0
		return
	}
	q.suspect = true
	if falling && (!going || now.Sub(*before) > suspectAnew) {
		d.next.SuspectNeed = max(d.next.SuspectNeed, largest(d.in.State.Demand, now.Add(-d.suspectHold())))
	}
}

// suspectHold is how long such a fall stays suspect, and how far back the need is looked for.
func (d *decision) suspectHold() time.Duration {
	if s := d.policy.SuspectHoldSeconds; s > 0 {
		return seconds(s)
	}
	return seconds(models.DefaultSuspectHoldSeconds)
}

// judge rates one signal:
//
//	OK       age ≤ 10 s (or two of its intervals) and 80 % of the last minute's samples present
//	STALE    age ≤ 90 s, or gaps, or from the copy at rest of the last 5 min
//	missing  older, absent, negative or not a number
func (d *decision) judge(m models.MetricName) judged {
	s := signalOf(d.obs, m)
	if s == nil {
		return judged{Signal: models.Signal{Metric: m}, why: "is missing"}
	}
	interval := 1.0
	if s.IntervalSeconds > 1 && finite(s.IntervalSeconds) {
		interval = s.IntervalSeconds
	}
	fresh := math.Max(freshSeconds, freshIntervals*interval)
	oldest := math.Max(staleSeconds, fresh)
	if s.Snapshot {
		oldest = snapshotSeconds
	}
	j := judged{Signal: *s, reported: true}
	switch {
	case !sane(s) || math.IsNaN(s.AgeSeconds) || math.IsInf(s.AgeSeconds, 0) || s.AgeSeconds > oldest:
		j.Signal, j.why = models.Signal{Metric: m}, "is missing"
	case s.Snapshot:
		j.quality = models.QualityStale
	case s.AgeSeconds <= fresh && s.Completeness*interval >= minCompleteness:
		j.quality = models.QualityOK
	default:
		j.quality = models.QualityStale
	}
	return j
}

// believe refuses a count that is beyond ten times all that seven days have seen, unless
// the cpu says that there is work: a broken sender does no work.
func (d *decision) believe(j judged) judged {
	most := j.Max7Days
	if !j.usable() || most == nil || !(*most > 0) {
		return j
	}
	beyond := false
	for _, v := range [...]*float64{j.Avg6, j.Avg60, j.Avg300} {
		beyond = beyond || v != nil && *v > impossible**most
	}
	switch busy, ok := d.quality.cpu.newest(); {
	case !beyond:
	case ok && busy >= d.u:
		j.quality = models.QualityStale
	default:
		j.quality, j.why = models.QualityMissing, "is over ten times all that seven days have seen, while the cpu is calm"
		j.Signal = models.Signal{Metric: j.Metric}
	}
	return j
}

// sane refuses a signal with an impossible average, or without any.
func sane(s *models.Signal) bool {
	some := false
	for _, v := range [...]*float64{s.Avg2, s.Avg6, s.Avg60, s.Avg300} {
		if v == nil {
			continue
		}
		if !finite(*v) {
			return false
		}
		some = true
	}
	return some
}

// signalOf finds one metric, nil where it was not reported.
func signalOf(o *models.Observation, m models.MetricName) *models.Signal {
	for i := range o.Signals {
		if o.Signals[i].Metric == m {
			return &o.Signals[i]
		}
	}
	return nil
}

// looksLikeOutage sees load that fell by half while something else is wrong: people who
// cannot get in have not gone home.
func (d *decision) looksLikeOutage() bool {
	t := d.quality.throughput
	return t.usable() && Falls(t.Signal) && d.ill()
}

// Falls says whether load has halved of late, which an outage and a lull have in common.
func Falls(t models.Signal) bool {
	return t.Avg60 != nil && t.Avg300 != nil && *t.Avg60 < suspectFall**t.Avg300
}

// ill says whether requests fail or nobody knows whether they do, replicas that are not
// on their way are not ready, the load balancer misses hosts, something was deployed or
// failed over just now, or other services fall at the same time.
func (d *decision) ill() bool {
	errs, r := d.quality.errors, d.obs.Replicas
	if errs.quality != models.QualityOK || errs.Avg60 == nil || *errs.Avg60 > suspectErrors {
		return true
	}
	if float64(r.Ready) < suspectReady*float64(r.Spec-d.pending) || r.Rollout != "" {
		return true
	}
	x := d.obs.Disturbance
	if x == nil {
		return false
	}
	since := suspectDeploy + 1
	if x.DeployedAt != nil {
		since = d.in.Now.Sub(*x.DeployedAt)
	}
	return since <= suspectDeploy || x.FallingServices >= suspectServices || x.HealthyShare != nil && *x.HealthyShare < suspectReady
}

// removalBlocked says why capacity may not be removed on these signals; "" allows it.
// Queue and memory count where the service reports them; not every service does.
func (d *decision) removalBlocked() string {
	q := &d.quality
	switch {
	case q.suspect:
		return "load fell while the service looked ill: an outage, not a lull"
	case q.throughput.quality != models.QualityOK:
		return d.describe("throughput ", q.throughput)
	case q.cpu.quality != models.QualityOK:
		return d.describe("cpu ", q.cpu)
	case q.queue.reported && q.queue.quality != models.QualityOK:
		return d.describe("queue_depth ", q.queue)
	case q.memory.reported && q.memory.quality != models.QualityOK:
		return d.describe("memory ", q.memory)
	default:
		return ""
	}
}

func (d *decision) blindReason() string {
	if d.quality.blindFor > 0 {
		return d.line().s("no usable metrics for ").whole(d.quality.blindFor.Seconds()).s(" s; what is missing removes nothing").text()
	}
	return "no usable metrics; what is missing removes nothing"
}

func (d *decision) describe(name string, j judged) string {
	switch {
	case j.quality == models.QualityMissing:
		return d.line().s(name).s(j.why).text()
	case j.Snapshot:
		return d.line().s(name).s("is a copy that is ").whole(j.AgeSeconds).s(" s old, since the hot store cannot be read").text()
	default:
		return d.line().s(name).s("is stale (").whole(j.AgeSeconds).s(" s old, ").pct(j.Completeness).s(" complete)").text()
	}
}
