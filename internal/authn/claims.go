package authn

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/wedsync/scalability/models"
)

// The kinds of subject.
const (
	KindUser    = "user"
	KindService = "service"
)

// Limits on text from tokens that goes into rows and logs. OpenID Connect bounds a
// subject to 255 ASCII characters.
const (
	maxSubjectBytes = 255
	maxTokenIDBytes = 255
	maxRoleBytes    = 64
	maxYear         = 9999 // the last that RFC 3339 can write
)

// claims is what is read of a token.
type claims struct {
	jwt.RegisteredClaims
	Kind string `json:"kind,omitempty"`
	Role roles  `json:"role,omitempty"`
}

// roles is the role claim as text, whatever its form: it is reported, never believed.
type roles string

// UnmarshalJSON takes a string as it is and anything else as its JSON text.
func (r *roles) UnmarshalJSON(data []byte) error {
	var s string
	if json.Unmarshal(data, &s) != nil {
		s = string(data)
	}
	if len(s) > maxRoleBytes {
		s = s[:maxRoleBytes]
	}
	*r = roles(strings.ToValidUTF8(s, ""))
	return nil
}

// identity makes the identity of claims that were checked.
func (c claims) identity() (models.Identity, error) {
	if c.ExpiresAt.Year() > maxYear {
		return models.Identity{}, refuse(ReasonMalformed, errors.New("the expiry is beyond any calendar"))
	}
	if len(c.ID) > maxTokenIDBytes {
		return models.Identity{}, refuse(ReasonMalformed, fmt.Errorf("jti of more than %d bytes", maxTokenIDBytes))
	}
	if !nameable(c.Subject) {
		return models.Identity{}, refuse(ReasonSubject, fmt.Errorf("sub must be 1 to %d visible ASCII characters", maxSubjectBytes))
	}
	kind, prefix := KindUser, "user:"
	switch c.Kind {
	case "", KindUser:
	case KindService:
		kind, prefix = KindService, "svc:"
	default:
		return models.Identity{}, refuse(ReasonSubject, errors.New("kind must be user or service"))
	}
	var issued time.Time
	if c.IssuedAt != nil {
		issued = c.IssuedAt.UTC()
	}
	return models.Identity{
		Subject: prefix + c.Subject, Kind: kind, TokenID: c.ID, IssuedAt: issued,
		ExpiresAt: c.ExpiresAt.UTC(), ClaimedRole: string(c.Role),
	}, nil
}

// subject is whom the claims say they are of, checked or not; "" where that cannot be named.
func (c claims) subject() string {
	if !nameable(c.Subject) {
		return ""
	}
	if c.Kind == KindService {
		return "svc:" + c.Subject
	}
	return "user:" + c.Subject
}

// nameable takes visible ASCII: nothing that looks like another name, breaks a line
// or ends a field.
func nameable(subject string) bool {
	if subject == "" || len(subject) > maxSubjectBytes {
		return false
	}
	return !strings.ContainsFunc(subject, func(r rune) bool { return r <= ' ' || r > '~' })
}

// fault finds which claim is at fault. Time comes first, as the parser checks it
// first; a claim that is absent is the fault of that claim.
func (c claims) fault(err error) Reason {
	switch {
	case c.ExpiresAt == nil:
		return ReasonMalformed
	case errors.Is(err, jwt.ErrTokenExpired):
		return ReasonExpired
	case errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return ReasonNotYetValid
	case c.Issuer == "" || errors.Is(err, jwt.ErrTokenInvalidIssuer):
		return ReasonIssuer
	case len(c.Audience) == 0 || errors.Is(err, jwt.ErrTokenInvalidAudience):
		return ReasonAudience
	default:
		return ReasonMalformed
	}
}
