package api

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wedsync/scalability/models"
)

// opener stands for the codec.
type opener struct{ err error }

func (o opener) OpenPayloads(context.Context, json.RawMessage) (json.RawMessage, error) {
	return json.RawMessage(`{"payloads":[{"data":"b3Blbg=="}]}`), o.err
}

func TestSealedPayloadsAreOpenedForThoseWhoMayScale(t *testing.T) {
	p := newPlatform()
	h := p.handler(t, func(c *Config) { c.Payloads = opener{} })
	ask := request{method: http.MethodPost, path: decodePath, body: `{"payloads":[{"data":"c2VhbGVk"}]}`}
	for subject, code := range map[string]int{"operator": http.StatusOK, "viewer": http.StatusForbidden, "": http.StatusUnauthorized} {
		ask.as = subject
		rec := send(t, h, ask)
		assert.Equal(t, code, rec.Code, "%s: %s", subject, rec.Body)
		if code == http.StatusOK {
			assert.JSONEq(t, `{"payloads":[{"data":"b3Blbg=="}]}`, rec.Body.String())
		}
	}
	assert.Len(t, p.entries(), 3, "each ask is on record")
}

func TestPayloadsThatCannotBeOpenedAreRefusedAndUnsealedOnesComeBack(t *testing.T) {
	p := newPlatform()
	ask := request{method: http.MethodPost, path: decodePath, body: `{"payloads":[{"data":"c2VhbGVk"}]}`, as: "operator"}
	rec := send(t, p.handler(t, func(c *Config) { c.Payloads = opener{models.Invalid("payloads", "", "key k9 is not known")} }), ask)
	assert.Equal(t, http.StatusBadRequest, rec.Code)
	assert.Contains(t, rec.Body.String(), "k9")
	rec = send(t, p.handler(t, func(c *Config) { c.Payloads = nil }), ask)
	assert.Equal(t, http.StatusOK, rec.Code)
	assert.JSONEq(t, ask.body, rec.Body.String())
}

func TestOnlyTheTemporalUIMayAskFromAnotherOrigin(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	for origin, allowed := range map[string]string{"http://127.0.0.1:8233": "http://127.0.0.1:8233", "https://evil.example": "", "": ""} {
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		rec := send(t, h, request{method: http.MethodOptions, path: decodePath, header: header})
		assert.Equal(t, allowed, rec.Header().Get("Access-Control-Allow-Origin"), origin)
		assert.Equal(t, allowed != "", rec.Code == http.StatusNoContent, origin)
	}
	rec := send(t, h, request{path: base + "/services", as: "operator", header: http.Header{"Origin": {"http://127.0.0.1:8233"}}})
	assert.Empty(t, rec.Header().Get("Access-Control-Allow-Origin"), "no other route is shared")
}
