package authn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/wedsync/scalability/models"
)

// Bounds on what is read.
const (
	MaxTokenBytes  = 8 << 10
	MinSecretBytes = 32
	DefaultLeeway  = 30 * time.Second
)

// Options configure a Verifier. Exactly one of Secret and JWKSURL is given.
type Options struct {
	Secret   []byte // of HS256, at least MinSecretBytes
	JWKSURL  string // key set for EdDSA, ES256 and RS256
	Issuer   string
	Audience string
	Leeway   time.Duration    // for clocks that differ; zero is DefaultLeeway
	Now      func() time.Time // zero is time.Now
	// OnKeysError hears of each failed attempt to fetch the key set; may be nil. The
	// keys fetched before stay in use.
	OnKeysError func(error)
}

// Verifier checks bearer tokens. It is safe for concurrent use.
type Verifier struct {
	parser     *jwt.Parser
	keys       keySource
	algorithms []string
	ahead      time.Duration // the clock that dates tokens may be this much before ours
	stop       context.CancelFunc
}

// New makes a Verifier. With a JWKSURL it fetches the keys once, for at most 5 s, and
// then hourly; a provider that is down does not stop the start. Close ends that.
func New(o Options) (*Verifier, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	v := &Verifier{stop: stop, algorithms: []string{jwt.SigningMethodHS256.Alg()}, keys: sharedSecret(o.Secret)}
	if o.JWKSURL != "" {
		set, err := fetchedKeys(ctx, o)
		if err != nil {
			stop()
			return nil, fmt.Errorf("authn.New: %w", err)
		}
		v.keys, v.ahead = set, o.leeway()
		v.algorithms = []string{"EdDSA", "ES256", "RS256"}
	}
	v.parser = jwt.NewParser(
		jwt.WithValidMethods(v.algorithms), jwt.WithIssuer(o.Issuer), jwt.WithAudience(o.Audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(o.leeway()),
		jwt.WithTimeFunc(o.now()), jwt.WithStrictDecoding(),
	)
	return v, nil
}

// Close stops the refresh of the key set.
func (v *Verifier) Close() { v.stop() }

// Verify checks a bearer token, with or without the word "Bearer" before it. An error
// is a *models.Error: KindUnauthorised with the Reason as its Rule, or
// KindUnavailable while no key could be fetched yet.
func (v *Verifier) Verify(ctx context.Context, bearer string) (models.Identity, error) {
	raw, err := unwrap(bearer)
	if err != nil {
		return models.Identity{}, err
	}
	var c claims
	token, err := v.parser.ParseWithClaims(raw, &c, func(t *jwt.Token) (any, error) {
		if err := checkHeader(t.Header); err != nil {
			return nil, err
		}
		return v.keys.key(ctx, t)
	})
	if err != nil {
		return models.Identity{}, noting(v.classify(token, c, err), c.subject(), abuse(token, v.algorithms))
	}
	id, err := c.identity()
	if !id.IssuedAt.IsZero() {
		// Whoever revokes does so by our clock: a token of a provider whose clock is ahead would
		// look as if it had been given afterwards, and outlive that.
		id.IssuedAt = id.IssuedAt.Add(-v.ahead)
	}
	return id, noting(err, c.subject(), "")
}

// unwrap takes the scheme off and bounds the size before anything is decoded.
func unwrap(bearer string) (string, error) {
	if len(bearer) > MaxTokenBytes+len("Bearer ") {
		return "", refuse(ReasonOversized, fmt.Errorf("token of %d bytes, at most %d are read", len(bearer), MaxTokenBytes))
	}
	raw := strings.TrimSpace(bearer)
	if scheme, rest, ok := strings.Cut(raw, " "); ok && strings.EqualFold(scheme, "Bearer") {
		raw = strings.TrimSpace(rest)
	} else if strings.EqualFold(raw, "Bearer") {
		raw = ""
	}
	switch {
	case raw == "":
		return "", refuse(ReasonMissing, nil)
	case len(raw) > MaxTokenBytes:
		return "", refuse(ReasonOversized, fmt.Errorf("token of %d bytes, at most %d are read", len(raw), MaxTokenBytes))
	default:
		return raw, nil
	}
}

// checkHeader refuses headers that bring their own key, and extensions that we would
// have to understand (RFC 7515, 4.1.11).
func checkHeader(header map[string]any) error {
	for _, own := range ownKeyHeaders() {
		if _, has := header[own]; has {
			return refuse(ReasonSignature, fmt.Errorf("the token names its own key by %q", own))
		}
	}
	if _, has := header["crit"]; has {
		return refuse(ReasonMalformed, errors.New("critical header extensions are not known"))
	}
	return nil
}

// classify finds the one reason for a refusal, in the order in which the checks are
// made: form, algorithm, key and signature, claims.
func (v *Verifier) classify(token *jwt.Token, c claims, err error) error {
	var own *models.Error
	switch {
	case errors.As(err, &own):
		return own
	case token == nil || errors.Is(err, jwt.ErrTokenMalformed):
		return refuse(ReasonMalformed, err)
	case !slices.Contains(v.algorithms, algorithm(token)):
		return refuse(ReasonAlgorithm, fmt.Errorf("only %s", strings.Join(v.algorithms, ", ")))
	case errors.Is(err, jwt.ErrTokenInvalidClaims):
		return refuse(c.fault(err), err)
	default:
		return refuse(ReasonSignature, err)
	}
}

func algorithm(token *jwt.Token) string {
	name, _ := token.Header["alg"].(string)
	return name
}

func (o Options) check() error {
	switch {
	case (len(o.Secret) == 0) == (o.JWKSURL == ""):
		return errors.New("authn: exactly one of a secret and a key set address is needed")
	case o.JWKSURL == "" && len(o.Secret) < MinSecretBytes:
		return fmt.Errorf("authn: the secret needs at least %d bytes", MinSecretBytes)
	case o.Issuer == "" || o.Audience == "":
		return errors.New("authn: issuer and audience are needed")
	case o.Leeway < 0:
		return errors.New("authn: a leeway is not negative")
	default:
		return nil
	}
}

func (o Options) leeway() time.Duration {
	if o.Leeway == 0 {
		return DefaultLeeway
	}
	return o.Leeway
}

func (o Options) now() func() time.Time {
	if o.Now == nil {
		return time.Now
	}
	return o.Now
}
