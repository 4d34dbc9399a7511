package verification_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/verification"
)

func val[T any](v T) *T { return &v }

// good is one measurement of a change from four replicas to six that went well: a
// hundred requests to each replica, 0.1 % of them failed, answered in 80 ms.
func good() models.Measurement {
	cohort := func(replicas int) models.CohortStats {
		return models.CohortStats{Replicas: replicas, Requests: int64(100 * replicas), ErrorRate: val(0.001), P95MS: val(80.0)}
	}
	return models.Measurement{
		WindowSeconds: 15, New: cohort(2), Old: cohort(4), Service: cohort(6), Spec: 6, Ready: 6,
		OfferedRPS: val(40.0), DatabaseConnections: val(100), DatabaseMaxConnections: val(200),
	}
}

type edit func(*models.Measurement)

func edited(es ...edit) models.Measurement {
	m := good()
	for _, e := range es {
		e(&m)
	}
	return m
}

// times repeats a measurement.
func times(n int, m models.Measurement) []models.Measurement {
	ms := make([]models.Measurement, n)
	for i := range ms {
		ms[i] = m
	}
	return ms
}

func inputs(ms ...models.Measurement) verification.Inputs {
	before := good()
	before.New, before.Spec, before.Ready = models.CohortStats{}, 4, 4
	return verification.Inputs{Service: models.DefaultServices("fleet")[0], Baseline: &before, Measurements: ms, Expected: 6, Added: 2}
}

// check finds the gate of a name in the first measurement.
func check(t require.TestingT, res verification.Result, name string) models.Check {
	for _, c := range res.Checks {
		if c.Name == name {
			return c
		}
	}
	require.Fail(t, "no gate "+name)
	return models.Check{}
}

func failing(rate float64) edit {
	return func(m *models.Measurement) { m.New.ErrorRate, m.New.Requests = val(rate), 1000 }
}

func slow(ms float64) edit { return func(m *models.Measurement) { m.New.P95MS = val(ms) } }

func requests(n int64) edit {
	return func(m *models.Measurement) { m.New.Requests, m.Old.Requests = n, 2*n }
}

func TestVerdicts(t *testing.T) {
	bad := edited(failing(0.03))
	crash := edited(func(m *models.Measurement) { m.Ready, m.Crashing = 5, 1 })
	never := edited(func(m *models.Measurement) { m.Ready = 5 })
	quiet := edited(requests(10))
	cases := map[string]struct {
		ms      []models.Measurement
		verdict models.Verdict
		reason  string
	}{
		"five good ones":                         {times(5, good()), models.VerdictKeep, "2 new replicas served 1000 requests as well as the old ones"},
		"nothing was measured":                   {nil, models.VerdictHold, "nothing was measured"},
		"one failing of five is tolerated":       {append(times(4, good()), bad), models.VerdictKeep, "2 new replicas served 1800 requests as well as the old ones"},
		"two failing of five are not":            {append(times(3, good()), bad, bad), models.VerdictRollback, "new replicas fail 3.00 % of requests, old ones 0.10 % (2 of 5 measurements failed)"},
		"the only one fails":                     {times(1, bad), models.VerdictRollback, "new replicas fail 3.00 % of requests, old ones 0.10 % (1 of 1 measurements failed)"},
		"a crash in one is enough":               {append(times(4, good()), crash), models.VerdictRollback, "1 replica crashes again and again"},
		"a crash needs no traffic":               {times(1, edited(requests(0), func(m *models.Measurement) { m.Ready, m.Crashing = 4, 2 })), models.VerdictRollback, "2 replicas crash again and again"},
		"never started needs no traffic":         {times(1, edited(requests(0), func(m *models.Measurement) { m.Ready = 4 })), models.VerdictRollback, "2 of 6 replicas are not ready (1 of 1 measurements failed)"},
		"late by one measurement":                {append([]models.Measurement{never}, times(4, good())...), models.VerdictKeep, "2 new replicas served 1000 requests as well as the old ones"},
		"too little traffic is held":             {times(5, quiet), models.VerdictHold, "50 requests reached the new replicas; a verdict needs 200"},
		"no traffic is held":                     {times(5, edited(requests(0), func(m *models.Measurement) { m.New.ErrorRate, m.New.P95MS = nil, nil })), models.VerdictHold, "0 requests reached the new replicas; a verdict needs 200"},
		"too few measurements are held":          {times(2, edited(requests(5000))), models.VerdictHold, "2 of 5 measurements were taken; a verdict needs half of them"},
		"half of them are enough":                {times(3, good()), models.VerdictKeep, "2 new replicas served 600 requests as well as the old ones"},
		"one failed request of three is no harm": {times(5, edited(requests(3), func(m *models.Measurement) { m.New.ErrorRate = val(1.0 / 3) })), models.VerdictHold, "15 requests reached the new replicas; a verdict needs 200"},
		"the database is full":                   {append(times(4, good()), edited(func(m *models.Measurement) { m.DatabaseConnections = val(190) })), models.VerdictRollback, "190 of 200 database connections are in use"},
		"critical goes before failed":            {[]models.Measurement{bad, bad, crash}, models.VerdictRollback, "1 replica crashes again and again"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			res := verification.Judge(inputs(c.ms...))
			assert.Equal(t, c.verdict, res.Verdict, res.Reason)
			assert.Equal(t, c.reason, res.Reason)
			assert.Len(t, res.Checks, 10*len(c.ms), "each gate of each measurement is kept as evidence")
		})
	}
}

func TestWithoutAPolicyNoRequestsAreStillNoSuccess(t *testing.T) {
	in := inputs(edited(requests(0), func(m *models.Measurement) { m.New.ErrorRate, m.New.P95MS = nil, nil }))
	in.Service = models.Service{}
	assert.Equal(t, models.VerdictHold, verification.Judge(in).Verdict)
}

func TestGates(t *testing.T) {
	const pass, fail, critical, open = models.CheckPass, models.CheckFail, models.CheckCritical, models.CheckInconclusive
	old := func(rate, ms float64) edit {
		return func(m *models.Measurement) { m.Old.ErrorRate, m.Old.P95MS = val(rate), val(ms) }
	}
	service := func(rate, offered float64) edit {
		return func(m *models.Measurement) { m.Service.ErrorRate, m.OfferedRPS = val(rate), val(offered) }
	}
	connections := func(n int) edit { return func(m *models.Measurement) { m.DatabaseConnections = val(n) } }
	cases := map[string]struct {
		gate string
		m    models.Measurement
		want models.CheckResult
	}{
		"no crash":                               {"crashing_replicas", good(), pass},
		"a crash":                                {"crashing_replicas", edited(func(m *models.Measurement) { m.Crashing = 1 }), critical},
		"all ready":                              {"ready", good(), pass},
		"one of a small wave missing":            {"ready", edited(func(m *models.Measurement) { m.Ready = 5 }), fail},
		"more ready than ordered":                {"ready", edited(func(m *models.Measurement) { m.Ready = 9 }), pass},
		"a fair share":                           {"traffic_share", good(), pass},
		"half of a fair share":                   {"traffic_share", edited(func(m *models.Measurement) { m.New.Requests, m.Old.Requests = 40, 160 }), pass},
		"less":                                   {"traffic_share", edited(func(m *models.Measurement) { m.New.Requests, m.Old.Requests = 39, 200 }), fail},
		"none, while the old ones are busy":      {"traffic_share", edited(func(m *models.Measurement) { m.New.Requests, m.Old.Requests = 0, 90 }), critical},
		"none, while there is little":            {"traffic_share", edited(func(m *models.Measurement) { m.New.Requests, m.Old.Requests = 0, 89 }), open},
		"no old ones to share with":              {"traffic_share", edited(func(m *models.Measurement) { m.Old = models.CohortStats{} }), open},
		"as few errors as the old":               {"error_rate", good(), pass},
		"half a point more":                      {"error_rate", edited(failing(0.006)), pass},
		"more than that":                         {"error_rate", edited(failing(0.0062)), fail},
		"more than 1 %, however the old":         {"error_rate", edited(failing(0.011), old(0.009, 80)), fail},
		"as bad as the old":                      {"error_rate", edited(failing(0.2), old(0.2, 80)), pass},
		"half as bad again as the old":           {"error_rate", edited(failing(0.29), old(0.2, 80)), pass},
		"worse than that, over 5 %":              {"error_rate", edited(failing(0.31), old(0.2, 80)), critical},
		"over 5 % where the old are well":        {"error_rate", edited(failing(0.06)), critical},
		"every request":                          {"error_rate", edited(requests(4), func(m *models.Measurement) { m.New.ErrorRate = val(1.0) }), critical},
		"two failed requests":                    {"error_rate", edited(requests(10), func(m *models.Measurement) { m.New.ErrorRate = val(0.2) }), open},
		"no requests":                            {"error_rate", edited(func(m *models.Measurement) { m.New.ErrorRate = nil }), open},
		"a rate that is no number":               {"error_rate", edited(failing(math.NaN())), open},
		"no old ones to compare errors with":     {"error_rate", edited(failing(0.004), func(m *models.Measurement) { m.Old.ErrorRate = nil }), pass},
		"as fast as the old":                     {"response_time_p95", good(), pass},
		"a quarter slower":                       {"response_time_p95", edited(slow(100)), pass},
		"slower than that":                       {"response_time_p95", edited(slow(101)), fail},
		"a few milliseconds more on a fast one":  {"response_time_p95", edited(slow(14), old(0, 5)), pass},
		"more than a few":                        {"response_time_p95", edited(slow(16), old(0, 5)), fail},
		"over the objective":                     {"response_time_p95", edited(slow(1001), old(0, 999)), fail},
		"slower than 2 s":                        {"response_time_p95", edited(slow(2001)), critical},
		"as slow as the old":                     {"response_time_p95", edited(slow(4000), old(0, 3500)), pass},
		"without old ones the objective counts":  {"response_time_p95", edited(slow(999), func(m *models.Measurement) { m.Old.P95MS = nil }), pass},
		"and is missed":                          {"response_time_p95", edited(slow(1001), func(m *models.Measurement) { m.Old.P95MS = nil }), fail},
		"an old percentile of few is none":       {"response_time_p95", edited(slow(500), func(m *models.Measurement) { m.Old.Requests = 19 }), pass},
		"a new percentile of few is none":        {"response_time_p95", edited(slow(5000), requests(19)), open},
		"no response time":                       {"response_time_p95", edited(func(m *models.Measurement) { m.New.P95MS = nil }), open},
		"the service as before":                  {"service_error_rate", good(), pass},
		"better than before":                     {"service_error_rate", edited(service(0, 40)), pass},
		"worse than before":                      {"service_error_rate", edited(service(0.007, 40)), fail},
		"worse, under more load":                 {"service_error_rate", edited(service(0.007, 45)), open},
		"worse by two requests":                  {"service_error_rate", edited(service(0.02, 40), func(m *models.Measurement) { m.Service.Requests = 100 }), open},
		"not measured":                           {"service_error_rate", edited(func(m *models.Measurement) { m.Service.ErrorRate = nil }), open},
		"connections to spare":                   {"database_connections", edited(connections(169)), pass},
		"connections run short":                  {"database_connections", edited(connections(170)), open},
		"no connections left":                    {"database_connections", edited(connections(190)), critical},
		"connections that nobody counted":        {"database_connections", edited(func(m *models.Measurement) { m.DatabaseConnections = nil }), open},
		"a ceiling of none":                      {"database_connections", edited(func(m *models.Measurement) { m.DatabaseMaxConnections = val(0) }), open},
		"a share that cannot be (no replicas)":   {"traffic_share", edited(func(m *models.Measurement) { m.New.Replicas = -2 }), open},
		"more than the ceiling, by a late count": {"database_connections", edited(connections(230)), critical},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := check(t, verification.Judge(inputs(c.m)), c.gate)
			assert.Equal(t, c.want, got.Result, got.Reason)
			assert.NotEmpty(t, got.Reason)
		})
	}
}

func TestLargeWavesMayMissOneInTwenty(t *testing.T) {
	for missing, want := range map[int]models.CheckResult{0: models.CheckPass, 1: models.CheckPass, 2: models.CheckPartial, 4: models.CheckPartial, 5: models.CheckFail} {
		in := inputs(edited(func(m *models.Measurement) { m.Ready = 24 - missing }))
		in.Expected, in.Added = 24, 20
		assert.Equal(t, want, check(t, verification.Judge(in), "ready").Result, "%d missing", missing)
	}
}

func TestWhatCrashedBeforeIsNotBlamedOnTheChange(t *testing.T) {
	in := inputs(times(5, edited(func(m *models.Measurement) { m.Ready, m.Crashing = 5, 1 }))...)
	in.Baseline.Crashing, in.Baseline.Ready = 1, 3
	assert.Equal(t, models.VerdictKeep, verification.Judge(in).Verdict)
	in.Baseline.Crashing = 0
	assert.Equal(t, models.VerdictRollback, verification.Judge(in).Verdict)
	in.Baseline = nil
	assert.Equal(t, models.VerdictRollback, verification.Judge(in).Verdict, "without a time before all are new")
}

func TestWithoutABaselineTheServiceIsNotCompared(t *testing.T) {
	in := inputs(times(5, edited(func(m *models.Measurement) { m.Service.ErrorRate = val(0.5) }))...)
	in.Baseline = nil
	res := verification.Judge(in)
	assert.Equal(t, models.VerdictKeep, res.Verdict)
	assert.Equal(t, models.CheckInconclusive, check(t, res, "service_error_rate").Result)
	in = inputs(times(5, good())...)
	in.Baseline.Service.ErrorRate = nil
	assert.Equal(t, models.CheckInconclusive, check(t, verification.Judge(in), "service_error_rate").Result)
}

// More evidence of harm never turns a rollback into something milder.
func TestAWorseMeasurementNeverHelps(t *testing.T) {
	harms := []edit{failing(0.9), slow(9000), func(m *models.Measurement) { m.Crashing = 3 }, func(m *models.Measurement) { m.Ready = 0 }, func(m *models.Measurement) { m.DatabaseConnections = val(200) }}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "measurements")
		ms := make([]models.Measurement, n)
		for i := range ms {
			ms[i] = edited(failing(rapid.Float64Range(0, 0.08).Draw(t, "errors")), slow(rapid.Float64Range(1, 300).Draw(t, "ms")))
			ms[i].Ready = rapid.IntRange(5, 6).Draw(t, "ready")
		}
		before := verification.Judge(inputs(ms...))
		i := rapid.IntRange(0, n-1).Draw(t, "which")
		rapid.SampledFrom(harms).Draw(t, "harm")(&ms[i])
		after := verification.Judge(inputs(ms...))
		if before.Verdict == models.VerdictRollback {
			require.Equal(t, models.VerdictRollback, after.Verdict, after.Reason)
		}
		require.NotEmpty(t, after.Reason)
	})
}
