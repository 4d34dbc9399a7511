package audit

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/wedsync/scalability/models"
)

// GenerateKey makes a key that signs checkpoints, and the one that checks them.
func GenerateKey() (private, public string, err error) {
	return note.GenerateKey(rand.Reader, "wedsync-audit")
}

// PublicKey is the key that checks what a private key signs.
func PublicKey(private string) (string, error) {
	// PRIVATE+KEY+name+hash+base64(algorithm ‖ seed), and the base64 may hold a plus.
	parts := strings.SplitN(strings.TrimSpace(private), "+", 5)
	bad := errors.New("not a key that \"wedsync audit key\" made")
	if len(parts) != 5 || parts[0] != "PRIVATE" || parts[1] != "KEY" {
		return "", bad
	}
	raw, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil || len(raw) != 1+ed25519.SeedSize {
		return "", bad
	}
	public, ok := ed25519.NewKeyFromSeed(raw[1:]).Public().(ed25519.PublicKey)
	if !ok {
		return "", bad
	}
	return note.NewEd25519VerifierKey(parts[2], public)
}

// signer is who signs, or signed until a time.
type signer struct {
	note.Verifier

	until time.Time // zero: still does
}

type signers []signer

// newSigners reads public keys: key, or key@time for one that was given up then.
func newSigners(keys []string) (all signers, err error) {
	seen := map[string]bool{}
	for _, text := range keys {
		key, until, given := strings.Cut(strings.TrimSpace(text), "@")
		if key == "" || seen[key] {
			continue
		}
		seen[key] = true
		s := signer{}
		if s.Verifier, err = note.NewVerifier(key); err != nil {
			return nil, models.Invalid("key", "", "must be a public key that \"wedsync audit key\" printed")
		}
		if given {
			if s.until, err = time.Parse(time.RFC3339, until); err != nil {
				return nil, models.Invalid("key", until, "must be key@time, with a time such as 2027-06-12T14:00:00Z")
			}
		}
		all = append(all, s)
	}
	return all, nil
}

// CheckKeys says what is wrong with public keys: key, or key@time.
func CheckKeys(keys []string) error {
	_, err := newSigners(keys)
	return err
}

// open checks the signature of a note; it gives who signed it.
func (s signers) open(signed string) (text string, by signer, err error) {
	list := make([]note.Verifier, len(s))
	for i := range s {
		list[i] = s[i].Verifier
	}
	n, err := note.Open([]byte(signed), note.VerifierList(list...))
	if err != nil {
		return "", by, err
	}
	for _, k := range s {
		if k.Name() == n.Sigs[0].Name && k.KeyHash() == n.Sigs[0].Hash {
			by = k
		}
	}
	return n.Text, by, nil
}
