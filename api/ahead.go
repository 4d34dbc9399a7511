package api

import (
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/models"
)

// Bounds on what is asked for at once.
const (
	mostDays  = 400
	mostHours = 8 * 24 * time.Hour
	mostSteps = 5000
)

// aheadRoutes are the routes of what is drawn: days, hours and steps.
func aheadRoutes() []route {
	at := func(path string) route {
		return route{method: http.MethodGet, path: base + path, permission: models.PermissionRead}
	}
	return []route{at("/predictions/days"), at("/predictions/hours"), at("/services/:service/timeline")}
}

// span checks the ends of a time.
func span(from, until time.Time, most time.Duration) error {
	if !until.After(from) || until.Sub(from) > most {
		return models.Invalid("until", until.Format(time.RFC3339), fmt.Sprintf("must be after from, by at most %g days", most.Hours()/24))
	}
	return nil
}

// GetPredictedDays forecasts the highest hour of each day.
func (s *server) GetPredictedDays(c *gin.Context, p gen.GetPredictedDaysParams) {
	service := valueOr(p.Service, models.ServiceAPI)
	if err := span(p.From, p.Until, mostDays*24*time.Hour); err != nil {
		s.fail(c, err)
		return
	}
	days, err := s.Ahead.Days(c.Request.Context(), service, p.From, p.Until)
	s.reply(c, http.StatusOK, gen.PredictedDays{Service: service, Items: days}, err)
}

// GetPredictedHours forecasts the hours of some days. Which wedding brings what is left
// out: not everybody may see every wedding.
func (s *server) GetPredictedHours(c *gin.Context, p gen.GetPredictedHoursParams) {
	service := valueOr(p.Service, models.ServiceAPI)
	if err := span(p.From, p.Until, mostHours); err != nil {
		s.fail(c, err)
		return
	}
	hours, err := s.Ahead.Hours(c.Request.Context(), service, p.From, p.Until)
	for i := range hours {
		hours[i].Weddings = nil
	}
	s.reply(c, http.StatusOK, gen.PredictedHours{Service: service, Items: hours}, err)
}

// GetTimeline gives what was measured and what there was.
func (s *server) GetTimeline(c *gin.Context, service gen.ServicePath, p gen.GetTimelineParams) {
	step := time.Duration(valueOr(p.StepSeconds, 300)) * time.Second
	err := span(p.From, p.Until, mostHours)
	if err == nil && p.Until.Sub(p.From) > mostSteps*step {
		err = models.Invalid("stepSeconds", int(step.Seconds()), fmt.Sprintf("must give at most %d steps", mostSteps))
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	points, err := s.Evaluations.Timeline(c.Request.Context(), service, p.From, p.Until, step)
	s.reply(c, http.StatusOK, gen.Timeline{Service: service, StepSeconds: int(step.Seconds()), Items: points}, err)
}
