package threats

import (
	"time"

	"github.com/wedsync/scalability/models"
)

// Settings are the numbers of the rules.
type Settings struct {
	BruteFailures int           // of one account …
	BruteWindow   time.Duration // … in this

	SuccessFailures int           // of one account …
	SuccessWindow   time.Duration // … and then a success, all in this

	StuffingAccounts int           // failing from one network …
	StuffingWindow   time.Duration // … in this …
	StuffingShare    float64       // … and more than this part of all that came from there

	SpraySigmas   float64 // above what is usual for the hour of the week and the accounts that are active
	SprayWindow   time.Duration
	SprayAccounts int // fewer are never a spray

	DeniedCalls  int           // above the subject's own tier …
	DeniedWindow time.Duration // … in this

	HabitDays    int           // days on which a subject was seen before anything is unusual of them
	HabitAge     time.Duration // and since when they are known
	RateFactor   float64       // times the 99.9th percentile of the subject's own rate
	RateFloor    int           // calls in five minutes that are never too many
	HoursAway    int           // hours from any at which the subject was ever active
	TeamAwake    int           // people who are active at that hour make it usual …
	QuietShare   float64       // … and so does this part of all, if they ever were
	UnusualQuiet time.Duration // the same thing is not told again within this

	ThrottleFor time.Duration // of accounts and networks
}

// Defaults are the documented numbers.
func Defaults() Settings {
	return Settings{
		BruteFailures: 10, BruteWindow: 10 * time.Minute,
		SuccessFailures: 5, SuccessWindow: 15 * time.Minute,
		StuffingAccounts: 20, StuffingWindow: 10 * time.Minute, StuffingShare: 0.9,
		SpraySigmas: 6, SprayWindow: 10 * time.Minute, SprayAccounts: 12,
		DeniedCalls: 5, DeniedWindow: 5 * time.Minute,
		HabitDays: 7, HabitAge: 14 * 24 * time.Hour, RateFactor: 3, RateFloor: 150,
		HoursAway: 3, TeamAwake: 3, QuietShare: 0.05, UnusualQuiet: 24 * time.Hour,
		ThrottleFor: 15 * time.Minute,
	}
}

// Lookback is how far back a detector has to be given entries again after a restart, so that
// its short windows are as if it had never stopped.
func (s Settings) Lookback() time.Duration {
	return max(s.BruteWindow, s.SuccessWindow, s.StuffingWindow, s.SprayWindow, s.DeniedWindow, rateWindow) + time.Minute
}

// Bounds of memory. They are far above what a platform has; beyond them the oldest is
// forgotten.
const (
	maxAccounts = 10_000 // that fail
	maxNetworks = 4_096
	maxSubjects = 5_000 // that are known
	maxGroups   = 10_000
	maxEvidence = 10 // entries that an alert names
	maxFailures = 64 // of one account that are remembered
	maxPairs    = 16 // of token and network of one subject

	maxStrangers = 50 // accounts that never got in, of which guesses are told in a window
)

// Surroundings are what else holds when something happens.
type Surroundings struct {
	ChangeFreeze bool
}

// tier is how far a permission reaches: 1 looks, 2 changes capacity, 3 rules.
func tier(p models.Permission) int {
	switch p {
	case models.PermissionManage, models.PermissionAudit, models.PermissionPolicy:
		return 3
	case models.PermissionScaleStandard, models.PermissionWeddingPriority, models.PermissionScaleIn:
		return 2
	default:
		return 1
	}
}

// tierOf is how far a subject's roles reach; somebody without any may try to look.
func tierOf(roles []models.Role) int {
	best := 1
	for _, r := range roles {
		switch r {
		case models.RoleAdmin:
			best = max(best, 3)
		case models.RoleOperator:
			best = max(best, 2)
		case models.RoleViewer, models.RoleMetricsWriter, models.RoleCoordinator:
			// A coordinator's priority depends on the day; see ruleNotGranted.
		}
	}
	return best
}
