package models

import (
	"regexp"
	"time"
)

// ServiceAccount is a program that calls the platform: svc:<name>. Row of
// service_accounts.
type ServiceAccount struct {
	Name        string       `json:"name" gorm:"primaryKey"`
	Description string       `json:"description"`
	CreatedBy   string       `json:"createdBy"`
	CreatedAt   time.Time    `json:"createdAt"`
	Keys        []ServiceKey `json:"keys" gorm:"-"`
}

// TableName is the SQL table.
func (ServiceAccount) TableName() string { return "service_accounts" }

var accountName = regexp.MustCompile(`^[a-z][a-z0-9-]{1,62}$`)

// Validate checks the name and the description.
func (a ServiceAccount) Validate() error {
	if !accountName.MatchString(a.Name) {
		return Invalid("name", a.Name, "must be 2 to 63 lower-case letters, digits and '-', beginning with a letter")
	}
	return text("description", a.Description, 3, 300)
}

// ServiceKey is a key of a service account. The secret is shown once, when it is made;
// what is kept is its hash. An account has several while one replaces another. Row of
// service_keys.
type ServiceKey struct {
	ID        string     `json:"id" gorm:"primaryKey"`
	Account   string     `json:"account"`
	Hash      []byte     `json:"-"` // SHA-256 of the secret
	CreatedBy string     `json:"createdBy"`
	CreatedAt time.Time  `json:"createdAt"`
	ExpiresAt time.Time  `json:"expiresAt"`
	RevokedAt *time.Time `json:"revokedAt,omitempty"`
	RevokedBy string     `json:"revokedBy,omitempty"`
}

// TableName is the SQL table.
func (ServiceKey) TableName() string { return "service_keys" }

// ValidAt says whether the key opens anything at a time.
func (k ServiceKey) ValidAt(now time.Time) bool {
	return now.Before(k.ExpiresAt) && (k.RevokedAt == nil || now.Before(*k.RevokedAt))
}

// MaxServiceKeyDays bounds the life of a key, so that it is rotated.
const MaxServiceKeyDays = 365

// Revocation ends a token before its time: one by its ID, or all that a subject was given
// before the revocation was made. Row of revocations.
type Revocation struct {
	ID        string    `json:"id" gorm:"primaryKey"`
	TokenID   string    `json:"tokenId,omitempty"`
	Subject   string    `json:"subject,omitempty"`
	Reason    string    `json:"reason"`
	CreatedBy string    `json:"createdBy"`
	CreatedAt time.Time `json:"createdAt"`
	Until     time.Time `json:"until"` // no token that it ends lives longer
}

// TableName is the SQL table.
func (Revocation) TableName() string { return "revocations" }

// Validate checks that exactly one thing is revoked, and why.
func (r Revocation) Validate() error {
	if (r.TokenID == "") == (r.Subject == "") {
		return Invalid("tokenId, subject", "", "exactly one of the two must be given")
	}
	if err := text("tokenId", r.TokenID, 0, 255); err != nil {
		return err
	}
	if err := text("subject", r.Subject, 0, 260); err != nil {
		return err
	}
	if !r.Until.After(r.CreatedAt) {
		return Invalid("until", r.Until.Format(time.RFC3339), "must be later than now")
	}
	return text("reason", r.Reason, 3, 500)
}

// Ends says whether the revocation ends the token of an identity. A token that does not
// say when it was issued may be older than the revocation.
func (r Revocation) Ends(id Identity) bool {
	if r.TokenID != "" {
		return r.TokenID == id.TokenID
	}
	return r.Subject == id.Subject && !id.IssuedAt.After(r.CreatedAt)
}

// SignInAttempt is a browser's way to the provider and what it has to bring back.
type SignInAttempt struct {
	URL       string // the provider's page
	Cookie    string // sealed; the browser keeps it until it comes back
	ExpiresAt time.Time
}

// SignedIn is a browser that came back from the provider.
type SignedIn struct {
	Identity Identity
	Cookie   string // the session
	ReturnTo string // path of this site
}
