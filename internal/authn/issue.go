package authn

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// Claims is what Issue puts into a token.
type Claims struct {
	Subject   string // without prefix
	Kind      string // KindUser (also when empty) or KindService
	Issuer    string
	Audience  string
	TokenID   string // a random one when empty
	Role      string // only to show that a claimed role is not believed
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// Issue signs a token with the shared secret (HS256). It refuses what Verify would
// refuse of the claims themselves.
func Issue(secret []byte, c Claims) (string, error) {
	if len(secret) < MinSecretBytes {
		return "", fmt.Errorf("authn.Issue: the secret needs at least %d bytes", MinSecretBytes)
	}
	if c.Issuer == "" || c.Audience == "" || !c.ExpiresAt.After(c.IssuedAt) {
		return "", errors.New("authn.Issue: issuer, audience and an expiry after the issue are needed")
	}
	if c.TokenID == "" {
		c.TokenID = uuid.NewString()
	}
	body := claims{Kind: c.Kind, Role: roles(c.Role), RegisteredClaims: jwt.RegisteredClaims{
		Subject: c.Subject, Issuer: c.Issuer, Audience: jwt.ClaimStrings{c.Audience}, ID: c.TokenID,
		IssuedAt: jwt.NewNumericDate(c.IssuedAt), NotBefore: jwt.NewNumericDate(c.IssuedAt), ExpiresAt: jwt.NewNumericDate(c.ExpiresAt),
	}}
	if _, err := body.identity(); err != nil {
		return "", fmt.Errorf("authn.Issue: %w", err)
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, body).SignedString(secret)
	if err != nil {
		return "", fmt.Errorf("authn.Issue: %w", err)
	}
	return signed, nil
}
