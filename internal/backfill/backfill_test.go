package backfill_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/backfill"
	"github.com/wedsync/scalability/models"
)

var now = time.Date(2027, 6, 12, 12, 20, 0, 0, time.UTC)

func TestLinesAreJoinedToHours(t *testing.T) {
	hour := time.Date(2027, 6, 12, 10, 0, 0, 0, time.UTC)
	for name, text := range map[string]string{
		"with a header":        "host,rps,timestamp\na,10,2027-06-12T10:00:00Z\na,20,2027-06-12T11:30:00+01:00\na,7,2027-06-12T08:59:59Z\n",
		"without a header":     "2027-06-12T10:00:00Z,10\n2027-06-12T10:30:00Z,20\n2027-06-12T08:59:59Z, 7\n",
		"in seconds":           fmt.Sprintf("timestamp,rps\n%d,10\n%d,20\n%d,7", hour.Unix(), hour.Unix()+1800, hour.Unix()-3601),
		"in another order":     "2027-06-12T08:59:59Z,7\n2027-06-12T10:30:00Z,20\n2027-06-12T10:00:00Z,10\n",
		"with a mark of order": "\ufefftimestamp,rps\n2027-06-12T10:00:00Z,10\n2027-06-12T10:30:00Z,20\n2027-06-12T08:59:59Z,7\n",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := backfill.CSV(strings.NewReader(text), now)
			require.NoError(t, err)
			assert.Equal(t, []models.HourlyLoad{{Hour: hour.Add(-2 * time.Hour), MeanRPS: 7, Samples: 1}, {Hour: hour, MeanRPS: 15, Samples: 2}}, got)
		})
	}
}

func TestABadLineIsNamed(t *testing.T) {
	for _, c := range []struct{ name, text, field, value string }{
		{"no number", "timestamp,rps\n2027-06-12T10:00:00Z,1\n2027-06-12T10:00:00Z,many", "line 3, rps", "many"},
		{"below nothing", "2027-06-12T10:00:00Z,-1", "line 1, rps", "-1"},
		{"NaN", "2027-06-12T10:00:00Z,NaN", "line 1, rps", "NaN"},
		{"infinite", "2027-06-12T10:00:00Z,+Inf", "line 1, rps", "+Inf"},
		{"no time", "timestamp,rps\nyesterday,1", "line 2, timestamp", "yesterday"},
		{"no offset", "2027-06-12T10:00:00,1", "line 1, timestamp", "2027-06-12T10:00:00"},
		{"in the future", "2027-06-12T13:00:00Z,1", "line 1, timestamp", "2027-06-12T13:00:00Z"},
		{"a short line", "timestamp,host,rps\n2027-06-12T10:00:00Z,a", "line 2", ""},
		{"a column is missing", "timestamp,load\n2027-06-12T10:00:00Z,1", "line 1", "timestamp,load"},
		{"no CSV", "2027-06-12T10:00:00Z,\"1", "line 1", ""},
		{"nothing", "timestamp,rps\n", "file", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := backfill.CSV(strings.NewReader(c.text), now)
			var e *models.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, models.KindInvalid, e.Kind)
			assert.Contains(t, e.Field, c.field)
			if c.value != "" {
				assert.Equal(t, c.value, e.Value)
			}
		})
	}
}

func FuzzCSV(f *testing.F) {
	f.Add("timestamp,rps\n2027-06-12T10:00:00Z,1\n")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := backfill.CSV(strings.NewReader(text), now)
		for _, h := range got {
			if err != nil || h.MeanRPS < 0 || h.Samples < 1 || h.Hour.After(now) {
				t.Fatal(h, err)
			}
		}
	})
}

// server speaks query_range; it gives one point a step, and value for each.
func server(t *testing.T, series int, value string) (url string, asked *int) {
	t.Helper()
	asked = new(int)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked++
		if r.URL.Path != "/api/v1/query_range" || r.ParseForm() != nil || r.Form.Get("query") != "sum(rate(x[5m]))" {
			http.Error(w, `{"status":"error","errorType":"bad_data","error":"what?"}`, http.StatusBadRequest)
			return
		}
		from, _ := strconv.ParseFloat(r.Form.Get("start"), 64)
		until, _ := strconv.ParseFloat(r.Form.Get("end"), 64)
		step, _ := strconv.ParseFloat(r.Form.Get("step"), 64)
		var values [][2]any
		for at := from; at <= until; at += step {
			values = append(values, [2]any{at, value})
		}
		var result []any
		for i := range series {
			result = append(result, map[string]any{"metric": map[string]string{"i": strconv.Itoa(i)}, "values": values})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": "matrix", "result": result}})
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

func TestAServerIsAskedTwoWeeksAtATime(t *testing.T) {
	url, asked := server(t, 1, "12.5")
	steps := []int{}
	from := time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC)
	q := backfill.Query{URL: url, Query: "sum(rate(x[5m]))", From: from, Until: from.Add(30 * 24 * time.Hour), Progress: func(done, total int) {
		assert.Equal(t, 3, total)
		steps = append(steps, done)
	}}
	got, err := backfill.Prometheus(t.Context(), q)
	require.NoError(t, err)
	require.Len(t, got, 30*24)
	for i, h := range got {
		assert.Equal(t, models.HourlyLoad{Hour: from.Add(time.Duration(i) * time.Hour), MeanRPS: 12.5, Samples: 12}, h)
	}
	assert.Equal(t, []int{1, 2, 3}, steps)
	assert.Equal(t, 3, *asked)
}

func TestWhatAServerSaysIsChecked(t *testing.T) {
	from := time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC)
	ask := func(url, query string, until time.Time) error {
		_, err := backfill.Prometheus(t.Context(), backfill.Query{URL: url, Query: query, From: from, Until: until})
		return err
	}
	const query = "sum(rate(x[5m]))"
	until := from.Add(time.Hour)
	bad, _ := server(t, 1, "NaN")
	require.ErrorContains(t, ask(bad, query, until), "value at 2027-04-01T00:00:00Z")
	two, _ := server(t, 2, "1")
	require.ErrorContains(t, ask(two, query, until), "must give one series")
	none, _ := server(t, 0, "1")
	require.ErrorContains(t, ask(none, query, until), "gives nothing")
	require.ErrorContains(t, ask(none, "x", until), "what?")
	require.ErrorContains(t, ask(none, query, from), "must be after from")
	require.Error(t, ask("http://127.0.0.1:1", query, until))
}
