package sealed

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"

	"github.com/wedsync/scalability/models"
)

// keyBytes is the length of a key: AES-256.
const keyBytes = 32

// maxKeys bounds how many keys are kept for reading.
const maxKeys = 16

var keyIDForm = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]{0,31}$`)

// Key is one key with the name under which payloads refer to it.
type Key struct {
	ID     string
	Secret []byte // 32 bytes
}

// ParseKeys reads "id:base64,id:base64". The first key seals, all of them open: to rotate,
// make every process know the new key, then put it in front, and take the old one away once
// the histories that it sealed have passed the namespace's retention. An error never holds
// anything of a key.
func ParseKeys(text string) ([]Key, error) {
	const field = "payload keys"
	var keys []Key
	seen := map[string]bool{}
	for i, part := range strings.Split(text, ",") {
		id, encoded, ok := strings.Cut(strings.TrimSpace(part), ":")
		if !ok || !keyIDForm.MatchString(id) {
			return nil, models.Invalid(field, fmt.Sprintf("key %d", i+1), "must be id:key, with an id of up to 32 letters, digits, '.', '_' and '-'")
		}
		secret, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(secret) != keyBytes {
			return nil, models.Invalid(field, id, "must be followed by 32 bytes in base64, as `openssl rand -base64 32` gives them")
		}
		if seen[id] {
			return nil, models.Invalid(field, id, "must be named once")
		}
		seen[id] = true
		keys = append(keys, Key{ID: id, Secret: secret})
	}
	if len(keys) > maxKeys {
		return nil, models.Invalid(field, len(keys), fmt.Sprintf("must be at most %d keys", maxKeys))
	}
	return keys, nil
}
