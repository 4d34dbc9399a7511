package verification_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/policies/verification"
)

func TestRollbackTargets(t *testing.T) {
	cases := map[string]struct {
		in     verification.Situation
		want   int
		reason string
	}{
		"back to before":               {verification.Situation{BaselineSpec: 4, CurrentSpec: 10, NeedNow: 3}, 4, "back to the 4 replicas before the change"},
		"not below the need":           {verification.Situation{BaselineSpec: 4, CurrentSpec: 10, NeedNow: 7}, 7, "back to 7, the need of the moment; 4 were there before the change"},
		"all of it is needed":          {verification.Situation{BaselineSpec: 4, CurrentSpec: 10, NeedNow: 10}, 10, "back to 10, the need of the moment; 4 were there before the change"},
		"more than there is is needed": {verification.Situation{BaselineSpec: 4, CurrentSpec: 10, NeedNow: 14}, 10, "kept at 10: the need of the moment is 14"},
		"somebody took more already":   {verification.Situation{BaselineSpec: 8, CurrentSpec: 6, NeedNow: 3}, 6, "kept at 6: the need of the moment is 3"},
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
		s := verification.Situation{BaselineSpec: n.Draw(t, "baseline"), CurrentSpec: n.Draw(t, "current"), NeedNow: n.Draw(t, "need")}
		got, reason := verification.RollbackTarget(s)
		require.LessOrEqual(t, got, s.CurrentSpec)
		require.GreaterOrEqual(t, got, min(s.NeedNow, s.CurrentSpec))
		require.GreaterOrEqual(t, got, min(s.BaselineSpec, s.CurrentSpec))
		require.NotEmpty(t, reason)
	})
}
