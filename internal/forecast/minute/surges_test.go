package minute

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// jumpy is a load of 100 that is 400 for five minutes from each of these minutes on.
func jumpy(minutes int, at func(minute int) bool) []float64 {
	out := make([]float64, minutes)
	for i := range out {
		out[i] = 100
	}
	for i := range out {
		if at(i) {
			for k := i; k < min(i+5, minutes); k++ {
				out[k] = 400
			}
		}
	}
	return out
}

func learnt(load []float64) (*surges, *prefix) {
	s, p := &surges{}, &prefix{}
	for i, x := range load {
		p.add(x)
		s.see(p, i+1)
	}
	return s, p
}

func TestSurgesThatComeByTheClockAreExpectedBySpacing(t *testing.T) {
	// Two minutes past the half hour, every second hour or, in a third of the cases, half
	// an hour later: where the last one was says where the next one is.
	rng := rand.New(rand.NewPCG(7, 7))
	next := 32
	at := map[int]bool{}
	for next < 10*dayMinutes {
		at[next] = true
		next += 120
		if rng.IntN(3) == 0 {
			next += 30
		}
	}
	load := jumpy(8*dayMinutes, func(m int) bool { return at[m] })
	s, p := learnt(load)
	require.Equal(t, []int{2, 32}, s.places)
	assert.Equal(t, 5, s.length)
	last := s.starts[len(s.starts)-1].minute
	assert.Less(t, s.chance(last+30), 0.1, "not half an hour after the last")
	assert.Greater(t, s.chance(last+120), 0.5)

	profile := make([]float64, len(load)+60)
	for i := range profile {
		profile[i] = 100
	}
	now := len(load)
	s.plan(profile, p, now)
	for m := now; m < len(profile); m++ {
		if at[m] && s.chance(m) >= surgePlanned {
			assert.InDelta(t, 400, profile[m+1], 1)
		}
	}
}

func TestSurgesAtAnyMinuteAndNoneTeachNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	at := map[int]bool{}
	for range 80 {
		at[rng.IntN(8*dayMinutes)] = true
	}
	s, p := learnt(jumpy(8*dayMinutes, func(m int) bool { return at[m] }))
	assert.Greater(t, len(s.starts), 40)
	assert.Empty(t, s.places)
	profile := []float64{1, 2, 3}
	s.plan(profile, p, 0)
	assert.Equal(t, []float64{1, 2, 3}, profile)

	s, _ = learnt(jumpy(8*dayMinutes, func(int) bool { return false }))
	assert.Empty(t, s.starts)
}
