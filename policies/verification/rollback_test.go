package verification_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/verification"
)

func TestRollbackTargets(t *testing.T) {
	cases := map[string]struct {
		in     verification.Situation
		want   int
		reason string
	}{
		"back to before":               {verification.Situation{BaselineSpec: 4, CurrentSpec: 10, NeedNow: 3, Harmful: 6}, 4, "back to the 4 replicas before the change"},
		"not below the need":           {verification.Situation{BaselineSpec: 4, CurrentSpec: 10, NeedNow: 7, Harmful: 6}, 7, "back to 7, the need of the moment; 4 were there before the change"},
		"all of it is needed":          {verification.Situation{BaselineSpec: 4, CurrentSpec: 10, NeedNow: 10, Harmful: 6}, 10, "back to 10, the need of the moment; 4 were there before the change"},
		"more than there is is needed": {verification.Situation{BaselineSpec: 4, CurrentSpec: 10, NeedNow: 14, Harmful: 6}, 10, "kept at 10: the need of the moment is 14"},
		"somebody took more already":   {verification.Situation{BaselineSpec: 8, CurrentSpec: 6, NeedNow: 3}, 6, "kept at 6: the need of the moment is 3"},
		"what is healthy stays":        {verification.Situation{BaselineSpec: 4, CurrentSpec: 10, NeedNow: 5, Harmful: 2}, 8, "back to 8, healthy; 4 were there before the change"},
		"nothing does harm":            {verification.Situation{BaselineSpec: 4, CurrentSpec: 10, NeedNow: 5}, 10, "back to 10, healthy; 4 were there before the change"},
		"more harm than is new":        {verification.Situation{BaselineSpec: 4, CurrentSpec: 6, NeedNow: 3, Harmful: 9}, 4, "back to the 4 replicas before the change"},
		"what the database takes":      {verification.Situation{BaselineSpec: 4, CurrentSpec: 10, NeedNow: 5, DatabaseCap: val(7)}, 7, "back to 7, what the database has connections for; 4 were there before the change"},
		"a database that takes less":   {verification.Situation{BaselineSpec: 4, CurrentSpec: 10, NeedNow: 5, Harmful: 6, DatabaseCap: val(2)}, 5, "back to 5, the need of the moment; 4 were there before the change"},
		"a database that takes more":   {verification.Situation{BaselineSpec: 4, CurrentSpec: 10, NeedNow: 5, DatabaseCap: val(50)}, 10, "back to 10, what the database has connections for; 4 were there before the change"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, reason := verification.RollbackTarget(c.in)
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.reason, reason)
		})
	}
}

func TestARollbackNeverOrdersMoreAndNeverTakesWhatIsNeeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 100)
		s := verification.Situation{BaselineSpec: n.Draw(t, "baseline"), CurrentSpec: n.Draw(t, "current"), NeedNow: n.Draw(t, "need"), Harmful: n.Draw(t, "harmful")}
		if rapid.Bool().Draw(t, "database") {
			s.DatabaseCap = val(n.Draw(t, "room"))
		}
		got, reason := verification.RollbackTarget(s)
		require.LessOrEqual(t, got, s.CurrentSpec)
		require.GreaterOrEqual(t, got, min(s.NeedNow, s.CurrentSpec))
		require.GreaterOrEqual(t, got, min(s.BaselineSpec, s.CurrentSpec))
		require.NotEmpty(t, reason)
	})
}

func TestAServiceIsRestoredWhenItIsAsBefore(t *testing.T) {
	before := edited(func(m *models.Measurement) { m.Spec, m.Ready = 4, 4 })
	after := func(es ...edit) models.Measurement {
		return edited(append([]edit{func(m *models.Measurement) { m.Ready = 4 }}, es...)...)
	}
	errors := func(m *models.Measurement) { m.Service.ErrorRate = val(0.05) }
	late := func(m *models.Measurement) { m.Service.P95MS = val(95.0) }
	cases := map[string]struct {
		before   *models.Measurement
		ms       []models.Measurement
		verdict  models.Verdict
		contains string
	}{
		"as before":                        {&before, times(3, after()), models.VerdictKeep, "the service is as before, by 3 of 3 measurements"},
		"errors stay":                      {&before, times(3, after(errors)), models.VerdictRollback, "5.00 % of requests"},
		"once is not always":               {&before, []models.Measurement{after(errors), after(), after()}, models.VerdictKeep, "by 2 of 3"},
		"slower by a fifth":                {&before, times(3, after(late)), models.VerdictRollback, "95 ms at p95, 80 ms before"},
		"slower under more load":           {&before, times(3, after(late, func(m *models.Measurement) { m.OfferedRPS = val(60.0) })), models.VerdictKeep, "as before"},
		"replicas are missing":             {&before, times(3, after(func(m *models.Measurement) { m.Ready = 3 })), models.VerdictRollback, "3 replicas are ready, 4 before"},
		"nothing was measured":             {&before, nil, models.VerdictHold, "nothing was measured"},
		"nobody knows what was before":     {nil, times(3, after(errors)), models.VerdictKeep, "as before"},
		"errors that were there before it": {val(edited(errors)), times(3, after(errors)), models.VerdictKeep, "as before"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			res := verification.JudgeRestored(verification.RestoredInputs{Baseline: c.before, Measurements: c.ms, Ready: 4})
			assert.Equal(t, c.verdict, res.Verdict, res.Reason)
			assert.Contains(t, res.Reason, c.contains)
			assert.Len(t, res.Checks, 3*len(c.ms))
		})
	}
}
