package audit

import (
	"context"
	"log/slog"

	"github.com/wedsync/scalability/models"
)

// Nothing keeps no entries.
type Nothing struct{}

// Disabled is for RBAC_AUDIT_LOGGING_ENABLED=false. It says so once.
func Disabled(log *slog.Logger) *Nothing {
	log.Warn("audit logging is off: no access decision is kept", "variable", "RBAC_AUDIT_LOGGING_ENABLED")
	return &Nothing{}
}

// Record keeps nothing.
func (*Nothing) Record(context.Context, models.AuditEntry) error { return nil }

// Close does nothing.
func (*Nothing) Close(context.Context) error { return nil }
