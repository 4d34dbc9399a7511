package activities

import (
	"context"
	"time"

	"github.com/wedsync/scalability/models"
)

// DayForecaster gives the load that is expected of each day of [from, until).
type DayForecaster interface {
	Days(ctx context.Context, service models.ServiceName, from, until time.Time) ([]models.DayLoad, error)
}

// SeasonKeeper keeps the row of a season, how its plans ended and its gates: all of one
// record or none. It may be repeated.
type SeasonKeeper interface {
	KeepSeason(ctx context.Context, s models.Season, settled []models.SeasonPlan, gates []models.SeasonGate) error
}

// PlanKeeper keeps the versions of plans. SavePlan may be repeated; superseded are the
// versions whose place it takes.
type PlanKeeper interface {
	SavePlan(ctx context.Context, p models.SeasonPlan, superseded ...int) error
	SeasonPlan(ctx context.Context, season string, version int) (models.SeasonPlan, error)
}

// ProofKeeper keeps capacity certificates.
type ProofKeeper interface {
	SaveCapacityProofs(ctx context.Context, proofs []models.CapacityProof) error
	CapacityProofs(ctx context.Context, season string) ([]models.CapacityProof, error)
}

// SeasonClaims places and releases what a season reserves. A reservation that is there
// already, also one that was ended, is KindConflict.
type SeasonClaims interface {
	CreateReservation(ctx context.Context, r models.Reservation) error
	ReservationsOf(ctx context.Context, holder string, at time.Time) ([]models.Reservation, error)
	EndReservations(ctx context.Context, ids []string, actor string, at time.Time) (int, error)
}

// LoadTester offers load to a service in steps, and stops when an abort condition holds.
// beat is called at least each 10 s.
type LoadTester interface {
	LoadTest(ctx context.Context, req models.LoadTestRequest, beat func(models.LoadTestSample)) (models.LoadTestResult, error)
}

// CeremonyReader says whether any wedding takes place at a time.
type CeremonyReader interface {
	CeremonyAt(ctx context.Context, at time.Time) (bool, error)
}

// Escalator has people hear of something.
type Escalator interface {
	EscalateSeason(ctx context.Context, e models.SeasonEscalation) error
}

// UsageReader gives the most replicas that a service had in [from, until); nil where
// nothing is kept of that time.
type UsageReader interface {
	MostReplicas(ctx context.Context, service models.ServiceName, from, until time.Time) (*int, error)
}
