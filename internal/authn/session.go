package authn

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wedsync/scalability/models"
)

// Names that keep a session from being taken for a bearer token, and the reverse.
const (
	sessionIssuer   = "wedsync-browser"
	sessionAudience = "wedsync-browser-session"
)

// Sessions makes and checks what a signed-in browser keeps. A session is a signed value,
// not a row: every API process that knows the secret takes it, and a revocation ends it.
type Sessions struct {
	secret   []byte
	lifetime time.Duration
	now      func() time.Time
	verifier *Verifier
	seal     cipher.AEAD
}

// NewSessions makes Sessions from a secret of at least MinSecretBytes that all API
// processes share and that signs nothing else.
func NewSessions(secret []byte, lifetime time.Duration, now func() time.Time) (*Sessions, error) {
	if now == nil {
		now = time.Now
	}
	v, err := New(Options{Secret: secret, Issuer: sessionIssuer, Audience: sessionAudience, Now: now})
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "wedsync sign-in attempt", 32)
	if err != nil {
		return nil, fmt.Errorf("authn.NewSessions: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("authn.NewSessions: %w", err)
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("authn.NewSessions: %w", err)
	}
	return &Sessions{secret: secret, lifetime: lifetime, now: now, verifier: v, seal: seal}, nil
}

// Issue makes the session of somebody who has just signed in.
func (s *Sessions) Issue(ctx context.Context, subject string) (cookie string, id models.Identity, err error) {
	now := s.now()
	cookie, err = Issue(s.secret, Claims{
		Subject: strings.TrimPrefix(subject, "user:"), Issuer: sessionIssuer, Audience: sessionAudience,
		IssuedAt: now, ExpiresAt: now.Add(s.lifetime),
	})
	if err != nil {
		return "", id, err
	}
	id, err = s.verifier.Verify(ctx, cookie)
	return cookie, id, err
}

// Verify checks a session.
func (s *Sessions) Verify(ctx context.Context, cookie string) (models.Identity, error) {
	return s.verifier.Verify(ctx, cookie)
}

// put seals a value for a browser to keep and to bring back unread.
func (s *Sessions) put(v any) (string, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	nonce := make([]byte, s.seal.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(s.seal.Seal(nonce, nonce, plain, nil)), nil
}

// take opens what put sealed.
func (s *Sessions) take(sealed string, v any) error {
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil || len(raw) < s.seal.NonceSize() {
		return errors.New("no sealed value")
	}
	plain, err := s.seal.Open(nil, raw[:s.seal.NonceSize()], raw[s.seal.NonceSize():], nil)
	if err != nil {
		return errors.New("no sealed value of ours")
	}
	return json.Unmarshal(plain, v)
}
