package telemetry

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wedsync/scalability/models"
)

// other stands for a label value outside the known ones.
const other = "other"

// APIMetrics counts and times the API's requests.
type APIMetrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

// NewAPIMetrics registers the API's metrics; registering twice panics.
func NewAPIMetrics(r prometheus.Registerer) *APIMetrics {
	m := &APIMetrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wedsync_api_requests_total", Help: "Requests answered, by route template, method and status code.",
		}, []string{"route", "method", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "wedsync_api_request_duration_seconds", Help: "Time to answer a request.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route", "method"}),
	}
	r.MustRegister(m.requests, m.duration)
	return m
}

// Observe counts one answered request. Route is the template ("/weddings/:id"), never
// the path, and empty where no route matched.
func (m *APIMetrics) Observe(route, method string, code int, took time.Duration) {
	if route == "" {
		route = "unmatched"
	}
	known := []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}
	if !slices.Contains(known, method) {
		method = other
	}
	m.requests.WithLabelValues(route, method, strconv.Itoa(code)).Inc()
	m.duration.WithLabelValues(route, method).Observe(took.Seconds())
}

// DecisionMetrics counts and times the autoscaler's evaluations.
type DecisionMetrics struct {
	decisions *prometheus.CounterVec
	duration  *prometheus.HistogramVec
}

// NewDecisionMetrics registers the metrics of decisions; registering twice panics.
func NewDecisionMetrics(r prometheus.Registerer) *DecisionMetrics {
	m := &DecisionMetrics{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wedsync_decisions_total", Help: "Evaluations, by service, class and direction (up, down or hold).",
		}, []string{"service", "class", "direction"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "wedsync_decision_duration_seconds", Help: "Time to decide, observation included.",
			Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"service"}),
	}
	r.MustRegister(m.decisions, m.duration)
	return m
}

// Decided counts one evaluation.
func (m *DecisionMetrics) Decided(s models.ServiceName, c models.Class, d models.Direction, took time.Duration) {
	direction := string(d)
	if d == models.DirectionHold {
		direction = "hold"
	}
	m.decisions.WithLabelValues(service(s), string(c), direction).Inc()
	m.duration.WithLabelValues(service(s)).Observe(took.Seconds())
}

// OperationMetrics counts and times the changes of capacity.
type OperationMetrics struct {
	operations *prometheus.CounterVec
	duration   *prometheus.HistogramVec
	response   *prometheus.HistogramVec
}

// NewOperationMetrics registers the metrics of operations; registering twice panics.
func NewOperationMetrics(r prometheus.Registerer) *OperationMetrics {
	m := &OperationMetrics{
		operations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wedsync_operations_total", Help: "Changes of capacity that ended, by service and outcome.",
		}, []string{"service", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "wedsync_operation_duration_seconds", Help: "Time from decision to outcome.",
			Buckets: []float64{1, 2.5, 5, 10, 30, 60, 120, 300, 600, 900, 1800},
		}, []string{"service"}),
		response: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "wedsync_scaling_response_seconds", Help: "Time from the first sample that shows a spike to the order of replicas.",
			Buckets: []float64{.25, .5, 1, 2, 3, 4, 5, 7.5, 10, 15, 30, 60},
		}, []string{"service"}),
	}
	r.MustRegister(m.operations, m.duration, m.response)
	return m
}

// Finished counts one change that ended with an outcome.
func (m *OperationMetrics) Finished(s models.ServiceName, o models.Outcome, took time.Duration) {
	outcome := string(o)
	if o == models.OutcomeOpen {
		outcome = "open"
	}
	m.operations.WithLabelValues(service(s), outcome).Inc()
	m.duration.WithLabelValues(service(s)).Observe(took.Seconds())
}

// Responded times one spike from its first sample to the order.
func (m *OperationMetrics) Responded(s models.ServiceName, took time.Duration) {
	m.response.WithLabelValues(service(s)).Observe(took.Seconds())
}

// service bounds the label to the nine services.
func service(s models.ServiceName) string {
	if slices.Contains(models.ServiceNames(), s) {
		return string(s)
	}
	return other
}
