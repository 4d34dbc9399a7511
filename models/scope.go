package models

import "context"

// ScopeRole is the name under which a statement runs in the database's row level
// security. The zero value sees nothing.
type ScopeRole string

// The scope roles. People's scopes carry their platform role; the platform's own
// processes use system, and ingestion a scope that only writes metrics.
const (
	ScopeNone        ScopeRole = ""
	ScopeSystem      ScopeRole = "system"
	ScopeIngest      ScopeRole = "ingest"
	ScopeAdmin       ScopeRole = "scalability_admin"
	ScopeOperator    ScopeRole = "scalability_operator"
	ScopeViewer      ScopeRole = "scalability_viewer"
	ScopeCoordinator ScopeRole = "wedding_coordinator"
)

// Scope says on whose behalf storage is used. Storage puts it into the transaction,
// where row level security reads it.
type Scope struct {
	Role    ScopeRole
	Subject string // user:…, svc:…, or the process
}

type scopeKey struct{}

// WithScope carries a scope to the storage calls below.
func WithScope(ctx context.Context, s Scope) context.Context {
	return context.WithValue(ctx, scopeKey{}, s)
}

// ScopeFrom reads the scope; without one it is the zero scope, which sees nothing.
func ScopeFrom(ctx context.Context) Scope {
	s, _ := ctx.Value(scopeKey{}).(Scope)
	return s
}
