//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

// A wedding in twenty hours: its day goes through the check-list, and what it reserves does
// not count yet, so that no other test meets it.
func TestAWeddingDayOutlivesItsWorkerAtEachOfItsSteps(t *testing.T) {
	s := shared
	start := time.Now().UTC().Add(20 * time.Hour).Truncate(time.Second)
	wedding := map[string]any{
		"reference": "e2e-" + start.Format(time.RFC3339), "timeZone": "UTC", "startsAt": start, "endsAt": start.Add(8 * time.Hour),
		"guests": 150, "region": "e2e", "status": "confirmed", "coordinator": "user:coordinator",
	}
	var booked models.Wedding
	status, body := s.call(t, "admin", http.MethodPost, "/api/scalability/weddings", wedding, &booked)
	require.Equal(t, 201, status, body)
	s.kill(t, "worker") // while the day starts
	path := "/api/scalability/wedding-days/" + booked.WeddingDate
	day := s.day(t, path, "the floors are reserved", func(d models.WeddingDay) bool { return len(d.Floors) > 0 && len(d.Checks) > 0 })
	assert.Equal(t, models.WeddingDayChecklist, day.Phase)
	assert.True(t, day.StrictAt(start), "strict thresholds hold then")
	full := peakOf(day)

	booked.Guests = 300
	status, body = s.call(t, "admin", http.MethodPut, "/api/scalability/weddings/"+booked.ID, booked, &booked)
	require.Equal(t, 200, status, body)
	s.kill(t, "worker") // while the floors are made anew
	s.day(t, path, "twice the guests have a larger floor", func(d models.WeddingDay) bool { return peakOf(d) > full })

	s.kill(t, "worker") // while a person asks
	until := start.Add(10 * time.Hour)
	eventually(t, time.Minute, "the coordinator extends the own wedding", func() bool {
		status, _, err := s.try(t.Context(), "coordinator", http.MethodPost, "/api/scalability/weddings/"+booked.ID+"/extend", map[string]any{"until": until, "reason": "the band plays on"})
		return err == nil && status == 200
	})
	s.day(t, path, "the window is longer", func(d models.WeddingDay) bool { return d.StrictAt(until) })

	require.Equal(t, 202, first(s.call(t, "admin", http.MethodPost, path+"/cancel", map[string]any{"reason": "the test is over"}, nil)))
	s.kill(t, "worker") // while it releases
	day = s.day(t, path, "it is over", func(d models.WeddingDay) bool { return d.Phase == models.WeddingDayDone })
	require.NotNil(t, day.Report)
	assert.Equal(t, "cancelled", day.Report.Outcome)
	left := s.count(t, fmt.Sprintf("SELECT count(*) FROM reservations WHERE holder = 'wedding-day/%s' AND ended_at IS NULL AND ends_at > now()", booked.WeddingDate))
	assert.Zero(t, left, "nothing stays reserved")
	booked.Status = models.WeddingCancelled
	_, _ = s.call(t, "admin", http.MethodPut, "/api/scalability/weddings/"+booked.ID, booked, nil)
}

func first(status int, _ string) int { return status }

func peakOf(d models.WeddingDay) (n int) {
	for _, f := range d.Floors {
		if f.Service == models.ServiceAPI {
			n = max(n, f.Replicas)
		}
	}
	return n
}

// day waits until a day is as it should be.
func (s *stack) day(t *testing.T, path, what string, is func(models.WeddingDay) bool) (d models.WeddingDay) {
	t.Helper()
	eventually(t, 90*time.Second, what, func() bool {
		d = models.WeddingDay{}
		status, _ := s.call(t, "admin", http.MethodGet, path, nil, &d)
		return status == 200 && is(d)
	})
	return d
}
