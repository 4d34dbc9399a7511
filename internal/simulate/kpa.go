package simulate

import (
	"fmt"
	"math"
	"time"
)

const (
	kpaTick           = 2 // seconds
	kpaStable         = 60
	kpaPanicWindow    = 6
	kpaPanicThreshold = 2.0
	kpaMaxUpRate      = 1000.0
	kpaMaxDownRate    = 2.0
	kpaLag            = 1 // seconds; the autoscaler scrapes each second
)

// kpa is Knative's pod autoscaler with its defaults, on requests per second: each 2 s
// ⌈rate over 60 s ÷ target⌉; when ⌈rate over 6 s ÷ target⌉ is twice what is ready it
// panics and only grows, until the threshold was not passed for 60 s. At most half of
// what is ready goes in one step. Without metrics nothing changes. The scale-down delay
// keeps the largest wish of a time; its default is none. Source: knative.dev, "Configuring
// the Autoscaler"; knative/serving pkg/autoscaler/scaling/autoscaler.go.
type kpa struct {
	goal    float64
	delay   int // seconds
	name    string
	panicAt int // second of the last trigger; -1 is calm
	most    int // in this panic
	wishes  delayed
}

// NewKPA is Knative's autoscaler, towards a share of a replica's capacity; Knative's own
// default is 0.70.
func NewKPA(target float64) Autoscaler { return NewKPAWithDelay(target, 0) }

// NewKPAWithDelay also delays scale-in, as scale-down-delay does (0 to 1 h).
func NewKPAWithDelay(target float64, delay time.Duration) Autoscaler {
	k := &kpa{goal: target, delay: int(delay.Seconds()), name: fmt.Sprintf("KPA %.2f", target)}
	if k.delay > 0 {
		k.name += fmt.Sprintf(" delay %s", delay)
	}
	k.begin(Scenario{})
	return k
}

func (k *kpa) Name() string            { return k.name }
func (k *kpa) Interval() time.Duration { return kpaTick * time.Second }
func (k *kpa) target() float64         { return k.goal }

func (k *kpa) begin(Scenario) {
	k.panicAt, k.most = -1, 0
	k.wishes = delayed{span: k.delay}
}

// Desired is one tick of the autoscaler.
func (k *kpa) Desired(v View) int {
	stable, ok := v.Metrics.Mean(Throughput, kpaStable, kpaLag)
	if !ok {
		return v.Spec
	}
	newest, ok := v.Metrics.Mean(Throughput, kpaPanicWindow, kpaLag)
	if !ok {
		newest = stable
	}
	n := k.tick(stable, newest, v)
	if k.delay > 0 {
		n = k.wishes.largest(v.Second, n)
	}
	return bounded(v.Service, n)
}

// tick is the formula with its memory of panic.
func (k *kpa) tick(stable, newest float64, v View) int {
	per := v.Service.CapacityRPS * k.goal
	ready := math.Max(1, float64(v.Ready))
	low, high := math.Floor(ready/kpaMaxDownRate), math.Ceil(ready*kpaMaxUpRate)
	limit := func(rate float64) int { return int(math.Min(math.Max(math.Ceil(rate/per-1e-9), low), high)) }

	over := math.Ceil(newest/per-1e-9)/ready >= kpaPanicThreshold
	switch {
	case over:
		k.panicAt = v.Second
	case k.panicAt >= 0 && v.Second-k.panicAt > kpaStable:
		k.panicAt, k.most = -1, 0
	}
	if k.panicAt < 0 {
		return limit(stable)
	}
	k.most = max(k.most, limit(stable), limit(newest))
	return k.most
}

// delayed is the largest of the values of a span of seconds: a queue from whose end
// everything goes that a later value outdoes.
type delayed struct {
	span   int
	values []timed
}

type timed struct{ at, n int }

func (d *delayed) largest(now, n int) int {
	for len(d.values) > 0 && d.values[len(d.values)-1].n <= n {
		d.values = d.values[:len(d.values)-1]
	}
	d.values = append(d.values, timed{now, n})
	for now-d.values[0].at > d.span {
		d.values = d.values[1:]
	}
	return d.values[0].n
}
