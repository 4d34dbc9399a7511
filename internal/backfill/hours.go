package backfill

import (
	"math"
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
)

// hours gathers values to means of hours.
type hours map[time.Time]*models.HourlyLoad

func (h hours) add(at time.Time, rps float64) {
	hour := at.UTC().Truncate(time.Hour)
	have, ok := h[hour]
	if !ok {
		have = &models.HourlyLoad{Hour: hour}
		h[hour] = have
	}
	have.Samples++
	have.MeanRPS += (rps - have.MeanRPS) / float64(have.Samples)
}

// list is in the order of time.
func (h hours) list() []models.HourlyLoad {
	out := make([]models.HourlyLoad, 0, len(h))
	for _, v := range h {
		out = append(out, *v)
	}
	slices.SortFunc(out, func(a, b models.HourlyLoad) int { return a.Hour.Compare(b.Hour) })
	return out
}

// load says whether a value is a load.
func load(v float64) bool { return v >= 0 && !math.IsInf(v, 0) }
