package workflows_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/verification"
	"github.com/wedsync/scalability/workflows"
)

// reply is what an approval or rejection came back with.
type reply struct {
	rejected error
	value    workflows.ApprovalAnswer
}

// answers gives a person's answer at a time of the scenario.
func (s *stage) answers(at time.Duration, update, actor, reason string) *reply {
	r := &reply{}
	s.env.RegisterDelayedCallback(func() {
		s.env.UpdateWorkflow(update, fmt.Sprint(update, at), &testsuite.TestUpdateCallback{
			OnAccept:   func() {},
			OnReject:   func(err error) { r.rejected = err },
			OnComplete: func(v any, _ error) { r.value, _ = v.(workflows.ApprovalAnswer) },
		}, workflows.ApprovalRequest{Actor: actor, Reason: reason})
	}, at)
	return r
}

func text(p workflows.OperationProgress) string {
	var b strings.Builder
	for _, st := range p.Evidence.Steps {
		fmt.Fprintf(&b, "%s: %s\n", st.Name, st.Text)
	}
	return b.String()
}

func TestALargeScaleInWaitsForAPerson(t *testing.T) {
	s := newStage(t, 20)
	own := s.answers(time.Minute, workflows.UpdateApprove, "autoscale/api", "I want it")
	bare := s.answers(2*time.Minute, workflows.UpdateApprove, "user:bob", " ")
	agreed := s.answers(7*time.Minute, workflows.UpdateApprove, "user:bob", "all guests left")
	late := s.answers(7*time.Minute+time.Second, workflows.UpdateReject, "user:anna", "I changed my mind")
	p := s.down(s.input(8, models.ClassSteady))
	assert.Equal(t, models.OutcomeVerified, p.Outcome, p.Reason)
	require.ErrorContains(t, own.rejected, "somebody else")
	require.ErrorContains(t, bare.rejected, "reason")
	require.ErrorContains(t, late.rejected, "does not wait for approval")
	assert.Equal(t, models.ApprovalApproved, agreed.value.Verdict)
	assert.Contains(t, agreed.value.Text, "user:bob")
	assert.Equal(t, []string{"order 20→8 d1/wave-1 until +480s"}, s.did("order"), "its minute begins when it was agreed to")
	require.NotNil(t, p.Evidence.Approval)
	assert.Equal(t, "user:bob", p.Evidence.Approval.Actor)
	assert.Contains(t, text(p), "reminder 1")
	assert.Contains(t, p.Evidence.Sentence, "approved by user:bob")
	assert.Equal(t, "user:bob", s.closed.Report.Evidence.Approval.Actor, "it is part of the record")
}

func TestWithoutAYesEverythingStaysAsItWas(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(*stage)
		outcome models.Outcome
		by      string
		after   time.Duration
	}{
		"a no":              {func(s *stage) { s.answers(time.Minute, workflows.UpdateReject, "user:anna", "a party goes on") }, models.OutcomeRefused, "user:anna", time.Minute},
		"no answer":         {func(*stage) {}, models.OutcomeExpired, "nobody", 15 * time.Minute},
		"stopped meanwhile": {func(s *stage) { s.happen(moment{at: time.Minute}, s.env.CancelWorkflow) }, models.OutcomeCancelled, "", time.Minute},
		"load that comes before": {func(s *stage) {
			s.happen(moment{at: time.Minute}, func() { s.env.SignalWorkflow(workflows.SignalSupersede, workflows.Supersede{ByDecisionID: "d2"}) })
		}, models.OutcomeSuperseded, "", time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, 20)
			c.happens(s)
			p := s.down(s.input(8, models.ClassSteady))
			assert.Equal(t, c.outcome, p.Outcome, p.Reason)
			assert.Equal(t, []string{"close " + string(c.outcome), "tell " + string(c.outcome)}, s.effects, "nothing else was touched")
			assert.Equal(t, 20, s.spec)
			assert.False(t, s.closed.Changed)
			assert.Equal(t, c.by, s.told.DeclinedBy)
			assert.Equal(t, c.after, s.env.Now().Sub(noon).Round(time.Second))
		})
	}
}

func TestWhatNeedsNoApproval(t *testing.T) {
	for name, c := range map[string]struct {
		from, to int
		needed   bool
	}{
		"ten of twelve":                  {12, 2, false},
		"eleven of twelve":               {13, 2, true},
		"a third of a hundred":           {100, 67, true},
		"thirty of a hundred":            {100, 70, false},
		"growth of any size, or removal": {4, 60, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, c.from)
			in := s.input(c.to, models.ClassPanic)
			in.ApprovalSeconds = 30
			var p workflows.OperationProgress
			if c.to > c.from {
				p = s.up(in)
			} else {
				p = s.down(in)
			}
			assert.Equal(t, c.needed, p.Evidence.Approval != nil)
			assert.Equal(t, c.needed, p.Outcome == models.OutcomeExpired)
		})
	}
	s := newStage(t, 10)
	in := s.input(9, models.ClassCap)
	in.Decision.Explanation = &models.Explanation{Approval: &models.Approval{Reason: "it goes below a floor of 10"}}
	p := s.down(in)
	assert.Equal(t, models.OutcomeExpired, p.Outcome, "the decision itself asks for it")
	assert.Contains(t, p.Reason, "below a floor")
}

func TestARolloutIsWaitedForByWhatIsPlanned(t *testing.T) {
	for name, c := range map[string]struct {
		class  models.Class
		busy   int // preflights that see the rollout
		orders string
	}{
		"until it ends":              {models.ClassFloor, 3, "until +90s"},
		"or for two minutes":         {models.ClassFloor, 100, "until +180s"},
		"and not when people wait":   {models.ClassPanic, 100, "until +60s"},
		"and not when there is none": {models.ClassFloor, 0, "until +60s"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, 4)
			s.busy = func(in activities.PreflightInput, n int) string {
				if in.Emergency || n > c.busy {
					return ""
				}
				return "rollout v2 is under way"
			}
			p := s.up(s.input(8, c.class))
			assert.Equal(t, models.OutcomeVerified, p.Outcome, p.Reason)
			require.Len(t, s.did("order"), 1)
			assert.Contains(t, s.did("order")[0], c.orders)
		})
	}
}

func TestWavesThatGuestsWouldOvertakeAreOneWave(t *testing.T) {
	for name, c := range map[string]struct {
		ahead time.Duration
		waves int
	}{"in an hour": {time.Hour, 3}, "in half an hour": {30 * time.Minute, 3}, "in 25 minutes": {25 * time.Minute, 1}, "now": {time.Second, 1}} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, 10)
			in := s.input(40, models.ClassFloor)
			at := noon.Add(c.ahead)
			in.Ceremony = &at
			p := s.up(in)
			assert.Equal(t, models.OutcomeVerified, p.Outcome, p.Reason)
			assert.Len(t, s.did("order"), c.waves)
			if c.waves == 1 {
				require.NotEmpty(t, p.Evidence.Flags)
				assert.Equal(t, models.FlagPage, p.Evidence.Flags[0].Level)
				assert.Equal(t, "wedding_deadline", p.Evidence.Flags[0].Name)
			}
		})
	}
}

func TestAnEmergencyIsJudgedWithinFiveMinutes(t *testing.T) {
	s := newStage(t, 4)
	s.measured = func(_ int, m models.Measurement) models.Measurement { m.New.Requests, m.Old.Requests = 1, 1; return m }
	p := s.up(s.input(8, models.ClassPanic))
	assert.Equal(t, models.OutcomeHeld, p.Outcome)
	assert.LessOrEqual(t, s.env.Now().Sub(noon), 5*time.Minute)
}

func TestWhatCannotBeMeasuredIsNotMeasuredForEver(t *testing.T) {
	s := newStage(t, 4)
	calls := 0
	s.before["Measure"] = func(n int) error {
		calls = n
		return refuse(models.KindInvalid, "no such window")
	}
	p := s.up(s.input(8, models.ClassReactive))
	assert.Equal(t, models.OutcomeHeld, p.Outcome)
	assert.Equal(t, 8, calls, "four in a row end each of the two rounds")
	assert.Contains(t, text(p), "4 measurements in a row could not be taken")
	assert.Equal(t, 8, s.spec)
}

func TestSyntheticRequestsMakeAVerdictWhereNobodyComes(t *testing.T) {
	s := newStage(t, 4)
	var asked *models.ProbeRequest
	s.probe = func(req models.ProbeRequest) bool { asked = &req; return true }
	s.measured = func(_ int, m models.Measurement) models.Measurement {
		m.New.Requests, m.Old.Requests = 1, 1
		if asked != nil {
			m.New.Requests = 100
		}
		return m
	}
	p := s.up(s.input(8, models.ClassReactive))
	assert.Equal(t, models.OutcomeVerified, p.Outcome, p.Reason)
	require.NotNil(t, asked)
	assert.Equal(t, models.ProbeRequest{Service: "api", Baseline: s.old, RPS: 10, Seconds: 120}, *asked)
}

func TestARollbackThatDoesNotHelpIsAFailureThatFreezes(t *testing.T) {
	s := newStage(t, 4)
	s.measured = func(n int, m models.Measurement) models.Measurement {
		bad := 0.3
		m.New.ErrorRate, m.Service.ErrorRate = &bad, &bad
		return m
	}
	p := s.up(s.input(8, models.ClassReactive))
	assert.Equal(t, models.OutcomeFailed, p.Outcome)
	assert.Contains(t, p.Reason, "after the rollback the service fails 30.00 % of requests")
	assert.Equal(t, 4, s.spec, "what could be taken back was")
	assert.NotEmpty(t, s.told.Stuck, "the autoscaler is told to change nothing")
	assert.Equal(t, verification.CauseErrors, s.told.Cause)
	require.NotEmpty(t, p.Evidence.Flags)
	assert.Equal(t, models.FlagPage, p.Evidence.Flags[0].Level)
}

func TestEvidenceSaysWhatItCostAndWhatBecameOfIt(t *testing.T) {
	s := newStage(t, 4)
	p := s.up(s.input(8, models.ClassPanic))
	e := s.closed.Report.Evidence
	require.NotNil(t, e.After)
	assert.Equal(t, 8, e.After.Spec)
	assert.InDelta(t, 8*s.service.CostPerReplicaHour, e.After.CostPerHour, 1e-9)
	assert.InDelta(t, 4*s.service.CostPerReplicaHour, e.Before.CostPerHour, 1e-9)
	assert.Contains(t, e.Sentence, "Scaling api 4→8 was verified: ")
	assert.Contains(t, e.Sentence, "4 replicas stood before at 0.48 an hour, 8 stand now at 0.96.")
	assert.Equal(t, p.Evidence.Sentence, e.Sentence)
}
