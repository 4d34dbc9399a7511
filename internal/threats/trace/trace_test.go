package trace

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/threats"
)

func TestDetectionKeepsItsPromiseOnDrawnTrails(t *testing.T) {
	r := Evaluate(11, 3, threats.Defaults())
	assert.GreaterOrEqual(t, r.Precision, 0.95)
	assert.GreaterOrEqual(t, r.Recall, 0.95)
	assert.LessOrEqual(t, r.DelayP95, 5.0)
	assert.Zero(t, r.CleanCritical, "a clean surge raises nothing critical: %v", r.Each)
	assert.Zero(t, r.Misjudged)
	for _, rule := range models.ThreatRules() {
		assert.Positive(t, r.Rules[string(rule)].Attacks, "%s was tried", rule)
	}
	for _, f := range r.Each {
		assert.Empty(t, f.Missed)
	}
}

// A judge that cannot say no proves nothing.
func TestADetectorThatSleepsOrCriesWolfIsFoundOut(t *testing.T) {
	asleep := threats.Defaults()
	asleep.BruteFailures, asleep.SuccessFailures, asleep.DeniedCalls = 1000, 1000, 1000
	r := Evaluate(11, 1, asleep)
	assert.Less(t, r.Recall, 0.95)
	nervous := threats.Defaults()
	nervous.BruteFailures, nervous.SprayAccounts, nervous.SpraySigmas = 2, 1, 0.5
	r = Evaluate(11, 1, nervous)
	assert.Less(t, r.Precision, 0.95)
	assert.Positive(t, r.CleanCritical)
}

func TestASeedGivesTheSameTrail(t *testing.T) {
	a, b := Draw(Options{Seed: 5, Attacks: true}), Draw(Options{Seed: 5, Attacks: true})
	assert.Equal(t, a.Attacks, b.Attacks)
	assert.Equal(t, a.Events[len(a.Events)/2], b.Events[len(b.Events)/2])
	assert.NotEqual(t, a.Attacks, Draw(Options{Seed: 6, Attacks: true}).Attacks)
}

func TestAttacksLeaveTheCleanRowsAsTheyWere(t *testing.T) {
	clean, attacked := Draw(Options{Seed: 5}), Draw(Options{Seed: 5, Attacks: true})
	assert.Empty(t, clean.Attacks)
	assert.Empty(t, clean.Owner)
	ids := map[string]bool{}
	for _, e := range attacked.Events {
		if e.Attack == 0 {
			ids[e.Entry.ID] = true
		}
	}
	assert.Len(t, ids, len(clean.Events))
	for _, a := range attacked.Attacks {
		assert.False(t, a.Detectable.IsZero(), "%+v", a)
		assert.False(t, a.Detectable.Before(attacked.JudgedFrom))
	}
}
