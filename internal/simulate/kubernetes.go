package simulate

import (
	"fmt"
	"math"
	"slices"
	"time"
)

const (
	hpaUpFactor      = 2  // at most this factor …
	hpaUpPods        = 4  // … or this many more in one period of 15 s, the larger
	hpaPipeline      = 15 // seconds between two scrapes of the metrics server
	hpaPipelineDelay = 2  // seconds until a scrape can be read

	kedaWindow = 60 // seconds of the rate: rate(…[1m])
	kedaScrape = 15 // seconds between two scrapes of Prometheus
)

// hpa is the Kubernetes HorizontalPodAutoscaler (autoscaling/v2) on CPU with its
// defaults: a look each 15 s at metrics that are scraped each 15 s, 10 % tolerance,
// +100 % or 4 pods per 15 s upwards, downwards the largest recommendation of 300 s. A
// metric that is missing for all pods changes nothing. Pods that are not ready use
// nothing on the way up. Source: kubernetes.io, Horizontal Pod Autoscaling, "Algorithm
// details" and the section on the default rates of change; pkg/controller/podautoscaler/replica_calculator.go.
type hpa struct {
	goal float64
	name string
	memory
}

// NewHPA scales on CPU, towards a share of it in use.
func NewHPA(target float64) Autoscaler {
	return &hpa{goal: target, name: fmt.Sprintf("HPA cpu %.2f", target)}
}

func (h *hpa) Name() string            { return h.name }
func (h *hpa) Interval() time.Duration { return hpaSync * time.Second }
func (h *hpa) target() float64         { return h.goal }
func (h *hpa) begin(Scenario)          { h.memory = memory{} }

// Desired is one sync of the controller.
func (h *hpa) Desired(v View) int {
	n := v.Spec
	if cpu, ok := v.Metrics.Mean(CPU, hpaPipeline, scrapedAgo(v.Second, hpaPipeline)); ok {
		n = hpaOnCPU(cpu, h.goal, v.Spec, v.Ready)
	}
	return h.behave(v, n)
}

// scrapedAgo is how many seconds ago the newest scrape that can be read was taken.
func scrapedAgo(second, every int) int {
	return hpaPipelineDelay + max(0, second-hpaPipelineDelay)%every
}

// hpaOnCPU is ⌈ready · use ÷ target⌉ outside the tolerance. With pods that are not ready
// they count as idle upwards: ⌈ready · use ÷ target⌉ still, but not against the
// tolerance, nor a change of direction.
func hpaOnCPU(use, target float64, spec, ready int) int {
	ratio := use / target
	if ready == 0 {
		return spec
	}
	if spec == ready || ratio < 1 {
		if math.Abs(ratio-1) <= hpaTolerance {
			return spec
		}
		return ceil(ratio * float64(ready))
	}
	cautious := ratio * float64(ready) / float64(spec)
	n := ceil(cautious * float64(spec))
	if cautious-1 <= hpaTolerance || n < spec {
		return spec
	}
	return n
}

// memory is what the HPA controller remembers for its behaviour.
type memory struct {
	recommended [hpaStabilises/hpaSync + 1]int // a ring over the stabilisation window
	count       int
}

// behave limits a recommendation as the default behaviour does, and keeps it in the
// service's bounds. It begins with what stood there.
func (m *memory) behave(v View, n int) int {
	if m.count == 0 {
		for i := range m.recommended {
			m.recommended[i] = v.Spec
		}
	}
	m.recommended[m.count%len(m.recommended)] = n
	m.count++
	if n < v.Spec {
		for _, r := range m.recommended {
			n = max(n, min(r, v.Spec))
		}
	}
	n = min(n, max(hpaUpFactor*v.Spec, v.Spec+hpaUpPods))
	return bounded(v.Service, n)
}

// keda is KEDA with its Prometheus scaler on the rate of requests: the HPA that it makes
// asks the scaler at each sync (useCachedMetrics is off by default; the polling interval
// of 30 s matters for the way to and from zero only). The metric is an AverageValue:
// ⌈rate ÷ target per replica⌉ outside HPA's tolerance, and then HPA's default behaviour.
// A query without a result counts as zero (ignoreNullValues is on by default). Source:
// keda.sh, "Scaling Deployments", "Prometheus" scaler; kubernetes.io as for hpa.
type keda struct {
	name   string
	rate   float64 // requests per second and replica to run at
	goal   float64 // the same as a share of κ
	floors []Cron
	memory
}

// NewKEDA scales on the rate of requests, towards so many per second and replica.
func NewKEDA(rate float64) Autoscaler {
	return &keda{name: fmt.Sprintf("KEDA rate %.4g", rate), rate: rate}
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
func NewKEDACron(rate float64, floors []Cron) Autoscaler {
	return &keda{name: fmt.Sprintf("KEDA rate %.4g + cron", rate), rate: rate, floors: floors}
}

func (k *keda) Name() string            { return k.name }
func (k *keda) Interval() time.Duration { return hpaSync * time.Second }
func (k *keda) target() float64         { return k.goal }

func (k *keda) begin(s Scenario) {
	k.memory, k.goal = memory{}, k.rate/s.Service.CapacityRPS
}

// Desired is one sync of the HPA behind KEDA.
func (k *keda) Desired(v View) int {
	rate, _ := v.Metrics.Mean(Throughput, kedaWindow, scrapedAgo(v.Second, kedaScrape))
	n := hpaOnRate(rate, k.rate, v.Spec)
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
