package authn

import (
	"errors"

	"github.com/wedsync/scalability/models"
)

// Reason says why a token was refused. It stands in the Rule of the *models.Error, so
// that the audit row can name it.
type Reason string

// The reasons.
const (
	ReasonNone        Reason = ""              // not a refusal
	ReasonMissing     Reason = "missing"       // no token at all
	ReasonMalformed   Reason = "malformed"     // not a token, or a claim of the wrong form
	ReasonExpired     Reason = "expired"       // past its time
	ReasonNotYetValid Reason = "not_yet_valid" // before its time, or issued in the future
	ReasonAlgorithm   Reason = "algorithm"     // an algorithm that is not allowed here
	ReasonIssuer      Reason = "issuer"        // made by somebody else
	ReasonAudience    Reason = "audience"      // made for somebody else
	ReasonSignature   Reason = "signature"     // no configured key made this signature
	ReasonOversized   Reason = "oversized"     // longer than is read
	ReasonSubject     Reason = "subject"       // speaks for nobody that can be named
	ReasonRevoked     Reason = "revoked"       // ended before its time
	ReasonState       Reason = "state"         // a sign-in that was not begun here
	ReasonProvider    Reason = "provider"      // the OpenID Connect provider refuses
)

// ReasonOf finds the reason in an error of Verify.
func ReasonOf(err error) Reason {
	var e *models.Error
	if errors.As(err, &e) && e.Kind == models.KindUnauthorised {
		return Reason(e.Rule)
	}
	return ReasonNone
}

// refuse never carries the token itself; cause says what was wrong with it.
func refuse(reason Reason, cause error) error {
	return &models.Error{Kind: models.KindUnauthorised, Op: "authn.Verify", Field: "authorization", Rule: string(reason), Err: cause}
}
