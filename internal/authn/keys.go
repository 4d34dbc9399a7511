package authn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"

	"github.com/wedsync/scalability/models"
)

// keySource finds the key that a token's signature must have been made with.
type keySource interface {
	key(ctx context.Context, t *jwt.Token) (any, error)
}

// sharedSecret is the one key of HS256. It has no id, so a token that names one asks
// for a key that is not configured.
type sharedSecret []byte

func (s sharedSecret) key(_ context.Context, t *jwt.Token) (any, error) {
	if _, named := t.Header["kid"]; named {
		return nil, refuse(ReasonSignature, errors.New("the shared secret has no key id"))
	}
	return []byte(s), nil
}

// keySet is a provider's published keys.
type keySet struct {
	storage jwkset.Storage
	find    keyfunc.Keyfunc
}

// How the key set is fetched.
const (
	keysTimeout     = 5 * time.Second
	keysRefresh     = time.Hour
	unknownKeyEvery = 30 * time.Second // a token with an unknown key id may cause a fetch this often
	unknownKeyWait  = 2 * time.Second  // and holds up its caller this long at most
	maxKeySetBytes  = 1 << 20
)

// fetchedKeys fetches the key set and keeps it fresh until ctx ends.
func fetchedKeys(ctx context.Context, o Options) (*keySet, error) {
	onError := func(_ context.Context, err error) {
		if o.OnKeysError != nil {
			o.OnKeysError(fmt.Errorf("authn: fetch key set: %w", err))
		}
	}
	remote, err := jwkset.NewStorageFromHTTP(o.JWKSURL, jwkset.HTTPClientStorageOptions{
		Client: keysClient(), Ctx: ctx, HTTPTimeout: keysTimeout, RefreshInterval: keysRefresh,
		NoErrorReturnFirstHTTPReq: true, RefreshErrorHandler: onError,
	})
	if err != nil {
		return nil, err
	}
	storage, err := jwkset.NewHTTPClient(jwkset.HTTPClientOptions{
		HTTPURLs:          map[string]jwkset.Storage{o.JWKSURL: remote},
		RateLimitWaitMax:  unknownKeyWait,
		RefreshUnknownKID: rate.NewLimiter(rate.Every(unknownKeyEvery), 1),
	})
	if err != nil {
		return nil, err
	}
	// Keys for encryption verify nothing; a key that does not say its use may.
	find, err := keyfunc.New(keyfunc.Options{Ctx: ctx, Storage: storage, UseWhitelist: []jwkset.USE{jwkset.UseSig, ""}})
	if err != nil {
		return nil, err
	}
	return &keySet{storage: storage, find: find}, nil
}

// key wants a key id, so that a signature is checked with the one key that it names.
func (k *keySet) key(ctx context.Context, t *jwt.Token) (any, error) {
	kid, _ := t.Header["kid"].(string)
	if kid == "" {
		return nil, refuse(ReasonSignature, errors.New("the token names no key"))
	}
	found, err := k.find.KeyfuncCtx(ctx)(t)
	if err == nil {
		return found, nil
	}
	if all, listErr := k.storage.KeyReadAll(ctx); listErr != nil || len(all) == 0 {
		return nil, models.Unavailable("authn.Verify", errors.New("no key has been fetched yet"))
	}
	return nil, refuse(ReasonSignature, errors.New("the token names a key that is not in the set"))
}

// keysClient follows no redirect, since a redirect could lead to plain http, and
// reads no more than a key set can be.
func keysClient() *http.Client {
	return &http.Client{
		Timeout:       keysTimeout,
		Transport:     bounded{http.DefaultTransport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type bounded struct{ next http.RoundTripper }

// RoundTrip cuts the body at maxKeySetBytes.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxKeySetBytes), resp.Body}
	return resp, nil
}
