package api

import (
	"context"
	"encoding/json"
	"time"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/access"
)

// Authenticator checks a bearer token, and the session of a browser.
type Authenticator interface {
	Verify(ctx context.Context, bearer string) (models.Identity, error)
	Session(ctx context.Context, cookie string) (models.Identity, error)
	// Recheck reads anew whether what an identity was shown by has been revoked.
	Recheck(ctx context.Context, id models.Identity) error
}

// SignIn takes a browser to the OpenID Connect provider and back.
type SignIn interface {
	Begin(ctx context.Context, returnTo string) (models.SignInAttempt, error)
	Finish(ctx context.Context, cookie, state, code string) (models.SignedIn, error)
}

// Accounts keeps service accounts, their keys, and what was revoked.
type Accounts interface {
	CreateServiceAccount(ctx context.Context, a models.ServiceAccount) error
	ServiceAccounts(ctx context.Context) ([]models.ServiceAccount, error)
	AddServiceKey(ctx context.Context, k models.ServiceKey) error
	RevokeServiceKey(ctx context.Context, account, id, actor string, at time.Time) (models.ServiceKey, error)
	Revoke(ctx context.Context, r models.Revocation) error
	Revocations(ctx context.Context, now time.Time) ([]models.Revocation, error)
}

// Grantor reads the roles that a subject holds now.
type Grantor interface {
	Grants(ctx context.Context, subject string, now time.Time) (models.Grants, error)
	// FreshGrants does not remember.
	FreshGrants(ctx context.Context, subject string, now time.Time) (models.Grants, error)
}

// Policies hold the access policy in force.
type Policies interface {
	Policy() *access.Policy // as it was known a second ago
	Fresh(ctx context.Context) (*access.Policy, error)
}

// PolicyStore keeps access policies: a change is proposed by one person and decided by
// another.
type PolicyStore interface {
	ProposePolicy(ctx context.Context, p models.AccessPolicy) error
	DecidePolicy(ctx context.Context, v models.PolicyVerdict) (models.AccessPolicy, error)
	AccessPolicies(ctx context.Context) ([]models.AccessPolicy, error)
	AccessPolicy(ctx context.Context, id string) (models.AccessPolicy, error)
	// AuditedCalls counts past calls by what decided them.
	AuditedCalls(ctx context.Context, since, until time.Time) ([]models.AuditedCalls, error)
}

// Bindings keep who holds which role.
type Bindings interface {
	Bindings(ctx context.Context) ([]models.Binding, error)
	GrantRole(ctx context.Context, b models.Binding) error
	RevokeRole(ctx context.Context, subject string, role models.Role, at time.Time) error
}

// Explainer says whether a subject may do something, and why.
type Explainer interface {
	Explain(ctx context.Context, q models.AccessQuestion) (models.AccessAnswer, error)
}

// Auditor commits an entry; an error means that nothing was kept and the call must
// not go on.
type Auditor interface {
	Record(ctx context.Context, e models.AuditEntry) error
}

// AuditReader reads the trail back, newest first.
type AuditReader interface {
	AuditEntries(ctx context.Context, f models.AuditFilter) ([]models.AuditEntry, error)
}

// Alerts keep what threat detection found, newest first.
type Alerts interface {
	SecurityAlerts(ctx context.Context, f models.ThreatFilter) ([]models.Threat, error)
	AcknowledgeAlert(ctx context.Context, a models.Acknowledgement) (models.Threat, error)
}

// Throttles say until when refused calls from a network, or of an account, are slowed; the
// zero time where they are not. They answer from memory.
type Throttles interface {
	NetworkThrottle(ctx context.Context, network string, now time.Time) time.Time
	AccountThrottle(ctx context.Context, account string, now time.Time) time.Time
}

// RateLimiter counts one request of a key against a limit in a sliding window.
type RateLimiter interface {
	Take(ctx context.Context, key string, limit int, window time.Duration) (models.Quota, error)
}

// Ingester takes a validated batch of samples.
type Ingester interface {
	Ingest(ctx context.Context, samples []models.Sample) (models.IngestResult, error)
}

// Catalogue keeps the services.
type Catalogue interface {
	Services(ctx context.Context) ([]models.Service, error)
	Service(ctx context.Context, name models.ServiceName) (models.Service, error)
	// UpdateService stores s where its Revision is still the stored one, else
	// KindConflict; it returns the stored row.
	UpdateService(ctx context.Context, s models.Service) (models.Service, error)
}

// Weddings keeps the calendar. Rows are limited to what the scope may see.
type Weddings interface {
	Weddings(ctx context.Context, f models.WeddingFilter) ([]models.Wedding, error)
	Wedding(ctx context.Context, id string) (models.Wedding, error)
	CreateWedding(ctx context.Context, w models.Wedding) (models.Wedding, error)
	UpdateWedding(ctx context.Context, w models.Wedding) (models.Wedding, error)
}

// Contacts keeps whom to reach about a wedding, encrypted.
type Contacts interface {
	WeddingContact(ctx context.Context, weddingID string) (models.WeddingContact, error)
	SaveWeddingContact(ctx context.Context, weddingID string, c models.WeddingContact, actor string) error
	ForgetWeddingContact(ctx context.Context, weddingID string) error
}

// CalendarImporter takes many weddings at once and tells those who plan by them.
type CalendarImporter interface {
	Import(ctx context.Context, req models.ImportRequest, actor string) (models.ImportReport, error)
}

// CalendarFeeds keeps the feeds, and knows how old the calendar is.
type CalendarFeeds interface {
	CalendarFeeds(ctx context.Context) ([]models.CalendarFeed, error)
	CreateCalendarFeed(ctx context.Context, f models.CalendarFeed) (models.CalendarFeed, error)
	// UpdateCalendarFeed changes all of a feed but its source; it returns the stored row.
	UpdateCalendarFeed(ctx context.Context, f models.CalendarFeed) (models.CalendarFeed, error)
	DeleteCalendarFeed(ctx context.Context, id string) error
	CalendarReadAt(ctx context.Context) (time.Time, error)
	CountWeddings(ctx context.Context, at time.Time) (map[models.WeddingStatus]int, error)
}

// CalendarNotifier tells those who plan by the calendar that weddings have changed.
type CalendarNotifier interface {
	CalendarChanged(ctx context.Context, changes []models.CalendarChange) error
}

// Reservations keeps the claims on capacity.
type Reservations interface {
	Reservations(ctx context.Context, service models.ServiceName, activeAt *time.Time) ([]models.Reservation, error)
	Reservation(ctx context.Context, id string) (models.Reservation, error)
	CreateReservation(ctx context.Context, r models.Reservation) error
	EndReservation(ctx context.Context, id, actor string, at time.Time) (models.Reservation, error)
}

// Decisions keeps the decisions. RequestScale commits the reservation and the proposed
// decision in one transaction.
type Decisions interface {
	Decisions(ctx context.Context, f models.DecisionFilter) ([]models.Decision, error)
	Decision(ctx context.Context, id string) (models.Decision, error)
	RequestScale(ctx context.Context, r models.Reservation, d models.Decision) error
}

// StateReader reads the last evaluation of every service and the newest metrics.
type StateReader interface {
	ScalingStates(ctx context.Context) ([]models.ScalingState, error)
}

// Evaluations reads every evaluation that is kept, and what they say.
type Evaluations interface {
	Evaluations(ctx context.Context, f models.EvaluationFilter) ([]models.Evaluation, error)
	// Savings compares what was provisioned with holding the peak all the time.
	Savings(ctx context.Context, since, until time.Time) (models.Savings, error)
	// Timeline gives what was measured and what there was, in steps.
	Timeline(ctx context.Context, service models.ServiceName, from, until time.Time, step time.Duration) ([]models.TimelinePoint, error)
	// Learned gives what a service's own record says of it.
	Learned(ctx context.Context, service models.ServiceName, now time.Time) (models.Learned, error)
}

// Previewer says what would be decided if some of the last inputs of a service were
// others. It changes nothing.
type Previewer interface {
	Preview(ctx context.Context, req models.PreviewRequest) (models.Explanation, error)
}

// MetricsReader reads the newest metrics of every service that reported in 30 s.
type MetricsReader interface {
	Latest(ctx context.Context) ([]models.LatestMetrics, error)
}

// HealthReader checks the five components; it may answer from a cache of seconds.
type HealthReader interface {
	Health(ctx context.Context, now time.Time) models.Health
}

// DatabaseReader reports on the connection pool and the size of the large tables, for
// status?includeDatabase=true.
type DatabaseReader interface {
	DatabaseStatus(ctx context.Context) (models.DatabaseStatus, error)
}

// Predictor forecasts load.
type Predictor interface {
	Predict(ctx context.Context, req models.PredictionRequest, now time.Time) (models.Prediction, error)
	// Accuracy is how the stored forecasts of the last days did.
	Accuracy(ctx context.Context, service models.ServiceName, days int, now time.Time) (models.ForecastAccuracy, error)
	// Gates say whose forecasts may be decided on, as far as that is known without waiting.
	Gates(ctx context.Context, now time.Time) []models.ForecastGate
}

// Ahead forecasts days and hours a long time ahead.
type Ahead interface {
	Days(ctx context.Context, service models.ServiceName, from, until time.Time) ([]models.DayLoad, error)
	Hours(ctx context.Context, service models.ServiceName, from, until time.Time) ([]models.PredictionPoint, error)
}

// Approver carries a person's answer to a change that waits for one. A change that is
// unknown, has ended or does not wait is KindNotFound.
type Approver interface {
	Approve(ctx context.Context, c models.ApprovalCommand) (models.ApprovalVerdict, error)
	Reject(ctx context.Context, c models.ApprovalCommand) (models.ApprovalVerdict, error)
}

// PayloadOpener opens sealed workflow payloads, in Temporal's JSON form. Payloads that it
// cannot read are KindInvalid.
type PayloadOpener interface {
	OpenPayloads(ctx context.Context, payloads json.RawMessage) (json.RawMessage, error)
}

// WeddingDays reads days as they stand. Rows are limited to what the scope may see.
type WeddingDays interface {
	WeddingDays(ctx context.Context, q models.WeddingDayQuery) ([]models.WeddingDay, error)
	WeddingDay(ctx context.Context, date, region string) (models.WeddingDay, error)
	// StrictDays are those with a ceremony window that is open at a time.
	StrictDays(ctx context.Context, at time.Time) ([]models.WeddingDay, error)
}

// WeddingDayRunner starts, commands and cancels the workflows of dates. A day that does not
// run is KindNotFound; what it refuses is KindInvalid with its reason.
type WeddingDayRunner interface {
	StartWeddingDay(ctx context.Context, date, region, actor string) (models.WorkflowRun, error)
	CommandWeddingDay(ctx context.Context, c models.WeddingDayCommand) (models.WeddingDayAnswer, error)
	CancelWeddingDay(ctx context.Context, date, region, actor, reason string) error
}

// Launcher starts, inspects, signals and cancels workflows.
type Launcher interface {
	// NudgeAutoscale wakes a service's autoscaler because a claim changed.
	NudgeAutoscale(ctx context.Context, service models.ServiceName, reservationID string) error
	// Control pauses, resumes or overrides, and answers with the autoscaler's own words.
	Control(ctx context.Context, c models.ControlCommand) (models.ControlResult, error)
	// StartWorkflow starts an Autoscale or Maintenance workflow; one that runs already
	// is answered as it is.
	StartWorkflow(ctx context.Context, c models.StartCommand) (models.WorkflowRun, error)
	// Workflows lists runs by kind, service and status, newest first.
	Workflows(ctx context.Context, f models.WorkflowFilter) (models.WorkflowPage, error)
	// Workflow describes one run with its state query, when it answers.
	Workflow(ctx context.Context, id string) (models.WorkflowDetail, error)
	// SignalWorkflow sends a spike or a reservation change; CancelWorkflow asks a run
	// to stop and undo what it may.
	SignalWorkflow(ctx context.Context, c models.SignalCommand) error
	CancelWorkflow(ctx context.Context, id, actor, reason string) error
}

// Seasons reads what is prepared for and planned.
type Seasons interface {
	Seasons(ctx context.Context) ([]models.Season, error)
	Season(ctx context.Context, id string) (models.Season, error)
	SeasonPlan(ctx context.Context, season string, version int) (models.SeasonPlan, error)
}

// SeasonRunner starts, commands and cancels the preparation of seasons. One that does not
// run is KindNotFound.
type SeasonRunner interface {
	StartSeason(ctx context.Context, s models.Season) (models.WorkflowRun, error)
	CommandSeason(ctx context.Context, c models.SeasonCommand) (models.SeasonAnswer, error)
	CancelSeason(ctx context.Context, id, actor, reason string) error
}
