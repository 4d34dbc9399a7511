//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sample is one metric of a service that nothing else loads in this test.
func sample(fields string) string {
	now := time.Now().UTC().Format(time.RFC3339Nano)
	return `{"samples":[{"service":"api","metric":"memory","value":0.123456,"timestamp":"` + now + `"},` + strings.ReplaceAll(fields, "NOW", now) + `]}`
}

func TestBadMetricsAreRefusedByNameAndNothingIsStored(t *testing.T) {
	s := shared
	many := make([]string, 10_001)
	for i := range many {
		many[i] = `{"service":"api","metric":"memory","value":0.123456,"timestamp":"` + time.Now().UTC().Format(time.RFC3339Nano) + `"}`
	}
	for name, c := range map[string]struct {
		body   string
		status int
		says   string
	}{
		"malformed JSON":       {`{"samples":[{`, 400, "samples"},
		"not an object":        {`[]`, 400, "body"},
		"no samples":           {`{"samples":[]}`, 400, "samples"},
		"NaN":                  {sample(`{"service":"api","metric":"cpu","value":NaN,"timestamp":"NOW"}`), 400, "samples"},
		"a number in a string": {sample(`{"service":"api","metric":"cpu","value":"NaN","timestamp":"NOW"}`), 400, "samples[1].value"},
		"a huge number":        {sample(`{"service":"api","metric":"throughput","value":1e400,"timestamp":"NOW"}`), 400, "samples[1].value"},
		"a large number":       {sample(`{"service":"api","metric":"throughput","value":1e13,"timestamp":"NOW"}`), 400, "samples[1].value"},
		"a negative number":    {sample(`{"service":"api","metric":"cpu","value":-1,"timestamp":"NOW"}`), 400, "samples[1].value"},
		"an unknown service":   {sample(`{"service":"catering","metric":"cpu","value":1,"timestamp":"NOW"}`), 400, "samples[1].service"},
		"an unknown metric":    {sample(`{"service":"api","metric":"mood","value":1,"timestamp":"NOW"}`), 400, "samples[1].metric"},
		"an unknown field":     {sample(`{"service":"api","metric":"cpu","valeu":1,"timestamp":"NOW"}`), 400, "valeu"},
		"no value":             {sample(`{"service":"api","metric":"cpu","timestamp":"NOW"}`), 400, "samples[1].value"},
		"a time long ago":      {sample(`{"service":"api","metric":"cpu","value":1,"timestamp":"1998-06-10T15:30:00Z"}`), 400, "samples[1].timestamp"},
		"a time to come":       {sample(`{"service":"api","metric":"cpu","value":1,"timestamp":"2998-06-10T15:30:00Z"}`), 400, "samples[1].timestamp"},
		"no time at all":       {sample(`{"service":"api","metric":"cpu","value":1,"timestamp":"yesterday"}`), 400, "samples[1].timestamp"},
		"10,001 samples":       {`{"samples":[` + strings.Join(many, ",") + `]}`, 413, "samples"},
		"a body of 20 MiB":     {`{"samples":[` + strings.Repeat(" ", 20<<20) + `]}`, 413, "body"},
		"two documents":        {sample(`{"service":"api","metric":"cpu","value":1,"timestamp":"NOW"}`) + `{}`, 400, "body"},
	} {
		t.Run(name, func(t *testing.T) {
			status, kind, body := s.raw(t, "metricsWriter", "/api/scalability/metrics", c.body)
			require.Equal(t, c.status, status, body)
			assert.Equal(t, "application/problem+json", kind)
			var p struct {
				Errors []struct{ Field, Rule string } `json:"errors"`
			}
			require.NoError(t, json.Unmarshal([]byte(body), &p), body)
			require.NotEmpty(t, p.Errors, body)
			assert.Contains(t, p.Errors[0].Field, c.says, body)
			assert.NotEmpty(t, p.Errors[0].Rule, body)
		})
	}
	time.Sleep(15 * time.Second) // two rollup windows: what was stored would be at rest by now
	s.asSystem(t, func(ctx context.Context, tx pgx.Tx) error {
		var n int
		err := tx.QueryRow(ctx, "SELECT count(*) FROM scalability_metrics WHERE service = 'api' AND metric = 'memory' AND (min = 0.123456 OR max = 0.123456 OR last = 0.123456)").Scan(&n)
		assert.Zero(t, n, "a refused batch stores none of its samples, not even the good one")
		return err
	})
}

func TestBadCallsAreRefusedByName(t *testing.T) {
	s := shared
	for _, c := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "/decisions?limit=0", "", 400, "limit"},
		{"GET", "/decisions?limit=ten", "", 400, "limit"},
		{"GET", "/decisions?cursor=%2500", "", 400, "cursor"},
		{"GET", "/decisions?servise=api", "", 400, "servise"},
		{"GET", "/decisions?service=catering", "", 400, "service"},
		{"POST", "/predictions", `{"timeHorizonHours":0}`, 400, "timeHorizonHours"},
		{"POST", "/predictions", `{"timeHorizonHours":"many"}`, 400, "timeHorizonHours"},
		{"POST", "/weddings", `{"reference":"x","timeZone":"Mars/Olympus","startsAt":"2027-06-12T14:00:00Z","endsAt":"2027-06-12T20:00:00Z","guests":10,"status":"confirmed"}`, 400, "timeZone"},
		{"POST", "/services/api/scale", `{"replicas":1000000,"reason":"too many"}`, 400, "replicas"},
		{"POST", "/services/catering/scale", `{"replicas":3,"reason":"unknown"}`, 400, "service"},
		{"POST", "/services/api/scale", strings.Repeat(`{"a":`, 5000), 400, ""},
	} {
		t.Run(fmt.Sprintf("%s %s %.40s", c.method, c.path, c.body), func(t *testing.T) {
			var in any
			if c.body != "" {
				in = json.RawMessage(c.body)
			}
			var status int
			var body string
			if json.Valid([]byte(c.body)) || c.body == "" {
				status, body = s.call(t, "admin", c.method, "/api/scalability"+c.path, in, nil)
			} else {
				status, _, body = s.raw(t, "admin", "/api/scalability"+c.path, c.body)
			}
			assert.Contains(t, []int{c.status, 404}, status, body)
			assert.Contains(t, body, c.says)
		})
	}
}

// raw posts a body as it is.
func (s *stack) raw(t *testing.T, role, path, body string) (status int, kind, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.API+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+s.Tokens[role])
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	require.NoError(t, err)
	return res.StatusCode, res.Header.Get("Content-Type"), string(raw)
}
