package hotstore

import (
	"time"

	"github.com/wedsync/scalability/models"
)

// second is what all sources saw of one metric in one second.
type second struct {
	count int64
	sum   float64
}

// series is the recent past of one metric; the index is the age in whole seconds, 0 the
// second that is still running.
type series [historySeconds + 1]second

// add merges the cell of one source into its second.
func (s *series) add(age int, count int64, sum float64) {
	s[age].count += count
	s[age].sum += sum
}

// signal summarises:
//
//	value of a second  = mean of all its samples, of all sources: several replicas of a
//	                     reporter each say the load of the whole service, so they agree
//	                     or differ, and never add up
//	mean over w s      = mean of the values of the seconds that touch (now − w, now], which
//	                     are w and the running one; each second has the same weight
//	age                = now − end of the newest second with a sample, not below 0
//	completeness       = seconds with a sample in the last 60 ÷ 60, not above 1
//
// Units are those of the metric, times in seconds.
func (s *series) signal(metric models.MetricName, now time.Time) models.Signal {
	out := models.Signal{
		Metric: metric,
		Avg2:   s.mean(2), Avg6: s.mean(6), Avg60: s.mean(60), Avg300: s.mean(historySeconds),
		Max60: s.max(60),
	}
	for age, sec := range s {
		if sec.count > 0 {
			end := now.Unix() - int64(age) + 1
			out.AgeSeconds = max(0, now.Sub(time.Unix(end, 0)).Seconds())
			break
		}
	}
	present := 0
	s.each(60, func(float64) { present++ })
	out.Completeness = min(1, float64(present)/60)
	return out
}

// each calls with the value of every second of a window that has a sample.
func (s *series) each(window int, use func(value float64)) {
	for _, sec := range s[:window+1] {
		if sec.count > 0 {
			use(sec.sum / float64(sec.count))
		}
	}
}

func (s *series) mean(window int) *float64 {
	sum, n := 0.0, 0
	s.each(window, func(v float64) { sum, n = sum+v, n+1 })
	if n == 0 {
		return nil
	}
	mean := sum / float64(n)
	return &mean
}

func (s *series) max(window int) *float64 {
	var largest *float64
	s.each(window, func(v float64) {
		if largest == nil || v > *largest {
			largest = &v
		}
	})
	return largest
}
