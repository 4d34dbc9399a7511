package scaling

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/wedsync/scalability/models"
)

// hash fingerprints the inputs, so that a stored decision can be shown to come from
// them. Inputs that JSON cannot carry (a NaN) are hashed by their Go form.
func hash(in Inputs) string {
	raw, err := json.Marshal(in)
	if err != nil {
		raw = fmt.Appendf(nil, "%#v", in.Observation.Signals)
	}
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// hpaTolerance and hpaTarget are the defaults of the Kubernetes HPA; kpaTarget is
// Knative's.
const (
	hpaTolerance = 0.1
	hpaTarget    = 0.70
	kpaTarget    = 0.70
)

// counterfactual runs the published formulas on the same input: HPA's
// ⌈ready · cpu ÷ target⌉ outside its tolerance, and KPA's ⌈load ÷ (κ · target)⌉ over
// 60 s, or over 6 s when that is twice the ready capacity.
func counterfactual(obs models.Observation) models.Counterfactual {
	var c models.Counterfactual
	r := obs.Replicas
	if cpu, ok := obs.Signal(models.MetricCPU); ok && cpu.Avg60 != nil && finite(*cpu.Avg60) && r.Ready > 0 {
		ratio := *cpu.Avg60 / hpaTarget
		n := r.Spec
		if math.Abs(ratio-1) > hpaTolerance {
			n = ceil(float64(r.Ready) * ratio)
		}
		c.HPA = ptr(clamp(n, obs.Service.MinReplicas, obs.Service.MaxReplicas))
	}
	kappa := obs.Service.CapacityRPS * kpaTarget
	if t, ok := obs.Signal(models.MetricThroughput); ok && t.Avg60 != nil && finite(*t.Avg60) && kappa > 0 {
		n := ceil(*t.Avg60 / kappa)
		if t.Avg6 != nil && finite(*t.Avg6) && r.Ready > 0 && ceil(*t.Avg6/kappa) >= 2*r.Ready {
			n = max(ceil(*t.Avg6/kappa), r.Spec)
		}
		c.KPA = ptr(clamp(n, obs.Service.MinReplicas, obs.Service.MaxReplicas))
	}
	return c
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) && v >= 0 }

func clamp(n, low, high int) int { return max(low, min(n, high)) }

// sentence says in one line what is done and what decided it.
func sentence(e models.Explanation, obs models.Observation) string {
	name := string(e.Service)
	if obs.Replicas == nil {
		return fmt.Sprintf("Keep %s as it is: %s.", name, e.BindingReason)
	}
	var b strings.Builder
	switch e.Direction {
	case models.DirectionUp, models.DirectionDown:
		fmt.Fprintf(&b, "Scale %s %d→%d", name, e.Current, e.Desired)
	default:
		fmt.Fprintf(&b, "Keep %s at %d", name, e.Current)
	}
	if e.Deficit != nil {
		fmt.Fprintf(&b, " (wanted %d)", e.Desired+e.Deficit.Replicas)
	} else if e.Direction == models.DirectionHold && e.Raw != e.Current {
		fmt.Fprintf(&b, " (need %d)", e.Raw)
	}
	reason := e.BindingReason
	if e.Class == models.ClassPanic {
		reason = "spike, " + reason
	}
	if reason != "" {
		b.WriteString(": " + reason)
	}
	if e.Direction == models.DirectionUp {
		if step := shapingEffect(e, "up_step"); step != "" {
			b.WriteString("; " + step)
		}
	}
	b.WriteString(".")
	return b.String()
}

func shapingEffect(e models.Explanation, rule string) string {
	for _, s := range e.Shaping {
		if s.Rule == rule {
			return s.Effect
		}
	}
	return ""
}

// number writes a rate without needless digits: 1430, 82.5.
func number(v float64) string {
	if v >= 100 {
		return strconv.FormatFloat(math.Round(v), 'f', -1, 64)
	}
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}
