package api

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// from sends a refused call over a connection from an address, with headers that say otherwise.
func from(t *testing.T, h http.Handler, address string, forwarded ...string) int {
	t.Helper()
	req := httptest.NewRequest(http.MethodGet, base+"/services", nil)
	req.RemoteAddr = address
	for _, f := range forwarded {
		req.Header.Add("X-Forwarded-For", f)
	}
	req.Header.Set("X-Real-Ip", "203.0.113.99")
	req.Header.Set("Forwarded", "for=203.0.113.99")
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec.Code
}

func TestAnAddressIsTheConnectionsUnlessATrustedProxySaysOtherwise(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for name, c := range map[string]struct {
		trusted    []netip.Prefix
		connection string
		forwarded  []string
		want       string
	}{
		"no proxy is trusted":             {nil, "10.0.0.1:99", []string{"203.0.113.9"}, "10.0.0.1"},
		"not this one":                    {proxies, "192.0.2.7:99", []string{"203.0.113.9"}, "192.0.2.7"},
		"one proxy":                       {proxies, "10.0.0.1:99", []string{"203.0.113.9"}, "203.0.113.9"},
		"two proxies":                     {proxies, "10.0.0.1:99", []string{"203.0.113.9, 10.3.4.5"}, "203.0.113.9"},
		"what the caller wrote before it": {proxies, "10.0.0.1:99", []string{"198.51.100.1, 203.0.113.9"}, "203.0.113.9"},
		"a header of the caller's own":    {proxies, "10.0.0.1:99", []string{"198.51.100.1", "203.0.113.9"}, "203.0.113.9"},
		"a caller who plays the proxy":    {proxies, "10.0.0.1:99", []string{"10.9.9.9, 203.0.113.9"}, "203.0.113.9"},
		"no header":                       {proxies, "10.0.0.1:99", nil, "10.0.0.1"},
		"nonsense":                        {proxies, "10.0.0.1:99", []string{"198.51.100.1, evil"}, "10.0.0.1"},
		"proxies alone":                   {proxies, "10.0.0.1:99", []string{"10.0.0.2"}, "10.0.0.2"},
		"IPv6":                            {proxies, "[fd00::1]:99", []string{"2001:db8::9"}, "2001:db8::9"},
		"IPv4 in IPv6":                    {proxies, "[::ffff:10.0.0.1]:99", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform()
			h := p.handler(t, func(cfg *Config) { cfg.TrustedProxies = c.trusted })
			require.Equal(t, http.StatusUnauthorized, from(t, h, c.connection, c.forwarded...))
			assert.Equal(t, c.want, p.entries()[0].RemoteIP)
			assert.Contains(t, p.counts, "address:"+source(c.want), "the limit counts the same address")
		})
	}
}

// One caller has all addresses of an IPv6 /64: by address there would be no limit.
func TestRefusedCallsFromOneIPv6NetworkShareALimit(t *testing.T) {
	p := newPlatform()
	h := p.handler(t, func(c *Config) { c.RateLimit = 2 })
	for i, address := range []string{"[2001:db8::1]:9", "[2001:db8::2]:9", "[2001:db8::ffff:3]:9"} {
		assert.Equal(t, []int{401, 401, 429}[i], from(t, h, address))
	}
	assert.Equal(t, 401, from(t, h, "[2001:db8:0:1::1]:9"), "another network is another caller")
	assert.Equal(t, 401, from(t, h, "192.0.2.1:9"))
	assert.Equal(t, 401, from(t, h, "192.0.2.2:9"), "an IPv4 address is counted alone")
	assert.Equal(t, 2, p.counts["address:192.0.2.1"]+p.counts["address:192.0.2.2"])
}
