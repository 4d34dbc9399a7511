package sealed

import (
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
)

// Box seals single values for a database with the same keys and cipher as a Codec. Each
// value is bound to the row that it belongs to: moved to another one it cannot be opened.
type Box struct{ codec *Codec }

// NewBox makes one; the first key seals, all of them open.
func NewBox(keys []Key) (*Box, error) {
	c, err := New(keys)
	if err != nil {
		return nil, err
	}
	return &Box{codec: c}, nil
}

// Current names the key that seals.
func (b *Box) Current() string { return b.codec.sealer }

// Seal encrypts a value and names the key: nonce, then ciphertext.
func (b *Box) Seal(plain, belongsTo []byte) (keyID string, sealed []byte, err error) {
	id := b.codec.sealer
	aead := b.codec.keys[id]
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	if _, err := rand.Read(nonce); err != nil {
		return "", nil, fmt.Errorf("sealed: %w", err)
	}
	return id, aead.Seal(nonce, nonce, plain, bound(id, belongsTo)), nil
}

// Open decrypts a value.
func (b *Box) Open(keyID string, sealed, belongsTo []byte) ([]byte, error) {
	aead, known := b.codec.keys[keyID]
	if !known {
		return nil, fmt.Errorf("sealed: a value needs key %.32q, which is not among the keys of this process", keyID)
	}
	return openBox(aead, sealed, bound(keyID, belongsTo))
}

func openBox(aead cipher.AEAD, sealed, bound []byte) ([]byte, error) {
	if len(sealed) < aead.NonceSize() {
		return nil, errors.New("sealed: a value is cut short")
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], bound)
	if err != nil {
		return nil, errors.New("sealed: a value was changed, moved, or its key is another one of that name")
	}
	return plain, nil
}

// bound is what is authenticated beside a value: its key's name, and its row.
func bound(keyID string, belongsTo []byte) []byte {
	return append([]byte("value\x00"+keyID+"\x00"), belongsTo...)
}
