package threats

import (
	"context"
	"time"

	"github.com/wedsync/scalability/models"
)

// Trail reads what was committed, each row once.
type Trail interface {
	Begin(ctx context.Context, since time.Time) ([]models.AuditEntry, models.TrailPosition, error)
	Next(ctx context.Context, at models.TrailPosition) ([]models.AuditEntry, []models.TrailGap, error)
}

// History sums the weeks before up.
type History interface {
	Behaviour(ctx context.Context, from, until time.Time) (models.Behaviour, error)
}

// Lease says which process watches; see store.WatchThreats.
type Lease interface {
	WatchThreats(ctx context.Context, holder string, lease time.Duration, seen time.Time) (before time.Time, held bool, err error)
}

// Alerts keep what was found, once each.
type Alerts interface {
	RaiseAlert(ctx context.Context, t models.Threat) (isNew bool, err error)
	SecurityAlerts(ctx context.Context, f models.ThreatFilter) ([]models.Threat, error)
}

// Revoker ends the tokens of a subject. A revocation that is there already is KindConflict.
type Revoker interface {
	Revoke(ctx context.Context, r models.Revocation) error
}

// Throttles are told to all API processes.
type Throttles interface {
	PutThrottles(ctx context.Context, all []models.Throttle) error
}

// Claims say whether changes are frozen.
type Claims interface {
	Reservations(ctx context.Context, service models.ServiceName, activeAt *time.Time) ([]models.Reservation, error)
}
