package workflows_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/worker"
	"github.com/wedsync/scalability/workflows"
)

// summer2027 has both changes of the clocks: 28 March, and 31 October, its last day.
func summer2027(t require.TestingT) models.Season {
	s, err := models.SeasonOf("northern-summer-2027", "2027-03-20", "2027-10-31", "Europe/London", time.LoadLocation)
	require.NoError(t, err)
	s.RequestedBy = "user:anna"
	return s
}

// bookedSummer draws weddings from a seed: two of three on a Saturday, more in summer, and
// two each on the nights in which the clocks change.
func bookedSummer(t require.TestingT, s models.Season, n int) []models.Wedding {
	rng := rand.New(rand.NewPCG(2027, 320))
	zone, err := time.LoadLocation(s.TimeZone)
	require.NoError(t, err)
	days := int(s.Until.Sub(s.From).Hours()/24 + 0.5)
	book := func(i int, start time.Time, hours int) models.Wedding {
		w, err := models.Wedding{
			ID: fmt.Sprintf("w-%04d", i), Reference: fmt.Sprintf("ref-%04d", i), TimeZone: s.TimeZone, StartsAt: start,
			EndsAt: start.Add(time.Duration(hours) * time.Hour), Guests: 40 + rng.IntN(160), Status: models.WeddingConfirmed,
		}.Normalise(time.LoadLocation)
		require.NoError(t, err)
		return w
	}
	var out []models.Wedding
	for _, night := range []time.Time{time.Date(2027, 3, 27, 20, 0, 0, 0, zone), time.Date(2027, 10, 30, 20, 0, 0, 0, zone)} {
		out = append(out, book(len(out), night, 8), book(len(out)+1, night.Add(2*time.Hour), 8))
	}
	for len(out) < n {
		d := rng.IntN(days)
		day := time.Date(2027, 3, 20+d, 11+rng.IntN(7), 0, 0, 0, zone)
		if day.Weekday() != time.Saturday && rng.IntN(6) > 0 {
			continue
		}
		if day.Month() < time.May && rng.IntN(2) > 0 {
			continue
		}
		out = append(out, book(len(out), day, 8))
	}
	return out
}

// seasonStage plays a season in skipped time. Runs that continue as new go on in a fresh
// environment at the same time, as they would on a server.
type seasonStage struct {
	t     *testing.T
	world *seasonWorld
	input workflows.SeasonInput
	start time.Time
	every int
	acts  []seasonAct // by time
	runs  int
	clock func() time.Time
}

// seasonAct is what somebody does at a time.
type seasonAct struct {
	at   time.Time
	name string
	do   func(*testsuite.TestWorkflowEnvironment)
}

func newSeasonStage(t *testing.T, s models.Season, ahead time.Duration, weddings int) *seasonStage {
	st := &seasonStage{t: t, start: s.From.Add(-ahead), every: 1000, input: workflows.SeasonInput{Season: s}}
	st.world = newSeasonWorld(func() time.Time { return st.clock().UTC() })
	st.world.weddings = bookedSummer(t, s, weddings)
	return st
}

func (st *seasonStage) at(when time.Time, name string, do func(*testsuite.TestWorkflowEnvironment)) {
	st.acts = append(st.acts, seasonAct{when, name, do})
	slices.SortStableFunc(st.acts, func(a, b seasonAct) int { return a.at.Compare(b.at) })
}

// says sends an update; refused is part of why it does not count, "" when it does.
func (st *seasonStage) says(when time.Time, update string, arg any, refused string) {
	st.at(when, update, func(env *testsuite.TestWorkflowEnvironment) {
		env.UpdateWorkflowNoRejection(update, fmt.Sprintf("%s/%d", update, when.UnixNano()), st.t, arg)
	})
	if refused != "" {
		st.acts[slices.IndexFunc(st.acts, func(a seasonAct) bool { return a.at.Equal(when) && a.name == update })].do = func(env *testsuite.TestWorkflowEnvironment) {
			env.UpdateWorkflow(update, fmt.Sprintf("%s/%d", update, when.UnixNano()), &testsuite.TestUpdateCallback{
				OnReject: func(err error) { assert.ErrorContains(st.t, err, refused) }, OnAccept: func() { assert.Fail(st.t, "it counts") },
				OnComplete: func(any, error) {},
			}, arg)
		}
	}
}

func (st *seasonStage) approves(when time.Time, version int) {
	st.says(when, workflows.UpdateApprove, workflows.PlanAnswerRequest{Actor: "user:bob", Reason: "it is what we need", Version: version}, "")
}

// play runs to the end and gives the last state and error.
func (st *seasonStage) play() (workflows.SeasonState, error) {
	st.t.Helper()
	in := st.input
	in.ContinueEvery = st.every
	now := st.start
	for st.runs = 1; ; st.runs++ {
		require.Less(st.t, st.runs, 3000, "it continues for ever")
		suite := testsuite.WorkflowTestSuite{}
		suite.SetLogger(silent{})
		env := suite.NewTestWorkflowEnvironment()
		env.SetStartTime(now)
		env.SetTestTimeout(time.Minute)
		st.clock = env.Now
		worker.Register(env, worker.Activities{Seasons: st.world.activities()})
		pending := st.acts
		for _, a := range pending {
			if !a.at.Before(now) {
				env.RegisterDelayedCallback(func() {
					st.acts = slices.DeleteFunc(st.acts, func(o seasonAct) bool { return o.at.Equal(a.at) && o.name == a.name })
					a.do(env)
				}, a.at.Sub(now))
			}
		}
		env.ExecuteWorkflow(workflows.SeasonPreparationType, in)
		require.True(st.t, env.IsWorkflowCompleted())
		now = env.Now()
		err := env.GetWorkflowError()
		var again *workflow.ContinueAsNewError
		if err != nil && asContinue(err, &again) {
			var next workflows.SeasonInput // a fresh one: what is absent is zero
			require.NoError(st.t, converter.GetDefaultDataConverter().FromPayloads(again.Input, &next))
			in = next
			continue
		}
		v, qerr := env.QueryWorkflow(workflows.QueryState)
		require.NoError(st.t, qerr)
		var state workflows.SeasonState
		require.NoError(st.t, v.Get(&state))
		return state, err
	}
}

// released holds the rule that each reservation has the season as its holder, and an end.
func (st *seasonStage) released(s workflows.SeasonState) {
	st.t.Helper()
	w := st.world
	require.Zero(st.t, s.Standing)
	end := st.clock()
	for _, r := range w.claims {
		assert.Equal(st.t, "season/"+st.input.Season.ID, r.Holder)
		assert.NotEmpty(st.t, r.Reason)
		assert.False(st.t, r.ActiveAt(end), "%s of %s still counts", r.ID, r.Service)
		assert.True(st.t, r.EndedAt != nil || !r.Until.After(end))
	}
}

// fullSeason arranges a summer with a late approval, a plan that is amended by a person
// and by bookings, a cancelled Saturday, a skipped gate and a forecast that is away.
func fullSeason(t *testing.T) *seasonStage {
	s := summer2027(t)
	st := newSeasonStage(t, s, 35*24*time.Hour, 3000)
	// No two at one time of day: an act at the very moment of a step is before or after it.
	day := func(n int) time.Time {
		return s.From.Add(time.Duration(n)*24*time.Hour + time.Duration(40+n)*97*time.Second)
	}
	st.says(day(-30), workflows.UpdateApprove, workflows.PlanAnswerRequest{Actor: "user:anna", Reason: "mine"}, "somebody else")
	st.says(day(-29), workflows.UpdateApprove, workflows.PlanAnswerRequest{Actor: "user:bob", Reason: "yes", Version: 9}, "is not the plan that waits")
	st.approves(day(-20).Add(time.Hour), 1) // asked at −35, lapsed at −28: quota and load test were due
	st.says(day(-13), workflows.UpdateSkipGate, workflows.GateSkipRequest{Actor: "user:anna", Reason: "no", Gate: models.GateFreeze}, "must have 3 to 500")
	st.says(day(-12), workflows.UpdateSkipGate, workflows.GateSkipRequest{Actor: "user:anna", Reason: "releases are frozen by the company", Gate: models.GateFreeze}, "")
	st.says(day(-11), workflows.UpdateSkipGate, workflows.GateSkipRequest{Actor: "user:anna", Reason: "once more", Gate: models.GateFreeze}, "is skipped already")
	may := day(60)
	st.says(day(20), workflows.UpdateAmendPlan, workflows.PlanAmendRequest{Actor: "user:anna", Reason: "a large fair", Edits: []models.SeasonEdit{{Service: models.ServiceAPI, Week: &may, Floor: 300, Peak: 350}}}, "")
	st.says(day(21), workflows.UpdateApprove, workflows.PlanAnswerRequest{Actor: "user:anna", Reason: "mine too"}, "somebody else")
	st.approves(day(22), 0)
	// A Saturday is cancelled as a whole, and told of.
	saturday := "2027-06-12"
	st.at(day(50), "cancel", func(env *testsuite.TestWorkflowEnvironment) {
		st.world.mu.Lock()
		for i := range st.world.weddings {
			if st.world.weddings[i].WeddingDate == saturday {
				st.world.weddings[i].Status = models.WeddingCancelled
			}
		}
		st.world.mu.Unlock()
		env.SignalWorkflow(workflows.SignalCalendarChanged, workflows.CalendarChanged{Reason: "a Saturday was cancelled"})
	})
	// The predictor is away for a while.
	st.at(day(80).Add(time.Hour), "away", func(*testsuite.TestWorkflowEnvironment) {
		st.world.mu.Lock()
		st.world.faults["days"] = 40
		st.world.mu.Unlock()
	})
	return st
}

func TestAWholeSeasonIsPrepared(t *testing.T) {
	st := fullSeason(t)
	before := time.Date(2027, 6, 7, 0, 0, 0, 0, time.UTC).Add(-time.Hour) // the week of 12 June, in London
	state, err := st.play()
	require.NoError(t, err)
	w := st.world
	require.Equal(t, models.SeasonCompleted, state.Outcome, state.Sentence)
	assert.Equal(t, 1, state.ApprovalsLate)
	for gate, want := range map[models.GateName]models.GateStatus{
		models.GateQuota: models.GatePassed, models.GateLoadTest: models.GatePassed, models.GateGameDay: models.GatePassed,
		models.GateFreeze: models.GateSkipped, models.GateRehearsal: models.GatePassed,
	} {
		assert.Equal(t, want, w.gates[gate].Status, "%s: %s", gate, w.gates[gate].Text)
	}
	assert.Equal(t, "user:anna", w.gates[models.GateFreeze].Actor)
	require.Len(t, w.proofs, 2, "a certificate of each service")
	assert.Equal(t, 30*24*time.Hour, w.proofs[0].ExpiresAt.Sub(w.proofs[0].IssuedAt))

	effects := w.did()
	position := func(prefix string) int {
		return slices.IndexFunc(effects, func(e string) bool { return strings.HasPrefix(e, prefix) })
	}
	order := []string{
		"plan 1 proposed", "escalate warning reminder", "escalate critical approval", "plan 1 approved by user:bob", "reserve api", "gate quota passed",
		"load test api", "gate load_test passed", "gate freeze skipped", "gate rehearsal passed",
	}
	last := -1
	for _, e := range order[:5] {
		p := position(e)
		assert.Greater(t, p, last, "%s in its place", e)
		last = max(last, p)
	}
	for _, e := range order[5:] {
		assert.Positive(t, position(e), e)
	}
	assert.NotZero(t, slices.IndexFunc(effects, func(e string) bool { return strings.Contains(e, "escalate warning forecast") }))

	first, final := w.plans[1], w.plans[state.Effective]
	peak := func(p models.SeasonPlan, at time.Time) models.PlanWeek {
		for _, x := range p.Weeks {
			if x.Service == models.ServiceAPI && !at.Before(x.From) && at.Before(x.Until) {
				return x
			}
		}
		return models.PlanWeek{}
	}
	cancelled := before.Add(48 * time.Hour)
	assert.Less(t, peak(final, cancelled).Guests, peak(first, cancelled).Guests, "the cancelled Saturday")
	assert.LessOrEqual(t, peak(final, cancelled).Peak, peak(first, cancelled).Peak)
	assert.Equal(t, 350, peak(final, st.input.Season.From.Add(60*24*time.Hour)).Peak, "what a person amended stands")
	// Both nights of the clocks are in weeks of their own length, with their guests.
	spring, autumn := time.Date(2027, 3, 28, 1, 30, 0, 0, time.UTC), time.Date(2027, 10, 31, 1, 30, 0, 0, time.UTC)
	assert.Equal(t, 167*time.Hour, peak(first, spring).Until.Sub(peak(first, spring).From))
	assert.Equal(t, 169*time.Hour, peak(first, autumn).Until.Sub(peak(first, autumn).From))
	assert.Positive(t, peak(first, spring).Guests)
	assert.Positive(t, peak(first, autumn).Guests)

	require.NotNil(t, state.Report)
	assert.Equal(t, state.Report, w.season.Report)
	assert.Equal(t, 33, state.Report.Weeks)
	assert.GreaterOrEqual(t, state.Report.Amendments, 1)
	st.released(state)
	// In each week of the season each service's floor stood.
	for at := st.input.Season.From.Add(12 * time.Hour); at.Before(st.input.Season.Until); at = at.Add(24 * time.Hour) {
		for _, svc := range w.services {
			stood := false
			for _, r := range w.claims {
				stood = stood || r.Service == svc.Name && r.ActiveAt(at)
			}
			assert.True(t, stood, "%s has no floor at %s", svc.Name, at)
		}
	}
	actions := map[string]int{}
	for _, e := range w.trail {
		actions[e.Action]++
	}
	assert.Equal(t, 1, actions["season.gate.skip"])
	assert.Equal(t, 2, actions["season.plan.approved"])
	assert.Equal(t, 1, actions["season.plan.amend"])
}

func TestASeasonHasTheSameEffectsHoweverOftenItContinuesAsNew(t *testing.T) {
	base := fullSeason(t)
	want, err := base.play()
	require.NoError(t, err)
	for _, every := range []int{1, 2, 3, 5, 7, 60} {
		t.Run(fmt.Sprint("every ", every), func(t *testing.T) {
			st := fullSeason(t)
			st.every = every
			got, err := st.play()
			require.NoError(t, err)
			assert.Empty(t, firstDifference(base.world.did(), st.world.did()))
			assert.True(t, slices.Equal(base.world.plans[want.Effective].Weeks, st.world.plans[got.Effective].Weeks))
			assert.Equal(t, want.Report.Text, got.Report.Text)
			assert.Greater(t, st.runs, 1)
		})
	}
}

func firstDifference(a, b []string) string {
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			return fmt.Sprintf("effect %d: %v against %v", i, a[min(i, len(a)):min(i+2, len(a))], b[min(i, len(b)):min(i+2, len(b))])
		}
	}
	return ""
}

func asContinue(err error, into **workflow.ContinueAsNewError) bool {
	for e := err; e != nil; {
		if c, ok := e.(*workflow.ContinueAsNewError); ok { //nolint:errorlint // the chain is walked here
			*into = c
			return true
		}
		u, ok := e.(interface{ Unwrap() error })
		if !ok {
			return false
		}
		e = u.Unwrap()
	}
	return false
}

func TestCancellingASeasonAtAnyTimeReleasesItsReservations(t *testing.T) {
	for name, after := range map[string]int{"before anybody agreed": -34, "before a gate": -8, "among the gates": -10, "in the season": 70, "on its last day": 225} {
		t.Run(name, func(t *testing.T) {
			s := summer2027(t)
			st := newSeasonStage(t, s, 35*24*time.Hour, 300)
			st.approves(s.From.Add(-33*24*time.Hour), 1)
			st.at(s.From.Add(time.Duration(after)*24*time.Hour), "cancel", func(env *testsuite.TestWorkflowEnvironment) { env.CancelWorkflow() })
			state, err := st.play()
			require.Error(t, err)
			assert.Equal(t, models.SeasonCancelled, state.Outcome)
			assert.Equal(t, models.SeasonCancelled, st.world.season.Outcome, "it is recorded")
			st.released(state)
			if after > -28 {
				assert.NotEmpty(t, st.world.claims)
			}
		})
	}
}

func TestAFailedGateIsTriedAgainEachDayAndThenMissed(t *testing.T) {
	s := summer2027(t)
	st := newSeasonStage(t, s, 35*24*time.Hour, 300)
	low := 5
	st.world.quota = &low
	st.world.tester = func(models.LoadTestRequest) models.LoadTestResult {
		return models.LoadTestResult{Aborted: "the response time is above 1000 ms for 30s", PeakRPS: 50}
	}
	st.approves(s.From.Add(-33*24*time.Hour), 1)
	enough := 400
	st.at(s.From.Add(-25*24*time.Hour), "quota", func(*testsuite.TestWorkflowEnvironment) {
		st.world.mu.Lock()
		st.world.quota = &enough
		st.world.mu.Unlock()
	})
	st.at(s.From.Add(2*24*time.Hour), "cancel", func(env *testsuite.TestWorkflowEnvironment) { env.CancelWorkflow() })
	state, err := st.play()
	require.Error(t, err)
	w := st.world
	assert.Equal(t, models.GatePassed, w.gates[models.GateQuota].Status, "it passes when the provider allows more")
	assert.Greater(t, w.gates[models.GateQuota].Attempts, 2)
	assert.Equal(t, models.GateMissed, w.gates[models.GateLoadTest].Status)
	assert.Equal(t, 21, w.gates[models.GateLoadTest].Attempts)
	assert.Empty(t, w.proofs, "no certificate for a test that was stopped")
	told := 0
	for _, e := range w.escalations {
		if e.What == "gate load_test" {
			told++
			assert.NotEmpty(t, e.Remedies)
		}
	}
	assert.Equal(t, 2, told, "when it first failed, and when it was given up")
	st.released(state)
}

func TestAPlanThatNobodyAgreesToReservesNothing(t *testing.T) {
	s := summer2027(t)
	st := newSeasonStage(t, s, 35*24*time.Hour, 300)
	state, err := st.play()
	require.NoError(t, err)
	assert.Equal(t, models.SeasonExpired, state.Outcome)
	assert.Empty(t, st.world.claims)
	assert.Empty(t, st.world.gates)

	st = newSeasonStage(t, s, 35*24*time.Hour, 300)
	st.says(s.From.Add(-30*24*time.Hour), workflows.UpdateReject, workflows.PlanAnswerRequest{Actor: "user:bob", Reason: "too dear"}, "")
	state, err = st.play()
	require.NoError(t, err)
	assert.Equal(t, models.SeasonRejected, state.Outcome)
	assert.Equal(t, models.PlanRejected, st.world.plans[1].Status)
	assert.Empty(t, st.world.claims)
}

func TestAnApprovalAfterTheSeasonBeganReservesAtOnceAndTellsWhatIsMissed(t *testing.T) {
	s := summer2027(t)
	st := newSeasonStage(t, s, 35*24*time.Hour, 300)
	st.approves(s.From.Add(24*time.Hour), 0)
	st.at(s.From.Add(3*24*time.Hour), "cancel", func(env *testsuite.TestWorkflowEnvironment) { env.CancelWorkflow() })
	_, err := st.play()
	require.Error(t, err)
	for _, g := range models.GateNames() {
		assert.Equal(t, models.GateMissed, st.world.gates[g].Status, g)
	}
	assert.NotEmpty(t, st.world.claims)
}

func TestMoreThanWasAgreedToIsAskedForAndFollowedAsFarAsTheBoundsReach(t *testing.T) {
	for _, agrees := range []bool{true, false} {
		t.Run(fmt.Sprint("agreed ", agrees), func(t *testing.T) {
			s := summer2027(t)
			st := newSeasonStage(t, s, 35*24*time.Hour, 300)
			st.approves(s.From.Add(-33*24*time.Hour), 1)
			st.at(s.From.Add(-3*24*time.Hour), "busier", func(env *testsuite.TestWorkflowEnvironment) {
				st.world.mu.Lock()
				st.world.base *= 3
				st.world.mu.Unlock()
				env.SignalWorkflow(workflows.SignalCalendarChanged, workflows.CalendarChanged{Reason: "busier"})
			})
			answer := workflows.UpdateReject
			if agrees {
				answer = workflows.UpdateApprove
			}
			st.says(s.From.Add(3*24*time.Hour), answer, workflows.PlanAnswerRequest{Actor: "user:bob", Reason: "I looked at it"}, "")
			st.at(s.From.Add(8*24*time.Hour), "cancel", func(env *testsuite.TestWorkflowEnvironment) { env.CancelWorkflow() })
			state, err := st.play()
			require.Error(t, err)
			first := st.world.plans[1].Weeks[1]
			floor := func(at time.Time) int {
				n := 0
				for _, r := range st.world.claims {
					if r.Service == models.ServiceAPI && r.ActiveAt(at) {
						n = max(n, r.Replicas)
					}
				}
				return n
			}
			bound := int(float64(first.Floor)*1.2 + 0.999)
			assert.Equal(t, bound, floor(s.From.Add(26*time.Hour)), "before anybody answered")
			if agrees {
				assert.Greater(t, floor(s.From.Add(5*24*time.Hour)), bound)
				assert.Equal(t, state.Approved, state.Effective)
				return
			}
			assert.LessOrEqual(t, floor(s.From.Add(5*24*time.Hour)), bound)
			asked := 0
			for _, p := range st.world.plans {
				if p.Amendment != nil && p.Amendment.Verdict == models.AmendmentAsk && p.Status != models.PlanAmended {
					asked++
				}
			}
			assert.Equal(t, 1, asked, "what was refused is not asked for again each day")
		})
	}
}

func TestASeasonIsStartedWhenItIsDueAndOnce(t *testing.T) {
	def := activities.SeasonDefinition{Name: "northern-summer", First: "03-20", Last: "10-31", TimeZone: "Europe/London"}
	for name, c := range map[string]struct {
		now  time.Time
		want string
	}{
		"months before":    {time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC), ""},
		"five weeks ahead": {time.Date(2027, 2, 13, 6, 0, 0, 0, time.UTC), "season/northern-summer-2027"},
		"in the season":    {time.Date(2027, 7, 1, 6, 0, 0, 0, time.UTC), "season/northern-summer-2027"},
		"after it":         {time.Date(2027, 11, 1, 6, 0, 0, 0, time.UTC), ""},
	} {
		t.Run(name, func(t *testing.T) {
			suite := testsuite.WorkflowTestSuite{}
			suite.SetLogger(silent{})
			env := suite.NewTestWorkflowEnvironment()
			env.SetStartTime(c.now)
			worker.Register(env, worker.Activities{})
			env.OnWorkflow(workflows.SeasonPreparationType, mock.Anything, mock.Anything).Return(workflows.SeasonState{}, nil).Maybe()
			env.ExecuteWorkflow(workflows.SeasonDueType, workflows.SeasonDueInput{Definition: def})
			require.NoError(t, env.GetWorkflowError())
			var res workflows.SeasonDueResult
			require.NoError(t, env.GetWorkflowResult(&res))
			assert.Equal(t, c.want, res.WorkflowID)
		})
	}
	south := activities.SeasonDefinition{Name: "southern-summer", First: "10-15", Last: "03-15", TimeZone: "Australia/Sydney"}
	got, err := (&activities.Seasons{}).DefineSeason(context.Background(), south, time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC))
	require.NoError(t, err)
	assert.Equal(t, "southern-summer-2026", got.Season.ID, "the one that began last year")
}
