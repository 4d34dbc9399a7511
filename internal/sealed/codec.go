package sealed

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
)

// Names in the metadata of a sealed payload, which stays readable.
const (
	encodingField = "encoding"
	keyField      = "wedsync-key"
	encoding      = "binary/wedsync-aes-gcm"
)

// Codec seals and opens payloads with AES-256 in Galois/counter mode (NIST SP 800-38D), a
// fresh 96-bit nonce each: at a million payloads a day the 2³² that one key may seal last
// eleven years. The key's name is authenticated with the payload. It is safe for
// concurrent use.
type Codec struct {
	sealer string // ID of the key that seals
	keys   map[string]cipher.AEAD
}

var _ converter.PayloadCodec = (*Codec)(nil)

// New makes a codec; the first key seals.
func New(keys []Key) (*Codec, error) {
	if len(keys) == 0 {
		return nil, errors.New("sealed.New: no key")
	}
	c := &Codec{sealer: keys[0].ID, keys: make(map[string]cipher.AEAD, len(keys))}
	for _, k := range keys {
		block, err := aes.NewCipher(k.Secret)
		if err != nil {
			return nil, fmt.Errorf("sealed.New: key %s: %w", k.ID, err)
		}
		if c.keys[k.ID], err = cipher.NewGCM(block); err != nil {
			return nil, fmt.Errorf("sealed.New: key %s: %w", k.ID, err)
		}
	}
	return c, nil
}

// Encode seals payloads, one by one; metadata is sealed with them.
func (c *Codec) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	return each(payloads, c.seal)
}

// Decode opens payloads that were sealed, and leaves others as they are: a run that began
// before keys were set can end.
func (c *Codec) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	return each(payloads, c.open)
}

func each(in []*commonpb.Payload, f func(*commonpb.Payload) (*commonpb.Payload, error)) ([]*commonpb.Payload, error) {
	out := make([]*commonpb.Payload, len(in))
	for i, p := range in {
		var err error
		if out[i], err = f(p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c *Codec) seal(p *commonpb.Payload) (*commonpb.Payload, error) {
	if string(p.GetMetadata()[encodingField]) == encoding {
		return p, nil // sealed already: twice would need opening twice
	}
	plain, err := proto.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("sealed: %w", err)
	}
	aead := c.keys[c.sealer]
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	if _, err := rand.Read(nonce); err != nil {
		return nil, fmt.Errorf("sealed: %w", err)
	}
	return &commonpb.Payload{
		Metadata: map[string][]byte{encodingField: []byte(encoding), keyField: []byte(c.sealer)},
		Data:     aead.Seal(nonce, nonce, plain, []byte(c.sealer)),
	}, nil
}

func (c *Codec) open(p *commonpb.Payload) (*commonpb.Payload, error) {
	if string(p.GetMetadata()[encodingField]) != encoding {
		return p, nil
	}
	id := string(p.GetMetadata()[keyField])
	aead, known := c.keys[id]
	if !known {
		return nil, fmt.Errorf("sealed: a payload needs key %.32q, which is not among the keys of this process", id)
	}
	data := p.GetData()
	if len(data) < aead.NonceSize() {
		return nil, errors.New("sealed: a payload is cut short")
	}
	plain, err := aead.Open(nil, data[:aead.NonceSize()], data[aead.NonceSize():], []byte(id))
	if err != nil {
		return nil, fmt.Errorf("sealed: a payload under key %s was changed, or the key is another one of that name", id)
	}
	out := &commonpb.Payload{}
	if err := proto.Unmarshal(plain, out); err != nil {
		return nil, fmt.Errorf("sealed: %w", err)
	}
	return out, nil
}
