package authn

import (
	"errors"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/wedsync/scalability/models"
)

// What a token tries that chooses for itself how it is checked.
const (
	abuseAlgorithm = "algorithm" // one that is not allowed here, such as none
	abuseOwnKey    = "own key"   // a key, or an address of keys, that it brings along
	abuseKeyID     = "key id"    // a key id that is no name: a path, a query, no text at all
)

// maxKeyIDBytes is longer than any key id that providers give.
const maxKeyIDBytes = 200

// noting keeps in a refusal what the credential said of itself. It changes nothing else:
// who is refused stays refused.
func noting(err error, subject, abuse string) error {
	var refusal *models.Error
	if subject == "" && abuse == "" || !errors.As(err, &refusal) || refusal.Kind != models.KindUnauthorised {
		return err
	}
	noted := *refusal
	noted.Presented = &models.Presented{Subject: subject, Abuse: abuse}
	return &noted
}

// abuse finds what a refused token tried. A key id that is merely not known is none: keys
// rotate.
func abuse(token *jwt.Token, algorithms []string) string {
	if token == nil || len(token.Header) == 0 {
		return ""
	}
	for _, own := range ownKeyHeaders() {
		if _, has := token.Header[own]; has {
			return abuseOwnKey
		}
	}
	if kid, has := token.Header["kid"]; has {
		if name, isText := kid.(string); !isText || !keyName(name) {
			return abuseKeyID
		}
	}
	if name := algorithm(token); name != "" && !slices.Contains(algorithms, name) {
		return abuseAlgorithm
	}
	return ""
}

func ownKeyHeaders() []string { return []string{"jwk", "jku", "x5u", "x5c"} }

// keyName takes what providers name keys by: base64 in both alphabets, thumbprints, dates.
func keyName(id string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/=_-.:~@"
	return len(id) <= maxKeyIDBytes && !strings.Contains(id, "..") && !strings.HasPrefix(id, "/") && strings.Trim(id, letters) == ""
}

// keyClaim is whom a service key speaks for, or would.
func keyClaim(id, account string) string {
	switch {
	case account != "":
		return "svc:" + account
	case nameable(id):
		return "key:" + id
	default:
		return ""
	}
}
