package api

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/internal/authn"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/access"
)

// noon is the time of all tests.
var noon = time.Date(2027, 6, 12, 12, 0, 0, 0, time.UTC)

const (
	secret   = "a-secret-of-the-tests-with-enough-bytes"
	issuer   = "https://id.test"
	audience = "wedsync-scalability"
	wedding  = "0197f3c2-0000-7000-8000-00000000000a" // of user:coordinator, today
	another  = "0197f3c2-0000-7000-8000-00000000000b" // of somebody else
	decision = "0197f3c2-0000-7000-8000-00000000000c"
)

// platform is a fake behind every port. It notes what was called under which scope, and
// fails where it is told to.
type platform struct {
	mu      sync.Mutex
	calls   []string
	scopes  map[string]models.Scope
	broken  map[string]error // by method
	audit   []models.AuditEntry
	counts  map[string]int // of the limiter, by key
	grants  map[string][]models.Role
	service models.Service
	states  []models.ScalingState
	latest  []models.LatestMetrics
	feeds   []models.CalendarFeed
	told    []models.CalendarChange
	weds    []models.Wedding
	claims  []models.Reservation
	decided []models.Decision
	ticks   []models.Evaluation
	samples []models.Sample
	last    any // the last command
	health  models.Health
	strict  []models.WeddingDay // with an open window
}

func newPlatform() *platform {
	p := &platform{}
	p.reset()
	return p
}

// reset makes it as it was, so that tables of cases share one handler.
func (p *platform) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	svc := models.DefaultServices("fleet")[0]
	svc.CreatedAt, svc.UpdatedAt = noon, noon
	p.calls, p.audit, p.samples, p.claims, p.last, p.service = nil, nil, nil, nil, nil, svc
	p.scopes, p.broken, p.counts = map[string]models.Scope{}, map[string]error{}, map[string]int{}
	p.grants = map[string][]models.Role{
		"user:admin": {models.RoleAdmin}, "user:operator": {models.RoleOperator}, "user:viewer": {models.RoleViewer},
		"user:coordinator": {models.RoleCoordinator}, "user:other": {models.RoleCoordinator}, "svc:writer": {models.RoleMetricsWriter},
	}
	p.feeds, p.told = nil, nil
	p.weds = []models.Wedding{
		{ID: wedding, Source: models.SourceAPI, Type: models.WeddingOther, Tier: models.TierOfStandard, Reference: "one", TimeZone: "Europe/London", StartsAt: noon.Add(time.Hour), EndsAt: noon.Add(9 * time.Hour),
			WeddingDate: "2027-06-12", Guests: 180, Status: models.WeddingConfirmed, Coordinator: "user:coordinator", Revision: 1},
		{ID: another, Source: models.SourceAPI, Type: models.WeddingOther, Tier: models.TierOfStandard, Reference: "two", TimeZone: "Europe/London", StartsAt: noon.Add(time.Hour), EndsAt: noon.Add(9 * time.Hour),
			WeddingDate: "2027-06-12", Guests: 90, Status: models.WeddingConfirmed, Coordinator: "user:somebody", Revision: 1},
	}
	p.states = []models.ScalingState{{Service: models.ServiceAPI, TickedAt: noon, Spec: 3, Ready: 3, Desired: 3,
		Explanation: &models.Explanation{Service: models.ServiceAPI, At: noon, Text: "Enough."}}}
	p.latest = []models.LatestMetrics{{Service: models.ServiceAPI, At: noon, Values: map[models.MetricName]float64{models.MetricThroughput: 120}}}
	p.decided = []models.Decision{{ID: decision, Service: models.ServiceAPI, CreatedAt: noon, Sentence: "More."}}
	p.ticks = nil
	p.health = models.Health{ScalingEngine: true, LoadPredictor: true, PerformanceMonitor: true, RBACManager: true,
		Database: true, CheckedAt: noon}.WithOverall()
}

// enter notes a call and gives the error it is to fail with. The caller holds nothing.
func (p *platform) enter(ctx context.Context, method string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, method)
	p.scopes[method] = models.ScopeFrom(ctx)
	return p.broken[method]
}

func (p *platform) called(method string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.calls, method)
}

// scope is under which a method was called last.
func (p *platform) scope(method string) models.Scope {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.scopes[method]
}

func (p *platform) fails(method string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken[method] = err
}

func (p *platform) entries() []models.AuditEntry {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.audit)
}

func (p *platform) Grants(ctx context.Context, subject string, _ time.Time) (models.Grants, error) {
	err := p.enter(ctx, "Grants")
	p.mu.Lock()
	defer p.mu.Unlock()
	return models.Grants{Subject: subject, Roles: p.grants[subject]}, err
}

func (p *platform) Record(ctx context.Context, e models.AuditEntry) error {
	if err := p.enter(ctx, "Record"); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	e.Context = maps.Clone(e.Context)
	p.audit = append(p.audit, e)
	return nil
}

func (p *platform) Take(ctx context.Context, key string, limit int, window time.Duration) (models.Quota, error) {
	err := p.enter(ctx, "Take")
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[key]++
	n := p.counts[key]
	return models.Quota{Allowed: n <= limit, Limit: limit, Remaining: max(0, limit-n), WindowSeconds: int(window.Seconds()), ResetSeconds: 7}, err
}

func (p *platform) Ingest(ctx context.Context, samples []models.Sample) (models.IngestResult, error) {
	err := p.enter(ctx, "Ingest")
	p.samples = samples
	return models.IngestResult{Received: len(samples), Accepted: len(samples)}, err
}

func (p *platform) Services(ctx context.Context) ([]models.Service, error) {
	return []models.Service{p.service}, p.enter(ctx, "Services")
}

func (p *platform) Service(ctx context.Context, name models.ServiceName) (models.Service, error) {
	svc := p.service
	svc.Name = name
	return svc, p.enter(ctx, "Service")
}

func (p *platform) UpdateService(ctx context.Context, s models.Service) (models.Service, error) {
	err := p.enter(ctx, "UpdateService")
	if err == nil && s.Revision != p.service.Revision {
		return s, &models.Error{Kind: models.KindConflict, Field: "revision", Rule: "was changed since it was read"}
	}
	s.Revision++
	p.last = s
	return s, err
}

func (p *platform) Weddings(ctx context.Context, f models.WeddingFilter) ([]models.Wedding, error) {
	p.last = f
	return p.weds[:min(len(p.weds), f.Limit)], p.enter(ctx, "Weddings")
}

// Wedding sees as row level security does: a coordinator only their own.
func (p *platform) Wedding(ctx context.Context, id string) (models.Wedding, error) {
	if err := p.enter(ctx, "Wedding"); err != nil {
		return models.Wedding{}, err
	}
	sc := models.ScopeFrom(ctx)
	for _, w := range p.weds {
		if w.ID == id && (sc.Role != models.ScopeCoordinator || w.Coordinator == sc.Subject) {
			return w, nil
		}
	}
	return models.Wedding{}, models.NotFound("id", id)
}

func (p *platform) CreateWedding(ctx context.Context, w models.Wedding) (models.Wedding, error) {
	p.last = w
	return w, p.enter(ctx, "CreateWedding")
}

func (p *platform) UpdateWedding(ctx context.Context, w models.Wedding) (models.Wedding, error) {
	p.last = w
	return w, p.enter(ctx, "UpdateWedding")
}

func (p *platform) WeddingContact(ctx context.Context, id string) (models.WeddingContact, error) {
	return models.WeddingContact{Name: "Anna Example", Email: "anna@example.org"}, p.enter(ctx, "WeddingContact")
}

func (p *platform) SaveWeddingContact(ctx context.Context, id string, c models.WeddingContact, actor string) error {
	p.last = c
	return p.enter(ctx, "SaveWeddingContact")
}

func (p *platform) ForgetWeddingContact(ctx context.Context, id string) error {
	return p.enter(ctx, "ForgetWeddingContact")
}

func (p *platform) Import(ctx context.Context, req models.ImportRequest, actor string) (models.ImportReport, error) {
	p.last = req
	r := models.ImportReport{Source: req.Source, Format: req.Format, Faults: []models.ImportFault{}, Notes: []models.ImportNote{}}
	if strings.Contains(string(req.Data), "bad") {
		r.Faulty, r.Faults = 1, []models.ImportFault{{Line: 2, Field: "guests", Value: "bad", Rule: "must be a whole number"}}
	}
	return r, p.enter(ctx, "Import")
}

func (p *platform) CalendarFeeds(ctx context.Context) ([]models.CalendarFeed, error) {
	return p.feeds, p.enter(ctx, "CalendarFeeds")
}

func (p *platform) CreateCalendarFeed(ctx context.Context, f models.CalendarFeed) (models.CalendarFeed, error) {
	p.last = f
	return f, p.enter(ctx, "CreateCalendarFeed")
}

func (p *platform) UpdateCalendarFeed(ctx context.Context, f models.CalendarFeed) (models.CalendarFeed, error) {
	p.last = f
	return f, p.enter(ctx, "UpdateCalendarFeed")
}

func (p *platform) DeleteCalendarFeed(ctx context.Context, id string) error {
	return p.enter(ctx, "DeleteCalendarFeed")
}

func (p *platform) CalendarReadAt(ctx context.Context) (time.Time, error) {
	at := noon
	for _, f := range p.feeds {
		if f.Enabled && f.LastReadAt.Before(at) {
			at = *f.LastReadAt
		}
	}
	return at, p.enter(ctx, "CalendarReadAt")
}

func (p *platform) CountWeddings(ctx context.Context, _ time.Time) (map[models.WeddingStatus]int, error) {
	return map[models.WeddingStatus]int{models.WeddingConfirmed: 2}, p.enter(ctx, "CountWeddings")
}

func (p *platform) CalendarChanged(ctx context.Context, changes []models.CalendarChange) error {
	p.mu.Lock()
	p.told = append(p.told, changes...)
	p.mu.Unlock()
	return p.enter(ctx, "CalendarChanged")
}

func (p *platform) Reservations(ctx context.Context, _ models.ServiceName, at *time.Time) ([]models.Reservation, error) {
	p.last = at
	return p.claims, p.enter(ctx, "Reservations")
}

func (p *platform) Reservation(ctx context.Context, id string) (models.Reservation, error) {
	return models.Reservation{ID: id, Service: models.ServiceAPI}, p.enter(ctx, "Reservation")
}

func (p *platform) CreateReservation(ctx context.Context, r models.Reservation) error {
	p.last = r
	return p.enter(ctx, "CreateReservation")
}

func (p *platform) EndReservation(ctx context.Context, id, actor string, at time.Time) (models.Reservation, error) {
	return models.Reservation{ID: id, Service: models.ServiceAPI, EndedAt: &at, EndedBy: actor}, p.enter(ctx, "EndReservation")
}

// Decisions pages as the store does.
func (p *platform) Decisions(ctx context.Context, f models.DecisionFilter) ([]models.Decision, error) {
	err := p.enter(ctx, "Decisions")
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = f
	all := slices.Clone(p.decided)
	if f.Before != nil {
		i := slices.IndexFunc(all, func(d models.Decision) bool { return d.ID == f.Before.ID })
		all = all[i+1:]
	}
	return all[:min(len(all), f.Limit)], err
}

func (p *platform) Decision(ctx context.Context, id string) (models.Decision, error) {
	if id != decision {
		return models.Decision{}, models.NotFound("id", id)
	}
	return p.decided[0], p.enter(ctx, "Decision")
}

func (p *platform) RequestScale(ctx context.Context, r models.Reservation, d models.Decision) error {
	p.last = [2]any{r, d}
	return p.enter(ctx, "RequestScale")
}

func (p *platform) ScalingStates(ctx context.Context) ([]models.ScalingState, error) {
	return p.states, p.enter(ctx, "ScalingStates")
}

// Evaluations pages as the store does.
func (p *platform) Evaluations(ctx context.Context, f models.EvaluationFilter) ([]models.Evaluation, error) {
	err := p.enter(ctx, "Evaluations")
	p.last = f
	all := slices.DeleteFunc(slices.Clone(p.ticks), func(e models.Evaluation) bool { return !f.Before.IsZero() && !e.At.Before(f.Before) })
	return all[:min(len(all), f.Limit)], err
}

func (p *platform) AuditEntries(ctx context.Context, f models.AuditFilter) ([]models.AuditEntry, error) {
	p.last = f
	return []models.AuditEntry{{ID: "e1", At: noon, Actor: "user:anna", Decision: models.AuditAllow, Hash: []byte{1}}}, p.enter(ctx, "AuditEntries")
}

func (p *platform) SecurityAlerts(ctx context.Context, f models.ThreatFilter) ([]models.Threat, error) {
	p.last = f
	return []models.Threat{
		{ID: "a2", Rule: models.ThreatSpray, Severity: models.ThreatCritical, At: noon, RaisedAt: noon, Evidence: []string{"e1"}, Sentence: "Many."},
		{ID: "a1", Rule: models.ThreatBruteForce, Severity: models.ThreatWarning, At: noon, RaisedAt: noon, Evidence: []string{}, Sentence: "One."},
	}[:min(2, f.Limit)], p.enter(ctx, "SecurityAlerts")
}

func (p *platform) AcknowledgeAlert(ctx context.Context, a models.Acknowledgement) (models.Threat, error) {
	p.last = a
	return models.Threat{ID: a.ID, AcknowledgedBy: a.Actor, Note: a.Note, Evidence: []string{}}, p.enter(ctx, "AcknowledgeAlert")
}

func (p *platform) Savings(ctx context.Context, since, until time.Time) (models.Savings, error) {
	return models.Savings{Since: since, Until: until, Services: []models.ServiceSavings{{Service: models.ServiceAPI}}}, p.enter(ctx, "Savings")
}

func (p *platform) Learned(ctx context.Context, _ models.ServiceName, _ time.Time) (models.Learned, error) {
	return models.Learned{StartupP95Seconds: 21.5}, p.enter(ctx, "Learned")
}

func (p *platform) OpenPayloads(ctx context.Context, in json.RawMessage) (json.RawMessage, error) {
	return in, p.enter(ctx, "OpenPayloads")
}

func (p *platform) Days(ctx context.Context, _ models.ServiceName, from, _ time.Time) ([]models.DayLoad, error) {
	return []models.DayLoad{{Date: from.Format(time.DateOnly), PeakP50: 900, Weddings: 3, Guests: 400}}, p.enter(ctx, "Days")
}

func (p *platform) Hours(ctx context.Context, _ models.ServiceName, from, _ time.Time) ([]models.PredictionPoint, error) {
	return []models.PredictionPoint{{At: from, P50: 900, Weddings: []models.WeddingShare{{WeddingID: another, RPS: 100}}}}, p.enter(ctx, "Hours")
}

func (p *platform) Timeline(ctx context.Context, _ models.ServiceName, from, _ time.Time, step time.Duration) ([]models.TimelinePoint, error) {
	p.last = step
	return []models.TimelinePoint{{At: from}}, p.enter(ctx, "Timeline")
}

// fixed is a policy that never changes.
type fixed struct{ policy *access.Policy }

func (f fixed) Policy() *access.Policy { return f.policy }

func (f fixed) Fresh(context.Context) (*access.Policy, error) { return f.policy, nil }

func (p *platform) FreshGrants(ctx context.Context, subject string, now time.Time) (models.Grants, error) {
	if err := p.enter(ctx, "FreshGrants"); err != nil {
		return models.Grants{}, err
	}
	return p.Grants(ctx, subject, now)
}

func (p *platform) Explain(ctx context.Context, q models.AccessQuestion) (models.AccessAnswer, error) {
	return models.AccessAnswer{Subject: q.Subject, Permission: q.Permission, At: q.At, Allowed: true, Roles: []models.Role{}}, p.enter(ctx, "Explain")
}

func (p *platform) Bindings(ctx context.Context) ([]models.Binding, error) {
	return []models.Binding{}, p.enter(ctx, "Bindings")
}

func (p *platform) GrantRole(ctx context.Context, b models.Binding) error {
	p.last = b
	return p.enter(ctx, "GrantRole")
}

func (p *platform) RevokeRole(ctx context.Context, _ string, _ models.Role, _ time.Time) error {
	return p.enter(ctx, "RevokeRole")
}

func (p *platform) ProposePolicy(ctx context.Context, policy models.AccessPolicy) error {
	p.last = policy
	return p.enter(ctx, "ProposePolicy")
}

func (p *platform) DecidePolicy(ctx context.Context, v models.PolicyVerdict) (models.AccessPolicy, error) {
	p.last = v
	if v.ID == ownPolicy {
		return models.AccessPolicy{}, &models.Error{Kind: models.KindForbidden, Field: "id", Rule: "must be decided by somebody else"}
	}
	return models.AccessPolicy{ID: v.ID, Status: models.PolicyApproved}, p.enter(ctx, "DecidePolicy")
}

// ownPolicy is a policy that whoever asks has proposed.
const ownPolicy = "own"

func (p *platform) AccessPolicies(ctx context.Context) ([]models.AccessPolicy, error) {
	return []models.AccessPolicy{}, p.enter(ctx, "AccessPolicies")
}

func (p *platform) AccessPolicy(ctx context.Context, id string) (models.AccessPolicy, error) {
	text, known := map[string]string{
		"unfrozen": "p, role:scalability_admin, *, scalability:*, any, allow", // scale_in in a freeze, which nobody has
		"locked":   "p, role:scalability_viewer, *, scalability:read, any, allow",
		"outdated": "p, role:scalability_admin, *, scalability:gone, any, allow",
	}[id]
	if !known {
		text = strings.ReplaceAll(aPolicy, `\n`, "\n")
	}
	return models.AccessPolicy{ID: id, Text: text}, p.enter(ctx, "AccessPolicy")
}

const aPolicy = `p, role:scalability_admin, *, scalability:*, any, allow\np, role:scalability_admin, *, scalability:scale_in, change_freeze, deny`

func (p *platform) AuditedCalls(ctx context.Context, _, _ time.Time) ([]models.AuditedCalls, error) {
	return []models.AuditedCalls{
		{Roles: []models.Role{models.RoleViewer}, Permission: models.PermissionRead, Decision: models.AuditAllow, Count: 12, Subjects: 2},
		{Roles: []models.Role{models.RoleAdmin}, Permission: models.PermissionRead, Decision: models.AuditAllow, Count: 30, Subjects: 1},
	}, p.enter(ctx, "AuditedCalls")
}

func (p *platform) CreateServiceAccount(ctx context.Context, a models.ServiceAccount) error {
	p.last = a
	return p.enter(ctx, "CreateServiceAccount")
}

func (p *platform) ServiceAccounts(ctx context.Context) ([]models.ServiceAccount, error) {
	return []models.ServiceAccount{{Name: "collector", Keys: []models.ServiceKey{{ID: "k1", Account: "collector", Hash: []byte("hidden")}}}}, p.enter(ctx, "ServiceAccounts")
}

func (p *platform) AddServiceKey(ctx context.Context, k models.ServiceKey) error {
	p.last = k
	return p.enter(ctx, "AddServiceKey")
}

func (p *platform) RevokeServiceKey(ctx context.Context, account, id, actor string, at time.Time) (models.ServiceKey, error) {
	return models.ServiceKey{ID: id, Account: account, RevokedAt: &at, RevokedBy: actor}, p.enter(ctx, "RevokeServiceKey")
}

func (p *platform) Revoke(ctx context.Context, r models.Revocation) error {
	p.last = r
	if err := r.Validate(); err != nil {
		return err
	}
	return p.enter(ctx, "Revoke")
}

func (p *platform) Revocations(ctx context.Context, _ time.Time) ([]models.Revocation, error) {
	return []models.Revocation{}, p.enter(ctx, "Revocations")
}

// nobody has no service keys, and nothing was revoked.
type nobody struct{}

func (nobody) ServiceKey(_ context.Context, id string) (models.ServiceKey, error) {
	return models.ServiceKey{}, models.NotFound("id", id)
}

func (nobody) Revocations(context.Context, time.Time) ([]models.Revocation, error) { return nil, nil }

// provider stands for the OpenID Connect provider: whoever brings the code "good" is anna.
type provider struct{ sessions *authn.Sessions }

func (p *provider) Begin(context.Context, string) (models.SignInAttempt, error) {
	return models.SignInAttempt{URL: "https://id.example/authorise?state=s1", Cookie: "sealed", ExpiresAt: noon.Add(time.Minute)}, nil
}

func (p *provider) Finish(ctx context.Context, cookie, state, code string) (models.SignedIn, error) {
	if cookie != "sealed" || state != "s1" || code != "good" {
		return models.SignedIn{}, &models.Error{Kind: models.KindUnauthorised, Rule: "state"}
	}
	session, id, err := p.sessions.Issue(ctx, "user:admin")
	return models.SignedIn{Identity: id, Cookie: session, ReturnTo: dashboardPath}, err
}

func (p *platform) Preview(ctx context.Context, req models.PreviewRequest) (models.Explanation, error) {
	p.last = req
	return models.Explanation{Service: req.Service, At: noon, Text: "Twice as many."}, p.enter(ctx, "Preview")
}

func (p *platform) Latest(ctx context.Context) ([]models.LatestMetrics, error) {
	return p.latest, p.enter(ctx, "Latest")
}

func (p *platform) Health(context.Context, time.Time) models.Health {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.health
}

func (p *platform) DatabaseStatus(ctx context.Context) (models.DatabaseStatus, error) {
	return models.DatabaseStatus{Reachable: true, Version: "17"}, p.enter(ctx, "DatabaseStatus")
}

func (p *platform) Predict(ctx context.Context, r models.PredictionRequest, now time.Time) (models.Prediction, error) {
	p.last = r
	return models.Prediction{Service: r.Service, IssuedAt: now, Reason: "Nothing is known."}, p.enter(ctx, "Predict")
}

func (p *platform) Accuracy(ctx context.Context, service models.ServiceName, days int, _ time.Time) (models.ForecastAccuracy, error) {
	return models.ForecastAccuracy{Service: service, Days: days, Gate: models.ForecastGate{Service: service, Reason: "not trusted: nothing was measured"}, Rows: []models.AccuracyRow{}}, p.enter(ctx, "Accuracy")
}

func (p *platform) Gates(context.Context, time.Time) []models.ForecastGate {
	return []models.ForecastGate{{Service: models.ServiceAPI, Reason: "not trusted: nothing was measured"}}
}

func (p *platform) NudgeAutoscale(ctx context.Context, _ models.ServiceName, _ string) error {
	return p.enter(ctx, "NudgeAutoscale")
}

func (p *platform) Control(ctx context.Context, c models.ControlCommand) (models.ControlResult, error) {
	p.last = c
	return models.ControlResult{Service: c.Service, Paused: c.Action == models.ControlPause, Text: "Done."}, p.enter(ctx, "Control")
}

func (p *platform) Approve(ctx context.Context, c models.ApprovalCommand) (models.ApprovalVerdict, error) {
	p.last = c
	return models.ApprovalApproved, p.enter(ctx, "Approve")
}

func (p *platform) Reject(ctx context.Context, c models.ApprovalCommand) (models.ApprovalVerdict, error) {
	p.last = c
	return models.ApprovalRejected, p.enter(ctx, "Reject")
}

func (p *platform) StartWorkflow(ctx context.Context, c models.StartCommand) (models.WorkflowRun, error) {
	p.last = c
	return models.WorkflowRun{WorkflowID: "maintenance/" + c.Job}, p.enter(ctx, "StartWorkflow")
}

func (p *platform) Workflows(ctx context.Context, f models.WorkflowFilter) (models.WorkflowPage, error) {
	p.last = f
	return models.WorkflowPage{}, p.enter(ctx, "Workflows")
}

func (p *platform) Workflow(ctx context.Context, id string) (models.WorkflowDetail, error) {
	return models.WorkflowDetail{WorkflowSummary: models.WorkflowSummary{WorkflowID: id, StartedAt: noon}}, p.enter(ctx, "Workflow")
}

func (p *platform) SignalWorkflow(ctx context.Context, c models.SignalCommand) error {
	p.last = c
	return p.enter(ctx, "SignalWorkflow")
}

func (p *platform) CancelWorkflow(ctx context.Context, id, actor, reason string) error {
	p.last = []string{id, actor, reason}
	return p.enter(ctx, "CancelWorkflow")
}

// config wires the platform to all ports, with the real verifier and the real policy.
func (p *platform) StrictDays(ctx context.Context, _ time.Time) ([]models.WeddingDay, error) {
	p.mu.Lock()
	open := p.strict
	p.mu.Unlock()
	return open, p.enter(ctx, "StrictDays")
}

func (p *platform) WeddingDays(ctx context.Context, q models.WeddingDayQuery) ([]models.WeddingDay, error) {
	p.last = q
	return []models.WeddingDay{aWeddingDay()}, p.enter(ctx, "WeddingDays")
}

func (p *platform) WeddingDay(ctx context.Context, date, region string) (models.WeddingDay, error) {
	if date != "2027-06-12" || region != "" {
		return models.WeddingDay{}, models.NotFound("date", date)
	}
	return aWeddingDay(), p.enter(ctx, "WeddingDay")
}

func aWeddingDay() models.WeddingDay {
	return models.WeddingDay{
		Date: "2027-06-12", Phase: models.WeddingDayOpen, Text: "open", Weddings: 1, Guests: 180, Windows: []models.TimeSpan{{From: noon, Until: noon.Add(time.Hour)}},
		Thresholds: models.WeddingDayThresholds(), Floors: []models.DayFloor{}, Checks: []models.DayCheck{}, Notes: []models.DayNote{}, UpdatedAt: noon,
	}
}

func (p *platform) StartWeddingDay(ctx context.Context, date, region, actor string) (models.WorkflowRun, error) {
	p.last = []string{date, region, actor}
	return models.WorkflowRun{WorkflowID: "wedding-day/" + date, RunID: "r"}, p.enter(ctx, "StartWeddingDay")
}

func (p *platform) CommandWeddingDay(ctx context.Context, c models.WeddingDayCommand) (models.WeddingDayAnswer, error) {
	c.RequestID = ""
	p.last = c
	return models.WeddingDayAnswer{Phase: models.WeddingDayOpen, Text: "in the day's words"}, p.enter(ctx, "CommandWeddingDay")
}

func (p *platform) CancelWeddingDay(ctx context.Context, date, region, actor, reason string) error {
	p.last = []string{date, region, actor, reason}
	return p.enter(ctx, "CancelWeddingDay")
}

func (p *platform) config(t testing.TB) Config {
	t.Helper()
	verifier, err := authn.New(authn.Options{Secret: []byte(secret), Issuer: issuer, Audience: audience, Now: func() time.Time { return noon }})
	require.NoError(t, err)
	t.Cleanup(verifier.Close)
	sessions, err := authn.NewSessions([]byte(secret), time.Hour, func() time.Time { return noon })
	require.NoError(t, err)
	policy, err := access.New()
	require.NoError(t, err)
	return Config{
		Auth:   authn.NewGate(authn.GateOptions{Tokens: verifier, Sessions: sessions, Keys: nobody{}, Revocations: nobody{}, Now: func() time.Time { return noon }}),
		SignIn: &provider{sessions: sessions}, Accounts: p, NewKey: authn.NewServiceKey, Grants: p, Policies: fixed{policy}, Explainer: p, PolicyStore: p, Bindings: p, Audit: p, Limiter: p, Ingest: p, Catalogue: p, Weddings: p, Contacts: p, Importer: p, Feeds: p, Notifier: p, KeepContacts: true,
		Reservations: p, Trail: p, Alerts: p, Decisions: p, States: p, Evaluations: p, Previewer: p, Metrics: p, Health: p, Database: p, Predictor: p, Ahead: p, Approver: p, Launcher: p, WeddingDays: p, DayRunner: p, Seasons: p, SeasonRunner: p, Payloads: p,
		Dashboard: fstest.MapFS{
			"index.html":           {Data: []byte("<!doctype html><title>WedSync Scalability</title>")},
			"assets/index-abc1.js": {Data: []byte("void 0")},
		},
		Thresholds: models.Thresholds{
			Warning:  models.ThresholdSet{ResponseTimeMS: 1000, ErrorRate: 0.05, CPU: 0.75, Memory: 0.8, HealthScore: 70},
			Critical: models.ThresholdSet{ResponseTimeMS: 2000, ErrorRate: 0.1, CPU: 0.9, Memory: 0.95, HealthScore: 50},
		},
		TemporalUI: "http://127.0.0.1:8233", TemporalNamespace: "default", RateLimit: 1000, RBAC: true,
		Now: func() time.Time { return noon }, Log: slog.New(slog.DiscardHandler),
	}
}

func (p *platform) handler(t testing.TB, change ...func(*Config)) http.Handler {
	t.Helper()
	c := p.config(t)
	for _, f := range change {
		f(&c)
	}
	h, err := New(c)
	require.NoError(t, err)
	return h
}

// token signs one for a subject without its prefix.
func token(t testing.TB, subject string, change ...func(*authn.Claims)) string {
	t.Helper()
	c := authn.Claims{Subject: subject, Issuer: issuer, Audience: audience, IssuedAt: noon.Add(-time.Minute), ExpiresAt: noon.Add(time.Hour)}
	if subject == "writer" {
		c.Kind = authn.KindService
	}
	for _, f := range change {
		f(&c)
	}
	raw, err := authn.Issue([]byte(secret), c)
	require.NoError(t, err)
	return raw
}

// request is one call of a test.
type request struct {
	method string
	path   string
	body   string
	as     string // subject without prefix; "" for none
	header http.Header
}

func send(t testing.TB, h http.Handler, r request) *httptest.ResponseRecorder {
	t.Helper()
	if r.method == "" {
		r.method = http.MethodGet
	}
	var body io.Reader
	if r.body != "" {
		body = strings.NewReader(r.body)
	}
	req := httptest.NewRequest(r.method, r.path, body)
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
		if strings.HasPrefix(r.path, importPath) {
			req.Header.Set("Content-Type", "text/csv")
		}
	}
	if r.as != "" {
		req.Header.Set("Authorization", "Bearer "+token(t, r.as))
	}
	for k, v := range r.header {
		req.Header[k] = v
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec
}

func problemOf(t testing.TB, rec *httptest.ResponseRecorder) gen.Problem {
	t.Helper()
	require.Equal(t, "application/problem+json", rec.Header().Get("Content-Type"), rec.Body.String())
	var p gen.Problem
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &p), rec.Body.String())
	require.Equal(t, rec.Code, p.Status)
	require.Equal(t, rec.Header().Get("X-Request-Id"), p.RequestId)
	return p
}
