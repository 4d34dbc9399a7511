package simulate

import (
	"fmt"
	"math"
	"slices"
	"time"
)

const (
	kedaWindow = 60 // seconds of the rate: rate(…[1m])
	kedaScrape = 15 // seconds between two scrapes of Prometheus
)

// keda is KEDA with its Prometheus scaler on the rate of requests: the HPA that it makes
// asks the scaler at each sync (useCachedMetrics is off by default; the polling interval
// of 30 s matters for the way to and from zero only). The metric is an AverageValue:
// ⌈rate ÷ target per replica⌉ outside HPA's tolerance, and then HPA's default behaviour.
// A query without a result counts as zero (ignoreNullValues is on by default). Source:
// keda.sh, "Scaling Deployments", "Prometheus" scaler; kubernetes.io as for hpa.
type keda struct {
	name   string
	goal   float64 // share of κ
	floors []Cron
	memory
}

// NewKEDA scales on the rate of requests, towards a share of a replica's capacity.
func NewKEDA(target float64) Autoscaler {
	return &keda{name: fmt.Sprintf("KEDA rate %.2f", target), goal: target}
}

// Cron is KEDA's cron trigger: at least Replicas between two times of some days, again
// each week.
type Cron struct {
	Days     []time.Weekday // of From
	From     time.Duration  // since midnight
	Until    time.Duration  // since midnight of the same day; may pass 24 h
	Location *time.Location // nil is UTC
	Replicas int
}

// activeAt says whether a time lies in the trigger's hours.
func (c Cron) activeAt(now time.Time) bool {
	if c.Location != nil {
		now = now.In(c.Location)
	} else {
		now = now.UTC()
	}
	since := time.Duration(now.Hour())*time.Hour + time.Duration(now.Minute())*time.Minute + time.Duration(now.Second())*time.Second
	for back := time.Duration(0); back < c.Until; back += 24 * time.Hour {
		at := since + back
		if slices.Contains(c.Days, now.Add(-back).Weekday()) && at >= c.From && at < c.Until {
			return true
		}
	}
	return false
}

// NewKEDACron is KEDA on the rate with cron triggers beside: what an operator sets who
// knows that weddings are on Saturdays. The largest trigger counts.
func NewKEDACron(target float64, floors []Cron) Autoscaler {
	return &keda{name: fmt.Sprintf("KEDA rate %.2f + cron", target), goal: target, floors: floors}
}

func (k *keda) Name() string            { return k.name }
func (k *keda) Interval() time.Duration { return hpaSync * time.Second }
func (k *keda) target() float64         { return k.goal }
func (k *keda) begin(Scenario)          { k.memory = memory{} }

// Desired is one sync of the HPA behind KEDA.
func (k *keda) Desired(v View) int {
	rate, _ := v.Metrics.Mean(Throughput, kedaWindow, scrapedAgo(v.Second, kedaScrape))
	n := hpaOnRate(rate, v.Service.CapacityRPS*k.goal, v.Spec)
	for _, f := range k.floors {
		// A cron trigger is a metric of its own with an AverageValue target of one.
		if f.activeAt(v.Now) {
			n = max(n, hpaOnRate(float64(f.Replicas), 1, v.Spec))
		}
	}
	return k.behave(v, n)
}

// hpaOnRate is ⌈rate ÷ target per replica⌉, or what stands there within the tolerance.
func hpaOnRate(rate, perReplica float64, spec int) int {
	ratio := rate / (perReplica * float64(max(1, spec)))
	if math.Abs(ratio-1) <= hpaTolerance {
		return spec
	}
	return ceil(rate / perReplica)
}
