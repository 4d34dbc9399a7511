package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/models"
)

func batch(samples ...string) string { return `{"samples":[` + strings.Join(samples, ",") + `]}` }

func mustJSON(t testing.TB, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return string(raw)
}

func canceled(t testing.TB) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

const good = `{"service":"api","metric":"cpu","value":0.5,"timestamp":"2027-06-12T12:00:00Z"}`

func TestHostileBatchesAreRefusedByFieldAndNothingIsTaken(t *testing.T) {
	with := func(field, value string) string {
		parts := map[string]string{"service": `"api"`, "metric": `"cpu"`, "value": "0.5", "timestamp": `"2027-06-12T12:00:00Z"`}
		parts[field] = value
		return fmt.Sprintf(`{"service":%s,"metric":%s,"value":%s,"timestamp":%s}`, parts["service"], parts["metric"], parts["value"], parts["timestamp"])
	}
	cases := map[string]struct {
		body  string
		code  int
		field string
		value string
		rule  string
	}{
		"no body":                       {" ", 400, "body", "", "must be an object"},
		"not JSON":                      {"{samples}", 400, "body", "samples", "is not JSON"},
		"cut off":                       {`{"samples":[` + good, 400, "samples", "", "is not JSON"},
		"a list":                        {`[]`, 400, "body", "[", "must be an object"},
		"nothing in it":                 {`{}`, 400, "samples", "", "is required"},
		"no samples":                    {`{"samples":[]}`, 400, "samples", "[]", "must have 1 to 10000 entries"},
		"samples of a wrong kind":       {`{"samples":{}}`, 400, "samples", "{", "must be a list"},
		"samples twice":                 {`{"samples":[` + good + `],"samples":[]}`, 400, "samples", "", "must stand once"},
		"something after it":            {batch(good) + `{}`, 400, "body", "{", "must end after one JSON document"},
		"an unknown field":              {`{"samples":[` + good + `],"extra":1}`, 400, "extra", "", "is not a known field"},
		"a misspelt field":              {batch(good, `{"service":"api","metric":"cpu","valeu":1,"timestamp":"2027-06-12T12:00:00Z"}`), 400, "samples[1].valeu", "1", "is not a known field"},
		"a field in other case":         {batch(`{"Service":"api"}`), 400, "samples[0].Service", `"api"`, "is not a known field"},
		"a field twice":                 {batch(`{"value":1,"value":2}`), 400, "samples[0].value", "2", "must stand once"},
		"a field missing":               {batch(good, `{"service":"api","metric":"cpu","value":1}`), 400, "samples[1].timestamp", "", "is required"},
		"an entry of wrong kind":        {batch(`3`), 400, "samples[0]", "3", "must be an object"},
		"an unknown service":            {batch(good, good, good, with("service", `"billing"`)), 400, "samples[3].service", "billing", "must be one of api, database"},
		"an unknown metric":             {batch(with("metric", `"load"`)), 400, "samples[0].metric", "load", "must be one of throughput"},
		"NaN":                           {batch(good, with("value", "NaN")), 400, "samples[1].value", "NaN", "must be a number; NaN and Infinity are none"},
		"Infinity":                      {batch(with("value", "Infinity")), 400, "samples[0].value", "Infinity", "must be a number"},
		"-Infinity":                     {batch(with("value", "-Infinity")), 400, "samples[0].value", "-Infinity", "must be a JSON number"},
		"a number as text":              {batch(with("value", `"0.5"`)), 400, "samples[0].value", `"0.5"`, "must be a number"},
		"null":                          {batch(with("value", "null")), 400, "samples[0].value", "null", "must be a number"},
		"beyond float64":                {batch(with("value", "1e400")), 400, "samples[0].value", "1e400", "must be a finite number"},
		"huge":                          {batch(with("value", "1e300")), 400, "samples[0].value", "1e+300", "from 0 to 100"},
		"negative":                      {batch(with("value", "-1")), 400, "samples[0].value", "-1", "from 0 to 100"},
		"a leading zero":                {batch(with("value", "01")), 400, "samples[0]", "1", "is not JSON"},
		"hexadecimal":                   {batch(with("value", "0x10")), 400, "samples[0]", "x10", "is not JSON"},
		"a number of a thousand digits": {batch(with("value", strings.Repeat("9", 1000))), 400, "samples[0].value", strings.Repeat("9", 80), "must be a JSON number"},
		"a time without offset":         {batch(with("timestamp", `"2027-06-12T12:00:00"`)), 400, "samples[0].timestamp", "2027-06-12T12:00:00", "RFC 3339"},
		"a day that is none":            {batch(with("timestamp", `"2027-02-30T12:00:00Z"`)), 400, "samples[0].timestamp", "2027-02-30T12:00:00Z", "RFC 3339"},
		"a time as number":              {batch(with("timestamp", `1718200000`)), 400, "samples[0].timestamp", "1718200000", "must be a string"},
		"NUL as an escape":              {batch(with("service", `"a\u0000"`)), 400, "samples[0].service", "", "control characters"},
		"a bare line break":             {batch(with("service", "\"a\nb\"")), 400, "samples[0].service", "", "control character"},
		"not UTF-8":                     {batch(with("service", "\"\xff\"")), 400, "samples[0].service", "", "UTF-8"},
		"an unknown escape":             {batch(with("service", `"\x41"`)), 400, "samples[0].service", "", "escape"},
		"deep":                          {`{"samples":` + strings.Repeat("[", 5000), 400, "samples[0]", strings.Repeat("[", 80), "must be an object"},
		"10,001 samples":                {batch(strings.Split(strings.Repeat(good+"|", 10_000)+good, "|")...), 413, "samples", "more than 10000", "1 to 10000"},
		"too many bytes":                {`{"samples":[` + strings.Repeat(" ", 4<<20) + `]}`, 413, "body", "", "at most 4194304 bytes"},
		"20 MiB":                        {`{"samples":[` + strings.Repeat(good+",", 20<<20/len(good)), 413, "body", "", "at most 4194304 bytes"},
	}
	p := newPlatform()
	h := p.handler(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p.reset()
			rec := send(t, h, request{method: "POST", path: base + "/metrics", body: tc.body, as: "writer"})
			require.Equal(t, tc.code, rec.Code, rec.Body.String())
			pr := problemOf(t, rec)
			require.NotNil(t, pr.Errors)
			require.Len(t, *pr.Errors, 1)
			e := (*pr.Errors)[0]
			assert.Equal(t, tc.field, e.Field)
			assert.Equal(t, tc.value, valueOr(e.Value, ""))
			assert.Contains(t, e.Rule, tc.rule)
			assert.False(t, p.called("Ingest"), "nothing is taken")
			assert.Len(t, p.entries(), 1)
			assert.Less(t, rec.Body.Len(), 2000, "what is given back is bounded")
		})
	}
}

func TestAFullBatchIsTakenInOrder(t *testing.T) {
	p := newPlatform()
	body := batch(strings.Split(strings.Repeat(good+"|", 9_999)+strings.Replace(good, "0.5", "1.25e-1", 1), "|")...)
	rec := send(t, p.handler(t), request{method: "POST", path: base + "/metrics", body: " \n" + body + "\t ", as: "writer"})
	require.Equal(t, 202, rec.Code, rec.Body.String())
	require.Len(t, p.samples, 10_000)
	assert.Equal(t, models.Sample{Service: "api", Metric: "cpu", Value: 0.125, Timestamp: noon}, p.samples[9_999])
	assert.Equal(t, models.ScopeIngest, p.scopes["Ingest"].Role)
}

func TestMetricsMayBeCompressedAndAreBoundedDecompressed(t *testing.T) {
	zip := func(text string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write([]byte(text))
		_ = w.Close()
		return b.String()
	}
	for name, tc := range map[string]struct {
		body, encoding string
		want           int
	}{
		"gzip":                    {zip(batch(good)), "gzip", 202},
		"identity":                {batch(good), "identity", 202},
		"a bomb":                  {zip(strings.Repeat(" ", 64<<20)), "gzip", 413},
		"said but not done":       {batch(good), "gzip", 400},
		"cut off":                 {zip(batch(good))[:40], "gzip", 400},
		"an encoding we know not": {batch(good), "br", 415},
		"two encodings at a time": {batch(good), "gzip, gzip", 415},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform()
			rec := send(t, p.handler(t), request{method: "POST", path: base + "/metrics", body: tc.body, as: "writer",
				header: http.Header{"Content-Encoding": {tc.encoding}}})
			require.Equal(t, tc.want, rec.Code, rec.Body.String())
			assert.Equal(t, tc.want == 202, p.called("Ingest"))
		})
	}
}

func TestHostileInputOfOtherRoutesIsRefusedByField(t *testing.T) {
	scale := base + "/services/api/scale"
	wed := func(change string) string {
		return `{"reference":"r","timeZone":"Europe/London","startsAt":"2027-07-01T12:00:00Z","endsAt":"2027-07-01T20:00:00Z","guests":10,"status":"confirmed"` + change + `}`
	}
	swap := func(old, new string) string { return strings.Replace(wed(""), old, new, 1) }
	claim := func(s string) string { return `{"service":"api","reason":"a rehearsal",` + s + `}` }
	p := newPlatform()
	h := p.handler(t)
	type hostile struct {
		method, path, body string
		code               int
		field, rule        string
	}
	for name, tc := range map[string]hostile{
		"an unknown parameter":                {"GET", base + "/decisions?limit=3&limt=4", "", 400, "limt", "is not known: must be one of cursor, limit"},
		"a parameter of a bare route":         {"GET", base + "/services?limit=3", "", 400, "limit", "takes no parameters"},
		"a parameter twice":                   {"GET", base + "/decisions?limit=3&limit=4", "", 400, "limit", "must stand once"},
		"a limit of 0":                        {"GET", base + "/decisions?limit=0", "", 400, "limit", "must be from 1 to 100"},
		"a limit of 101":                      {"GET", base + "/decisions?limit=101", "", 400, "limit", "must be from 1 to 100"},
		"a limit in words":                    {"GET", base + "/decisions?limit=ten", "", 400, "limit", "must be a whole number from 1 to 100"},
		"an empty limit":                      {"GET", base + "/decisions?limit=", "", 400, "limit", "must be a whole number"},
		"a limit with exponent":               {"GET", base + "/decisions?limit=1e1", "", 400, "limit", "must be a whole number"},
		"a limit beyond integers":             {"GET", base + "/decisions?limit=99999999999999999999", "", 400, "limit", "must be from 1 to 100"},
		"an unknown outcome":                  {"GET", base + "/decisions?outcome=won", "", 400, "outcome", "must be one of open, verified"},
		"a trail that ends before it begins":  {"GET", base + "/audit?since=2027-06-12T12:00:00Z&until=2027-06-12T12:00:00Z", "", 400, "since", "must be before until"},
		"a decision that is none":             {"GET", base + "/audit?decision=maybe", "", 400, "decision", "must be one of allow, deny"},
		"a page of the trail that is no page": {"GET", base + "/audit?limit=201", "", 400, "limit", "must be from 1 to 200"},
		"a place in the trail that is none":   {"GET", base + "/audit?cursor=x", "", 400, "cursor", "must be the nextCursor"},
		"a time that is none":                 {"GET", base + "/decisions?since=yesterday", "", 400, "since", "RFC 3339"},
		"a plus that became a blank":          {"GET", base + "/decisions?since=2027-06-12T12:00:00+01:00", "", 400, "since", "RFC 3339"},
		"a truth value in words":              {"GET", base + "/status?includeDatabase=yes", "", 400, "includeDatabase", "must be true or false"},
		"a bad cursor":                        {"GET", base + "/decisions?cursor=abc", "", 400, "cursor", "must be the nextCursor"},
		"a cursor with NUL":                   {"GET", base + "/decisions?cursor=%00", "", 400, "cursor", "must match"},
		"a query that is none":                {"GET", base + "/decisions?%zz", "", 400, "query", "percent-encoded"},
		"a semicolon":                         {"GET", base + "/decisions?limit=1;cursor=x", "", 400, "query", "separated by &"},
		"an unknown service":                  {"GET", base + "/services/billing", "", 404, "service", "must be one of api"},
		"a wrong id":                          {"GET", base + "/decisions/..%2Fx", "", 404, "id", "must match"},
		"NUL in an id":                        {"GET", base + "/weddings/%00", "", 404, "id", "must match"},
		"quotes in an id":                     {"GET", base + "/weddings/'%20or%201=1", "", 404, "id", "must match"},
		"an id that is too long":              {"GET", base + "/weddings/" + strings.Repeat("a", 65), "", 404, "id", "1 to 64"},
		"no body":                             {"POST", scale, " ", 400, "body", "is required"},
		"not JSON":                            {"POST", scale, `{"replicas":5,`, 400, "body", "is not JSON"},
		"NaN":                                 {"POST", scale, `{"replicas":NaN,"reason":"abc"}`, 400, "replicas", "NaN and Infinity are none"},
		"a fraction":                          {"POST", scale, `{"replicas":5.5,"reason":"abc"}`, 400, "replicas", "must be a whole number from 1 to 100000"},
		"0 replicas":                          {"POST", scale, `{"replicas":0,"reason":"abc"}`, 400, "replicas", "must be from 1 to 100000"},
		"more than the safety cap":            {"POST", scale, `{"replicas":61,"reason":"abc"}`, 400, "replicas", "must be from 1 to 60, the service's safety cap"},
		"a hold of a day and more":            {"POST", scale, `{"replicas":5,"reason":"abc","holdMinutes":1441}`, 400, "holdMinutes", "must be from 1 to 1440"},
		"a reason that says nothing":          {"POST", scale, `{"replicas":5,"reason":"x"}`, 400, "reason", "must have 3 to 500 characters"},
		"a reason that never ends":            {"POST", scale, `{"replicas":5,"reason":"` + strings.Repeat("x", 501) + `"}`, 400, "reason", "must have 3 to 500 characters"},
		"no reason":                           {"POST", scale, `{"replicas":5}`, 400, "reason", "is required"},
		"a field in other case":               {"POST", scale, `{"Replicas":5,"reason":"abc"}`, 400, "replicas", "is required"},
		"a field twice":                       {"POST", scale, `{"replicas":5,"replicas":50,"reason":"abc"}`, 400, "replicas", "must stand once"},
		"null":                                {"POST", scale, `{"replicas":null,"reason":"abc"}`, 400, "replicas", "must be a whole number"},
		"deep":                                {"POST", scale, strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20), 400, strings.Repeat("a.", 15) + "a", "nested at most 16 deep"},
		"256 KiB":                             {"POST", scale, `{"reason":"` + strings.Repeat("x", 256<<10) + `"}`, 413, "body", "at most 262144 bytes"},
		"a nested unknown field":              {"PUT", base + "/services/api", strings.Replace(samples(t)["PUT /services/:service"].body, `"upStep":4`, `"upStep":4,"upStap":5`, 1), 400, "policy.upStap", "is not a known field"},
		"a nested bound":                      {"PUT", base + "/services/api", strings.Replace(samples(t)["PUT /services/:service"].body, `"upStep":4`, `"upStep":0`, 1), 400, "policy.upStep", "must be from 1 to 10000"},
		"a maximum below the minimum":         {"PUT", base + "/services/api", strings.Replace(samples(t)["PUT /services/:service"].body, `"maxReplicas":30`, `"maxReplicas":1`, 1), 400, "maxReplicas", "must be from 2"},
		"another service's entry":             {"PUT", base + "/services/auth", samples(t)["PUT /services/:service"].body, 400, "name", "must be the service of the path"},
		"a pause into the past":               {"POST", base + "/services/api/pause", `{"reason":"abc","until":"2027-06-12T11:00:00Z"}`, 400, "until", "must be in the future"},
		"an override that is over":            {"POST", base + "/services/api/override", `{"kind":"freeze","until":"2027-06-12T12:00:00Z","reason":"abc"}`, 400, "until", "must be after from"},
		"a freeze with replicas":              {"POST", base + "/services/api/override", `{"kind":"freeze","replicas":4,"until":"` + later + `","reason":"abc"}`, 400, "replicas", "must be absent or 0"},
		"a claim that is over":                {"POST", base + "/reservations", claim(`"kind":"no_in","from":"2027-06-01T00:00:00Z","until":"2027-06-02T00:00:00Z"`), 400, "until", "must be in the future"},
		"a claim of two years":                {"POST", base + "/reservations", claim(`"kind":"no_in","until":"2029-06-12T12:00:00Z"`), 400, "until", "at most 366 days"},
		"an unknown kind":                     {"POST", base + "/reservations", claim(`"kind":"wish","until":"` + later + `"`), 400, "kind", "must be one of floor, cap, freeze, no_in, emergency"},
		"a zone that is none":                 {"POST", base + "/weddings", swap("Europe/London", "Europe/Lodnon"), 400, "timeZone", "IANA"},
		"a zone of the machine":               {"POST", base + "/weddings", swap("Europe/London", "Local"), 400, "timeZone", "IANA"},
		"a zone as a path":                    {"POST", base + "/weddings", swap("Europe/London", "../../../etc/passwd"), 400, "timeZone", "IANA"},
		"an end before the start":             {"POST", base + "/weddings", swap("T20:00", "T10:00"), 400, "endsAt", "must be after startsAt"},
		"no guests":                           {"POST", base + "/weddings", swap(`"guests":10`, `"guests":0`), 400, "guests", "must be from 1 to 100000"},
		"a coordinator without kind":          {"POST", base + "/weddings", wed(`,"coordinator":"anna-x"`), 400, "coordinator", "must match"},
		"a name of the couple":                {"POST", base + "/weddings", wed(`,"bride":"Anna"`), 400, "bride", "is not a known field"},
		"another wedding's body":              {"PUT", base + "/weddings/" + another, mustJSON(t, newPlatform().weds[0]), 400, "id", "must be the wedding of the path"},
		"an autoscaler of nothing":            {"POST", base + "/workflows", `{"kind":"autoscale"}`, 400, "service", "is required for kind autoscale"},
		"a job of an autoscaler":              {"POST", base + "/workflows", `{"kind":"autoscale","service":"api","job":"reconcile"}`, 400, "job", "must be absent"},
		"maintenance of nothing":              {"POST", base + "/workflows", `{"kind":"maintenance"}`, 400, "job", "is required for kind maintenance"},
		"maintenance of a service":            {"POST", base + "/workflows", `{"kind":"maintenance","job":"reconcile","service":"api"}`, 400, "service", "must be absent"},
		"a scale-up by hand":                  {"POST", base + "/workflows", `{"kind":"scale_up"}`, 400, "kind", "must be one of autoscale, maintenance"},
		"an unknown signal":                   {"POST", base + "/workflows/x/signal", `{"signal":"operation_finished","payload":{}}`, 400, "signal", "must be one of spike, reservation_changed"},
		"a spike without load":                {"POST", base + "/workflows/x/signal", `{"signal":"spike","payload":{"service":"api","reason":"abc"}}`, 400, "payload.rps", "is required"},
		"a spike with more":                   {"POST", base + "/workflows/x/signal", `{"signal":"spike","payload":{"service":"api","rps":1,"reason":"abc","seenAt":"x"}}`, 400, "payload.seenAt", "is not a known field"},
		"a change of nothing":                 {"POST", base + "/workflows/x/signal", `{"signal":"reservation_changed","payload":{}}`, 400, "payload.reservationId", "is required"},
		"a yes without a reason":              {"POST", base + "/decisions/" + decision + "/approve", `{}`, 400, "reason", "is required"},
		"a yes that says nothing":             {"POST", base + "/decisions/" + decision + "/approve", `{"reason":"ok"}`, 400, "reason", "must have 3 to 500 characters"},
		"a no in somebody's name":             {"POST", base + "/decisions/" + decision + "/reject", `{"reason":"abc","actor":"user:anna"}`, 400, "actor", "is not a known field"},
		"a no that never ends":                {"POST", base + "/decisions/" + decision + "/reject", `{"reason":"` + strings.Repeat("x", 501) + `"}`, 400, "reason", "must have 3 to 500 characters"},
		"a yes to a path":                     {"POST", base + "/decisions/..%2Fx/approve", `{"reason":"abc"}`, 404, "id", "must match"},
		"too far ahead":                       {"POST", base + "/predictions", `{"timeHorizonHours":169}`, 400, "timeHorizonHours", "must be from 1 to 168"},
	} {
		t.Run(name, func(t *testing.T) {
			p.reset()
			rec := send(t, h, request{method: tc.method, path: tc.path, body: tc.body, as: "admin"})
			require.Equal(t, tc.code, rec.Code, rec.Body.String())
			pr := problemOf(t, rec)
			require.NotNil(t, pr.Errors, rec.Body.String())
			e := (*pr.Errors)[0]
			for _, x := range *pr.Errors {
				if x.Field == tc.field {
					e = x
				}
			}
			assert.Equal(t, tc.field, e.Field)
			assert.Contains(t, e.Rule, tc.rule)
			assert.Equal(t, models.AuditAllow, p.entries()[0].Decision)
			for _, port := range []string{"UpdateService", "RequestScale", "Control", "CreateReservation", "CreateWedding", "UpdateWedding", "StartWorkflow", "SignalWorkflow", "Predict", "Approve", "Reject"} {
				assert.False(t, p.called(port), "%s was called", port)
			}
		})
	}
}

func TestAllFaultsOfABodyAreNamedAtOnce(t *testing.T) {
	rec := send(t, newPlatform().handler(t), request{method: "POST", path: base + "/services/api/scale", body: `{"replicas":-1,"holdMinutes":0,"x":1}`, as: "admin"})
	pr := problemOf(t, rec)
	var fields []string
	for _, e := range *pr.Errors {
		fields = append(fields, e.Field)
	}
	assert.ElementsMatch(t, []string{"reason", "replicas", "holdMinutes", "x"}, fields)
}

func TestContentTypesMethodsAndPathsThatAreNotOurs(t *testing.T) {
	h := newPlatform().handler(t)
	scale := request{method: "POST", path: base + "/services/api/scale", body: `{"replicas":5,"reason":"abc"}`, as: "admin"}
	for kind, want := range map[string]int{
		"application/json": 202, "application/json; charset=utf-8": 202, "application/json; charset=latin1": 415,
		"text/plain": 415, "": 415, "application/x-www-form-urlencoded": 415, "application/json;;;": 415,
	} {
		scale.header = http.Header{"Content-Type": {kind}}
		assert.Equal(t, want, send(t, h, scale).Code, kind)
	}
	scale.header = http.Header{"Content-Encoding": {"gzip"}}
	assert.Equal(t, 415, send(t, h, scale).Code, "only metrics may be compressed")

	rec := send(t, h, request{method: "DELETE", path: base + "/services/api"})
	require.Equal(t, 405, rec.Code)
	assert.ElementsMatch(t, []string{"GET", "PUT"}, strings.Split(rec.Header().Get("Allow"), ", "))
	problemOf(t, rec)
	for _, m := range []string{"HEAD", "OPTIONS", "TRACE", "PATCH", "BREW"} {
		rec := send(t, h, request{method: m, path: base + "/services", as: "admin"})
		assert.Equal(t, 405, rec.Code, m)
		assert.Empty(t, rec.Header().Get("Access-Control-Allow-Origin"))
	}
	for _, path := range []string{base + "/nothing", base + "/services/", base + "//services", base + "/%73ervices", "/api", "/api/docs/../openapi.yaml", "/wp-login.php"} {
		rec := send(t, h, request{path: path, as: "admin"})
		assert.Equal(t, 404, rec.Code, path)
		problemOf(t, rec)
	}
}

func TestEveryAnswerCarriesItsHeadersAndARequestID(t *testing.T) {
	h := newPlatform().handler(t, func(c *Config) { c.SiteURL = "https://wedsync.example" })
	for _, path := range []string{base + "/health", base + "/services", base + "/nothing", "/dashboard/scalability", "/api/docs"} {
		rec := send(t, h, request{path: path, as: "admin", header: http.Header{"X-Request-Id": {"abc-1"}}})
		head := rec.Header()
		assert.Equal(t, "abc-1", head.Get("X-Request-Id"), path)
		assert.Equal(t, "nosniff", head.Get("X-Content-Type-Options"), path)
		assert.Equal(t, "DENY", head.Get("X-Frame-Options"), path)
		assert.Contains(t, head.Get("Content-Security-Policy"), "default-src 'none'", path)
		assert.NotContains(t, head.Get("Content-Security-Policy"), "script-src 'unsafe", path)
		assert.NotEmpty(t, head.Get("Strict-Transport-Security"), path)
		assert.Empty(t, head.Get("Server"), path)
	}
	assert.Equal(t, "no-store", send(t, h, request{path: base + "/services", as: "admin"}).Header().Get("Cache-Control"))
	for _, bad := range []string{"", "a b", strings.Repeat("a", 65), "x\r\ny", "<script>"} {
		id := send(t, h, request{path: base + "/health", header: http.Header{"X-Request-Id": {bad}}}).Header().Get("X-Request-Id")
		assert.NotEqual(t, bad, id)
		assert.Len(t, id, 36)
	}
}

func TestAPanicIsAnAnswerWithoutDetail(t *testing.T) {
	p := newPlatform()
	h := p.handler(t, func(c *Config) { c.Catalogue = panicking{p} })
	rec := send(t, h, request{path: base + "/services", as: "viewer"})
	require.Equal(t, 500, rec.Code)
	problemOf(t, rec)
	assert.NotContains(t, rec.Body.String(), "secret")
}

type panicking struct{ *platform }

func (panicking) Services(context.Context) ([]models.Service, error) { panic("secret") }

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{}`, `[1,2.5e-3,"a\u00e9",true,null]`, `{"a":{"a":[]}}`, `"\ud800"`, `{"a":1,"a":2}`, "[1] x", `-`, `1.`, "\"\x00\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := parse(data)
		if err != nil {
			assert.Equal(t, models.KindInvalid, models.KindOf(err))
			return
		}
		require.True(t, json.Valid(data), "we take nothing that encoding/json does not: %q", data)
		var want any
		require.NoError(t, json.Unmarshal(data, &want))
		assert.Equal(t, want, plainly(v))
	})
}

// plainly turns a tree into what encoding/json makes.
func plainly(v any) any {
	switch v := v.(type) {
	case number:
		return v.value
	case list:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = plainly(e)
		}
		return out
	case object:
		out := map[string]any{}
		for k, e := range v {
			out[k] = plainly(e)
		}
		return out
	default:
		return v
	}
}

func FuzzDecodeSamples(f *testing.F) {
	f.Add([]byte(batch(good)))
	f.Add([]byte(`{"samples":[{"value":1e999}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := decodeSamples(data)
		if err != nil {
			return
		}
		var want struct{ Samples []models.Sample }
		require.NoError(t, json.Unmarshal(data, &want))
		require.Len(t, got, len(want.Samples))
		for i, s := range got {
			assert.True(t, want.Samples[i].Timestamp.Equal(s.Timestamp))
			want.Samples[i].Timestamp = s.Timestamp
			assert.Equal(t, want.Samples[i], s)
			assert.False(t, math.IsNaN(s.Value) || math.IsInf(s.Value, 0))
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add(formatCursor(models.Cursor{At: noon, ID: decision}))
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCursor(&text)
		if err != nil {
			assert.Equal(t, models.KindInvalid, models.KindOf(err))
			return
		}
		assert.Equal(t, text, formatCursor(*c), "one position has one text")
	})
}

func TestAPageOfTheTrailMayEndWithTheOutcomeOfACommand(t *testing.T) {
	text := formatCursor(models.Cursor{At: noon, ID: decision + "/outcome"})
	rec := send(t, newPlatform().handler(t), request{path: base + "/audit?cursor=" + text, as: "admin"})
	assert.Equal(t, http.StatusOK, rec.Code, rec.Body.String())
}

func TestACursorComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := models.Cursor{
			At: time.UnixMicro(rapid.Int64Range(0, 4e15).Draw(t, "at")).UTC(),
			ID: rapid.StringMatching(`[0-9A-Za-z][0-9A-Za-z._:/-]{0,63}`).Draw(t, "id"),
		}
		text := formatCursor(want)
		got, err := parseCursor(&text)
		require.NoError(t, err)
		assert.Equal(t, want, *got)
	})
}

func BenchmarkDecodeSamples(b *testing.B) {
	body := []byte(batch(strings.Split(strings.Repeat(good+"|", 999)+good, "|")...))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := decodeSamples(body); err != nil {
			b.Fatal(err)
		}
	}
}
