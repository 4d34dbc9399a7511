package authn

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/wedsync/scalability/models"
)

// Revocations reads the revocations that still matter at a time.
type Revocations interface {
	Revocations(ctx context.Context, now time.Time) ([]models.Revocation, error)
}

// ServiceKeys reads the key of a service account by its ID; one that is not there is
// KindNotFound.
type ServiceKeys interface {
	ServiceKey(ctx context.Context, id string) (models.ServiceKey, error)
}

// GateOptions put a Gate together.
type GateOptions struct {
	Tokens      *Verifier
	Sessions    *Sessions // nil: no browser signs in
	Keys        ServiceKeys
	Revocations Revocations
	Now         func() time.Time // nil: time.Now
}

// Gate finds out who calls: by a bearer token, by the key of a service account or by a
// browser's session, none of which was revoked. It is safe for concurrent use.
type Gate struct {
	o       GateOptions
	keys    *recent[models.ServiceKey]
	revoked *recent[[]models.Revocation]
}

// NewGate makes a Gate.
func NewGate(o GateOptions) *Gate {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Gate{
		o:    o,
		keys: newRecent(o.Keys.ServiceKey, o.Now),
		revoked: newRecent(func(ctx context.Context, _ string) ([]models.Revocation, error) {
			return o.Revocations.Revocations(ctx, o.Now())
		}, o.Now),
	}
}

// Verify checks an Authorization header.
func (g *Gate) Verify(ctx context.Context, bearer string) (models.Identity, error) {
	var id models.Identity
	raw, err := unwrap(bearer)
	if err != nil {
		return id, err
	}
	if strings.HasPrefix(raw, keyPrefix) {
		id, err = g.byKey(ctx, raw)
	} else {
		id, err = g.o.Tokens.Verify(ctx, raw)
	}
	return g.unlessRevoked(ctx, id, err)
}

// Session checks a browser's session.
func (g *Gate) Session(ctx context.Context, cookie string) (models.Identity, error) {
	if g.o.Sessions == nil {
		return models.Identity{}, refuse(ReasonMissing, errors.New("no browser signs in here"))
	}
	id, err := g.o.Sessions.Verify(ctx, cookie)
	return g.unlessRevoked(ctx, id, err)
}

// Recheck reads anew whether what an identity was shown by has been revoked.
func (g *Gate) Recheck(ctx context.Context, id models.Identity) error {
	list, err := g.o.Revocations.Revocations(ctx, g.o.Now())
	if err != nil {
		return models.Unavailable("authn.Recheck", err)
	}
	if revoked(list, id) {
		return errRevoked()
	}
	if id.Kind != KindService {
		return nil
	}
	k, err := g.o.Keys.ServiceKey(ctx, id.TokenID)
	switch {
	case models.KindOf(err) == models.KindNotFound:
		return nil // it came with a token
	case err != nil:
		return models.Unavailable("authn.Recheck", err)
	case !k.ValidAt(g.o.Now()):
		return errRevoked()
	}
	return nil
}

func errRevoked() error { return refuse(ReasonRevoked, errors.New("the token was revoked")) }

func revoked(list []models.Revocation, id models.Identity) bool {
	return slices.ContainsFunc(list, func(r models.Revocation) bool { return r.Ends(id) })
}

func (g *Gate) unlessRevoked(ctx context.Context, id models.Identity, err error) (models.Identity, error) {
	if err != nil {
		return models.Identity{}, err
	}
	list, err := g.revoked.get(ctx, "")
	if err != nil {
		return models.Identity{}, models.Unavailable("authn.Verify", err)
	}
	if revoked(list, id) {
		return models.Identity{}, noting(errRevoked(), id.Subject, "")
	}
	return id, nil
}
