package scaling

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestUtilisationGoesWithTheReplicasThatAreReadyNow(t *testing.T) {
	f := func(v float64) *float64 { return &v }
	for name, c := range map[string]struct {
		avg60    float64
		avg6     *float64
		panicked bool
		want     float64
	}{
		"calm and steady":                        {0.6, f(0.6), false, 0.6},
		"replicas were added within a minute":    {0.9, f(0.4), false, 0.4},
		"a moment's rise in calm does not count": {0.5, f(0.8), false, 0.5},
		"a rise in panic counts":                 {0.5, f(0.8), true, 0.8},
		"added replicas end the need in panic":   {0.9, f(0.4), true, 0.4},
		"no newest seconds":                      {0.7, nil, true, 0.7},
	} {
		t.Run(name, func(t *testing.T) {
			d := &decision{panicked: c.panicked}
			assert.InDelta(t, c.want, d.utilisation(c.avg60, c.avg6), 1e-12)
		})
	}
}
