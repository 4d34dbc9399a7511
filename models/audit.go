package models

import (
	"context"
	"time"
)

// AuditFilter selects entries of the audit trail; zero fields select all.
type AuditFilter struct {
	From     time.Time
	Until    time.Time
	Actor    string
	Action   string // a whole action, or a prefix that ends in "*"
	Object   string // a whole object, or a prefix that ends in "*"
	Decision AuditDecision
	Before   *Cursor // newest first: older than this position
	Limit    int
}

// Origin is the call that a change comes from, for its row in the audit trail.
type Origin struct {
	RequestID string
	TraceID   string
	RemoteIP  string
}

type originKey struct{}

// WithOrigin carries the origin to what changes something below.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// OriginFrom reads the origin; the zero value where nobody called.
func OriginFrom(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}
