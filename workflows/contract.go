package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/verification"
)

// Workflow types. A type name is part of every recorded history: never rename one.
const (
	AutoscaleType   = "Autoscale"
	ScaleUpType     = "ScaleUp"
	ScaleDownType   = "ScaleDown"
	MaintenanceType = "Maintenance"
	WeddingDayType  = "WeddingDay"
)

// Signals of Autoscale.
const (
	SignalSpike              = "spike"               // models.Spike
	SignalReservationChanged = "reservation_changed" // ReservationChanged
	SignalOperationFinished  = "operation_finished"  // OperationFinished
	SignalSettings           = "settings"            // AutoscaleSettings
)

// Updates of Autoscale.
const (
	UpdatePause    = "pause"    // PauseRequest → ControlAnswer
	UpdateResume   = "resume"   // ResumeRequest → ControlAnswer
	UpdateOverride = "override" // OverrideRequest → ControlAnswer
)

// Signals of WeddingDay: the calendar has changed. Each is looked up there.
const (
	SignalWeddingAdded     = "wedding_added"     // WeddingChanged
	SignalWeddingMoved     = "wedding_moved"     // WeddingChanged; also other guests
	SignalWeddingCancelled = "wedding_cancelled" // WeddingChanged
)

// Updates of WeddingDay.
const (
	UpdateExtend     = "extend"      // ExtendRequest → models.WeddingDayAnswer
	UpdateEnd        = "end"         // EndRequest → models.WeddingDayAnswer
	UpdateRaiseFloor = "raise_floor" // RaiseRequest → models.WeddingDayAnswer
)

// SignalSupersede is the signal of ScaleUp and ScaleDown.
const SignalSupersede = "supersede" // Supersede

// Updates of ScaleUp and ScaleDown, while they wait for a person.
const (
	UpdateApprove = "approve" // ApprovalRequest → ApprovalAnswer
	UpdateReject  = "reject"  // ApprovalRequest → ApprovalAnswer
)

// Queries.
const (
	QueryState       = "state"       // AutoscaleState, OperationProgress, MaintenanceResult or WeddingDayState
	QueryExplanation = "explanation" // models.Explanation, the last of Autoscale
)

// SearchAttributeService is the service that a run is about. All search attributes are
// keywords.
func SearchAttributeService() temporal.SearchAttributeKeyKeyword {
	return temporal.NewSearchAttributeKeyKeyword("WedsyncService")
}

// SearchAttributeWeddingDate is the date of the wedding that a run is about, YYYY-MM-DD.
func SearchAttributeWeddingDate() temporal.SearchAttributeKeyKeyword {
	return temporal.NewSearchAttributeKeyKeyword("WedsyncWeddingDate")
}

// SearchAttributeSeverity is the severity of what a run is about.
func SearchAttributeSeverity() temporal.SearchAttributeKeyKeyword {
	return temporal.NewSearchAttributeKeyKeyword("WedsyncSeverity")
}

// SearchAttributeOutcome is the outcome of an operation, "open" while it runs.
func SearchAttributeOutcome() temporal.SearchAttributeKeyKeyword {
	return temporal.NewSearchAttributeKeyKeyword("WedsyncOutcome")
}

// MemoSentence is the memo field with the sentence that a person reads.
const MemoSentence = "sentence"

// AutoscaleID is the lock of a service's autoscaler.
func AutoscaleID(service models.ServiceName) string { return "autoscale/" + string(service) }

// OperationID is the lock of the change that carries out a decision.
func OperationID(service models.ServiceName, decisionID string) string {
	return "scale/" + string(service) + "/" + decisionID
}

// WeddingDayID is the lock of a wedding day: of a date, or of one of its regions.
func WeddingDayID(date, region string) string {
	if region == "" {
		return "wedding-day/" + date
	}
	return "wedding-day/" + date + "/" + region
}

// MaintenanceJob is one recurring duty.
type MaintenanceJob string

// The maintenance jobs.
const (
	JobPartitions    MaintenanceJob = "partitions"     // partitions ahead, retention behind
	JobSnapshots     MaintenanceJob = "snapshots"      // health over time
	JobReconcile     MaintenanceJob = "reconcile"      // decisions without an outcome
	JobPredictions   MaintenanceJob = "predictions"    // each coming wedding's forecast
	JobCalendarFeeds MaintenanceJob = "calendar_feeds" // weddings from feeds
	JobAuditVerify   MaintenanceJob = "audit_verify"   // is the audit trail as it was written?
	JobWeddingDays   MaintenanceJob = "wedding_days"   // the workflows of the dates ahead
	JobRefit         MaintenanceJob = "refit"          // models that learn the whole history anew
	JobForecasts     MaintenanceJob = "forecasts"      // models that learn the last hour, and forecasts to be judged
	JobAccuracy      MaintenanceJob = "accuracy"       // forecasts whose hour has passed
)

// MaintenanceJobs lists the jobs.
func MaintenanceJobs() []MaintenanceJob {
	return []MaintenanceJob{JobPartitions, JobSnapshots, JobReconcile, JobPredictions, JobCalendarFeeds, JobAuditVerify, JobWeddingDays, JobRefit, JobForecasts, JobAccuracy}
}

// MaintenanceID is the workflow ID of a job; Temporal Schedules append the time.
func MaintenanceID(job MaintenanceJob) string { return "maintenance/" + string(job) }

// ScheduleID is the ID of a job's Temporal Schedule.
func ScheduleID(job MaintenanceJob) string { return "schedule/maintenance/" + string(job) }

// AutoscaleInput starts or continues the autoscaler of one service.
type AutoscaleInput struct {
	Service         models.ServiceName `json:"service"`
	IntervalSeconds int                `json:"intervalSeconds"`
	ContinueEvery   int                `json:"continueEvery"` // iterations per run
	Shadow          bool               `json:"shadow"`        // decide and explain, change nothing
	KillSwitch      bool               `json:"killSwitch,omitempty"`
	ApprovalSeconds int                `json:"approvalSeconds,omitempty"` // how long a change waits for a person; 0: 15 min
	State           AutoscaleState     `json:"state"`                     // carried across continue-as-new
}

// AutoscaleSettings is how a running autoscaler is told what a worker was started with.
type AutoscaleSettings struct {
	IntervalSeconds int  `json:"intervalSeconds"`
	ContinueEvery   int  `json:"continueEvery"`
	Shadow          bool `json:"shadow"`
	KillSwitch      bool `json:"killSwitch,omitempty"`
	ApprovalSeconds int  `json:"approvalSeconds,omitempty"`
}

// Supersede ends an operation in favour of a later decision, keeping what it ordered.
type Supersede struct {
	ByDecisionID string `json:"byDecisionId"`
}

// ReservationChanged wakes the autoscaler because a claim was placed or released.
type ReservationChanged struct {
	ReservationID string `json:"reservationId"`
}

// OperationFinished tells the autoscaler how an operation ended.
type OperationFinished struct {
	DecisionID string         `json:"decisionId"`
	Outcome    models.Outcome `json:"outcome"`
	Spec       int            `json:"spec"`
	// Baseline is the spec before the operation, for the one that supersedes it.
	Baseline int `json:"baseline"`
	// BaselineReplicas are the replicas from before it, when it was superseded: they
	// stay the ones that new capacity is compared with.
	BaselineReplicas []string `json:"baselineReplicas,omitempty"`
	// Cause of a verdict other than keep.
	Cause verification.Cause `json:"cause,omitempty"`
	// Stuck says why neither the change nor its way back is done: nothing may be changed
	// until a person has looked.
	Stuck string `json:"stuck,omitempty"`
	// DeclinedBy is who refused the change, "nobody" when none answered in time.
	DeclinedBy string `json:"declinedBy,omitempty"`
}

// ApprovalRequest is a person's answer to a change that waits for one.
type ApprovalRequest struct {
	Actor  string `json:"actor"`
	Reason string `json:"reason"`
}

// ApprovalAnswer is what approve and reject answer in the call.
type ApprovalAnswer struct {
	DecisionID string                 `json:"decisionId"`
	Verdict    models.ApprovalVerdict `json:"verdict"`
	Text       string                 `json:"text"`
}

// PauseRequest stops changes of one service until it is resumed or Until passes.
type PauseRequest struct {
	Actor  string    `json:"actor"`
	Reason string    `json:"reason"`
	Until  time.Time `json:"until"` // zero = until resumed
}

// ResumeRequest lifts a pause.
type ResumeRequest struct {
	Actor  string `json:"actor"`
	Reason string `json:"reason"`
}

// OverrideRequest says that a manual reservation was placed (the row exists) and is
// to be acted on now.
type OverrideRequest struct {
	Reservation models.Reservation `json:"reservation"`
}

// ControlAnswer is what pause, resume and override answer in the call.
type ControlAnswer struct {
	Service models.ServiceName `json:"service"`
	Paused  bool               `json:"paused"`
	Text    string             `json:"text"`
}

// MaintenanceInput runs one job once.
type MaintenanceInput struct {
	Job                  MaintenanceJob `json:"job"`
	MetricsRetentionDays int            `json:"metricsRetentionDays"`
	AuditRetentionDays   int            `json:"auditRetentionDays"`
}

// MaintenanceResult says what a job did.
type MaintenanceResult struct {
	Job     MaintenanceJob `json:"job"`
	Changed []string       `json:"changed"` // names of what was made, dropped, closed or written
	Text    string         `json:"text"`
}

// WeddingDayInput starts or continues the day of a date.
type WeddingDayInput struct {
	Date          string            `json:"date"`
	Region        string            `json:"region,omitempty"`
	ContinueEvery int               `json:"continueEvery,omitempty"` // looks per run; 0: 200
	Lens          models.TimeLens   `json:"lens"`                    // of a demonstration
	Basis         []models.DayBasis `json:"basis,omitempty"`         // instead of the predictor's figures
	State         WeddingDayState   `json:"state"`                   // carried across continue-as-new
}

// WeddingChanged says that a wedding of the day is in the calendar, is there differently, or
// is off.
type WeddingChanged struct {
	WeddingID string `json:"weddingId"`
	Actor     string `json:"actor"`
	Text      string `json:"text,omitempty"` // what changed, for people
}

// ExtendRequest lets a wedding last longer.
type ExtendRequest struct {
	WeddingID string    `json:"weddingId"`
	Until     time.Time `json:"until"`
	Actor     string    `json:"actor"`
	Reason    string    `json:"reason"`
}

// EndRequest ends a wedding now, or all of the day.
type EndRequest struct {
	WeddingID string `json:"weddingId,omitempty"`
	Actor     string `json:"actor"`
	Reason    string `json:"reason"`
}

// RaiseRequest raises a floor for a while.
type RaiseRequest struct {
	Service   models.ServiceName `json:"service"`
	Replicas  int                `json:"replicas"`
	Until     time.Time          `json:"until"`
	WeddingID string             `json:"weddingId,omitempty"`
	// Bounded is for whoever may not order capacity in general: at most half more than the
	// floor, for at most twelve hours.
	Bounded bool   `json:"bounded,omitempty"`
	Actor   string `json:"actor"`
	Reason  string `json:"reason"`
}
