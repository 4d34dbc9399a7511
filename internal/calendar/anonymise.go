package calendar

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"

	"github.com/wedsync/scalability/models"
)

// Pseudonyms replace what names a wedding by a keyed hash, always the same of the same, so
// that a second import finds what the first made. Who has no key cannot go back, nor try
// names out.
type Pseudonyms struct{ key []byte }

// NewPseudonyms makes them from a secret of any length.
func NewPseudonyms(secret []byte) *Pseudonyms {
	sum := sha256.Sum256(append([]byte("wedsync pseudonyms\x00"), secret...))
	return &Pseudonyms{key: sum[:]}
}

// PseudonymPrefix begins each pseudonym.
const PseudonymPrefix = "anon-"

// Of is the pseudonym of a source's key.
func (p *Pseudonyms) Of(source, key string) string {
	if key == "" || isPseudonym(key) {
		return key
	}
	mac := hmac.New(sha256.New, p.key)
	mac.Write([]byte(source + "\x00" + key)) // a hash takes whatever it is given
	return PseudonymPrefix + hex.EncodeToString(mac.Sum(nil)[:12])
}

// isPseudonym keeps a second round from changing what the first made.
func isPseudonym(key string) bool {
	if len(key) != len(PseudonymPrefix)+24 || key[:len(PseudonymPrefix)] != PseudonymPrefix {
		return false
	}
	_, err := hex.DecodeString(key[len(PseudonymPrefix):])
	return err == nil
}

// Row takes the contact away and replaces reference and UID. Times, zone, guests, region,
// type and tier stay: capacity is planned by them. So does the coordinator, who is a user
// of this platform.
func (p *Pseudonyms) Row(row models.ImportRow) models.ImportRow {
	row.Wedding = p.Wedding(row.Wedding)
	row.Contact = nil
	return row
}

// Wedding replaces what names a wedding.
func (p *Pseudonyms) Wedding(w models.Wedding) models.Wedding {
	w.Reference, w.ExternalUID = p.Of(w.Source, w.Reference), p.Of(w.Source, w.ExternalUID)
	return w
}
