package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wedsync/scalability/models"
)

// CalendarMetrics tell how old the calendar is.
type CalendarMetrics struct {
	age   *prometheus.GaugeVec
	alarm *prometheus.GaugeVec
}

// NewCalendarMetrics registers the metrics of the feeds; registering twice panics.
func NewCalendarMetrics(r prometheus.Registerer) *CalendarMetrics {
	m := &CalendarMetrics{
		age: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "wedsync_calendar_age_seconds", Help: "Time since a feed was read whole, by source.",
		}, []string{"source"}),
		alarm: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "wedsync_calendar_alarm", Help: "How worrying the age of a feed is: 0 fresh, 1 warning, 2 critical.",
		}, []string{"source"}),
	}
	r.MustRegister(m.age, m.alarm)
	return m
}

// Aged keeps the age of a feed.
func (m *CalendarMetrics) Aged(source string, age time.Duration, alarm models.CalendarAlarm) {
	m.age.WithLabelValues(source).Set(age.Seconds())
	m.alarm.WithLabelValues(source).Set(map[models.CalendarAlarm]float64{models.CalendarWarning: 1, models.CalendarCritical: 2}[alarm])
}
