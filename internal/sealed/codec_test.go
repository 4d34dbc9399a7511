package sealed

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

func key(t testing.TB, id string) Key {
	t.Helper()
	k := Key{ID: id, Secret: make([]byte, keyBytes)}
	_, err := rand.Read(k.Secret)
	require.NoError(t, err)
	return k
}

func codec(t testing.TB, keys ...Key) *Codec {
	t.Helper()
	c, err := New(keys)
	require.NoError(t, err)
	return c
}

func payload(data string) *commonpb.Payload {
	return &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(data)}
}

func one(t testing.TB, f func([]*commonpb.Payload) ([]*commonpb.Payload, error), p *commonpb.Payload) *commonpb.Payload {
	t.Helper()
	out, err := f([]*commonpb.Payload{p})
	require.NoError(t, err)
	require.Len(t, out, 1)
	return out[0]
}

func TestWhatIsSealedIsOpenedAgainAndShowsNothing(t *testing.T) {
	c := codec(t, key(t, "k1"))
	rapid.Check(t, func(rt *rapid.T) {
		p := payload(`{"guests":` + rapid.StringMatching(`[0-9]{8,40}`).Draw(rt, "guests") + `}`)
		before := proto.Clone(p)
		sealed := one(t, c.Encode, p)
		assert.True(rt, proto.Equal(before, p), "the caller's payload was changed")
		assert.False(rt, bytes.Contains(sealed.Data, p.Data))
		assert.Equal(rt, "k1", string(sealed.Metadata[keyField]))
		assert.True(rt, proto.Equal(p, one(t, c.Decode, sealed)))
	})
}

func TestTheSamePayloadIsNeverSealedTheSameWay(t *testing.T) {
	c := codec(t, key(t, "k1"))
	first, second := one(t, c.Encode, payload("x")), one(t, c.Encode, payload("x"))
	assert.NotEqual(t, first.Data, second.Data)
}

func TestAnOldKeyOpensAndTheNewOneSeals(t *testing.T) {
	older, newer := key(t, "k1"), key(t, "k2")
	sealed := one(t, codec(t, older).Encode, payload("old"))
	rotated := codec(t, newer, older)
	assert.Equal(t, "old", string(one(t, rotated.Decode, sealed).Data))
	assert.Equal(t, "k2", string(one(t, rotated.Encode, payload("new")).Metadata[keyField]))
	_, err := codec(t, newer).Decode([]*commonpb.Payload{sealed})
	require.ErrorContains(t, err, `needs key "k1"`)
}

func TestWhatWasNeverSealedIsLeftAsItIs(t *testing.T) {
	p := payload("from before there were keys")
	assert.True(t, proto.Equal(p, one(t, codec(t, key(t, "k1")).Decode, p)))
}

func TestWhatIsSealedIsNotSealedAgain(t *testing.T) {
	c := codec(t, key(t, "k1"))
	sealed := one(t, c.Encode, payload("x"))
	assert.True(t, proto.Equal(sealed, one(t, c.Encode, sealed)))
}

func TestAChangedPayloadIsRefused(t *testing.T) {
	c := codec(t, key(t, "k1"), key(t, "k2"))
	for name, change := range map[string]func(*commonpb.Payload){
		"a bit of the text":  func(p *commonpb.Payload) { p.Data[len(p.Data)-1] ^= 1 },
		"a bit of the nonce": func(p *commonpb.Payload) { p.Data[0] ^= 1 },
		"another key's name": func(p *commonpb.Payload) { p.Metadata[keyField] = []byte("k2") },
		"cut short":          func(p *commonpb.Payload) { p.Data = p.Data[:5] },
		"a key nobody has":   func(p *commonpb.Payload) { p.Metadata[keyField] = []byte("k9") },
	} {
		p := one(t, c.Encode, payload("x"))
		change(p)
		_, err := c.Decode([]*commonpb.Payload{p})
		assert.Error(t, err, name)
	}
}

func TestKeysAreReadWithoutEverBeingShown(t *testing.T) {
	good := base64.StdEncoding.EncodeToString(make([]byte, 32))
	keys, err := ParseKeys("2027-01:" + good + ", old:" + good)
	require.NoError(t, err)
	require.Len(t, keys, 2)
	assert.Equal(t, "2027-01", keys[0].ID)
	for name, text := range map[string]string{
		"nothing": "", "no id": good, "an empty id": ":" + good, "an id with a space": "a b:" + good,
		"too short": "k1:" + base64.StdEncoding.EncodeToString(make([]byte, 16)), "no base64": "k1:SECRETsecret!", "twice": "k1:" + good + ",k1:" + good,
	} {
		_, err := ParseKeys(text)
		require.Error(t, err, name)
		assert.NotContains(t, err.Error(), "SECRET", name)
		assert.NotContains(t, err.Error(), good, name)
	}
}

// TestTheSDKsHandlerSpeaksForTemporalsInterface decodes as the interface does.
func TestTheSDKsHandlerSpeaksForTemporalsInterface(t *testing.T) {
	c := codec(t, key(t, "k1"))
	server := httptest.NewServer(converter.NewPayloadCodecHTTPHandler(c))
	defer server.Close()
	remote := converter.NewRemotePayloadCodec(converter.RemotePayloadCodecOptions{Endpoint: server.URL})
	sealed := one(t, c.Encode, payload("hello"))
	assert.Equal(t, "hello", string(one(t, remote.Decode, sealed).Data))
	body, err := json.Marshal(map[string]any{"payloads": "nonsense"})
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, server.URL+"/decode", bytes.NewReader(body))
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	assert.Equal(t, http.StatusBadRequest, res.StatusCode)
}

func BenchmarkSealAndOpen(b *testing.B) {
	c := codec(b, key(b, "k1"))
	p := payload(string(make([]byte, 4096)))
	b.SetBytes(4096)
	for b.Loop() {
		one(b, c.Decode, one(b, c.Encode, p))
	}
}
