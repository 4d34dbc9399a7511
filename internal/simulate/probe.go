package simulate

import (
	"math"
	"time"

	"github.com/wedsync/scalability/models"
)

const (
	surgeSeconds = 6   // that the probe looks at
	clearlyOver  = 1.5 // one second alone counts from this multiple of the threshold
)

// probe is the look at the stream of samples that the product's ingestion takes, with κ
// the capacity of a replica, r the ready ones and u their target:
//
//	threshold  min(trigger · r · κ, κ · u · (2·r − 1))   most of what is ready is used,
//	           or twice as much is needed
//	spike      the mean of 6 s (two have samples), of 2 s (both have), or one second that
//	           is 1.5 times the threshold, is above it
func probe(v View, p models.ScalingPolicy) *models.Spike {
	var recent [surgeSeconds]float64
	var known [surgeSeconds]bool
	for i := range recent {
		recent[i], known[i] = v.Metrics.At(Throughput, engineLag+i)
	}
	if !known[0] {
		return nil
	}
	kappa, ready := v.Service.CapacityRPS, float64(v.Ready)
	threshold := 0.0
	if v.Ready > 0 {
		threshold = math.Min(p.PanicUtilisation*ready*kappa, kappa*p.TargetUtilisation*(2*ready-1))
	}
	rate := surge(recent, known, threshold)
	if !(rate > threshold) {
		return nil
	}
	first := v.Now.Add(-(engineLag + 1) * time.Second)
	return &models.Spike{Service: v.Service.Name, SeenAt: v.Now, FirstSampleAt: first, RPS: rate}
}

// surge is the largest of the rates that count.
func surge(recent [surgeSeconds]float64, known [surgeSeconds]bool, threshold float64) float64 {
	sum, n := 0.0, 0
	rate := 0.0
	for i := range recent {
		if known[i] {
			sum += recent[i]
			n++
		}
		if i == 1 && n == 2 {
			rate = sum / 2
		}
	}
	if n >= 2 {
		rate = math.Max(rate, sum/float64(n))
	}
	if recent[0] >= clearlyOver*threshold {
		rate = math.Max(rate, recent[0])
	}
	return rate
}
