package audit

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

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
