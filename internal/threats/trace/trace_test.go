package trace

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/threats"
)

// attacked and clean are the trails of one seed, drawn once for all tests: they are long.
var (
	attacked = sync.OnceValue(func() Trace { return Draw(Options{Seed: 11, Attacks: true}) })
	clean    = sync.OnceValue(func() Trace { return Draw(Options{Seed: 11}) })
)

func judged(s threats.Settings) (f Found) {
	f.judge(attacked(), run(attacked(), s), map[string]Score{})
	return f
}

func TestDetectionKeepsItsPromiseOnDrawnTrails(t *testing.T) {
	r := Evaluate(12, 1, threats.Defaults())
	assert.GreaterOrEqual(t, r.Precision, 0.95)
	assert.GreaterOrEqual(t, r.Recall, 0.95)
	assert.Positive(t, r.DelayP50)
	assert.LessOrEqual(t, r.DelayP95, 5.0)
	assert.Zero(t, r.CleanCritical, "a clean surge raises nothing critical")
	assert.Positive(t, r.CleanRows)
	assert.Zero(t, r.Misjudged)
	for _, rule := range models.ThreatRules() {
		assert.Positive(t, r.Rules[string(rule)].Attacks, "%s was tried", rule)
	}
	again := judged(threats.Defaults())
	assert.Empty(t, again.Missed)
	assert.GreaterOrEqual(t, share(again.True, again.Alerts), 0.95)
}

// A judge that cannot say no proves nothing.
func TestADetectorThatSleepsOrCriesWolfIsFoundOut(t *testing.T) {
	asleep := threats.Defaults()
	asleep.BruteFailures, asleep.SuccessFailures, asleep.DeniedCalls = 1000, 1000, 1000
	f := judged(asleep)
	assert.Less(t, share(f.Detected, f.Detected+len(f.Missed)), 0.95)
	nervous := threats.Defaults()
	nervous.BruteFailures, nervous.SprayAccounts, nervous.SpraySigmas = 2, 1, 0.5
	f = judged(nervous)
	assert.Less(t, share(f.True, f.Alerts), 0.95)
	critical := 0
	for _, a := range run(clean(), nervous) {
		if a.threat.Severity == models.ThreatCritical {
			critical++
		}
	}
	assert.Positive(t, critical)
}

func TestASeedGivesTheSameTrail(t *testing.T) {
	a, b := attacked(), Draw(Options{Seed: 11, Attacks: true})
	assert.Equal(t, a.Attacks, b.Attacks)
	assert.Equal(t, a.Events[len(a.Events)/2], b.Events[len(b.Events)/2])
	assert.Equal(t, a.Events[len(a.Events)-1], b.Events[len(b.Events)-1])
}

func TestAttacksLeaveTheCleanRowsAsTheyWere(t *testing.T) {
	assert.Empty(t, clean().Attacks)
	assert.Empty(t, clean().Owner)
	ids := map[string]bool{}
	for _, e := range attacked().Events {
		if e.Attack == 0 {
			ids[e.Entry.ID] = true
		}
	}
	assert.Len(t, ids, len(clean().Events))
	for _, a := range attacked().Attacks {
		assert.False(t, a.Detectable.Before(attacked().JudgedFrom), "%+v", a)
	}
}
