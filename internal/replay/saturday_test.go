package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func saturday(factor float64) Saturday {
	return Saturday{Lens: models.TimeLens{Origin: time.Now().UTC(), Factor: factor}, Seed: 1}
}

func TestTheBasisOfASaturdayCoversWhatItsGuestsBring(t *testing.T) {
	s := saturday(120)
	b := s.Basis()
	require.Len(t, b.Kernel.P90, 48)
	for h := -2.0; h < 6; h += 0.05 {
		step := int((h + 2) * 6)
		assert.GreaterOrEqual(t, b.Kernel.P90[step]+1e-9, saturdayCourse(h), "%.2f h", h)
		assert.LessOrEqual(t, b.Kernel.P50[step], b.Kernel.P90[step])
	}
	for at := time.Duration(0); at < saturdayLength; at += 7 * time.Minute {
		assert.GreaterOrEqual(t, b.At(s.Lens.Origin.Add(at)), 0.97*s.base(at), "the load without guests at %s", clockOf(at))
	}
	assert.InDelta(t, 0, saturdayCourse(6), 0, "the last have gone")
	assert.Greater(t, s.intensity(5*time.Hour), 5*s.intensity(0))
}

func TestASecondStandsForMinutesOfTheDay(t *testing.T) {
	ms := func(v float64) *float64 { return &v }
	r := SaturdayResult{Speed: 120, Weddings: saturday(120).Weddings(), Samples: []SaturdaySample{
		{At: 0, Sides: [2]SideSample{{Ready: 2, Spec: 2, P95MS: ms(50)}, {Ready: 2, Spec: 2, P95MS: ms(50)}}},
		{At: time.Hour, Floor: 9, Sides: [2]SideSample{{Ready: 9, Spec: 9, P95MS: ms(60)}, {Ready: 2, Spec: 3, P95MS: ms(2500), ErrorRate: ms(0.2)}}},
		{At: 2 * time.Hour, Floor: 9, Sides: [2]SideSample{{Ready: 9, Spec: 9}, {Ready: 3, Spec: 8, ErrorRate: ms(0.02)}}},
	}, Day: models.WeddingDay{Report: &models.DayReport{Text: "promised and used"}}}
	s := r.Summary()
	assert.Equal(t, 0, s.Sides[0].ViolationMinutes)
	assert.Equal(t, 4, s.Sides[1].ViolationMinutes, "two seconds")
	assert.Equal(t, 9, s.Sides[0].PeakReplicas)
	assert.InDelta(t, 20.0/30, s.Sides[0].ReplicaHours, 1e-9)
	assert.Equal(t, time.Hour, s.FloorStood)
	assert.Equal(t, time.Hour, s.FirstGuests)
	var text, page bytes.Buffer
	r.Print(&text)
	assert.Contains(t, text.String(), "promised and used")
	assert.Contains(t, text.String(), "The first floor stood at 12:00; the first guests look up the way at 12:00.")
	require.NoError(t, r.HTML(&page))
	assert.Contains(t, page.String(), "</html>")
	assert.NotContains(t, page.String(), "NaN")
	assert.NotContains(t, page.String(), "http", "it loads nothing from elsewhere")
}

func TestASaturdayIsPlayedAndItsReportAwaited(t *testing.T) {
	var mu sync.Mutex
	booked, offered := 0, 0
	fleet := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasPrefix(r.URL.Path, "/load/") {
			offered++
		}
		_, _ = w.Write([]byte(`{"spec":5,"ready":5,"stats":{"values":{"response_time_p95":70,"error_rate":0}}}`))
	}))
	defer fleet.Close()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodPost {
			booked++
			_ = json.NewEncoder(w).Encode(models.Wedding{WeddingDate: "2027-06-12"})
			return
		}
		_ = json.NewEncoder(w).Encode(models.WeddingDay{Date: "2027-06-12", Report: &models.DayReport{Outcome: "completed"}})
	}))
	defer api.Close()
	started := ""
	r, err := saturday(25000).Play(t.Context(), SaturdayOptions{
		FleetURL: fleet.URL, APIURL: api.URL, Start: func(_ context.Context, date string) error { started = date; return nil },
	})
	require.NoError(t, err)
	assert.Equal(t, "2027-06-12", started)
	assert.Equal(t, 3, booked)
	assert.Greater(t, offered, 3)
	assert.NotEmpty(t, r.Samples)
	assert.Equal(t, 5, r.Samples[0].Sides[1].Ready)
	assert.Equal(t, "completed", r.Day.Report.Outcome)
}
