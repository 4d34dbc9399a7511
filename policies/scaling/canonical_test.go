package scaling_test

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

// everything fills each field of a value, lists with one element, so that none is left
// out of what is changed below.
func everything(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		everything(v.Elem())
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(now))
			return
		}
		for i := range v.NumField() {
			everything(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		everything(v.Index(0))
	default:
		change1(v)
	}
}

// change1 gives a plain value another one.
func change1(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Float64:
		v.SetFloat(v.Float() + 1.5)
	default:
		v.SetInt(v.Int() + 7)
	}
}

// eachLeaf calls f for each plain value and time of a value, and for each pointer and
// list, which f may change; path names it.
func eachLeaf(v reflect.Value, path string, f func(path string, v reflect.Value)) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		f(path, v)
	case v.Kind() == reflect.Pointer:
		f(path+" (absent)", v)
		eachLeaf(v.Elem(), path, f)
	case v.Kind() == reflect.Slice:
		f(path+" (none)", v)
		eachLeaf(v.Index(0), path+"[0]", f)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			eachLeaf(v.Field(i), path+"."+v.Type().Field(i).Name, f)
		}
	default:
		f(path, v)
	}
}

func TestEveryFieldOfTheInputsIsInTheHash(t *testing.T) {
	var in scaling.Inputs
	everything(reflect.ValueOf(&in).Elem())
	whole := scaling.Fingerprint(in)
	seen := map[string]string{whole: "unchanged"}
	fields := 0
	eachLeaf(reflect.ValueOf(&in).Elem(), "inputs", func(path string, v reflect.Value) {
		fields++
		old := reflect.New(v.Type()).Elem()
		old.Set(v)
		switch {
		case v.Type() == reflect.TypeFor[time.Time]():
			v.Set(reflect.ValueOf(now.Add(time.Nanosecond)))
		case v.Kind() == reflect.Pointer || v.Kind() == reflect.Slice:
			v.SetZero()
		default:
			change1(v)
		}
		hash := scaling.Fingerprint(in)
		assert.Empty(t, seen[hash], "%s makes no difference", path)
		seen[hash] = path
		v.Set(old)
	})
	assert.Equal(t, whole, scaling.Fingerprint(in))
	assert.Greater(t, fields, 180)
}

func TestInputsThatWereStoredHashAndDecideTheSame(t *testing.T) {
	for name, in := range map[string]scaling.Inputs{"calm": serving(14, 700), "saturday": saturday()} {
		t.Run(name, func(t *testing.T) {
			raw, err := json.Marshal(in)
			require.NoError(t, err)
			var back scaling.Inputs
			require.NoError(t, json.Unmarshal(raw, &back))
			assert.Equal(t, scaling.Fingerprint(in), scaling.Fingerprint(back))
			want, state := scaling.Decide(in)
			got, again := scaling.Decide(back)
			assert.Equal(t, marshal(t, want), marshal(t, got))
			assert.Equal(t, marshal(t, state), marshal(t, again))
			assert.Equal(t, want.InputsHash, scaling.Fingerprint(in))
		})
	}
}

func TestTheHashIsOfTheInputsAlone(t *testing.T) {
	cpu := func(v float64) scaling.Inputs {
		return with(serving(10, 640), change(models.MetricCPU, func(s *models.Signal) { s.Avg2 = val(v) }))
	}
	assert.Regexp(t, "^sha256:[0-9a-f]{64}$", scaling.Fingerprint(cpu(0.5)))
	first, again := scaling.Fingerprint(cpu(0.5)), scaling.Fingerprint(cpu(0.5))
	assert.Equal(t, first, again)
	nan := scaling.Fingerprint(cpu(math.NaN()))
	assert.Equal(t, nan, scaling.Fingerprint(cpu(-math.NaN())), "every NaN is the same")
	assert.NotEqual(t, nan, scaling.Fingerprint(cpu(math.Inf(1))))

	zone := serving(10, 640)
	zone.Now = zone.Now.In(time.FixedZone("there", 7200))
	assert.Equal(t, scaling.Fingerprint(serving(10, 640)), scaling.Fingerprint(zone), "an instant has no zone")

	a, b := serving(10, 640), serving(10, 640)
	a.Observation.Gaps, b.Observation.Gaps = []string{"ab", "c"}, []string{"a", "bc"}
	assert.NotEqual(t, scaling.Fingerprint(a), scaling.Fingerprint(b), "lengths keep neighbours apart")
}

// A hash that was stored has to be found again by every later version that still calls
// its form by the same name.
func TestTheFormIsStable(t *testing.T) {
	assert.Equal(t, "sha256:72c7e39081fc310f0a053a72f3c470e9fba2050203396cd82b4a3b6d6dad42ee", scaling.Fingerprint(scaling.Inputs{}))
}
