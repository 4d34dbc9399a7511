package models

import "time"

// Role is one of the platform's roles.
type Role string

// The roles. The first four are people's; the last is for service accounts that
// only deliver metrics.
const (
	RoleAdmin         Role = "scalability_admin"
	RoleOperator      Role = "scalability_operator"
	RoleViewer        Role = "scalability_viewer"
	RoleCoordinator   Role = "wedding_coordinator"
	RoleMetricsWriter Role = "metrics_writer"
)

// Permission is what a route or command needs.
type Permission string

// The permissions. Admin holds all of them.
const (
	PermissionRead            Permission = "scalability:read"
	PermissionMonitor         Permission = "scalability:monitor"
	PermissionScaleStandard   Permission = "scalability:scale_standard"
	PermissionWeddingPriority Permission = "scalability:wedding_priority"
	PermissionIngest          Permission = "scalability:ingest"
	PermissionManage          Permission = "scalability:manage" // catalogue, weddings, maintenance
	PermissionAudit           Permission = "scalability:audit"  // read the audit trail
	PermissionPolicy          Permission = "scalability:policy" // roles, bindings, service accounts, revocations
	// PermissionScaleIn is needed besides scale_standard where capacity is asked to go down.
	PermissionScaleIn Permission = "scalability:scale_in"
)

// Permissions lists every permission in fixed order.
func Permissions() []Permission {
	return []Permission{
		PermissionRead, PermissionMonitor, PermissionScaleStandard,
		PermissionWeddingPriority, PermissionIngest, PermissionManage, PermissionAudit, PermissionPolicy, PermissionScaleIn,
	}
}

// Identity is who a checked token speaks for. It carries no roles: those come from
// the bindings in the database.
type Identity struct {
	Subject     string    `json:"subject"` // user:<sub> or svc:<sub>
	Kind        string    `json:"kind"`    // user or service
	TokenID     string    `json:"tokenId"`
	IssuedAt    time.Time `json:"issuedAt"` // at the earliest, by our clock; zero where the token does not say
	ExpiresAt   time.Time `json:"expiresAt"`
	ClaimedRole string    `json:"claimedRole"` // what the token says, never trusted
}

// Binding gives a role to a subject for a time. Row of table role_bindings.
type Binding struct {
	Subject   string     `json:"subject" gorm:"primaryKey"`
	Role      Role       `json:"role" gorm:"primaryKey"`
	ValidFrom time.Time  `json:"validFrom"`
	ValidTo   *time.Time `json:"validTo,omitempty"`
	CreatedBy string     `json:"createdBy"`
	CreatedAt time.Time  `json:"createdAt"`
}

// TableName is the SQL table.
func (Binding) TableName() string { return "role_bindings" }

// Grants is what the access policy needs to know of a subject: the roles that are
// valid now, and the policy revision they were read at.
type Grants struct {
	Subject  string `json:"subject"`
	Roles    []Role `json:"roles"`
	Revision int64  `json:"revision"`
}

// AuditDecision is what the access check answered. The zero value is deny.
type AuditDecision string

// The audited decisions.
const (
	AuditDeny  AuditDecision = "deny"
	AuditAllow AuditDecision = "allow"
)

// AuditEntry is one decision to allow or to deny, or one change, as it is kept. Row
// of security_audit_logs, partitioned by month on At.
type AuditEntry struct {
	ID        string            `json:"id" gorm:"primaryKey"`
	At        time.Time         `json:"at"`
	Actor     string            `json:"actor"`  // subject, or "anonymous"
	Action    string            `json:"action"` // permission, or what was done
	Object    string            `json:"object"` // route or thing
	Decision  AuditDecision     `json:"decision"`
	Rule      string            `json:"rule"` // the rule or reason that decided
	Roles     []Role            `json:"roles" gorm:"serializer:json;type:json"`
	RequestID string            `json:"requestId"`
	RemoteIP  string            `json:"remoteIp" gorm:"column:remote_ip"`
	Context   map[string]string `json:"context,omitempty" gorm:"serializer:json;type:json"`

	PolicyRevision int64  `json:"policyRevision,omitempty"` // of the policy that decided; 0: none did
	TraceID        string `json:"traceId,omitempty" gorm:"column:trace_id"`

	// The place in the chain, which the trail itself gives: never the caller.
	Stream string `json:"stream,omitempty"`
	Seq    int64  `json:"seq,omitempty"`
	Prev   []byte `json:"prev,omitempty"`
	Hash   []byte `json:"hash,omitempty"`
}

// TableName is the SQL table.
func (AuditEntry) TableName() string { return "security_audit_logs" }
