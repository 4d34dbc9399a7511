package activities

import (
	"context"
	"time"

	"github.com/wedsync/scalability/models"
)

// Catalogue reads the services that are scaled.
type Catalogue interface {
	Service(ctx context.Context, name models.ServiceName) (models.Service, error)
	Services(ctx context.Context) ([]models.Service, error)
}

// SignalReader reads the recent seconds of a service's metrics.
type SignalReader interface {
	Signals(ctx context.Context, service models.ServiceName, now time.Time) ([]models.Signal, error)
}

// Forecaster gives the largest demand expected in [now, now+within]; nil when it has
// nothing to say.
type Forecaster interface {
	Forecast(ctx context.Context, service models.Service, now time.Time, within time.Duration) (*models.ForecastPoint, error)
}

// LearnedReader gives what a service's own record says of it; zero where that is too short.
type LearnedReader interface {
	Learned(ctx context.Context, service models.ServiceName, now time.Time) (models.Learned, error)
}

// CalendarReader gives the guests that are expected around a time, and what load one of
// them is to a service; nil when nothing is known of any. ReadAt is when the weddings were
// last read whole.
type CalendarReader interface {
	Calendar(ctx context.Context, service models.Service, now time.Time) (*models.Calendar, error)
}

// UsualReader gives the 95th percentile of the load at this hour of the week, nil where
// the history is too short.
type UsualReader interface {
	Usual(ctx context.Context, service models.ServiceName, at time.Time) (*float64, error)
}

// RollupReader reads the metrics at rest.
type RollupReader interface {
	// SignalsAtRest stands in for the hot store: signals of the last five minutes that say
	// of themselves that they are a copy.
	SignalsAtRest(ctx context.Context, service models.ServiceName, now time.Time) ([]models.Signal, error)
	// LargestMinute is the largest minute of throughput of the seven days before now, nil
	// where the record is too short to say what is impossible.
	LargestMinute(ctx context.Context, service models.ServiceName, now time.Time) (*float64, error)
}

// SpendingReader gives what a service has cost since the day and the month began.
type SpendingReader interface {
	Spent(ctx context.Context, service models.ServiceName, now time.Time) (models.Budget, error)
}

// Claims reads what people and plans ask of a service's capacity.
type Claims interface {
	ActiveReservations(ctx context.Context, service models.ServiceName, at time.Time) ([]models.Reservation, error)
	OpenRequests(ctx context.Context, service models.ServiceName) ([]models.DecisionRequest, error)
}

// Actuator reads and moves capacity.
type Actuator interface {
	Describe(ctx context.Context, service models.ServiceName) (models.ReplicaSet, error)
	Apply(ctx context.Context, req models.ApplyRequest) (models.ApplyResult, error)
}

// Measurer reads how capacity serves, and the ceilings it stands under.
type Measurer interface {
	Measure(ctx context.Context, req models.MeasureRequest) (models.Measurement, error)
	Limits(ctx context.Context, service models.Service) (models.Limits, error)
}

// DryRunner is an Actuator that can say whether it would take an order, and changes
// nothing. Not every one can.
type DryRunner interface {
	DryRun(ctx context.Context, req models.ApplyRequest) error
}

// DisturbanceReader is an Actuator that knows what was done to a service, and how many of
// its replicas the load balancer finds well. Not every one can.
type DisturbanceReader interface {
	Disturbance(ctx context.Context, service models.ServiceName) (models.Disturbance, error)
}

// Prober is a Measurer that can send synthetic requests to new replicas. Not every one
// can.
type Prober interface {
	Probe(ctx context.Context, req models.ProbeRequest) error
}

// DecisionWriter keeps decisions. RecordDecision is idempotent by ID: it inserts, or
// takes up a proposed row; a closed row is a conflict.
type DecisionWriter interface {
	RecordDecision(ctx context.Context, d models.Decision) error
	CloseDecision(ctx context.Context, r models.OutcomeReport) error
}

// DecisionReader reads decisions back.
type DecisionReader interface {
	Decision(ctx context.Context, id string) (models.Decision, error)
	// OpenDecisions lists decisions without an outcome that were made before a time.
	OpenDecisions(ctx context.Context, before time.Time) ([]models.Decision, error)
}

// StateWriter keeps the last evaluation of a service.
type StateWriter interface {
	SaveScalingState(ctx context.Context, s models.ScalingState) error
}

// EvaluationWriter keeps the last evaluation of a service and adds it to those before, both
// or neither. One of the same service and time is added once.
type EvaluationWriter interface {
	SaveEvaluation(ctx context.Context, s models.ScalingState, e models.Evaluation) error
}

// OperationFinder says whether a decision's operation workflow is open, closed or was
// never started.
type OperationFinder interface {
	FindOperation(ctx context.Context, workflowID string) (OperationState, error)
}

// OperationState is what Temporal knows of an operation workflow.
type OperationState string

// The states. The zero value claims nothing.
const (
	OperationUnknown OperationState = ""
	OperationMissing OperationState = "missing"
	OperationOpen    OperationState = "open"
	OperationClosed  OperationState = "closed"
)

// Partitions makes and drops the time partitions of the large tables; both return
// the names of the partitions they changed.
type Partitions interface {
	EnsurePartitions(ctx context.Context, now time.Time, daysAhead int) ([]string, error)
	DropPartitions(ctx context.Context, now time.Time, metricsDays, auditDays int) ([]string, error)
}

// HealthReader checks the five components now.
type HealthReader interface {
	Health(ctx context.Context, now time.Time) models.Health
}

// SnapshotWriter keeps health over time.
type SnapshotWriter interface {
	SaveHealthSnapshot(ctx context.Context, s models.HealthSnapshot) error
}

// WeddingPredictor refreshes the stored prediction of each coming wedding and gives
// how many were written.
type WeddingPredictor interface {
	RefreshWeddings(ctx context.Context, now time.Time) (int, error)
}

// Trail is the audit trail as its recurring duties see it.
type Trail interface {
	// Retire drops what is past retention, once it is sealed, and names it.
	Retire(ctx context.Context, days int) ([]string, error)
	// ReconcileIntents closes commands whose process ended before it heard the answer.
	ReconcileIntents(ctx context.Context) ([]string, error)
	// Verify says in a sentence what it found, and whether the trail is sound.
	Verify(ctx context.Context) (found string, sound bool, err error)
}

// ForecastKeeper learns from history, stores forecasts and scores them.
type ForecastKeeper interface {
	// Refit learns the whole history anew, and names the services that have enough of it.
	Refit(ctx context.Context, now time.Time) ([]models.ServiceName, error)
	// Update learns the last hour, and gives how many forecasts were stored.
	Update(ctx context.Context, now time.Time) (int, error)
	// Score gives how many forecasts were scored, since their hour has passed.
	Score(ctx context.Context, now time.Time) (int, error)
}

// Auditor keeps what the platform itself did to capacity.
type Auditor interface {
	Record(ctx context.Context, e models.AuditEntry) error
}

// FeedPoller reads the calendar feeds that are due and gives a line for each.
type FeedPoller interface {
	PollFeeds(ctx context.Context) ([]string, error)
}
