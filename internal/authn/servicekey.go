package authn

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/wedsync/scalability/models"
)

// A service account's key is wsk_<id>_<secret>: the prefix lets scanners of repositories
// find one that leaked, the ID finds its hash.
const (
	keyPrefix   = "wsk_"
	secretBytes = 32
	keyIDBytes  = 9
)

// NewServiceKey makes a key: what its holder presents, its ID, and the hash that is kept.
// The secret has 256 random bits, so a plain SHA-256 is no easier to guess than it.
func NewServiceKey() (key, id string, hash []byte, err error) {
	raw := make([]byte, keyIDBytes+secretBytes)
	if _, err := rand.Read(raw); err != nil {
		return "", "", nil, err
	}
	// The ID must not hold the underscore that ends it.
	id = strings.NewReplacer("_", "x", "-", "y").Replace(base64.RawURLEncoding.EncodeToString(raw[:keyIDBytes]))
	secret := base64.RawURLEncoding.EncodeToString(raw[keyIDBytes:])
	sum := sha256.Sum256([]byte(secret))
	return keyPrefix + id + "_" + secret, id, sum[:], nil
}

// byKey finds whose key is presented. A key that is not there is compared all the same, so
// that the time does not tell which IDs exist.
func (g *Gate) byKey(ctx context.Context, presented string) (models.Identity, error) {
	id, secret, ok := strings.Cut(strings.TrimPrefix(presented, keyPrefix), "_")
	if !ok || id == "" || len(id) > 64 {
		return models.Identity{}, refuse(ReasonMalformed, errors.New("a service key is wsk_<id>_<secret>"))
	}
	k, err := g.keys.get(ctx, id)
	if err != nil && models.KindOf(err) != models.KindNotFound {
		return models.Identity{}, models.Unavailable("authn.Verify", err)
	}
	claimed := keyClaim(id, k.Account)
	sum := sha256.Sum256([]byte(secret))
	matches := subtle.ConstantTimeCompare(sum[:], k.Hash) == 1
	switch {
	case err != nil || !matches:
		return models.Identity{}, noting(refuse(ReasonSignature, errors.New("no such service key")), claimed, "")
	case k.RevokedAt != nil && !g.o.Now().Before(*k.RevokedAt):
		return models.Identity{}, noting(refuse(ReasonRevoked, errors.New("the service key was revoked")), claimed, "")
	case !k.ValidAt(g.o.Now()):
		return models.Identity{}, noting(refuse(ReasonExpired, errors.New("the service key has expired")), claimed, "")
	}
	return models.Identity{
		Subject: "svc:" + k.Account, Kind: KindService, TokenID: k.ID, IssuedAt: k.CreatedAt.UTC(), ExpiresAt: k.ExpiresAt.UTC(),
	}, nil
}
