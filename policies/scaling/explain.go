package scaling

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/wedsync/scalability/models"
)

// hash fingerprints the inputs, so that a stored decision can be shown to come from
// them. Inputs that JSON cannot carry (a NaN) are hashed in a plain form of their own.
func hash(in Inputs) string {
	raw, err := json.Marshal(in)
	if err != nil {
		var b bytes.Buffer
		plain(&b, reflect.ValueOf(in))
		raw = b.Bytes()
	}
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// plain writes a value by what it holds, never by where it lies in memory, so that the
// same inputs give the same bytes in every process.
func plain(b *bytes.Buffer, v reflect.Value) {
	if t, ok := v.Interface().(time.Time); ok {
		b.WriteString(t.UTC().Format(time.RFC3339Nano) + ";")
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			b.WriteString("nil;")
			return
		}
		plain(b, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			plain(b, v.Field(i))
		}
	case reflect.Slice:
		fmt.Fprintf(b, "%d:", v.Len())
		for i := range v.Len() {
			plain(b, v.Index(i))
		}
	default:
		fmt.Fprintf(b, "%q;", fmt.Sprint(v.Interface()))
	}
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

// sentence says in one line what is done and what decided it; readable says whether
// the replicas were known, need where the need comes from.
func sentence(e models.Explanation, readable bool, need string) string {
	name := string(e.Service)
	if name == "" {
		name = "the service"
	}
	if !readable {
		return fmt.Sprintf("Keep %s as it is: %s.", name, e.BindingReason)
	}
	reason := e.BindingReason
	if e.Deficit != nil {
		reason = join(need, reason)
	}
	if e.Class == models.ClassPanic {
		reason = "spike, " + reason
	}
	if e.Class == models.ClassReactive || e.Class == models.ClassForecast {
		reason = join(reason, shapingEffect(e, "up_step"))
	}
	if e.Class == models.ClassSteady && e.Direction == models.DirectionDown {
		reason = join(reason, shapingEffect(e, "down_step"))
	}
	return deed(name, e) + ": " + reason + "."
}

// deed is what is done, with the need where that is another number.
func deed(name string, e models.Explanation) string {
	text := fmt.Sprintf("Keep %s at %d", name, e.Current)
	if e.Direction != models.DirectionHold {
		text = fmt.Sprintf("Scale %s %d→%d", name, e.Current, e.Desired)
	}
	switch {
	case e.Deficit != nil:
		return fmt.Sprintf("%s (wanted %d)", text, e.Raw)
	case e.Raw != e.Desired && e.Raw > 0:
		return fmt.Sprintf("%s (need %d)", text, e.Raw)
	default:
		return text
	}
}

func join(a, b string) string {
	if b == "" || a == b {
		return a
	}
	return a + "; " + b
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
