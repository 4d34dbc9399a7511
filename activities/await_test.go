package activities_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
)

// script is an actuator whose replicas change with each look; the last look stays.
type script struct {
	*platform
	mu    sync.Mutex
	looks []func() (models.ReplicaSet, error)
	seen  int
}

func (s *script) Describe(context.Context, models.ServiceName) (models.ReplicaSet, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	look := s.looks[min(s.seen, len(s.looks)-1)]
	s.seen++
	return look()
}

// quiet is a test suite that logs nothing.
func quiet() *testsuite.WorkflowTestSuite {
	suite := &testsuite.WorkflowTestSuite{}
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	return suite
}

// look makes a look of six replicas of which the last two are new, in a phase.
func look(phase models.ReplicaPhase) func() (models.ReplicaSet, error) {
	p := steady()
	p.order(models.Replica{ID: "n1", Phase: phase}, models.Replica{ID: "n2", Phase: phase})
	return func() (models.ReplicaSet, error) { return p.set, nil }
}

func away() (models.ReplicaSet, error) { return models.ReplicaSet{}, errAway }

// await runs AwaitReady for six replicas; the clock moves a second with each question.
func await(t *testing.T, seconds int, looks ...func() (models.ReplicaSet, error)) (activities.AwaitResult, []int, error) {
	t.Helper()
	var ticks atomic.Int64
	var mu sync.Mutex
	var beats []int
	op := steady().operator()
	op.Actuator = &script{platform: steady(), looks: looks}
	op.Now = func() time.Time { return now.Add(time.Duration(ticks.Add(1)) * time.Second) }
	suite := quiet()
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(op.AwaitReady)
	env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
		var n int
		if details.Get(&n) == nil {
			mu.Lock()
			beats = append(beats, n)
			mu.Unlock()
		}
	})
	v, err := env.ExecuteActivity(op.AwaitReady, activities.AwaitInput{
		Service: models.ServiceAPI, Spec: 6, Baseline: []string{"a", "b", "c", "d"}, Deadline: now.Add(time.Duration(seconds) * time.Second),
	})
	var res activities.AwaitResult
	if err == nil {
		require.NoError(t, v.Get(&res))
	}
	mu.Lock()
	defer mu.Unlock()
	return res, beats, err
}

func TestAwaitEndsWhenAllAreReady(t *testing.T) {
	res, beats, err := await(t, 60, look(models.ReplicaPending), away, look(models.ReplicaPending), look(models.ReplicaReady))
	require.NoError(t, err)
	assert.True(t, res.Ready)
	assert.Zero(t, res.Crashing)
	assert.Equal(t, 6, res.Replicas.Ready)
	assert.NotEmpty(t, beats, "it beats while it waits")
	assert.Equal(t, 4, beats[0])
}

func TestAwaitEndsWhenANewReplicaCrashes(t *testing.T) {
	again := func() (models.ReplicaSet, error) { t.Error("looked again"); return away() }
	res, _, err := await(t, 60, look(models.ReplicaPending), look(models.ReplicaCrashing), again)
	require.NoError(t, err)
	assert.False(t, res.Ready)
	assert.Equal(t, 2, res.Crashing)
}

func TestAwaitDoesNotMindAnOldReplicaThatCrashes(t *testing.T) {
	p := steady()
	p.set.Replicas[0].Phase, p.set.Ready = models.ReplicaCrashing, 3
	p.order(models.Replica{ID: "n1", Phase: models.ReplicaReady}, models.Replica{ID: "n2", Phase: models.ReplicaReady})
	res, _, err := await(t, 5, func() (models.ReplicaSet, error) { return p.set, nil })
	require.NoError(t, err)
	assert.Zero(t, res.Crashing)
	assert.False(t, res.Ready, "not all are")
	assert.Equal(t, 5, res.Replicas.Ready)
}

func TestAwaitEndsAtItsDeadline(t *testing.T) {
	res, _, err := await(t, 5, look(models.ReplicaPending))
	require.NoError(t, err, "time is over: what stands there is the answer")
	assert.False(t, res.Ready)
	assert.Equal(t, 4, res.Replicas.Ready)
	assert.Equal(t, 2, res.Replicas.Pending())
}

func TestAwaitSaysWhenTheLastLookFailed(t *testing.T) {
	_, _, err := await(t, 5, look(models.ReplicaPending), away)
	assert.Equal(t, models.KindUnavailable, activities.KindOf(err), "an old look is no answer")
}

func TestAwaitIsNotReadyAtAnotherSpecOrWhileOldOnesLeave(t *testing.T) {
	p := steady()
	p.order(models.Replica{ID: "n1", Phase: models.ReplicaReady}, models.Replica{ID: "n2", Phase: models.ReplicaReady}, models.Replica{ID: "n3", Phase: models.ReplicaReady})
	res, _, err := await(t, 3, func() (models.ReplicaSet, error) { return p.set, nil })
	require.NoError(t, err)
	assert.False(t, res.Ready, "seven were ordered by somebody")
	p.set.Spec = 6
	res, _, err = await(t, 3, func() (models.ReplicaSet, error) { return p.set, nil })
	require.NoError(t, err)
	assert.False(t, res.Ready, "one is still leaving")
}

func TestAwaitEndsWhenItIsCancelled(t *testing.T) {
	op := steady().operator()
	looked := make(chan struct{}, 1)
	op.Actuator = &script{platform: steady(), looks: []func() (models.ReplicaSet, error){func() (models.ReplicaSet, error) {
		select {
		case looked <- struct{}{}:
		default:
		}
		return look(models.ReplicaPending)()
	}}}
	cancelled := func(ctx context.Context) (string, error) {
		ctx, cancel := context.WithCancel(ctx)
		go func() { <-looked; cancel() }()
		_, err := op.AwaitReady(ctx, activities.AwaitInput{Service: models.ServiceAPI, Spec: 6, Deadline: now.Add(time.Hour)})
		return err.Error(), nil
	}
	suite := quiet()
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivityWithOptions(cancelled, activity.RegisterOptions{Name: "cancelled"})
	v, err := env.ExecuteActivity("cancelled")
	require.NoError(t, err)
	var text string
	require.NoError(t, v.Get(&text))
	assert.Equal(t, context.Canceled.Error(), text)
}

func TestEnoughReplicasEndTheWait(t *testing.T) {
	p := steady()
	p.order(models.Replica{ID: "n1", Phase: models.ReplicaPending})
	in := activities.AwaitInput{Service: models.ServiceAPI, Spec: 5, Enough: 4, Deadline: now, Baseline: p.set.IDs()[:4]}
	wait := func() (res activities.AwaitResult) {
		env := quiet().NewTestActivityEnvironment()
		op := p.operator()
		env.RegisterActivity(op.AwaitReady)
		v, err := env.ExecuteActivity(op.AwaitReady, in)
		require.NoError(t, err)
		require.NoError(t, v.Get(&res))
		return res
	}
	assert.True(t, wait().Ready)
	in.Enough = 0
	assert.False(t, wait().Ready, "all, where nobody says how many")
	p.set.Replicas[4].Phase, p.set.Replicas[4].Restarts, p.set.Ready = models.ReplicaReady, 2, 5
	assert.Equal(t, 1, wait().Crashing, "ready between two crashes is not ready")
}
