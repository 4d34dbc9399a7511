package scaling

import (
	"fmt"
	"math"
	"time"

	"github.com/wedsync/scalability/models"
)

// Ages and shares of the quality rules. Source: docs/adr/0006-scaling-constants.md.
const (
	freshSeconds    = 10.0 // a signal reported each second is stale after this
	staleSeconds    = 90.0 // and missing after this
	minCompleteness = 0.8
	suspectFall     = 0.5  // avg60 below this share of avg300 …
	suspectErrors   = 0.02 // … with errors above this looks like an outage,
	suspectReady    = 0.9  // … or with less than this share of the replicas ready that should be
	suspectHold     = 15 * time.Minute
)

// signals is the judged input of one decision.
type signals struct {
	throughput, cpu, queue, errors judged
	suspect                        bool // a fall that looks like an outage, now or in the last 15 min
	blindFor                       time.Duration
}

// judged is one signal with its quality.
type judged struct {
	models.Signal
	quality  models.Quality
	reported bool // the metric is known for this service, whatever its age
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
	d.quality = signals{
		throughput: d.judge(models.MetricThroughput),
		cpu:        d.judge(models.MetricCPU),
		queue:      d.judge(models.MetricQueueDepth),
		errors:     d.judge(models.MetricErrorRate),
	}
	now := d.in.Now
	if d.looksLikeOutage() {
		d.next.SuspectAt = &now
	}
	if at := d.next.SuspectAt; at != nil && now.Sub(*at) < suspectHold {
		d.quality.suspect = true
	} else {
		d.next.SuspectAt = nil
	}
	switch {
	case d.quality.throughput.usable() || d.quality.cpu.usable():
		d.next.BlindSince = nil
	case d.next.BlindSince == nil:
		d.next.BlindSince = &now
	}
	if b := d.next.BlindSince; b != nil {
		d.quality.blindFor = now.Sub(*b)
	}
}

// judge rates one signal:
//
//	OK       age ≤ 10 s and 80 % of the last minute's seconds present
//	STALE    age ≤ 90 s, or gaps
//	missing  older, absent, negative or not a number
func (d *decision) judge(m models.MetricName) judged {
	s, ok := d.obs.Signal(m)
	j := judged{Signal: s, reported: ok}
	switch {
	case !ok || !sane(s) || math.IsNaN(s.AgeSeconds) || math.IsInf(s.AgeSeconds, 0) || s.AgeSeconds > staleSeconds:
		j.Signal = models.Signal{Metric: m}
	case s.AgeSeconds <= freshSeconds && s.Completeness >= minCompleteness:
		j.quality = models.QualityOK
	default:
		j.quality = models.QualityStale
	}
	return j
}

// sane refuses a signal with an impossible average, or without any.
func sane(s models.Signal) bool {
	some := false
	for _, v := range []*float64{s.Avg2, s.Avg6, s.Avg60, s.Avg300} {
		if v == nil {
			continue
		}
		if math.IsNaN(*v) || math.IsInf(*v, 0) || *v < 0 {
			return false
		}
		some = true
	}
	return some
}

// looksLikeOutage sees load that fell by half while requests fail, replicas that are not
// on their way are not ready, or nobody knows whether requests fail: people who cannot
// get in have not gone home.
func (d *decision) looksLikeOutage() bool {
	t, errs, r := d.quality.throughput, d.quality.errors, d.obs.Replicas
	if !t.usable() || t.Avg60 == nil || t.Avg300 == nil || *t.Avg60 >= suspectFall**t.Avg300 {
		return false
	}
	failing := errs.quality != models.QualityOK || errs.Avg60 == nil || *errs.Avg60 > suspectErrors
	return failing || float64(r.Ready) < suspectReady*float64(r.Spec-r.Pending())
}

// removalBlocked says why capacity may not be removed on these signals; "" allows it.
// A queue counts where the service reports one; not every service has it.
func (s signals) removalBlocked() string {
	switch {
	case s.suspect:
		return "load fell while the service looked ill: an outage, not a lull"
	case s.throughput.quality != models.QualityOK:
		return "throughput is " + describe(s.throughput)
	case s.cpu.quality != models.QualityOK:
		return "cpu is " + describe(s.cpu)
	case s.queue.reported && s.queue.quality != models.QualityOK:
		return "queue_depth is " + describe(s.queue)
	default:
		return ""
	}
}

func (s signals) blindReason() string {
	if s.blindFor > 0 {
		return fmt.Sprintf("no usable metrics for %.0f s; what is missing removes nothing", s.blindFor.Seconds())
	}
	return "no usable metrics; what is missing removes nothing"
}

func describe(j judged) string {
	if j.quality == models.QualityMissing {
		return "missing"
	}
	return fmt.Sprintf("stale (%.0f s old, %.0f %% complete)", j.AgeSeconds, j.Completeness*100)
}
