package ingest

import "github.com/wedsync/scalability/models"

const (
	spoolRows = 100_000 // more than four hours of all services and metrics
	chunkRows = 1_000   // of one write
)

// spool keeps closed rollups until the sink has them, oldest first, up to a limit.
// Only the rollup loop changes it; its owner locks it.
type spool struct {
	limit   int
	rows    []models.MetricRollup
	samples int64 // in rows
	dropped int64 // samples of rows that had to make room
	full    bool  // rows had to make room since it was last empty
}

// push appends rows; the oldest make room. overflows says that this begins now.
func (s *spool) push(rows []models.MetricRollup) (overflows bool) {
	s.rows = append(s.rows, rows...)
	s.samples += samplesIn(rows)
	over := len(s.rows) - s.limit
	if over <= 0 {
		return false
	}
	s.dropped += s.take(over)
	overflows, s.full = !s.full, true
	return overflows
}

// next gives the oldest rows, at most n of them.
func (s *spool) next(n int) []models.MetricRollup {
	return s.rows[:min(n, len(s.rows)):min(n, len(s.rows))]
}

// take removes the oldest n rows and gives how many samples they hold.
func (s *spool) take(n int) int64 {
	gone := samplesIn(s.rows[:n])
	s.samples -= gone
	s.rows = s.rows[n:]
	if len(s.rows) == 0 {
		s.rows = nil // lets go of the memory of an outage
		s.full = false
	}
	return gone
}

func samplesIn(rows []models.MetricRollup) int64 {
	n := int64(0)
	for i := range rows {
		n += rows[i].SampleCount
	}
	return n
}
