package simulate

import (
	"fmt"
	"math"
	"time"
)

const (
	hpaUpFactor      = 2  // at most this factor …
	hpaUpPods        = 4  // … or this many more in one period of 15 s, the larger
	hpaPipeline      = 15 // seconds between two scrapes of the metrics server
	hpaPipelineDelay = 2  // seconds until a scrape can be read
)

// hpa is the Kubernetes HorizontalPodAutoscaler (autoscaling/v2) on CPU with its
// defaults: a look each 15 s at metrics that are scraped each 15 s, 10 % tolerance,
// +100 % or 4 pods per 15 s upwards, downwards the largest recommendation of 300 s. A
// metric that is missing for all pods changes nothing. Pods that are not ready use
// nothing on the way up. Source: kubernetes.io, Horizontal Pod Autoscaling, "Algorithm
// details" and "Default behavior"; pkg/controller/podautoscaler/replica_calculator.go.
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
