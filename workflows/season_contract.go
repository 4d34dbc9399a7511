package workflows

import (
	"time"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/season"
)

// Workflow types of seasons.
const (
	SeasonPreparationType = "SeasonPreparation"
	SeasonDueType         = "SeasonDue"
)

// SignalCalendarChanged tells a season that weddings were booked, moved or cancelled.
const SignalCalendarChanged = "calendar_changed" // CalendarChanged

// Updates of SeasonPreparation besides approve and reject.
const (
	UpdateAmendPlan = "amend_plan" // PlanAmendRequest → models.SeasonAnswer
	UpdateSkipGate  = "skip_gate"  // GateSkipRequest → models.SeasonAnswer
)

// SeasonID is the lock of a season's preparation.
func SeasonID(id string) string { return activities.SeasonHolder(id) }

// SeasonDueID is the workflow ID of what a season's yearly schedule starts.
func SeasonDueID(definition string) string { return "season-due/" + definition }

// SeasonScheduleID is the ID of the yearly schedule of a season.
func SeasonScheduleID(definition string) string { return "schedule/season/" + definition }

// SeasonInput starts or continues the preparation of a season.
type SeasonInput struct {
	Season          models.Season `json:"season"`
	ApprovalSeconds int           `json:"approvalSeconds,omitempty"` // how long a plan waits before its wait is told of as over; 0: 7 days
	ContinueEvery   int           `json:"continueEvery,omitempty"`   // steps per run; 0: 60
	State           SeasonState   `json:"state"`                     // carried across continue-as-new
}

// SeasonState is what a preparation carries from run to run, and what it answers to the
// state query. Plans themselves are in the database, under their version.
type SeasonState struct {
	Phase    models.SeasonPhase   `json:"phase"`
	Outcome  models.SeasonOutcome `json:"outcome"`
	Sentence string               `json:"sentence"`
	Steps    int64                `json:"steps"`

	Version    int        `json:"version"`   // of the last plan that was made
	Approved   int        `json:"approved"`  // the last that a person agreed to
	Effective  int        `json:"effective"` // that reservations follow: the approved one, or amended since
	Declined   int        `json:"declined"`  // a newer one that a person refused
	PlannedAt  time.Time  `json:"plannedAt"`
	PlanFailed bool       `json:"planFailed,omitempty"`
	PlanError  string     `json:"planError,omitempty"`
	Recalendar *time.Time `json:"calendarChangedAt,omitempty"`
	Replan     bool       `json:"replan,omitempty"` // a person changed the plan
	// Ask is the plan that waits for a person; Author may not be the one who agrees.
	Ask        *season.Ask          `json:"ask,omitempty"`
	Author     string               `json:"author,omitempty"`
	Edits      []models.SeasonEdit  `json:"edits,omitempty"`
	Agreed     []models.SeasonEdit  `json:"agreedEdits,omitempty"` // that are part of the plan in effect
	Bounds     models.SeasonBounds  `json:"bounds"`
	Cost       float64              `json:"cost"`
	Deficits   int                  `json:"deficits"`
	Gates      []models.SeasonGate  `json:"gates"` // without findings: those are in the database
	Reserve    bool                 `json:"reserve,omitempty"`
	ReservedAt time.Time            `json:"reservedAt"`
	Standing   int                  `json:"standing"` // reservations
	Report     *models.SeasonReport `json:"report,omitempty"`

	Placed        int    `json:"placed"`
	Released      int    `json:"released"`
	Amendments    int    `json:"amendments"`
	Escalations   int    `json:"escalations"`
	ApprovalsLate int    `json:"approvalsLate"`
	ApprovedBy    string `json:"approvedBy,omitempty"`

	// Unrecorded is what is to be written down before the next step.
	Unrecorded activities.SeasonRecord `json:"unrecorded"`
	Dirty      bool                    `json:"dirty,omitempty"`
	// RecordError is why the last record was refused for good.
	RecordError string `json:"recordError,omitempty"`
}

// CalendarChanged says that the calendar of a season is not what it was.
type CalendarChanged struct {
	Reason string `json:"reason"`
}

// PlanAnswerRequest is a person's answer to a plan that waits for one.
type PlanAnswerRequest struct {
	Actor   string `json:"actor"`
	Reason  string `json:"reason"`
	Version int    `json:"version,omitempty"` // 0: the one that waits
}

// PlanAmendRequest is a person's change of a plan.
type PlanAmendRequest struct {
	Actor  string               `json:"actor"`
	Reason string               `json:"reason"`
	Edits  []models.SeasonEdit  `json:"edits,omitempty"`
	Bounds *models.SeasonBounds `json:"bounds,omitempty"`
}

// GateSkipRequest leaves a gate out.
type GateSkipRequest struct {
	Actor  string          `json:"actor"`
	Reason string          `json:"reason"`
	Gate   models.GateName `json:"gate"`
}

// SeasonDueInput is a season that comes each year.
type SeasonDueInput struct {
	Definition      activities.SeasonDefinition `json:"definition"`
	ApprovalSeconds int                         `json:"approvalSeconds,omitempty"`
}

// SeasonDueResult says what became of it.
type SeasonDueResult struct {
	WorkflowID string `json:"workflowId,omitempty"`
	Text       string `json:"text"`
}
