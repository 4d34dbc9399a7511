package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wedsync/scalability/models"
)

// ForecastMetrics say how far the forecasts can be believed.
type ForecastMetrics struct {
	trusted, wape, coverage *prometheus.GaugeVec
}

// NewForecastMetrics registers the metrics of forecasts; registering twice panics.
func NewForecastMetrics(r prometheus.Registerer) *ForecastMetrics {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"service"})
	}
	m := &ForecastMetrics{
		trusted:  gauge("wedsync_forecast_trusted", "1 where decisions may be made on the forecasts, else 0."),
		wape:     gauge("wedsync_forecast_error_ratio", "Error of the forecasts of the next hour over the load, of the last seven days."),
		coverage: gauge("wedsync_forecast_coverage_ratio", "Share of the hours of the last seven days that stayed below their 95th percentile."),
	}
	r.MustRegister(m.trusted, m.wape, m.coverage)
	return m
}

// Judged keeps what is known of one service's forecasts.
func (m *ForecastMetrics) Judged(g models.ForecastGate) {
	trusted := 0.0
	if g.Trusted {
		trusted = 1
	}
	m.trusted.WithLabelValues(service(g.Service)).Set(trusted)
	for vec, v := range map[*prometheus.GaugeVec]*float64{m.wape: g.WAPE7Days, m.coverage: g.Coverage95} {
		if v == nil {
			vec.DeleteLabelValues(service(g.Service))
		} else {
			vec.WithLabelValues(service(g.Service)).Set(*v)
		}
	}
}
